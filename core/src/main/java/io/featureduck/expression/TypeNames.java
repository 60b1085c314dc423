package io.featureduck.expression;

import io.featureduck.error.Nearest;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The names that a cast may call a type by: ours, and those of SQL that mean one thing everywhere.
 */
final class TypeNames {
  private static final Map<String, FeatureType> SQL =
      Map.ofEntries(
          Map.entry("BOOLEAN", Primitive.BOOL),
          Map.entry("TINYINT", Primitive.INT32),
          Map.entry("SMALLINT", Primitive.INT32),
          Map.entry("INT", Primitive.INT32),
          Map.entry("INTEGER", Primitive.INT32),
          Map.entry("BIGINT", Primitive.INT64),
          Map.entry("REAL", Primitive.FLOAT32),
          Map.entry("DOUBLE", Primitive.FLOAT64),
          Map.entry("DOUBLEPRECISION", Primitive.FLOAT64),
          Map.entry("VARCHAR", Primitive.STRING),
          Map.entry("TEXT", Primitive.STRING),
          Map.entry("BLOB", Primitive.BYTES),
          Map.entry("BYTEA", Primitive.BYTES),
          Map.entry("TIMESTAMPTZ", Primitive.TIMESTAMP),
          Map.entry("TIMESTAMPWITHTIMEZONE", Primitive.TIMESTAMP),
          Map.entry("JSONB", Primitive.JSON));

  private TypeNames() {}

  static Optional<FeatureType> read(String written) {
    String name = written.replace(" ", "").toUpperCase(Locale.ROOT);
    if (name.endsWith("[]")) {
      return read(name.substring(0, name.length() - 2))
          .filter(element -> !(element instanceof FeatureType.Array))
          .map(FeatureType.Array::new);
    }
    if (SQL.containsKey(name)) {
      return Optional.of(SQL.get(name));
    }
    return FeatureType.parse(name.replaceFirst("^NUMERIC\\(", "DECIMAL("));
  }

  static String hint(String written) {
    String name = written.toUpperCase(Locale.ROOT);
    if (name.equals("FLOAT")) {
      return ", for engines differ on its size: write FLOAT32 or FLOAT64";
    }
    if (name.equals("DECIMAL") || name.equals("NUMERIC")) {
      return ": write its digits, such as DECIMAL(12,2)";
    }
    List<String> names = new ArrayList<>(SQL.keySet());
    Arrays.stream(Primitive.values()).map(Enum::name).forEach(names::add);
    return Nearest.hint(name, names);
  }
}
