package io.featureduck.definition;

import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;

/**
 * One part of an entity's identity.
 *
 * @param name the column that holds it in every source of the entity's views
 * @param type INT32, INT64, STRING, DATE or BOOL
 */
public record JoinKey(String name, FeatureType type) {
  public JoinKey {
    if (!isKeyType(type)) {
      throw new IllegalArgumentException(
          "join key %s of type %s: must be INT32, INT64, STRING, DATE or BOOL"
              .formatted(name, type));
    }
  }

  /** Tells whether values of {@code type} may identify an entity. */
  public static boolean isKeyType(FeatureType type) {
    return type == Primitive.INT32
        || type == Primitive.INT64
        || type == Primitive.STRING
        || type == Primitive.DATE
        || type == Primitive.BOOL;
  }
}
