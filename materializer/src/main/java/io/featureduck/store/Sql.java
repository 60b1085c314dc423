package io.featureduck.store;

import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;

/** Pieces of Postgres' SQL. */
final class Sql {
  private Sql() {}

  /** Returns {@code name} as an identifier, quoted always. */
  static String identifier(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  /** Returns the type of the column that holds features of {@code type}. */
  static String columnType(FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "BOOLEAN";
            case INT32 -> "INTEGER";
            case INT64 -> "BIGINT";
            case FLOAT32 -> "REAL";
            case FLOAT64 -> "DOUBLE PRECISION";
            case STRING -> "TEXT";
            case BYTES -> "BYTEA";
            case DATE -> "DATE";
            case TIMESTAMP -> "TIMESTAMPTZ";
            case JSON -> "JSONB";
          };
      case FeatureType.Decimal(int precision, int scale) ->
          "NUMERIC(" + precision + "," + scale + ")";
      case FeatureType.Array(FeatureType element) -> columnType(element) + "[]";
    };
  }
}
