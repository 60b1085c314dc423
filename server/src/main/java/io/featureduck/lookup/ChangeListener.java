package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.metrics.LookupMetrics;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hears of commits at once, over a connection of its own that listens on the channel {@code
 * featureduck}. A notification is no more than a reason to ask the store: it may be lost, or be
 * another project's in the same database. Connects again for ever. Confined to one event loop.
 */
/* Not the client's PgSubscriber, which by default never connects again, sets no bound to an attempt,
 * and doesn't notice a peer that is gone without a word. Here LISTEN is said again and again: it
 * changes nothing on a connection that lives, and finds out the one that doesn't. */
final class ChangeListener {
  private static final Logger LOG = LoggerFactory.getLogger(ChangeListener.class);
  private static final String NAME = "featureduck listen";
  private static final String LISTEN = "LISTEN featureduck";
  private static final long CHECK_MILLIS = 2_000;
  private static final long BACKOFF_MILLIS_MIN = 100;
  private static final long BACKOFF_MILLIS_MAX = 5_000;

  private final Vertx vertx;
  private final PgConnectOptions options;
  private final Duration timeout;
  private final Runnable heard;
  private final LookupMetrics metrics;
  private @Nullable PgConnection current;
  private boolean listening;
  private boolean told;
  private boolean closed;
  private long backoffMillis = BACKOFF_MILLIS_MIN;

  /**
   * @param heard is run at each notification, and each time that listening begins, since what was
   *     sent before that is lost
   */
  ChangeListener(Vertx vertx, OnlineStoreSettings settings, Runnable heard, LookupMetrics metrics) {
    this.vertx = vertx;
    this.options = StoreOptions.postgres(settings, NAME);
    this.timeout = settings.timeout();
    this.heard = heard;
    this.metrics = metrics;
    metrics.listening(false);
  }

  /** Begins to connect; to be called once. */
  void start() {
    if (closed) {
      return;
    }
    StoreConnection.within(timeout, PgConnection.connect(vertx, options))
        .onSuccess(this::opened)
        .onFailure(this::again);
  }

  private void opened(PgConnection connection) {
    if (closed) {
      StoreConnection.discard(connection);
      return;
    }
    current = connection;
    connection.notificationHandler(notification -> heard.run());
    connection.closeHandler(nothing -> ended(connection, "it was closed"));
    connection.exceptionHandler(e -> LOG.debug("the listening connection failed", e));
    listen(connection);
  }

  private void listen(PgConnection connection) {
    connection
        .query(LISTEN)
        .execute()
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onSuccess(rows -> listening(connection))
        .onFailure(cause -> drop(connection, cause));
  }

  private void listening(PgConnection connection) {
    if (!connection.equals(current)) {
      return;
    }
    if (!listening) {
      listening = true;
      backoffMillis = BACKOFF_MILLIS_MIN;
      if (told) {
        LOG.info("hears of commits by other processes again");
        told = false;
      }
      heard.run();
      metrics.listening(true);
    }
    vertx.setTimer(CHECK_MILLIS, timer -> check(connection));
  }

  private void check(PgConnection connection) {
    if (connection.equals(current)) {
      listen(connection);
    }
  }

  private void drop(PgConnection connection, Throwable cause) {
    ended(connection, cause);
    StoreConnection.discard(connection);
  }

  private void ended(PgConnection connection, Object reason) {
    if (!connection.equals(current)) {
      return;
    }
    current = null;
    listening = false;
    metrics.listening(false);
    again(reason);
  }

  private void again(Object reason) {
    if (closed) {
      return;
    }
    if (!told) {
      LOG.warn(
          "no connection to hear of commits by other processes; they are asked for: {}",
          reason.toString());
      told = true;
    }
    // After the store's restart not all processes of a fleet should come at once.
    long wait = backoffMillis / 2 + ThreadLocalRandom.current().nextLong(backoffMillis / 2 + 1);
    backoffMillis = Math.min(2 * backoffMillis, BACKOFF_MILLIS_MAX);
    vertx.setTimer(wait, timer -> start());
  }

  /** Closes the connection, for good. */
  Future<Void> close() {
    closed = true;
    PgConnection open = current;
    current = null;
    metrics.listening(false);
    return open == null ? Future.succeededFuture() : open.close().otherwiseEmpty();
  }
}
