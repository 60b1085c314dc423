package io.featureduck.testing;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Stands before a Postgres, reads what its clients send message by message, and cuts all
 * connections at a message of one's choice. Counted are the messages that make the server do
 * something: statements, pieces and ends of a COPY.
 */
public final class CuttingProxy implements AutoCloseable {
  private static final int SSL_REQUEST = 80_877_103;
  private static final int GSS_REQUEST = 80_877_104;

  /** Query, Execute, CopyData, CopyDone. */
  private static final String COUNTED = "QEdc";

  private static final long FROZEN_MILLIS = 300;

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
    /** The message doesn't arrive, and for a while nobody is told. */
    FROZEN
  }

  public CuttingProxy(int target) throws IOException {
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

  private synchronized boolean isDue(char type) {
    if (times == 0 || COUNTED.indexOf(type) < 0) {
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
        threads.execute(() -> requests(client, database));
        threads.execute(() -> answers(client, database));
      } catch (IOException e) {
        // Closed, or the database is away: whoever waits for an answer notices.
      }
    }
  }

  private void answers(Socket client, Socket database) {
    try {
      long ignored = database.getInputStream().transferTo(client.getOutputStream());
    } catch (IOException e) {
      // Cut on one side; the other one follows below.
    } finally {
      close(client);
      close(database);
    }
  }

  private void requests(Socket client, Socket database) {
    try {
      DataInputStream in = new DataInputStream(client.getInputStream());
      OutputStream out = database.getOutputStream();
      startUp(in, out);
      while (true) {
        byte type = in.readByte();
        byte[] message = message(in, type);
        if (isDue((char) type)) {
          cut(out, message);
          return;
        }
        out.write(message);
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

  private static void startUp(DataInputStream in, OutputStream out) throws IOException {
    while (true) {
      int length = in.readInt();
      int code = in.readInt();
      byte[] rest = in.readNBytes(length - 8);
      byte[] message = new byte[length];
      putInt(message, 0, length);
      putInt(message, 4, code);
      System.arraycopy(rest, 0, message, 8, rest.length);
      out.write(message);
      if (code != SSL_REQUEST && code != GSS_REQUEST) {
        return;
      }
    }
  }

  private static byte[] message(DataInputStream in, byte type) throws IOException {
    int length = in.readInt();
    byte[] message = new byte[length + 1];
    message[0] = type;
    putInt(message, 1, length);
    in.readFully(message, 5, length - 4);
    return message;
  }

  private static void putInt(byte[] bytes, int offset, int value) {
    for (int i = 0; i < 4; i++) {
      bytes[offset + i] = (byte) (value >>> (24 - 8 * i));
    }
  }

  private void cut(OutputStream out, byte[] message) throws IOException, InterruptedException {
    switch (how()) {
      case BEFORE -> {}
      case AFTER -> out.write(message);
      case FROZEN -> TimeUnit.MILLISECONDS.sleep(FROZEN_MILLIS);
    }
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
    sockets.forEach(CuttingProxy::close);
    threads.shutdown();
  }
}
