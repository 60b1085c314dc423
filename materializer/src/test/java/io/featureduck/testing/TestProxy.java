package io.featureduck.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** Stands before a database of this machine, and breaks what passes. */
public final class TestProxy implements AutoCloseable {
  private final int target;
  private final ServerSocket server;
  private final Set<Socket> clients = ConcurrentHashMap.newKeySet();
  private final Set<Socket> servers = ConcurrentHashMap.newKeySet();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final AtomicInteger accepted = new AtomicInteger();
  private final AtomicInteger refusals = new AtomicInteger();

  public TestProxy(int target) throws IOException {
    this.target = target;
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    threads.execute(this::accept);
  }

  public int port() {
    return server.getLocalPort();
  }

  /** Returns how many connections were asked for, refused ones included. */
  public int accepted() {
    return accepted.get();
  }

  /** Refuses the next connections, so many of them. */
  public void refuse(int connections) {
    refusals.set(connections);
  }

  /** Breaks all connections. */
  public void cut() {
    clients.forEach(TestProxy::close);
    servers.forEach(TestProxy::close);
  }

  /** Breaks all connections for the client; the database hears nothing of it. */
  public void abandon() {
    Set<Socket> abandoned = Set.copyOf(clients);
    clients.clear();
    abandoned.forEach(TestProxy::close);
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        accepted.incrementAndGet();
        if (refusals.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
          close(client);
        } else {
          connect(client);
        }
      } catch (IOException e) {
        // Closed, or the database is away: whoever waits for an answer notices.
      }
    }
  }

  private void connect(Socket client) throws IOException {
    Socket database = new Socket(InetAddress.getLoopbackAddress(), target);
    clients.add(client);
    servers.add(database);
    threads.execute(() -> pump(client, database));
    threads.execute(() -> pump(database, client));
  }

  private void pump(Socket from, Socket to) {
    try {
      long ignored = from.getInputStream().transferTo(to.getOutputStream());
    } catch (IOException e) {
      // Cut on one side; the other one follows below.
    } finally {
      if (clients.contains(from) || clients.contains(to)) {
        close(from);
        close(to);
      }
    }
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
    cut();
    threads.shutdown();
  }
}
