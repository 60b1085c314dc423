package io.featureduck.definition;

import java.nio.file.Path;
import java.time.Duration;

/**
 * How features are computed.
 *
 * @param threads DuckDB's, at least 1
 * @param memoryLimit DuckDB's, such as {@code 2GB}; what does not fit spills to disk
 * @param concurrentRuns runs of different views at once
 * @param runLease how long a run may give no sign of life until another process takes its view over
 * @param retries how often a run is tried again where a source or the store is away for a while
 * @param freshnessInterval between two looks at how fresh the views are
 * @param stateDirectory absolute; spill files are below it
 * @param extensionDirectory absolute; DuckDB's signed extensions
 */
public record MaterializerSettings(
    int threads,
    String memoryLimit,
    int concurrentRuns,
    Duration runTimeout,
    Duration runLease,
    int retries,
    Duration freshnessInterval,
    Path stateDirectory,
    Path extensionDirectory) {}
