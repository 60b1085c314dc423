package io.featureduck.engine;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds out whether a MySQL server answers, for DuckDB's extension waits for one without a bound
 * and can't be interrupted. Shared by the sessions of a process; thread-safe.
 */
/* A MySQL server speaks first: whoever connects waits for its greeting. Closed after it, the
 * connection counts as an aborted one, and 100 of those without one that succeeds would have the
 * server block this host (max_connect_errors). So a server that greeted and then refused us is not
 * tried this way again before it accepts us: it does answer.
 */
public final class Reachability {
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(10);

  private final Duration limit;
  private final Set<InetSocketAddress> refusing = ConcurrentHashMap.newKeySet();

  public Reachability() {
    this(ANSWERS_WITHIN);
  }

  Reachability(Duration limit) {
    this.limit = limit;
  }

  /**
   * Waits for the server's greeting, at most 10 s for the connection and as long for the greeting.
   *
   * @throws FeatureException SOURCE_UNAVAILABLE
   */
  public void check(String host, int port) {
    InetSocketAddress address = InetSocketAddress.createUnresolved(host, port);
    if (refusing.contains(address)) {
      return;
    }
    int millis = Math.toIntExact(limit.toMillis());
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(host, port), millis);
      socket.setSoTimeout(millis);
      if (socket.getInputStream().read() < 0) {
        throw unavailable(host, port, "closed the connection without a greeting", null);
      }
    } catch (SocketTimeoutException e) {
      throw unavailable(host, port, "did not answer within %d s".formatted(limit.toSeconds()), e);
    } catch (IOException e) {
      throw unavailable(host, port, "can't be reached (" + e.getMessage() + ")", e);
    }
  }

  private static FeatureException unavailable(
      String host, int port, String what, @Nullable Throwable cause) {
    return FeatureException.passing(
        ErrorCode.SOURCE_UNAVAILABLE, "the server at %s:%d %s".formatted(host, port, what), cause);
  }

  /** Notes that the server answered, and didn't let us in. */
  public void noteRefused(String host, int port) {
    boolean ignored = refusing.add(InetSocketAddress.createUnresolved(host, port));
  }

  /** Notes that the server let us in. */
  public void noteAccepted(String host, int port) {
    boolean ignored = refusing.remove(InetSocketAddress.createUnresolved(host, port));
  }
}
