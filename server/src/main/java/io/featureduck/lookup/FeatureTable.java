package io.featureduck.lookup;

import io.vertx.core.Future;
import java.util.List;

/** The rows of one version of a view in the online store. Confined to one event loop. */
public interface FeatureTable {
  /**
   * Fetches the current row of each entity in one round trip.
   *
   * @param entities entity keys, from 1 to {@link #keysMax}; duplicates are allowed
   * @return one row per key, in the order of {@code entities}; {@link FeatureRow#MISSING} where the
   *     view has none, one with a {@link FeatureRow#failure} where the store holds what is no row
   *     of the view. Fails as a whole: with STORE_TIMEOUT, with STORE_UNAVAILABLE, or with
   *     INVALID_REQUEST where the store refuses one of the keys.
   */
  Future<List<FeatureRow>> fetch(List<String> entities);

  /** Returns how many keys one query may ask for. */
  int keysMax();
}
