package io.featureduck.store;

import java.time.Instant;

/**
 * How far a source has been read.
 *
 * @param instant no later than the source's own clock when it was read
 * @param sourceHash stands for all that the source's rows depend on; empty where an older version
 *     wrote it
 */
public record Watermark(String source, Instant instant, String sourceHash) {}
