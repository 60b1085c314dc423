package io.featureduck.store;

import io.featureduck.type.FeatureType;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;

/**
 * Takes rows to the store: each row is {@link #startRow} and then one {@code put} per column, in
 * the order of the columns. What is put must be of the column's type, which is not looked at.
 *
 * <p>Every {@code put} throws {@link UnfitValueException} where the store can't keep the value; who
 * knows the row names it.
 */
public interface RowWriter {
  /** Begins a row; may send what has gathered. */
  void startRow(int columns) throws SQLException;

  void putNull();

  void putBoolean(boolean value);

  void putInt(int value);

  void putLong(long value);

  void putFloat(float value);

  void putDouble(double value);

  void putDecimal(BigDecimal value);

  /**
   * @param epochDay days since 1970
   */
  void putDate(int epochDay);

  /**
   * @param epochMicros microseconds since 1970, UTC
   */
  void putTimestamp(long epochMicros);

  void putBytes(byte[] value);

  /**
   * Puts text that is known to be free of U+0000.
   *
   * @param utf8 the text in UTF-8
   */
  void putText(byte[] utf8);

  /**
   * Puts JSON, whose text is known to be free of U+0000, escaped or not.
   *
   * @param utf8 the text in UTF-8
   */
  void putJson(byte[] utf8);

  /** Begins an array, whose elements follow by {@code put} up to {@link #endArray}. */
  void startArray(FeatureType element, int length, boolean hasNulls);

  void endArray();

  /** Returns {@code text} in UTF-8. */
  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
