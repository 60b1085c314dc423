package io.featureduck.metrics;

import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts values in fixed buckets. May be used from any thread.
 *
 * <p>Hot path, once per request: a walk over twelve bounds and two uncontended additions.
 */
public final class Histogram {
  private static final double NANOS_PER_SECOND = 1e9;

  /** The buckets of every timer on the request path: 0.1 ms to 2.5 s. */
  private static final long[] REQUEST_NANOS = {
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    2_500_000_000L
  };

  private static final long[] RUN_NANOS = {
    100_000_000L,
    250_000_000L,
    500_000_000L,
    1_000_000_000L,
    2_500_000_000L,
    5_000_000_000L,
    10_000_000_000L,
    30_000_000_000L,
    60_000_000_000L,
    300_000_000_000L,
    900_000_000_000L,
    3_600_000_000_000L
  };

  private static final long[] KEYS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048};

  private final long[] upperBounds;
  private final double unitsPerShown;
  private final LongAdder[] counts;
  private final LongAdder sum = new LongAdder();

  private Histogram(long[] upperBounds, double unitsPerShown) {
    this.upperBounds = upperBounds;
    this.unitsPerShown = unitsPerShown;
    this.counts = new LongAdder[upperBounds.length + 1];
    Arrays.setAll(counts, i -> new LongAdder());
  }

  /** Returns a histogram of times on the request path, recorded in nanoseconds. */
  static Histogram ofRequests() {
    return new Histogram(REQUEST_NANOS, NANOS_PER_SECOND);
  }

  /** Returns a histogram of the times of runs, recorded in nanoseconds. */
  static Histogram ofRuns() {
    return new Histogram(RUN_NANOS, NANOS_PER_SECOND);
  }

  /** Returns a histogram of numbers of keys. */
  static Histogram ofKeys() {
    return new Histogram(KEYS, 1);
  }

  void record(long value) {
    int bucket = 0;
    while (bucket < upperBounds.length && value > upperBounds[bucket]) {
      bucket++;
    }
    counts[bucket].increment();
    sum.add(value);
  }

  HistogramDataPointSnapshot snapshot(Labels labels) {
    double[] bounds = new double[counts.length];
    long[] values = new long[counts.length];
    for (int i = 0; i < counts.length; i++) {
      bounds[i] =
          i < upperBounds.length ? upperBounds[i] / unitsPerShown : Double.POSITIVE_INFINITY;
      values[i] = counts[i].sum();
    }
    return HistogramDataPointSnapshot.builder()
        .classicHistogramBuckets(ClassicHistogramBuckets.of(bounds, values))
        .sum(sum.sum() / unitsPerShown)
        .labels(labels)
        .build();
  }
}
