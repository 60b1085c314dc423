package io.featureduck.store;

import io.featureduck.plan.Feature;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a run's write transaction sets beside the rows.
 *
 * @param live the version that the rows are of, as it was registered when the run began; it may be
 *     a pending one, which becomes the live one with this
 * @param features the columns of the rows
 * @param kind FULL where the rows are those of every entity. INCREMENTAL where they are those of
 *     some, all others staying as they are; a row without event time then stands for an entity that
 *     has none any more
 * @param basis the run whose watermark this run started from; empty where there was none
 * @param lowerBound the cursor of the view's own source after which an increment read
 * @param rowsRead rows of the sources that were read
 * @param asOf the instant that the rows were computed for
 * @param watermarks of the sources that the view reads, its own first
 * @param progress tells how far the run has come, and is kept with its success
 * @param spillDirectory where rows may lie for a while; exists
 */
public record RunCommit(
    long runId,
    LiveView live,
    List<Feature> features,
    Run.Kind kind,
    Optional<Long> basis,
    Optional<Instant> lowerBound,
    long rowsRead,
    Instant asOf,
    List<Watermark> watermarks,
    RunProgress progress,
    Path spillDirectory) {
  public RunCommit {
    features = List.copyOf(features);
    watermarks = List.copyOf(watermarks);
  }

  /**
   * What was written.
   *
   * @param rows of the view, all of them
   * @param rowsWritten rows of the online table that are new, changed or gone
   * @param changedKeys the entity keys of those; empty stands for all, or for too many to name
   */
  public record Written(
      long rows, long rowsWritten, long generation, Optional<List<String>> changedKeys) {}
}
