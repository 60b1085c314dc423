package io.featureduck.store;

import java.time.Instant;

/**
 * That a view's schedules are not run.
 *
 * @param by who wanted it so, for people
 */
public record Pause(Instant at, String by) {}
