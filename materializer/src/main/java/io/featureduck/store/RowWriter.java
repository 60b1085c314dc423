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

  void putNull() throws SQLException;

  void putBoolean(boolean value) throws SQLException;

  void putInt(int value) throws SQLException;

  void putLong(long value) throws SQLException;

  void putFloat(float value) throws SQLException;

  void putDouble(double value) throws SQLException;

  void putDecimal(BigDecimal value) throws SQLException;

  /**
   * @param epochDay days since 1970
   */
  void putDate(int epochDay) throws SQLException;

  /**
   * @param epochMicros microseconds since 1970, UTC
   */
  void putTimestamp(long epochMicros) throws SQLException;

  void putBytes(byte[] value) throws SQLException;

  /**
   * Puts text that is known to be free of U+0000.
   *
   * @param utf8 the text in UTF-8
   */
  void putText(byte[] utf8) throws SQLException;

  /**
   * Puts JSON, whose text is known to be free of U+0000, escaped or not.
   *
   * @param utf8 the text in UTF-8
   */
  void putJson(byte[] utf8) throws SQLException;

  /** Begins an array, whose elements follow by {@code put} up to {@link #endArray}. */
  void startArray(FeatureType element, int length, boolean hasNulls) throws SQLException;

  void endArray() throws SQLException;

  /** Returns {@code text} in UTF-8. */
  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
