package io.featureduck.metrics;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricMetadata;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/**
 * FeatureDuck's own series, made when Prometheus asks: the hot path only adds to numbers. To be
 * registered beside those that Micrometer makes.
 */
public final class PrometheusSeries implements MultiCollector {
  private final LookupMetrics lookups;
  private final FreshnessMetrics freshness;
  private final RunMetrics runs;
  private final LongSupplier cacheBytes;
  private final LongSupplier cacheEntries;
  private final InstantSource clock;

  public PrometheusSeries(
      LookupMetrics lookups,
      FreshnessMetrics freshness,
      RunMetrics runs,
      LongSupplier cacheBytes,
      LongSupplier cacheEntries,
      InstantSource clock) {
    this.lookups = lookups;
    this.freshness = freshness;
    this.runs = runs;
    this.cacheBytes = cacheBytes;
    this.cacheEntries = cacheEntries;
    this.clock = clock;
  }

  @Override
  public MetricSnapshots collect() {
    List<MetricSnapshot> series = new ArrayList<>();
    addFreshness(series);
    addRuns(series);
    addLookups(series);
    addCache(series);
    addStore(series);
    return new MetricSnapshots(series);
  }

  private void addFreshness(List<MetricSnapshot> series) {
    Instant now = clock.instant();
    List<GaugeDataPointSnapshot> ages = new ArrayList<>();
    List<GaugeDataPointSnapshot> successes = new ArrayList<>();
    List<GaugeDataPointSnapshot> rows = new ArrayList<>();
    List<GaugeDataPointSnapshot> bytes = new ArrayList<>();
    List<GaugeDataPointSnapshot> limits = new ArrayList<>();
    for (FreshnessMetrics.Standing standing : freshness.standings()) {
      Labels labels = standing.view().labels();
      ages.add(point(standing.freshnessSeconds(now), labels));
      successes.add(point(standing.lastSuccessSeconds(), labels));
      rows.add(point(standing.rows(), labels));
      bytes.add(point(standing.tableBytes(), labels));
      standing
          .limitSeconds()
          .forEach((level, limit) -> limits.add(point(limit, labels.add("level", level))));
    }
    series.add(
        gauge(
            "featureduck_view_freshness_seconds",
            "Age of the view's newest event; infinite before its first run",
            ages));
    series.add(
        gauge(
            "featureduck_view_last_success_timestamp_seconds",
            "When the view's last successful run ended; 0 before it",
            successes));
    series.add(gauge("featureduck_view_rows", "Rows of the view", rows));
    series.add(
        gauge("featureduck_view_table_bytes", "What the view's table takes with its key", bytes));
    series.add(
        gauge(
            "featureduck_view_freshness_limit_seconds",
            "How old the view's newest event may be, where its config says so",
            limits));
  }

  private void addRuns(List<MetricSnapshot> series) {
    List<CounterDataPointSnapshot> ended = new ArrayList<>();
    List<HistogramDataPointSnapshot> seconds = new ArrayList<>();
    runs.views.forEach((view, counts) -> {
      counts.ended.forEach(
          (status, count) -> ended.add(count(count, view.labels().add("status", status))));
      seconds.add(counts.seconds.snapshot(view.labels()));
    });
    List<CounterDataPointSnapshot> rejected = new ArrayList<>();
    runs.rejected.forEach((key, count) ->
        rejected.add(count(count, Labels.of("view", key.view(), "reason", key.reason()))));
    series.add(
        counter("featureduck_runs", "Runs of this process that ended, by how they did", ended));
    series.add(histogram("featureduck_run_seconds", "How long this process's runs took", seconds));
    series.add(
        counter(
            "featureduck_rows_rejected",
            "Source rows, and computed ones that had expired long ago, that runs of this process left out",
            rejected));
    series.add(
        byLabel(
            "featureduck_rows_erased",
            "Rows of entities that this process erased on request",
            "view",
            runs.erased));
    series.add(
        byLabel(
            "featureduck_rows_purged",
            "Rows that this process removed for having expired long ago",
            "view",
            runs.purged));
  }

  private void addLookups(List<MetricSnapshot> series) {
    List<CounterDataPointSnapshot> entities = new ArrayList<>();
    List<HistogramDataPointSnapshot> seconds = new ArrayList<>();
    lookups.views.forEach((view, counts) -> {
      Labels labels = view.labels();
      entities.add(count(counts.found, labels.add("status", "found")));
      entities.add(count(counts.notFound, labels.add("status", "not_found")));
      entities.add(count(counts.expired, labels.add("status", "expired")));
      entities.add(count(counts.errors, labels.add("status", "error")));
      seconds.add(counts.seconds.snapshot(labels));
    });
    series.add(
        counter(
            "featureduck_lookups", "Entities that were looked up, by what came of it", entities));
    series.add(
        histogram(
            "featureduck_lookup_seconds", "How long requests for a view's features took", seconds));
    series.add(
        byLabel(
            "featureduck_shed", "Requests that were refused under load", "reason", lookups.shed));
  }

  private void addCache(List<MetricSnapshot> series) {
    series.add(
        byLabel(
            "featureduck_cache_requests",
            "Keys that the cache was asked for",
            "result",
            Map.of("hit", lookups.cacheHits, "miss", lookups.cacheMisses)));
    series.add(single("featureduck_cache_bytes", "What the cache holds", cacheBytes.getAsLong()));
    series.add(single("featureduck_cache_entries", "Rows in the cache", cacheEntries.getAsLong()));
  }

  private void addStore(List<MetricSnapshot> series) {
    series.add(
        byLabel(
            "featureduck_store_queries",
            "Queries to the online store, by how they ended",
            "status",
            lookups.queries));
    series.add(
        histogram(
            "featureduck_store_query_seconds",
            "How long queries to the online store took",
            List.of(lookups.querySeconds.snapshot(Labels.EMPTY))));
    series.add(
        histogram(
            "featureduck_store_batch_keys",
            "Keys that travelled in one query",
            List.of(lookups.batchKeys.snapshot(Labels.EMPTY))));
    series.add(
        single(
            "featureduck_store_queue_keys", "Keys that wait for a query", lookups.queueKeys.sum()));
    series.add(
        single(
            "featureduck_store_up",
            "1 where the online store answered when it was asked last",
            lookups.isStoreUp() ? 1 : 0));
    lookups
        .listening()
        .ifPresent(listening ->
            series.add(
                single(
                    "featureduck_store_listening",
                    "1 where commits by other processes are heard of at once; else they are polled for",
                    listening ? 1 : 0)));
  }

  private static MetricSnapshot byLabel(
      String name, String help, String label, Map<String, LongAdder> counts) {
    List<CounterDataPointSnapshot> points = new ArrayList<>();
    counts.forEach((value, count) -> points.add(count(count, Labels.of(label, value))));
    return counter(name, help, points);
  }

  private static MetricSnapshot single(String name, String help, long value) {
    return gauge(name, help, List.of(point((double) value, Labels.EMPTY)));
  }

  private static GaugeSnapshot gauge(
      String name, String help, List<GaugeDataPointSnapshot> points) {
    return new GaugeSnapshot(new MetricMetadata(name, help), points);
  }

  private static GaugeDataPointSnapshot point(double value, Labels labels) {
    return GaugeDataPointSnapshot.builder().value(value).labels(labels).build();
  }

  /** A counter whose name gets {@code _total} when it is written. */
  private static CounterSnapshot counter(
      String name, String help, List<CounterDataPointSnapshot> points) {
    return new CounterSnapshot(new MetricMetadata(name, help), points);
  }

  private static CounterDataPointSnapshot count(LongAdder count, Labels labels) {
    return CounterDataPointSnapshot.builder().value((double) count.sum()).labels(labels).build();
  }

  private static HistogramSnapshot histogram(
      String name, String help, List<HistogramDataPointSnapshot> points) {
    return new HistogramSnapshot(new MetricMetadata(name, help), points);
  }
}
