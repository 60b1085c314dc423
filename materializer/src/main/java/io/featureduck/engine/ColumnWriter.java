package io.featureduck.engine;

import io.featureduck.store.RowWriter;
import io.featureduck.store.UnfitValueException;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Copies one column's value of the current row from DuckDB's result to the store. */
interface ColumnWriter {
  /** Stands for an infinite instant, which no answer could show; DuckDB's are far from it. */
  long INFINITE_MICROS = Long.MAX_VALUE;

  void write(ResultSet rows, int column, RowWriter out) throws SQLException;

  /** Returns the writer of features of {@code type}, in the form that ComputedRows selects. */
  static ColumnWriter of(FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL ->
                (rows, column, out) -> {
                  boolean value = rows.getBoolean(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putBoolean(value);
                  }
                };
            case INT32 ->
                (rows, column, out) -> {
                  int value = rows.getInt(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putInt(value);
                  }
                };
            case INT64 ->
                (rows, column, out) -> {
                  long value = rows.getLong(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putLong(value);
                  }
                };
            case FLOAT32 ->
                (rows, column, out) -> {
                  float value = rows.getFloat(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putFloat(value);
                  }
                };
            case FLOAT64 ->
                (rows, column, out) -> {
                  double value = rows.getDouble(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putDouble(value);
                  }
                };
            case DATE ->
                (rows, column, out) -> {
                  int value = rows.getInt(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putDate(finite(value));
                  }
                };
            case TIMESTAMP ->
                (rows, column, out) -> {
                  long value = rows.getLong(column);
                  if (rows.wasNull()) {
                    out.putNull();
                  } else {
                    out.putTimestamp(finite(value));
                  }
                };
            case STRING, JSON, BYTES ->
                (rows, column, out) -> put(primitive, rows.getString(column), out);
          };
      case FeatureType.Decimal decimal ->
          (rows, column, out) -> {
            BigDecimal value = rows.getBigDecimal(column);
            if (value == null) {
              out.putNull();
            } else {
              out.putDecimal(value);
            }
          };
      case FeatureType.Array(FeatureType element) ->
          (rows, column, out) -> putArray(element, rows.getArray(column), out);
    };
  }

  private static void putArray(FeatureType type, @Nullable Array array, RowWriter out)
      throws SQLException {
    if (array == null) {
      out.putNull();
      return;
    }
    @Nullable Object[] elements = (@Nullable Object[]) array.getArray();
    boolean hasNulls = false;
    for (Object element : elements) {
      hasNulls |= element == null;
    }
    out.startArray(type, elements.length, hasNulls);
    for (Object element : elements) {
      put(type, element, out);
    }
    out.endArray();
  }

  private static void put(FeatureType type, @Nullable Object value, RowWriter out)
      throws SQLException {
    if (value == null) {
      out.putNull();
      return;
    }
    switch (type) {
      case Primitive primitive -> {
        switch (primitive) {
          case BOOL -> out.putBoolean((Boolean) value);
          case INT32 -> out.putInt(((Number) value).intValue());
          case INT64 -> out.putLong(((Number) value).longValue());
          case FLOAT32 -> out.putFloat(((Number) value).floatValue());
          case FLOAT64 -> out.putDouble(((Number) value).doubleValue());
          case DATE -> out.putDate(finite(((Number) value).intValue()));
          case TIMESTAMP -> out.putTimestamp(finite(((Number) value).longValue()));
          case STRING -> out.putText(text((String) value));
          case BYTES -> out.putBytes(HexFormat.of().parseHex((String) value));
          case JSON -> out.putJson(json((String) value));
        }
      }
      case FeatureType.Decimal decimal -> out.putDecimal((BigDecimal) value);
      case FeatureType.Array array -> throw new IllegalStateException("arrays don't nest");
    }
  }

  private static long finite(long micros) {
    if (micros == INFINITE_MICROS) {
      throw new UnfitValueException("an infinite TIMESTAMP");
    }
    return micros;
  }

  private static int finite(int days) {
    // What DuckDB gives for infinity and -infinity, days since 1970.
    if (days == Integer.MAX_VALUE || days == -Integer.MAX_VALUE) {
      throw new UnfitValueException("an infinite DATE");
    }
    return days;
  }

  private static byte[] text(String value) {
    byte[] utf8 = RowWriter.utf8(value);
    if (ComputedRows.hasZero(utf8)) {
      throw new UnfitValueException(
          "text with U+0000, which the online store can't keep: '%.60s'"
              .formatted(value.replace("\0", "\\u0000")));
    }
    return utf8;
  }

  private static byte[] json(String value) {
    // An escape counts only after an even number of backslashes.
    for (int at = value.indexOf("\\u0000"); at >= 0; at = value.indexOf("\\u0000", at + 1)) {
      int first = at;
      while (first > 0 && value.charAt(first - 1) == '\\') {
        first--;
      }
      if ((at - first) % 2 == 0) {
        throw new UnfitValueException(
            "JSON with U+0000, which the online store can't keep: '%.60s'".formatted(value));
      }
    }
    return text(value);
  }
}
