package io.featureduck.engine;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Optional;
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
   * Waits for the server's greeting, of any of the host's addresses: for each, at most 10 s for the
   * connection and as long for the greeting.
   *
   * @throws FeatureException SOURCE_UNAVAILABLE
   */
  public void check(String host, int port) {
    InetSocketAddress address = InetSocketAddress.createUnresolved(host, port);
    if (refusing.contains(address)) {
      return;
    }
    try {
      Optional<FeatureException> failure = Optional.empty();
      for (InetAddress one : InetAddress.getAllByName(host)) {
        failure = tryOne(new InetSocketAddress(one, port));
        if (failure.isEmpty()) {
          return;
        }
      }
      throw failure.orElseThrow();
    } catch (UnknownHostException e) {
      throw unavailable(address, "can't be reached (unknown host)", e);
    }
  }

  private Optional<FeatureException> tryOne(InetSocketAddress address) {
    int millis = Math.toIntExact(limit.toMillis());
    try (Socket socket = new Socket()) {
      socket.connect(address, millis);
      socket.setSoTimeout(millis);
      return socket.getInputStream().read() < 0
          ? Optional.of(unavailable(address, "closed the connection without a greeting", null))
          : Optional.empty();
    } catch (SocketTimeoutException e) {
      return Optional.of(
          unavailable(address, "did not answer within %d s".formatted(limit.toSeconds()), e));
    } catch (IOException e) {
      return Optional.of(unavailable(address, "can't be reached (" + e.getMessage() + ")", e));
    }
  }

  private static FeatureException unavailable(
      InetSocketAddress address, String what, @Nullable Throwable cause) {
    return FeatureException.passing(
        ErrorCode.SOURCE_UNAVAILABLE,
        "the server at %s:%d %s".formatted(address.getHostString(), address.getPort(), what),
        cause);
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
