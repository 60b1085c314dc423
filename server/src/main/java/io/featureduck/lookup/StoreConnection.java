package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxException;
import io.vertx.mysqlclient.MySQLConnectOptions;
import io.vertx.mysqlclient.MySQLConnection;
import io.vertx.mysqlclient.impl.MySQLSocketConnection;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.internal.SqlConnectionInternal;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the online store, opened when it is first asked for and again after it is lost.
 * Confined to one event loop.
 *
 * <p>Not a pool: a pool has neither a way to drop a connection that stopped answering, nor a say in
 * which loop its connections live on.
 */
final class StoreConnection {
  private static final Logger LOG = LoggerFactory.getLogger(StoreConnection.class);
  private static final String NAME = "featureduck";

  // A server may be told to start sessions without autocommit: one would then read its first
  // snapshot for ever, and keep the table from being replaced. Another one may ignore the character
  // set that a client asks for as it connects.
  private static final String MYSQL_SESSION = "SET autocommit = 1, NAMES utf8mb4";

  private static final long BACKOFF_MIN_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long BACKOFF_MAX_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Supplier<Future<SqlConnection>> opening;
  private @Nullable Future<SqlConnection> current;
  private @Nullable Throwable failure;
  private long retryAtNanos;
  private long backoffNanos = BACKOFF_MIN_NANOS;
  private boolean closed;

  StoreConnection(Vertx vertx, OnlineStoreSettings settings) {
    Duration timeout = settings.timeout();
    this.opening =
        switch (settings.type()) {
          case POSTGRES -> {
            PgConnectOptions options = StoreOptions.postgres(settings, NAME);
            yield () -> within(timeout, PgConnection.connect(vertx, options)).map(open -> open);
          }
          case MYSQL -> {
            MySQLConnectOptions options = StoreOptions.mySql(settings, NAME);
            yield () ->
                within(timeout, MySQLConnection.connect(vertx, options))
                    .compose(open -> begin(open, timeout));
          }
        };
  }

  private static Future<SqlConnection> begin(MySQLConnection open, Duration timeout) {
    return open.query(MYSQL_SESSION)
        .execute()
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .<SqlConnection>map(rows -> open)
        .onFailure(cause -> discard(open));
  }

  /**
   * Returns the connection. Fails within the store's timeout; at once where an attempt failed just
   * now.
   */
  Future<SqlConnection> get() {
    Future<SqlConnection> known = current;
    if (known != null) {
      return known;
    }
    Throwable cause = failure;
    if (cause != null && System.nanoTime() - retryAtNanos < 0) {
      return Future.failedFuture(cause);
    }
    Future<SqlConnection> connecting = opening.get().compose(this::opened, this::failed);
    // A failure that came at once has been noted, and leaves nothing to share.
    current = connecting.failed() ? null : connecting;
    return connecting;
  }

  /** Bounds the opening of a connection; one that is there only afterwards is closed again. */
  static <C extends SqlConnection> Future<C> within(Duration timeout, Future<C> connecting) {
    return connecting
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(cause -> connecting.onSuccess(StoreConnection::discard));
  }

  /** Closes a connection that nobody waits for any more. */
  static void discard(SqlConnection connection) {
    close(connection)
        .onFailure(e -> LOG.debug("a connection that was dropped did not close: {}", e.toString()));
  }

  private static Future<Void> close(SqlConnection connection) {
    Future<Void> closing = connection.close();
    // The MySQL client says goodbye behind the answers it waits for, and then waits for the server
    // to hang up, which a silent one never does.
    if (connection instanceof SqlConnectionInternal inside
        && inside.unwrap() instanceof MySQLSocketConnection mySql) {
      return mySql.socket().close().compose(nothing -> closing);
    }
    return closing;
  }

  private Future<SqlConnection> opened(SqlConnection connection) {
    if (closed) {
      return close(connection).compose(nothing -> Future.failedFuture("the server is stopping"));
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

  private Future<SqlConnection> failed(Throwable cause) {
    if (failure == null) {
      LOG.warn("no connection to the online store: {}", cause.toString());
    }
    // A way to authenticate that the client has not learnt, which is no bug of ours.
    failure = cause instanceof UnsupportedOperationException ? new IOException(cause) : cause;
    current = null;
    retryAtNanos = System.nanoTime() + backoffNanos;
    backoffNanos = Math.min(2 * backoffNanos, BACKOFF_MAX_NANOS);
    return Future.failedFuture(failure);
  }

  /** Drops a connection that doesn't answer; what waits for it fails. */
  void drop(SqlConnection connection) {
    forget(connection);
    discard(connection);
  }

  private void forget(SqlConnection connection) {
    Future<SqlConnection> known = current;
    if (known != null && known.succeeded() && connection.equals(known.result())) {
      current = null;
    }
  }

  /** Closes the connection; the next {@link #get()} fails. */
  Future<Void> close() {
    closed = true;
    Future<SqlConnection> known = current;
    failure = VertxException.noStackTrace("the server is stopping");
    retryAtNanos = System.nanoTime() + TimeUnit.DAYS.toNanos(365);
    current = null;
    if (known == null) {
      return Future.succeededFuture();
    }
    return known.compose(StoreConnection::close).otherwiseEmpty();
  }
}
