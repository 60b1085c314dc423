package io.featureduck.store;

import java.time.Instant;
import java.util.Optional;

/**
 * What is known of a run before it begins.
 *
 * @param scheduledAt the tick that it is for; no two runs of a view are for the same
 */
public record RunStart(
    int version, Run.Kind kind, String engine, Optional<Instant> scheduledAt, String host) {}
