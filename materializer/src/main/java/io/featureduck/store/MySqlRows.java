package io.featureduck.store;

import io.featureduck.type.FeatureType;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.BatchUpdateException;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;

/**
 * Rows as parameters of a prepared INSERT, sent a batch at a time: in binary, so that no value is
 * turned into text and back but DECIMAL. Arrays come as JSON.
 *
 * <p>Hot path, once per value of a run.
 */
final class MySqlRows implements RowWriter {
  // The answers to a batch must find room on their way back, for they are read once all is sent.
  private static final int ROWS_MAX = 1_000;
  private static final long BYTES_MAX = 1 << 20;
  private static final long DAY_MICROS = 86_400_000_000L;
  private static final long DAY_MIN = LocalDate.of(0, 1, 1).toEpochDay();
  private static final long DAY_MAX = LocalDate.of(9_999, 12, 31).toEpochDay();

  private final PreparedStatement insert;
  private final Cancellation cancellation;
  private final RunProgress progress;
  private int column;
  private int rows;
  private long bytes;
  private long sent;

  /**
   * @param insert of one row, with a parameter for each column in their order
   */
  MySqlRows(PreparedStatement insert, Cancellation cancellation, RunProgress progress) {
    this.insert = insert;
    this.cancellation = cancellation;
    this.progress = progress;
  }

  /** Sends what is left; returns the rows that the store took. */
  long finish() throws SQLException {
    endRow();
    send();
    return sent;
  }

  @Override
  public void startRow(int columns) throws SQLException {
    endRow();
    if (rows >= ROWS_MAX || bytes >= BYTES_MAX) {
      send();
    }
  }

  private void endRow() throws SQLException {
    if (column > 0) {
      insert.addBatch();
      rows++;
      column = 0;
    }
  }

  private void send() throws SQLException {
    cancellation.check();
    if (rows > 0) {
      executeBatch();
      progress.sent(bytes);
      sent += rows;
      rows = 0;
      bytes = 0;
    }
  }

  private void executeBatch() throws SQLException {
    try {
      // One that fails throws, whatever the counts.
      int[] ignored = insert.executeBatch();
    } catch (BatchUpdateException e) {
      // It need not have the number of what made it, nor be the only one.
      SQLException failure = e;
      while (failure instanceof BatchUpdateException
          && failure.getCause() instanceof SQLException) {
        failure = (SQLException) failure.getCause();
      }
      throw failure;
    }
  }

  private int next(long size) {
    bytes += size;
    return ++column;
  }

  @Override
  public void putNull() throws SQLException {
    insert.setNull(next(1), Types.NULL);
  }

  @Override
  public void putBoolean(boolean value) throws SQLException {
    insert.setBoolean(next(1), value);
  }

  @Override
  public void putInt(int value) throws SQLException {
    insert.setInt(next(4), value);
  }

  @Override
  public void putLong(long value) throws SQLException {
    insert.setLong(next(8), value);
  }

  @Override
  public void putFloat(float value) throws SQLException {
    if (!Float.isFinite(value)) {
      throw notFinite(Float.toString(value));
    }
    insert.setFloat(next(4), value);
  }

  @Override
  public void putDouble(double value) throws SQLException {
    if (!Double.isFinite(value)) {
      throw notFinite(Double.toString(value));
    }
    insert.setDouble(next(8), value);
  }

  private static UnfitValueException notFinite(String value) {
    return new UnfitValueException(
        value
            + ", which no column of MySQL can keep: give the view \"storage\": \"jsonb\", which can");
  }

  @Override
  public void putDecimal(BigDecimal value) throws SQLException {
    insert.setBigDecimal(next(20), value);
  }

  @Override
  public void putDate(int epochDay) throws SQLException {
    insert.setObject(next(5), date(epochDay));
  }

  @Override
  public void putTimestamp(long epochMicros) throws SQLException {
    LocalDate day = date(Math.floorDiv(epochMicros, DAY_MICROS));
    LocalTime time = LocalTime.ofNanoOfDay(Math.floorMod(epochMicros, DAY_MICROS) * 1_000);
    insert.setObject(next(12), LocalDateTime.of(day, time));
  }

  private static LocalDate date(long epochDay) {
    LocalDate date = LocalDate.ofEpochDay(epochDay);
    if (epochDay < DAY_MIN || epochDay > DAY_MAX) {
      throw new UnfitValueException(
          "a day in the year %d, and MySQL keeps the years 0 to 9999".formatted(date.getYear()));
    }
    return date;
  }

  @Override
  public void putBytes(byte[] value) throws SQLException {
    insert.setBytes(next(value.length), value);
  }

  @Override
  public void putText(byte[] utf8) throws SQLException {
    insert.setString(next(utf8.length), new String(utf8, StandardCharsets.UTF_8));
  }

  @Override
  public void putJson(byte[] utf8) throws SQLException {
    putText(utf8);
  }

  @Override
  public void startArray(FeatureType element, int length, boolean hasNulls) {
    throw new IllegalStateException("arrays come as JSON");
  }

  @Override
  public void endArray() {
    throw new IllegalStateException("arrays come as JSON");
  }
}
