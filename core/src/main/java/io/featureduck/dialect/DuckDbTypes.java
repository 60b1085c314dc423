package io.featureduck.dialect;

import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Array;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.util.Locale;
import java.util.Optional;

/** DuckDB's types beside ours (duckdb.org/docs/stable/sql/data_types/overview). */
final class DuckDbTypes {
  private static final String ZONED = "TIMESTAMP WITH TIME ZONE";

  private DuckDbTypes() {}

  /** Returns our type for values of one of DuckDB's, or empty where it has none. */
  static Optional<FeatureType> read(String written) {
    String name = written.strip().toUpperCase(Locale.ROOT);
    if (name.endsWith("]")) {
      // A list T[] or a fixed array T[3].
      return read(name.substring(0, name.lastIndexOf('[')))
          .filter(element -> !(element instanceof Array))
          .map(Array::new);
    }
    if (name.startsWith("DECIMAL(")) {
      return FeatureType.parse(name);
    }
    if (name.startsWith("ENUM(")) {
      return Optional.of(Primitive.STRING);
    }
    return switch (name) {
      case "BOOLEAN" -> Optional.of(Primitive.BOOL);
      case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT" ->
          Optional.of(Primitive.INT32);
      case "BIGINT", "UINTEGER", "HUGEINT" -> Optional.of(Primitive.INT64);
      case "UBIGINT" -> Optional.of(new Decimal(20, 0));
      case "FLOAT" -> Optional.of(Primitive.FLOAT32);
      case "DOUBLE" -> Optional.of(Primitive.FLOAT64);
      case "VARCHAR", "UUID", "TIME", "TIME WITH TIME ZONE" -> Optional.of(Primitive.STRING);
      case "BLOB" -> Optional.of(Primitive.BYTES);
      case "DATE" -> Optional.of(Primitive.DATE);
      case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", ZONED ->
          Optional.of(Primitive.TIMESTAMP);
      case "JSON" -> Optional.of(Primitive.JSON);
      default -> Optional.empty();
    };
  }

  static boolean isZoned(String written) {
    return written.equalsIgnoreCase(ZONED);
  }

  /** Tells whether values of the type are of ours without conversion, or need none to be. */
  static boolean isPlain(String written, FeatureType wanted) {
    String name = written.toUpperCase(Locale.ROOT);
    String element = name.replaceFirst("\\[\\]$", "");
    boolean converted =
        switch (element) {
          case "UINTEGER", "UBIGINT", "HUGEINT", "UUID", "TIME", "TIME WITH TIME ZONE" -> true;
          default ->
              element.startsWith("ENUM(")
                  || (element.startsWith("TIMESTAMP") && !element.equals(ZONED))
                  || element.endsWith("]");
        };
    return !converted && read(name).equals(Optional.of(wanted));
  }

  /** Returns DuckDB's name for one of our types. */
  static String name(FeatureType type) {
    return switch (type) {
      case Decimal decimal -> decimal.toString();
      case Array(var element) -> name(element) + "[]";
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "BOOLEAN";
            case INT32 -> "INTEGER";
            case INT64 -> "BIGINT";
            case FLOAT32 -> "FLOAT";
            case FLOAT64 -> "DOUBLE";
            case STRING -> "VARCHAR";
            case BYTES -> "BLOB";
            case DATE -> "DATE";
            case TIMESTAMP -> "TIMESTAMPTZ";
            case JSON -> "JSON";
          };
    };
  }
}
