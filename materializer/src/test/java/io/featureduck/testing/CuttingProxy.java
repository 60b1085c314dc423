package io.featureduck.testing;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Stands before a database, reads what its clients send message by message, and cuts all
 * connections at a message of one's choice. Counted are those that make the server do something:
 * {@link ClientMessages} says which.
 */
public final class CuttingProxy implements AutoCloseable {
  private static final long FROZEN_MILLIS = 300;

  private final SourceServer kind;
  private final int target;
  private final ServerSocket server;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private Cut cut = Cut.BEFORE;
  private int at;
  private int times;
  private int counted;

  /** How a connection ends. */
  public enum Cut {
    /** The message doesn't arrive. */
    BEFORE,
    /** The message arrives, its answer doesn't. */
    AFTER,
    /** The message arrives, and its answer breaks off. */
    WITHIN,
    /** The message doesn't arrive, and for a while nobody is told. */
    FROZEN
  }

  public CuttingProxy(SourceServer kind, int target) throws IOException {
    this.kind = kind;
    this.target = target;
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    threads.execute(this::accept);
  }

  public int port() {
    return server.getLocalPort();
  }

  /**
   * Cuts all connections at a message, and so many times: counting begins anew after each.
   *
   * @param message from 1
   */
  public synchronized void cutAt(int message, Cut how, int howOften) {
    cut = how;
    at = message;
    times = howOften;
    counted = 0;
  }

  /** Lets everything pass from now on; returns how many cuts had still to come. */
  public synchronized int heal() {
    int left = times;
    times = 0;
    return left;
  }

  /** Returns how many messages came since {@link #cutAt}, or since its last cut. */
  public synchronized int counted() {
    return counted;
  }

  private synchronized boolean isDue() {
    if (times == 0) {
      return false;
    }
    counted++;
    if (counted < at) {
      return false;
    }
    counted = 0;
    times--;
    return true;
  }

  private synchronized Cut how() {
    return cut;
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Socket database = new Socket(InetAddress.getLoopbackAddress(), target);
        client.setTcpNoDelay(true);
        database.setTcpNoDelay(true);
        sockets.add(client);
        sockets.add(database);
        AtomicBoolean breaksOff = new AtomicBoolean();
        threads.execute(() -> requests(client, database, breaksOff));
        threads.execute(() -> answers(client, database, breaksOff));
      } catch (IOException e) {
        // Closed, or the database is away: whoever waits for an answer notices.
      }
    }
  }

  private void answers(Socket client, Socket database, AtomicBoolean breaksOff) {
    try {
      InputStream in = database.getInputStream();
      OutputStream out = client.getOutputStream();
      byte[] bytes = new byte[1 << 14];
      for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
        if (breaksOff.get()) {
          out.write(bytes, 0, read / 2);
          closeAll();
          return;
        }
        out.write(bytes, 0, read);
      }
    } catch (IOException e) {
      // Cut on one side; the other one follows below.
    } finally {
      close(client);
      close(database);
    }
  }

  private void requests(Socket client, Socket database, AtomicBoolean breaksOff) {
    try {
      DataInputStream in = new DataInputStream(client.getInputStream());
      OutputStream out = database.getOutputStream();
      ClientMessages messages = ClientMessages.of(kind);
      while (true) {
        byte[] message = messages.next(in);
        if (messages.isWork(message) && isDue()) {
          cut(out, message, breaksOff);
        } else {
          out.write(message);
        }
      }
    } catch (IOException e) {
      // The client has gone, or was cut.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      close(client);
      close(database);
    }
  }

  private void cut(OutputStream out, byte[] message, AtomicBoolean breaksOff)
      throws IOException, InterruptedException {
    switch (how()) {
      case BEFORE -> closeAll();
      case AFTER -> {
        out.write(message);
        closeAll();
      }
      case WITHIN -> {
        breaksOff.set(true);
        out.write(message);
      }
      case FROZEN -> {
        TimeUnit.MILLISECONDS.sleep(FROZEN_MILLIS);
        closeAll();
      }
    }
  }

  private void closeAll() {
    sockets.forEach(CuttingProxy::close);
    sockets.clear();
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new IllegalStateException("a socket does not close", e);
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    closeAll();
    threads.shutdown();
  }
}
