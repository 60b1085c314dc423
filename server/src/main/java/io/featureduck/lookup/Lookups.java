package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.metrics.LookupMetrics;
import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.sqlclient.DatabaseException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads rows that the cache does not have, in as few queries as the load asks for. Confined to one
 * event loop.
 */
public final class Lookups {
  /* Few queries of a view are in flight at once; what is asked for while they are out waits and travels
   * together in the next one, so a batch is as large as the store is slow, and a quiet store answers
   * each key on its own at once. Views don't wait for each other before they are sent: a request for
   * several has all of its queries in one round. A key is asked for once, however many requests wait for it; one that
   * was sent before a commit is asked for again by requests that come after it, since its row may be
   * the old one. Where the store refuses a query because of one of its keys, each of them is asked
   * for alone, so that only the bad one fails.
   *
   * Bounds: waiting keys by number and by age, each request's wait by the sweep. */
  private static final Logger LOG = LoggerFactory.getLogger(Lookups.class);
  private static final int QUERIES_MAX = 32;
  private static final long QUEUEING_MAX_NANOS = 500_000_000;

  private final Context context;
  private final Function<ServedView, FeatureTable> tables;
  private final Function<ServedView, Future<Boolean>> outdated;
  private final FeatureCache cache;
  private final OnlineStoreSettings settings;
  private final LookupMetrics metrics;
  private final long timeoutNanos;
  private final int queriesMax;

  private final Map<String, ViewQueue> queues = new HashMap<>();
  private final ArrayDeque<ViewQueue> ready = new ArrayDeque<>();
  private final ArrayDeque<Pending> byAge = new ArrayDeque<>();
  private int queriesInFlight;
  private int waitingKeys;
  private boolean dispatching;

  /**
   * @param context the event loop this belongs to
   * @param tables makes the table that a view is read from
   * @param outdated asks the store whether a view is served by another definition by now; may
   *     complete on any thread
   * @param timeout of a lookup, its waiting included; kept by {@link #sweep}
   */
  public Lookups(
      Context context,
      Function<ServedView, FeatureTable> tables,
      Function<ServedView, Future<Boolean>> outdated,
      FeatureCache cache,
      OnlineStoreSettings settings,
      Duration timeout,
      LookupMetrics metrics) {
    this.context = context;
    this.tables = tables;
    this.outdated = outdated;
    this.cache = cache;
    this.settings = settings;
    this.timeoutNanos = timeout.toNanos();
    this.queriesMax =
        switch (settings.type()) {
          case POSTGRES -> Math.max(QUERIES_MAX, settings.queriesPerLoop());
          // Its client sends one query at a time: what is sent to it later waits here rather.
          case MYSQL -> settings.queriesPerLoop();
        };
    this.metrics = metrics;
  }

  /**
   * Refuses work that would wait for too long.
   *
   * @param keys how many keys are about to be read
   * @throws FeatureException OVERLOADED, unless the store is away and the cache may stand in;
   *     TOO_MANY_ENTITIES where they could never be read at once
   */
  public void admit(ServedView view, int keys) {
    if (queue(view).storeAway) {
      return;
    }
    if (keys > settings.waitingKeysPerLoop()) {
      throw new FeatureException(
          ErrorCode.TOO_MANY_ENTITIES,
          "%d rows are asked for, and no more than %d may wait for the online store: ask for them in several requests"
              .formatted(keys, settings.waitingKeysPerLoop()));
    }
    if (waitingKeys + keys > settings.waitingKeysPerLoop()) {
      throw shed("queue_full", "too many lookups wait for the online store");
    }
    if (queue(view).oldestWaitNanos() > QUEUEING_MAX_NANOS) {
      throw shed("queue_delay", "lookups wait for too long for the online store");
    }
  }

  private FeatureException shed(String reason, String message) {
    metrics.shed(reason);
    return new FeatureException(ErrorCode.OVERLOADED, message);
  }

  /**
   * Reads an entity's row from the store, and keeps it in the cache.
   *
   * @return the row. Where the store is away, the row that the cache has, marked stale, if it is
   *     not too old; else it fails with STORE_TIMEOUT, STORE_UNAVAILABLE (which a row that can't be
   *     read is, too), DEADLINE_EXCEEDED, OVERLOADED, or INVALID_REQUEST where the store refuses
   *     the key; with an {@link OutdatedViewException} where another definition is live by now.
   */
  public Future<Reading> read(ServedView view, String entity) {
    if (view.asOf().isEmpty()) {
      return Future.failedFuture(
          new FeatureException(
              ErrorCode.STORE_UNAVAILABLE,
              "view %s was never materialized".formatted(view.name())));
    }
    ViewQueue queue = queue(view);
    if (queue.storeAway && !queue.sent.isEmpty()) {
      // A query that is out already will tell when the store is back.
      FeatureRow row = cache.stale(view, entity);
      if (row != FeatureCache.UNREAD) {
        return Future.succeededFuture(new Reading(row, true));
      }
    }
    Pending known = queue.known(entity);
    if (known != null) {
      return known.promise.future();
    }
    if (waitingKeys >= settings.waitingKeysPerLoop()) {
      metrics.shed("queue_full");
      return Future.failedFuture(
          new FeatureException(ErrorCode.OVERLOADED, "too many lookups wait for the online store"));
    }
    Pending pending = new Pending(entity, System.nanoTime());
    enqueue(queue, pending);
    byAge.add(pending);
    return pending.promise.future();
  }

  private ViewQueue queue(ServedView view) {
    ViewQueue queue = queues.get(view.name());
    if (queue == null || queue.view != view) {
      // What still waits in the queue of an older definition is answered from there.
      queue = new ViewQueue(view, tables.apply(view));
      queues.put(view.name(), queue);
    }
    return queue;
  }

  private void enqueue(ViewQueue queue, Pending pending) {
    queue.waiting.put(pending.entity, pending);
    waitingKeys(1);
    readyIfItMaySend(queue);
    dispatchSoon();
  }

  private void readyIfItMaySend(ViewQueue queue) {
    if (!queue.ready
        && !queue.waiting.isEmpty()
        && queue.queriesInFlight < settings.queriesPerLoop()) {
      queue.ready = true;
      ready.add(queue);
    }
  }

  private void waitingKeys(int more) {
    waitingKeys += more;
    metrics.queueKeys(more);
  }

  /** Sends after the tick, so that the keys of all requests that it brought travel together. */
  private void dispatchSoon() {
    if (!dispatching && queriesInFlight < queriesMax && !ready.isEmpty()) {
      dispatching = true;
      context.runOnContext(nothing -> dispatch());
    }
  }

  private void dispatch() {
    dispatching = false;
    while (queriesInFlight < queriesMax) {
      ViewQueue queue = ready.poll();
      if (queue == null) {
        return;
      }
      queue.ready = false;
      int waiting = queue.waiting.size();
      List<Pending> batch = queue.take(Math.min(settings.keysPerQuery(), queue.table.keysMax()));
      waitingKeys(queue.waiting.size() - waiting);
      if (!batch.isEmpty()) {
        send(queue, batch);
      }
      readyIfItMaySend(queue);
    }
  }

  private void send(ViewQueue queue, List<Pending> batch) {
    long epoch = queue.view.epoch();
    List<String> entities = new ArrayList<>(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      Pending pending = batch.get(i);
      pending.epoch = epoch;
      entities.add(pending.entity);
      queue.sent.put(pending.entity, pending);
    }
    queriesInFlight++;
    queue.queriesInFlight++;
    long sentNanos = System.nanoTime();
    queue.table.fetch(entities).onComplete(result -> received(queue, batch, sentNanos, result));
  }

  private void received(
      ViewQueue queue, List<Pending> batch, long sentNanos, AsyncResult<List<FeatureRow>> result) {
    queriesInFlight--;
    queue.queriesInFlight--;
    readyIfItMaySend(queue);
    for (int i = 0; i < batch.size(); i++) {
      boolean ignored = queue.sent.remove(batch.get(i).entity, batch.get(i));
    }
    metrics.query(batch.size(), System.nanoTime() - sentNanos, result.cause());
    if (result.succeeded()) {
      queue.storeAway = false;
      answer(queue, batch, result.result());
    } else {
      failed(queue, batch, result.cause());
    }
    dispatchSoon();
  }

  private void answer(ViewQueue queue, List<Pending> batch, List<FeatureRow> rows) {
    for (int i = 0; i < batch.size(); i++) {
      Pending pending = batch.get(i);
      FeatureRow row = rows.get(i);
      FeatureException failure = row.failure();
      if (failure != null) {
        unreadable(queue, pending, failure);
        continue;
      }
      cache.put(queue.view, pending.entity, row, pending.epoch);
      pending.succeed(new Reading(row, false));
    }
  }

  private static void unreadable(ViewQueue queue, Pending pending, FeatureException failure) {
    if (!queue.unreadableTold) {
      queue.unreadableTold = true;
      LOG.warn(
          "view {}, entity {}: {}; others like it are not told of",
          queue.view.name(),
          pending.entity,
          failure.getMessage());
    }
    pending.fail(failure);
  }

  private void failed(ViewQueue queue, List<Pending> batch, Throwable cause) {
    ErrorCode code = cause instanceof FeatureException e ? e.code() : ErrorCode.INTERNAL;
    // At once: what comes of asking below may come after a query that the store has answered.
    queue.storeAway = isAway(code);
    if (code == ErrorCode.INVALID_REQUEST && batch.size() > 1) {
      retryAlone(queue, batch);
      return;
    }
    if (cause instanceof FeatureException e && e.getCause() instanceof DatabaseException) {
      // The store answers: a column or the table that was asked for may be gone.
      outdated
          .apply(queue.view)
          .onComplete(asked -> context.runOnContext(nothing -> refused(queue, batch, e, asked)));
      return;
    }
    giveUp(queue, batch, cause, code);
  }

  private void refused(
      ViewQueue queue, List<Pending> batch, FeatureException cause, AsyncResult<Boolean> outdated) {
    if (outdated.succeeded() && outdated.result()) {
      OutdatedViewException again = new OutdatedViewException(cause);
      batch.forEach(pending -> pending.fail(again));
    } else {
      giveUp(queue, batch, cause, cause.code());
    }
  }

  private void giveUp(ViewQueue queue, List<Pending> batch, Throwable cause, ErrorCode code) {
    boolean away = isAway(code);
    for (int i = 0; i < batch.size(); i++) {
      Pending pending = batch.get(i);
      if (away) {
        staleOr(queue.view, pending, cause);
      } else {
        pending.fail(cause);
      }
    }
  }

  private static boolean isAway(ErrorCode code) {
    return code == ErrorCode.STORE_UNAVAILABLE || code == ErrorCode.STORE_TIMEOUT;
  }

  private void retryAlone(ViewQueue queue, List<Pending> batch) {
    for (int i = 0; i < batch.size(); i++) {
      Pending pending = batch.get(i);
      Pending again = queue.waiting.get(pending.entity);
      pending.alone = true;
      if (again != null) {
        // A request that came after a commit asked for the same key anew.
        again.alone = true;
        again.promise.future().onComplete(pending::follow);
      } else {
        enqueue(queue, pending);
      }
    }
  }

  private void staleOr(ServedView view, Pending pending, Throwable cause) {
    FeatureRow row = cache.stale(view, pending.entity);
    if (row == FeatureCache.UNREAD) {
      pending.fail(cause);
    } else {
      pending.succeed(new Reading(row, true));
    }
  }

  /** Fails what waits for longer than the timeout; to be called a few times a second. */
  public void sweep() {
    long now = System.nanoTime();
    Pending oldest = byAge.peek();
    while (oldest != null && (oldest.done || now - oldest.askedNanos > timeoutNanos)) {
      byAge.remove();
      if (!oldest.done) {
        expire(oldest);
      }
      oldest = byAge.peek();
    }
  }

  private void expire(Pending pending) {
    pending.fail(
        new FeatureException(
            ErrorCode.DEADLINE_EXCEEDED,
            "no row within %d ms".formatted(timeoutNanos / 1_000_000)));
  }

  /** The keys of one view that wait, in order, and those that are out. */
  private static final class ViewQueue {
    final ServedView view;
    final FeatureTable table;
    final LinkedHashMap<String, Pending> waiting = new LinkedHashMap<>();
    final Map<String, Pending> sent = new HashMap<>();
    int queriesInFlight;

    /** Whether it waits for its turn to send. */
    boolean ready;

    boolean storeAway;
    boolean unreadableTold;

    ViewQueue(ServedView view, FeatureTable table) {
      this.view = view;
      this.table = table;
    }

    long oldestWaitNanos() {
      return waiting.isEmpty()
          ? 0
          : System.nanoTime() - waiting.values().iterator().next().askedNanos;
    }

    /** Returns the lookup of a key that a new request may share, or null. */
    @Nullable Pending known(String entity) {
      Pending out = sent.get(entity);
      if (out != null && out.epoch == view.epoch()) {
        return out;
      }
      return waiting.get(entity);
    }

    /** Removes the keys of the next query from those that wait; expired ones go, too. */
    List<Pending> take(int max) {
      List<Pending> batch = new ArrayList<>(Math.min(max, waiting.size()));
      Iterator<Pending> next = waiting.values().iterator();
      while (batch.size() < max && next.hasNext()) {
        Pending pending = next.next();
        if (pending.done) {
          next.remove();
          continue;
        }
        if (pending.alone && !batch.isEmpty()) {
          break;
        }
        next.remove();
        batch.add(pending);
        if (pending.alone) {
          break;
        }
      }
      return batch;
    }
  }

  /** A key that some requests wait for. */
  private static final class Pending {
    final String entity;
    final long askedNanos;
    final Promise<Reading> promise = Promise.promise();
    long epoch;
    boolean alone;
    boolean done;

    Pending(String entity, long askedNanos) {
      this.entity = entity;
      this.askedNanos = askedNanos;
    }

    void succeed(Reading reading) {
      if (!done) {
        done = true;
        told(() -> promise.complete(reading));
      }
    }

    void fail(Throwable cause) {
      if (!done) {
        done = true;
        told(() -> promise.fail(cause));
      }
    }

    /** Whoever waits for a key and fails must not keep others from their rows. */
    private void told(Runnable listeners) {
      try {
        listeners.run();
      } catch (RuntimeException e) {
        LOG.error("a request failed over the row of an entity", e);
      }
    }

    void follow(AsyncResult<Reading> other) {
      if (other.succeeded()) {
        succeed(other.result());
      } else {
        fail(other.cause());
      }
    }
  }
}
