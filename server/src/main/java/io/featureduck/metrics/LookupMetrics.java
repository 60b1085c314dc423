package io.featureduck.metrics;

import io.featureduck.error.FeatureException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** What is counted on the lookup path, over all event loops. May be used from any thread. */
public final class LookupMetrics {
  final Map<ViewVersion, ViewMetrics> views = new ConcurrentSkipListMap<>();
  final LongAdder cacheHits = new LongAdder();
  final LongAdder cacheMisses = new LongAdder();
  final Map<String, LongAdder> queries = new ConcurrentHashMap<>();
  final Histogram querySeconds = Histogram.ofRequests();
  final Histogram batchKeys = Histogram.ofKeys();
  final LongAdder queueKeys = new LongAdder();
  final Map<String, LongAdder> shed = new ConcurrentHashMap<>();
  private volatile boolean storeUp;
  private volatile Optional<Boolean> listening = Optional.empty();
  private volatile long storeAnsweredNanos = System.nanoTime();

  public LookupMetrics() {
    // Series exist before the first event, so that a rate sees the first one.
    queries.put("ok", new LongAdder());
    shed.put("queue_full", new LongAdder());
    shed.put("queue_delay", new LongAdder());
    shed.put("erasures", new LongAdder());
  }

  /** Returns the counters of a version of a view; the same ones each time. */
  public ViewMetrics view(String view, int version) {
    return views.computeIfAbsent(new ViewVersion(view, version), key -> new ViewMetrics());
  }

  public void cacheHit() {
    cacheHits.increment();
  }

  public void cacheMiss() {
    cacheMisses.increment();
  }

  /** Counts the keys of a batch that the cache had, and those it had not. */
  public void cache(int hits, int misses) {
    cacheHits.add(hits);
    cacheMisses.add(misses);
  }

  /**
   * Records a query to the store.
   *
   * @param failure null where it succeeded
   */
  public void query(int keys, long nanos, @Nullable Throwable failure) {
    querySeconds.record(nanos);
    batchKeys.record(keys);
    String status =
        failure == null ? "ok" : failure instanceof FeatureException e ? e.code().id() : "internal";
    queries.computeIfAbsent(status, key -> new LongAdder()).increment();
  }

  /** Counts keys that begin to wait, or, where negative, that wait no more. */
  public void queueKeys(int more) {
    queueKeys.add(more);
  }

  public void shed(String reason) {
    shed.computeIfAbsent(reason, key -> new LongAdder()).increment();
  }

  /** Notes whether the store answered when it was asked last. */
  public void storeUp(boolean up) {
    storeUp = up;
    if (up) {
      storeAnsweredNanos = System.nanoTime();
    }
  }

  /** Returns how long ago the store answered last; zero while it does. */
  public Duration storeSilence() {
    return storeUp ? Duration.ZERO : Duration.ofNanos(System.nanoTime() - storeAnsweredNanos);
  }

  /** Tells whether the store answered when it was asked last. */
  public boolean isStoreUp() {
    return storeUp;
  }

  /** Notes whether the store tells of commits as they happen. */
  public void listening(boolean now) {
    listening = Optional.of(now);
  }

  /**
   * Tells whether the store tells of commits as they happen, else they are asked for; empty where
   * it is of a kind that never does.
   */
  public Optional<Boolean> listening() {
    return listening;
  }
}
