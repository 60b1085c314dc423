package io.featureduck.key;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType.Primitive;

/**
 * A value that can't identify an entity. The message names the join key, what it expects and what
 * was found, in words that may be shown to a client.
 */
public final class EntityKeyException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  EntityKeyException(String message) {
    super(message);
  }

  static EntityKeyException wrongValue(JoinKey key, String found) {
    return new EntityKeyException("%s is %s: found %s".formatted(key.name(), expected(key), found));
  }

  private static String expected(JoinKey key) {
    return switch ((Primitive) key.type()) {
      case INT32 -> "an INT32 (a whole number from -2147483648 to 2147483647)";
      case INT64 -> "an INT64 (a whole number from -2^63 to 2^63 - 1)";
      case STRING -> "a STRING";
      case DATE -> "a DATE (such as 2024-01-31, years 0001 to 9999)";
      case BOOL -> "a BOOL (true or false)";
      case FLOAT32, FLOAT64, BYTES, TIMESTAMP, JSON ->
          throw new AssertionError("JoinKey refuses " + key.type());
    };
  }
}
