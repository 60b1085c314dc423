package io.featureduck.store;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * One computation of a view, as {@code featureduck_runs} has it.
 *
 * @param scheduledAt the tick of the schedule that started it; empty where someone asked for it
 * @param finishedAt empty while it runs
 * @param rowsRead rows of the source; empty until that is known
 * @param rowsWritten rows of the online table that are new, changed or gone
 * @param lowerBound the cursor after which rows were read; empty for a full run
 * @param upperBound the run's {@code as_of}
 * @param progress how far it came; empty where an older version ran it
 * @param errorCode an id of {@link io.featureduck.error.ErrorCode}
 */
public record Run(
    long runId,
    String view,
    int version,
    Kind kind,
    Status status,
    String engine,
    Optional<Instant> scheduledAt,
    Instant startedAt,
    Optional<Instant> finishedAt,
    Optional<Long> rowsRead,
    Optional<Long> rowsWritten,
    Optional<Instant> lowerBound,
    Optional<Instant> upperBound,
    Optional<String> errorCode,
    Optional<String> error,
    String host,
    Optional<Progress> progress) {

  /** Returns how long it took, or empty while it runs. */
  public Optional<Duration> duration() {
    return finishedAt.map(end -> Duration.between(startedAt, end));
  }

  /** How much a run reads. */
  public enum Kind {
    FULL,
    INCREMENTAL;

    private final String id = name().toLowerCase(java.util.Locale.ROOT);

    /** Returns the name in the store and in answers. */
    public String id() {
      return id;
    }

    static Kind of(String id) {
      return valueOf(id.toUpperCase(java.util.Locale.ROOT));
    }
  }

  /** How a run stands. */
  public enum Status {
    RUNNING,
    SUCCEEDED,
    FAILED,
    CANCELLED;

    private final String id = name().toLowerCase(java.util.Locale.ROOT);

    /** Returns the name in the store and in answers. */
    public String id() {
      return id;
    }

    static Status of(String id) {
      return valueOf(id.toUpperCase(java.util.Locale.ROOT));
    }
  }
}
