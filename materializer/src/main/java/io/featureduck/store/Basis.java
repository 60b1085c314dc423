package io.featureduck.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * What a view's last successful run left behind, from which the next one goes on.
 *
 * @param runId the run; the next write is refused unless it is still the last
 * @param asOf the instant that the rows are of
 * @param watermarks of each source that the view reads, by source
 * @param rows of the online table
 * @param ttl the shortest by which rows are missing from it for their age; empty where none are
 */
public record Basis(
    long runId,
    Instant asOf,
    Map<String, Watermark> watermarks,
    long rows,
    Optional<Duration> ttl) {
  public Basis {
    watermarks = Map.copyOf(watermarks);
  }

  /**
   * @throws IllegalArgumentException where that source was not read
   */
  public Watermark watermark(String source) {
    Watermark watermark = watermarks.get(source);
    if (watermark == null) {
      throw new IllegalArgumentException("source '%s' was not read before".formatted(source));
    }
    return watermark;
  }
}
