package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.key.EntityKey;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Postgres' SQL between an entity key of the old store and {@link EntityKey}'s text. A value must
 * be written as we would write it, for two texts must not become one key; what may differ is what
 * stands between the values of a composite key, and whether they are escaped.
 */
final class KeySql {
  /** What stands between the values where nothing else is said: as in our own keys. */
  static final String SEPARATOR = "|";

  private final List<JoinKey> joinKeys;
  private final String separator;

  KeySql(List<JoinKey> joinKeys, Optional<String> separator) {
    this.joinKeys = List.copyOf(joinKeys);
    this.separator = separator.orElse(SEPARATOR);
  }

  /** Returns the condition that {@code old} is a key of these join keys. */
  String fits(String old) {
    List<String> conditions = new ArrayList<>();
    if (joinKeys.size() > 1) {
      conditions.add(
          "coalesce(cardinality(string_to_array(%s, %s)), 0) = %d"
              .formatted(old, Literal.of(separator), joinKeys.size()));
      if (separator.equals(SEPARATOR)) {
        // Whether a | within a value is escaped can't be told.
        conditions.add("strpos(%s, %s) = 0".formatted(old, Literal.of("\\")));
      }
    }
    for (int i = 0; i < joinKeys.size(); i++) {
      String condition = fits(joinKeys.get(i), part(old, i));
      if (!condition.equals("true")) {
        conditions.add(condition);
      }
    }
    return conditions.isEmpty() ? "true" : "(" + String.join(" AND ", conditions) + ")";
  }

  /** Returns our key for an old one that {@link #fits}. */
  String key(String old) {
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < joinKeys.size(); i++) {
      String part = part(old, i);
      parts.add(joinKeys.get(i).type() == Primitive.STRING ? escaped(part) : part);
    }
    return "(" + String.join(" || '|' || ", parts) + ") COLLATE \"C\"";
  }

  /** Returns the condition that a key of ours, from an old one, is not too long. */
  static String isShort(String key) {
    return "octet_length(%s) <= %d".formatted(key, EntityKey.BYTES_MAX);
  }

  private String part(String old, int index) {
    return joinKeys.size() == 1
        ? old
        : "split_part(%s, %s, %d)".formatted(old, Literal.of(separator), index + 1);
  }

  private static String escaped(String part) {
    return "replace(replace(%s, %s, %s), '|', %s)"
        .formatted(part, Literal.of("\\"), Literal.of("\\\\"), Literal.of("\\|"));
  }

  private static String fits(JoinKey key, String text) {
    return switch ((Primitive) key.type()) {
      case STRING -> "true";
      case INT32 -> isWhole(text, 9, "-2147483648", "2147483647");
      case INT64 -> isWhole(text, 18, "-9223372036854775808", "9223372036854775807");
      case BOOL -> "%s IN ('true', 'false')".formatted(text);
      case DATE -> ValueSql.isDateText(text);
      case FLOAT32, FLOAT64, BYTES, TIMESTAMP, JSON ->
          throw new AssertionError("JoinKey refuses " + key.type());
    };
  }

  /** Returns the condition that a text is a whole number as we write it. */
  static String isInt64(String text) {
    return isWhole(text, 18, "-9223372036854775808", "9223372036854775807");
  }

  private static String isWhole(String text, int digits, String min, String max) {
    return "CASE WHEN %1$s ~ '^(0|-?[1-9][0-9]{0,%2$d})$' THEN (%1$s)::numeric BETWEEN %3$s AND %4$s ELSE false END"
        .formatted(text, digits, min, max);
  }
}
