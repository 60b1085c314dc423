package io.featureduck.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.concurrent.TimeUnit.SECONDS;

import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetSocket;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Stands before a database and spoils what passes; takes its orders from any thread. */
public final class StoreProxy {
  private final NetServer server;
  private final NetClient client;
  private final int target;
  private final Set<Link> links = ConcurrentHashMap.newKeySet();
  private final Set<Kind> held = ConcurrentHashMap.newKeySet();
  private final Set<Kind> swallowed = ConcurrentHashMap.newKeySet();
  private final Map<Kind, LongAdder> asked = new ConcurrentHashMap<>();
  private final AtomicLong bytesSwallowed = new AtomicLong();
  private final AtomicInteger accepted = new AtomicInteger();
  private volatile boolean frozen;
  private volatile boolean refusing;

  /** Connections, told apart by what the client has said on them so far. */
  public enum Kind {
    ANY(""),
    LOOKUPS("entity_key = ANY"),
    LISTENING("LISTEN featureduck"),
    POLLS("featureduck_views v WHERE v.live");

    private final String said;

    Kind(String said) {
      this.said = said;
    }
  }

  public StoreProxy(Vertx vertx, int target) throws TimeoutException {
    this.target = target;
    this.client = vertx.createNetClient();
    this.server =
        vertx
            .createNetServer()
            .connectHandler(this::connected)
            .listen(0, "127.0.0.1")
            .await(10, SECONDS);
  }

  public int port() {
    return server.actualPort();
  }

  private void connected(NetSocket socket) {
    int ignored = accepted.incrementAndGet();
    if (refusing) {
      socket.close();
      return;
    }
    socket.pause();
    client
        .connect(target, "127.0.0.1")
        .onSuccess(database -> pipe(new Link(socket, database)))
        .onFailure(e -> socket.close());
  }

  private void pipe(Link link) {
    boolean ignored = links.add(link);
    link.client.handler(link::asked);
    link.database.handler(link::answered);
    link.client.closeHandler(nothing -> ended(link));
    link.database.closeHandler(nothing -> link.client.close());
    if (refusing) {
      link.client.close();
    }
    link.client.resume();
  }

  private void ended(Link link) {
    boolean ignored = links.remove(link);
    link.database.close();
  }

  /** Swallows what is sent from now on, on old and new connections. */
  public void freeze() {
    frozen = true;
  }

  /** Cuts all connections and takes no new ones. */
  public void cut() {
    refusing = true;
    closeAll();
  }

  /** Cuts all connections; new ones fare as it was ordered. */
  public void reset() {
    closeAll();
  }

  /** Keeps back what the database answers on connections of a kind, those to come too. */
  public void hold(Kind kind) {
    boolean ignored = held.add(kind);
  }

  /** Lets go, in order, what was kept back. */
  public void release() {
    held.clear();
    links.forEach(Link::release);
  }

  /** Never delivers what the database says on connections of a kind, those to come too. */
  public void swallow(Kind kind) {
    boolean ignored = swallowed.add(kind);
  }

  /**
   * Lets everything through again; connections that have lost data, or may have, are cut, and with
   * them all others.
   */
  public void heal() {
    frozen = false;
    refusing = false;
    held.clear();
    swallowed.clear();
    closeAll();
  }

  private void closeAll() {
    links.forEach(link -> link.client.close());
  }

  /** Returns how many connections there are. */
  public int open() {
    return links.size();
  }

  /** Returns how many connections there have been, those that were refused too. */
  public int accepted() {
    return accepted.get();
  }

  /** Returns how many messages there have been from clients on connections of a kind, about. */
  public long asked(Kind kind) {
    return asked.getOrDefault(kind, new LongAdder()).sum();
  }

  /** Returns how many bytes are kept back. */
  public long bytesHeld() {
    return links.stream().mapToLong(Link::bytesHeld).sum();
  }

  /** Returns how many bytes were never delivered because of {@link #swallow}. */
  public long bytesSwallowed() {
    return bytesSwallowed.get();
  }

  /** A client's connection and the one to the database that belongs to it. */
  private final class Link {
    final NetSocket client;
    final NetSocket database;
    private final Set<Kind> kinds = EnumSet.of(Kind.ANY);
    private String lastSaid = "";
    private Buffer kept = Buffer.buffer();

    Link(NetSocket client, NetSocket database) {
      this.client = client;
      this.database = database;
    }

    synchronized void asked(Buffer data) {
      // What is looked for may come in two parts.
      String said = lastSaid + data.toString(ISO_8859_1);
      for (Kind kind : Kind.values()) {
        if (said.contains(kind.said)) {
          boolean ignored = kinds.add(kind);
        }
      }
      kinds.forEach(kind -> asked.computeIfAbsent(kind, key -> new LongAdder()).increment());
      lastSaid = said.substring(Math.max(0, said.length() - 32));
      if (!frozen) {
        database.write(data);
      }
    }

    synchronized void answered(Buffer data) {
      if (frozen) {
        return;
      }
      if (kinds.stream().anyMatch(swallowed::contains)) {
        long ignored = bytesSwallowed.addAndGet(data.length());
      } else if (kept.length() > 0 || kinds.stream().anyMatch(held::contains)) {
        kept.appendBuffer(data);
      } else {
        client.write(data);
      }
    }

    synchronized void release() {
      if (kept.length() > 0) {
        client.write(kept);
        kept = Buffer.buffer();
      }
    }

    synchronized long bytesHeld() {
      return kept.length();
    }
  }
}
