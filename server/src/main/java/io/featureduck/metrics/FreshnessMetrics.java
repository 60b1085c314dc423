package io.featureduck.metrics;

import io.featureduck.store.ViewStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How old the views are, from what the store said last; ages grow with the clock even while the
 * store is away. Written by one thread, read by any.
 */
public final class FreshnessMetrics {
  private final List<String> declared;
  private volatile List<ViewStatus> statuses = List.of();

  /**
   * @param declared the views of the config; their series exist before the store knows them
   */
  public FreshnessMetrics(List<String> declared) {
    this.declared = List.copyOf(declared);
  }

  public void update(List<ViewStatus> newStatuses) {
    statuses = List.copyOf(newStatuses);
  }

  /** Returns how each view stands, by name; a declared one that is not live yet has no status. */
  List<Standing> standings() {
    TreeMap<String, Standing> byName = new TreeMap<>();
    for (String view : declared) {
      byName.put(view, new Standing(new ViewVersion(view, 1), Optional.empty()));
    }
    for (ViewStatus status : statuses) {
      ViewVersion key = new ViewVersion(status.view().view(), status.view().version());
      byName.put(key.view(), new Standing(key, Optional.of(status)));
    }
    return new ArrayList<>(byName.values());
  }

  record Standing(ViewVersion view, Optional<ViewStatus> status) {
    /** The age of the newest event, of the last success where there are no rows; else infinity. */
    double freshnessSeconds(Instant now) {
      return status
          .flatMap(s -> s.lastSuccess().map(success -> s.eventMax().orElse(success)))
          .map(since -> seconds(Duration.between(since, now)))
          .orElse(Double.POSITIVE_INFINITY);
    }

    double rows() {
      return status.map(ViewStatus::rows).orElse(0L);
    }

    double tableBytes() {
      return status.map(ViewStatus::tableBytes).orElse(0L);
    }

    /** Seconds since 1970; 0 before the first success. */
    double lastSuccessSeconds() {
      return status
          .flatMap(ViewStatus::lastSuccess)
          .map(success -> seconds(Duration.between(Instant.EPOCH, success)))
          .orElse(0.0);
    }

    /** Returns what the view's config allows, by level: {@code warn}, {@code error}, or neither. */
    Map<String, Double> limitSeconds() {
      return status
          .flatMap(s -> s.view().freshness())
          .map(limit -> Map.of("warn", seconds(limit.warn()), "error", seconds(limit.error())))
          .orElse(Map.of());
    }

    private static double seconds(Duration duration) {
      return duration.toSeconds() + duration.toMillisPart() / 1_000.0;
    }
  }
}
