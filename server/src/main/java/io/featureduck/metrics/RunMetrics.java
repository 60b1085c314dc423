package io.featureduck.metrics;

import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * What is counted about the runs of this process, from the records of {@code featureduck.runs}, and
 * about rows that it removed otherwise. May be used from any thread.
 */
public final class RunMetrics {
  private static final List<String> ENDS = List.of("succeeded", "failed", "cancelled");
  private static final double NANOS_PER_SECOND = 1e9;

  final Map<ViewVersion, Runs> views = new ConcurrentSkipListMap<>();
  final Map<Rejection, LongAdder> rejected = new ConcurrentHashMap<>();
  final Map<String, LongAdder> erased = new ConcurrentSkipListMap<>();
  final Map<String, LongAdder> purged = new ConcurrentSkipListMap<>();

  /** Makes the series of a view, so that they are there before its first run. */
  public void declare(String view, int version) {
    Runs ignored = runs(view, version);
    erased.putIfAbsent(view, new LongAdder());
    purged.putIfAbsent(view, new LongAdder());
  }

  /** Counts rows that went without a run, from a record of {@code featureduck.rows}. */
  public void recordRemoved(JsonObject removed) {
    Map<String, LongAdder> counts =
        removed.getString("type", "").equals("purged") ? purged : erased;
    counts
        .computeIfAbsent(removed.getString("view"), view -> new LongAdder())
        .add(removed.getLong("rows", 0L));
  }

  private Runs runs(String view, int version) {
    return views.computeIfAbsent(new ViewVersion(view, version), key -> new Runs());
  }

  /** Counts a run that ended; the other records are not counted. */
  public void record(JsonObject run) {
    String type = run.getString("type", "");
    Runs runs = runs(run.getString("view"), run.getInteger("version"));
    LongAdder count = runs.ended.get(type);
    if (count == null) {
      return;
    }
    count.increment();
    runs.seconds.record((long) (run.getDouble("seconds", 0.0) * NANOS_PER_SECOND));
    JsonObject reasons = run.getJsonObject("rejected", new JsonObject());
    for (String reason : reasons.fieldNames()) {
      rejected
          .computeIfAbsent(new Rejection(run.getString("view"), reason), key -> new LongAdder())
          .add(reasons.getLong(reason));
    }
  }

  /** The runs of one version of a view. */
  static final class Runs {
    final Map<String, LongAdder> ended = new ConcurrentHashMap<>();
    final Histogram seconds = Histogram.ofRuns();

    Runs() {
      ENDS.forEach(end -> ended.put(end, new LongAdder()));
    }
  }

  record Rejection(String view, String reason) {}
}
