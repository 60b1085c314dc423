package io.featureduck.run;

import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A row as plain Java holds it: values by column, a NULL being no value at all. Mutable. */
final class ModelRow {
  private final Map<String, Object> values = new HashMap<>();

  ModelRow() {}

  ModelRow(ModelRow other) {
    values.putAll(other.values);
  }

  @Nullable Object get(String column) {
    return values.get(column);
  }

  /** Returns an INT that is not NULL. */
  long whole(String column) {
    return (Integer) Objects.requireNonNull(values.get(column));
  }

  /** Returns an instant that is not NULL. */
  Instant instant(String column) {
    return (Instant) Objects.requireNonNull(values.get(column));
  }

  ModelRow set(String column, @Nullable Object value) {
    if (value == null) {
      Object ignored = values.remove(column);
    } else {
      Object ignored = values.put(column, value);
    }
    return this;
  }

  boolean isNull(String column) {
    return !values.containsKey(column);
  }

  boolean isTrue(String column) {
    return Boolean.TRUE.equals(values.get(column));
  }

  /** Makes this row what {@code other} is. */
  void become(ModelRow other) {
    values.clear();
    values.putAll(other.values);
  }

  /** Adds the columns of a joined row under {@code source.column}. */
  void join(String source, ModelRow other) {
    other.values.forEach((column, value) -> values.put(source + "." + column, value));
  }

  @Override
  public String toString() {
    return new TreeMap<>(values).toString();
  }
}
