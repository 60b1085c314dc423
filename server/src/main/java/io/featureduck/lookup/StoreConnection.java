package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxException;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One pipelined connection to the online store, opened when it is first asked for and again after
 * it is lost. Confined to one event loop.
 *
 * <p>Not a pool: a pool has neither a way to drop a connection that stopped answering, nor a say in
 * which loop its connections live on.
 */
final class StoreConnection {
  private static final Logger LOG = LoggerFactory.getLogger(StoreConnection.class);
  private static final int PIPELINE_MAX = 256;
  private static final int STATEMENTS_MAX = 2_048;
  private static final int STATEMENT_CHARACTERS_MAX = 1 << 20;
  private static final long BACKOFF_MIN_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long BACKOFF_MAX_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Vertx vertx;
  private final PgConnectOptions options;
  private final Duration timeout;
  private @Nullable Future<PgConnection> current;
  private @Nullable Throwable failure;
  private long retryAtNanos;
  private long backoffNanos = BACKOFF_MIN_NANOS;
  private boolean closed;

  StoreConnection(Vertx vertx, OnlineStoreSettings settings) {
    this.vertx = vertx;
    this.options = options(settings, "featureduck");
    this.timeout = settings.timeout();
  }

  /**
   * Returns how the store is connected to.
   *
   * @param name what the store's administrators see the connection as
   */
  static PgConnectOptions options(OnlineStoreSettings settings, String name) {
    PgConnectOptions options = PgConnectOptions.fromUri(settings.url());
    settings.password().ifPresent(secret -> options.setPassword(secret.reveal()));
    options
        .setPipeliningLimit(PIPELINE_MAX)
        .setCachePreparedStatements(true)
        .setPreparedStatementCacheMaxSize(STATEMENTS_MAX)
        .setPreparedStatementCacheSqlLimit(STATEMENT_CHARACTERS_MAX)
        .setReconnectAttempts(0)
        .setProperties(Map.of("application_name", name, "TimeZone", "UTC"));
    return options;
  }

  /**
   * Returns the connection. Fails within the store's timeout; at once where an attempt failed just
   * now.
   */
  Future<PgConnection> get() {
    Future<PgConnection> known = current;
    if (known != null) {
      return known;
    }
    Throwable cause = failure;
    if (cause != null && System.nanoTime() - retryAtNanos < 0) {
      return Future.failedFuture(cause);
    }
    Future<PgConnection> connecting =
        connect(vertx, options, timeout).compose(this::opened, this::failed);
    // A failure that came at once has been noted, and leaves nothing to share.
    current = connecting.failed() ? null : connecting;
    return connecting;
  }

  /** Opens a connection; one that is there only after {@code timeout} is closed again. */
  static Future<PgConnection> connect(Vertx vertx, PgConnectOptions options, Duration timeout) {
    Future<PgConnection> connecting = PgConnection.connect(vertx, options);
    return connecting
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(cause -> connecting.onSuccess(StoreConnection::close));
  }

  /** Closes a connection that nobody waits for any more. */
  static void close(PgConnection connection) {
    connection
        .close()
        .onFailure(e -> LOG.debug("a connection that was dropped did not close: {}", e.toString()));
  }

  private Future<PgConnection> opened(PgConnection connection) {
    if (closed) {
      return connection.close().compose(nothing -> Future.failedFuture("the server is stopping"));
    }
    if (failure != null) {
      LOG.info("connected to the online store again");
    }
    failure = null;
    backoffNanos = BACKOFF_MIN_NANOS;
    connection.closeHandler(nothing -> forget(connection));
    connection.exceptionHandler(e -> LOG.warn("a connection to the online store failed", e));
    return Future.succeededFuture(connection);
  }

  private Future<PgConnection> failed(Throwable cause) {
    if (failure == null) {
      LOG.warn("no connection to the online store: {}", cause.toString());
    }
    failure = cause;
    current = null;
    retryAtNanos = System.nanoTime() + backoffNanos;
    backoffNanos = Math.min(2 * backoffNanos, BACKOFF_MAX_NANOS);
    return Future.failedFuture(cause);
  }

  /** Drops a connection that doesn't answer; what waits for it fails. */
  void drop(PgConnection connection) {
    forget(connection);
    close(connection);
  }

  private void forget(PgConnection connection) {
    Future<PgConnection> known = current;
    if (known != null && known.succeeded() && connection.equals(known.result())) {
      current = null;
    }
  }

  /** Closes the connection; the next {@link #get()} fails. */
  Future<Void> close() {
    closed = true;
    Future<PgConnection> known = current;
    failure = VertxException.noStackTrace("the server is stopping");
    retryAtNanos = System.nanoTime() + TimeUnit.DAYS.toNanos(365);
    current = null;
    if (known == null) {
      return Future.succeededFuture();
    }
    return known.compose(PgConnection::close).otherwiseEmpty();
  }
}
