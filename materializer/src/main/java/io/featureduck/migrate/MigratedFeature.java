package io.featureduck.migrate;

import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;

/**
 * A feature as the old table has it and as it becomes.
 *
 * @param from its name in the old table's JSON
 * @param exact whether the column must hold just what the JSON has; else it may be converted, as
 *     the schema asks for, and a float be rounded
 * @param keepsNull whether the old JSON has it as null where it has no value; else it is absent
 */
public record MigratedFeature(
    String from, String name, FeatureType type, boolean exact, boolean keepsNull) {
  /** Returns the feature as one that may be converted. */
  MigratedFeature inexact() {
    return new MigratedFeature(from, name, type, false, keepsNull);
  }

  Feature feature() {
    return new Feature(name, type);
  }
}
