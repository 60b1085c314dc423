package io.featureduck.http;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.vertx.core.Vertx;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetSocket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;

/** Stands before a database and spoils what passes. */
final class StoreProxy {
  private final NetServer server;
  private final NetClient client;
  private final int target;
  private final Set<NetSocket> sockets = ConcurrentHashMap.newKeySet();
  private volatile boolean frozen;
  private volatile boolean refusing;

  StoreProxy(Vertx vertx, int target) throws TimeoutException {
    this.target = target;
    this.client = vertx.createNetClient();
    this.server =
        vertx
            .createNetServer()
            .connectHandler(this::connected)
            .listen(0, "127.0.0.1")
            .await(10, SECONDS);
  }

  int port() {
    return server.actualPort();
  }

  private void connected(NetSocket socket) {
    if (refusing) {
      socket.close();
      return;
    }
    socket.pause();
    client
        .connect(target, "127.0.0.1")
        .onSuccess(database -> pipe(socket, database))
        .onFailure(e -> socket.close());
  }

  private void pipe(NetSocket socket, NetSocket database) {
    sockets.add(socket);
    socket.handler(data -> {
      if (!frozen) {
        database.write(data);
      }
    });
    database.handler(data -> {
      if (!frozen) {
        socket.write(data);
      }
    });
    socket.closeHandler(nothing -> {
      sockets.remove(socket);
      database.close();
    });
    database.closeHandler(nothing -> socket.close());
    socket.resume();
  }

  /** Swallows what is sent from now on, on old and new connections. */
  void freeze() {
    frozen = true;
  }

  /** Cuts all connections and takes no new ones. */
  void cut() {
    refusing = true;
    sockets.forEach(NetSocket::close);
  }

  /** Lets new connections through; those that were frozen have lost data and are cut. */
  void heal() {
    frozen = false;
    refusing = false;
    sockets.forEach(NetSocket::close);
  }
}
