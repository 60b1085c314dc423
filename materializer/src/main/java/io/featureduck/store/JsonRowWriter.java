package io.featureduck.store;

import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.math.BigDecimal;
import java.sql.SQLException;
import java.util.Base64;
import java.util.List;

/**
 * Makes JSON of what the table has no columns for, and hands everything else on: either all
 * features of a row, as one object, or arrays alone.
 *
 * <p>In the JSON, numbers are numbers and BOOL is true or false, but for those that not every
 * database would give back: a DECIMAL is a string with its full scale, and so are {@code "NaN"},
 * {@code "Infinity"}, {@code "-Infinity"} and {@code "-0.0"}. BYTES are base64, a DATE is {@code
 * "2026-01-01"}, a TIMESTAMP is in UTC with 0, 3 or 6 digits of its second and {@code Z}; JSON
 * stands as it is, NULL is null.
 *
 * <p>Hot path, once per value of a run: names are escaped once per run, each value costs what its
 * text does.
 */
final class JsonRowWriter implements RowWriter {
  private static final byte[] EMPTY_OBJECT = JsonBytes.ascii("{}");

  private final RowWriter out;
  private final boolean asObject;
  private final byte[][] labels;
  private final JsonBytes json = new JsonBytes(1 << 10);
  private int column;
  private boolean inArray;
  private boolean first;

  private JsonRowWriter(RowWriter out, boolean asObject, byte[][] labels) {
    this.out = out;
    this.asObject = asObject;
    this.labels = labels;
  }

  /**
   * Makes one object of each row's features, for a table whose columns are key, object and time.
   */
  static JsonRowWriter objects(List<Feature> features, RowWriter out) {
    byte[][] labels = new byte[features.size()][];
    for (int i = 0; i < labels.length; i++) {
      JsonBytes label = new JsonBytes(64);
      label.raw(i == 0 ? '{' : ',');
      label.string(features.get(i).name());
      label.raw(':');
      labels[i] = label.toArray();
    }
    return new JsonRowWriter(out, true, labels);
  }

  /** Makes JSON of arrays, for a table whose other columns are typed. */
  static JsonRowWriter arrays(RowWriter out) {
    return new JsonRowWriter(out, false, new byte[0][]);
  }

  @Override
  public void startRow(int columns) throws SQLException {
    out.startRow(asObject ? 3 : columns);
    column = 0;
    json.clear();
  }

  /** Tells whether the next value belongs into the JSON, and makes room for it there. */
  private boolean startValue() {
    if (inArray) {
      if (!first) {
        json.raw(',');
      }
      first = false;
      return true;
    }
    int feature = column - 1;
    column++;
    if (!asObject || feature < 0 || feature >= labels.length) {
      return false;
    }
    json.raw(labels[feature]);
    return true;
  }

  private void endValue() throws SQLException {
    if (asObject && !inArray && column == labels.length + 1) {
      json.raw('}');
      out.putJson(json.toArray());
    }
  }

  @Override
  public void putNull() throws SQLException {
    if (startValue()) {
      json.nullValue();
      endValue();
    } else {
      out.putNull();
    }
  }

  @Override
  public void putBoolean(boolean value) throws SQLException {
    if (startValue()) {
      json.bool(value);
      endValue();
    } else {
      out.putBoolean(value);
    }
  }

  @Override
  public void putInt(int value) throws SQLException {
    if (startValue()) {
      json.number((long) value);
      endValue();
    } else {
      out.putInt(value);
    }
  }

  @Override
  public void putLong(long value) throws SQLException {
    if (startValue()) {
      json.number(value);
      endValue();
    } else {
      out.putLong(value);
    }
  }

  @Override
  public void putFloat(float value) throws SQLException {
    if (!startValue()) {
      out.putFloat(value);
      return;
    }
    if (Float.floatToRawIntBits(value) == Float.floatToRawIntBits(-0.0f)) {
      json.string("-0.0");
    } else {
      json.number(value);
    }
    endValue();
  }

  @Override
  public void putDouble(double value) throws SQLException {
    if (!startValue()) {
      out.putDouble(value);
      return;
    }
    if (Double.doubleToRawLongBits(value) == Double.doubleToRawLongBits(-0.0)) {
      json.string("-0.0");
    } else {
      json.number(value);
    }
    endValue();
  }

  @Override
  public void putDecimal(BigDecimal value) throws SQLException {
    if (startValue()) {
      json.string(value.toPlainString());
      endValue();
    } else {
      out.putDecimal(value);
    }
  }

  @Override
  public void putDate(int epochDay) throws SQLException {
    if (startValue()) {
      json.date(epochDay);
      endValue();
    } else {
      out.putDate(epochDay);
    }
  }

  @Override
  public void putTimestamp(long epochMicros) throws SQLException {
    if (startValue()) {
      json.timestamp(epochMicros);
      endValue();
    } else {
      out.putTimestamp(epochMicros);
    }
  }

  @Override
  public void putBytes(byte[] value) throws SQLException {
    if (startValue()) {
      json.raw('"');
      json.raw(Base64.getEncoder().encode(value));
      json.raw('"');
      endValue();
    } else {
      out.putBytes(value);
    }
  }

  @Override
  public void putText(byte[] utf8) throws SQLException {
    if (startValue()) {
      json.string(utf8);
      endValue();
      return;
    }
    out.putText(utf8);
    if (asObject && labels.length == 0) {
      // That was the key, and no feature follows.
      out.putJson(EMPTY_OBJECT);
    }
  }

  @Override
  public void putJson(byte[] utf8) throws SQLException {
    if (startValue()) {
      json.raw(utf8);
      endValue();
    } else {
      out.putJson(utf8);
    }
  }

  @Override
  public void startArray(FeatureType element, int length, boolean hasNulls) throws SQLException {
    boolean inObject = startValue();
    if (!inObject) {
      json.clear();
    }
    json.raw('[');
    inArray = true;
    first = true;
  }

  @Override
  public void endArray() throws SQLException {
    json.raw(']');
    inArray = false;
    if (asObject) {
      endValue();
    } else {
      out.putJson(json.toArray());
    }
  }
}
