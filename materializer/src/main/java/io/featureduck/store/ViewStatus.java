package io.featureduck.store;

import java.time.Instant;
import java.util.Optional;

/**
 * How a live view stands: what its last successful run left behind.
 *
 * @param asOf the instant it was computed for; empty before the first success
 * @param rows of the online table
 * @param tableBytes what the online table takes with its key
 * @param eventMax the newest event time in it; empty where it has no rows
 * @param lastSuccess when the last successful run ended
 * @param lastRun the newest run, whatever became of it
 */
public record ViewStatus(
    LiveView view,
    Optional<Instant> asOf,
    long rows,
    long tableBytes,
    Optional<Instant> eventMin,
    Optional<Instant> eventMax,
    Optional<Instant> lastSuccess,
    Optional<Run> lastRun) {}
