package io.featureduck.lookup;

/**
 * What a lookup gave.
 *
 * @param row {@link FeatureRow#MISSING} where the view does not have the entity
 * @param stale whether it comes from the cache because the store is away
 */
public record Reading(FeatureRow row, boolean stale) {}
