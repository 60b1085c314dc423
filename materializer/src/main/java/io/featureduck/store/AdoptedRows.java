package io.featureduck.store;

import java.time.Instant;
import java.util.Optional;

/**
 * How many rows an adopted view has.
 *
 * @param eventMin no row's event is before it; empty where none has a time
 * @param eventMax no row's event is after it
 */
public record AdoptedRows(long count, Optional<Instant> eventMin, Optional<Instant> eventMax) {}
