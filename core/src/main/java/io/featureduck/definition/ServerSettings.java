package io.featureduck.definition;

import java.time.Duration;

/**
 * How features are served.
 *
 * @param port 0 takes a free one
 * @param batchMax entities in one request
 * @param timeout of a request that names none itself
 * @param drain how long a stopping server finishes what it has
 * @param cacheBytesMax 0 stands for a quarter of the heap
 * @param staleIfError how old an entry may be that is served while the store is away
 */
public record ServerSettings(
    String host,
    int port,
    int batchMax,
    int bodyBytesMax,
    int headerBytesMax,
    Duration timeout,
    Duration drain,
    long cacheBytesMax,
    Duration staleIfError) {}
