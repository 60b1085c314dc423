package io.featureduck.store;

import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.SQLException;
import java.util.Arrays;
import org.postgresql.copy.CopyIn;

/**
 * Rows in the format of Postgres' {@code COPY … (FORMAT binary)}, made by hand so that no value is
 * turned into text and back, and sent in blocks.
 *
 * <p>Hot path, once per value of a run: no boxing, one copy.
 */
final class BinaryCopy implements RowWriter {
  private static final byte[] SIGNATURE = {
    'P', 'G', 'C', 'O', 'P', 'Y', '\n', (byte) 0xff, '\r', '\n', 0, 0, 0, 0, 0, 0, 0, 0, 0
  };
  private static final int BLOCK_BYTES = 1 << 16;
  // 2000-01-01, where Postgres' days and microseconds begin.
  private static final int EPOCH_DAYS = 10_957;
  private static final long EPOCH_MICROS = EPOCH_DAYS * 86_400_000_000L;
  private static final BigInteger TEN_THOUSAND = BigInteger.valueOf(10_000);
  private static final int[] POWERS_OF_TEN = {1, 10, 100, 1_000};

  private final CopyIn copy;
  private final Cancellation cancellation;
  private final RunProgress progress;
  private final short[] digits = new short[40];
  private byte[] block = new byte[BLOCK_BYTES + 4_096];
  private int size;
  private int arrayStart;

  BinaryCopy(CopyIn copy, Cancellation cancellation, RunProgress progress) {
    this.copy = copy;
    this.cancellation = cancellation;
    this.progress = progress;
    System.arraycopy(SIGNATURE, 0, block, 0, SIGNATURE.length);
    this.size = SIGNATURE.length;
  }

  /** Ends what was sent; returns the rows that the store took. */
  long finish() throws SQLException {
    room(2);
    writeShort(-1);
    send();
    return copy.endCopy();
  }

  @Override
  public void startRow(int columns) throws SQLException {
    if (size >= BLOCK_BYTES) {
      cancellation.check();
      send();
    }
    room(2);
    writeShort(columns);
  }

  @Override
  public void putNull() {
    room(4);
    writeInt(-1);
  }

  @Override
  public void putBoolean(boolean value) {
    room(5);
    writeInt(1);
    block[size++] = (byte) (value ? 1 : 0);
  }

  @Override
  public void putInt(int value) {
    room(8);
    writeInt(4);
    writeInt(value);
  }

  @Override
  public void putLong(long value) {
    room(12);
    writeInt(8);
    writeLong(value);
  }

  @Override
  public void putFloat(float value) {
    putInt(Float.floatToIntBits(value));
  }

  @Override
  public void putDouble(double value) {
    putLong(Double.doubleToLongBits(value));
  }

  @Override
  public void putDate(int epochDay) {
    putInt(epochDay - EPOCH_DAYS);
  }

  @Override
  public void putTimestamp(long epochMicros) {
    putLong(epochMicros - EPOCH_MICROS);
  }

  @Override
  public void putBytes(byte[] value) {
    room(4 + value.length);
    writeInt(value.length);
    writeBytes(value);
  }

  @Override
  public void putText(byte[] utf8) {
    putBytes(utf8);
  }

  @Override
  public void putJson(byte[] utf8) {
    room(5 + utf8.length);
    writeInt(1 + utf8.length);
    block[size++] = 1; // the version of jsonb's binary form
    writeBytes(utf8);
  }

  @Override
  public void putDecimal(BigDecimal value) {
    BigInteger unscaled = value.unscaledValue();
    if (unscaled.bitLength() < 63 && value.scale() >= 0) {
      putDecimal(unscaled.longValue(), value.scale());
    } else {
      putWideDecimal(value);
    }
  }

  private void putDecimal(long unscaled, int scale) {
    // Postgres keeps groups of four digits, counted from the point: the fraction is filled up.
    int missing = (4 - scale % 4) % 4;
    long rest = Math.abs(unscaled);
    int groups = 0;
    if (missing > 0 && rest != 0) {
      int cut = POWERS_OF_TEN[4 - missing];
      digits[groups++] = (short) (rest % cut * POWERS_OF_TEN[missing]);
      rest /= cut;
    }
    while (rest != 0) {
      digits[groups++] = (short) (rest % 10_000);
      rest /= 10_000;
    }
    putDigits(groups, (scale + 3) / 4, unscaled < 0, scale);
  }

  private void putWideDecimal(BigDecimal value) {
    int scale = Math.max(0, value.scale());
    int fractionGroups = (scale + 3) / 4;
    BigInteger rest = value.setScale(fractionGroups * 4).unscaledValue().abs();
    int groups = 0;
    while (rest.signum() != 0) {
      BigInteger[] parts = rest.divideAndRemainder(TEN_THOUSAND);
      digits[groups++] = parts[1].shortValue();
      rest = parts[0];
    }
    putDigits(groups, fractionGroups, value.signum() < 0, scale);
  }

  /** Writes {@link #digits}, which hold the number from its last group of four to its first. */
  private void putDigits(int groups, int fractionGroups, boolean negative, int scale) {
    int last = 0;
    while (last < groups && digits[last] == 0) {
      last++;
    }
    int count = groups - last;
    room(12 + 2 * count);
    writeInt(8 + 2 * count);
    writeShort(count);
    writeShort(count == 0 ? 0 : groups - 1 - fractionGroups);
    writeShort(negative ? 0x4000 : 0);
    writeShort(scale);
    for (int i = groups - 1; i >= last; i--) {
      writeShort(digits[i]);
    }
  }

  @Override
  public void startArray(FeatureType element, int length, boolean hasNulls) {
    room(28);
    writeInt(0);
    arrayStart = size;
    writeInt(length == 0 ? 0 : 1);
    writeInt(hasNulls ? 1 : 0);
    writeInt(oid(element));
    if (length > 0) {
      writeInt(length);
      writeInt(1);
    }
  }

  @Override
  public void endArray() {
    int end = size;
    size = arrayStart - 4;
    writeInt(end - arrayStart);
    size = end;
  }

  /** Returns Postgres' number of the type, as pg_type.dat of its source has it. */
  private static int oid(FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> 16;
            case BYTES -> 17;
            case INT64 -> 20;
            case INT32 -> 23;
            case STRING -> 25;
            case FLOAT32 -> 700;
            case FLOAT64 -> 701;
            case DATE -> 1082;
            case TIMESTAMP -> 1184;
            case JSON -> 3802;
          };
      case FeatureType.Decimal decimal -> 1700;
      case FeatureType.Array array -> throw new IllegalStateException("arrays don't nest");
    };
  }

  private void send() throws SQLException {
    copy.writeToCopy(block, 0, size);
    progress.sent(size);
    size = 0;
  }

  private void room(int bytes) {
    if (block.length - size < bytes) {
      block = Arrays.copyOf(block, Math.max(block.length * 2, Math.addExact(size, bytes)));
    }
  }

  private void writeShort(int value) {
    block[size++] = (byte) (value >> 8);
    block[size++] = (byte) value;
  }

  private void writeInt(int value) {
    block[size++] = (byte) (value >> 24);
    block[size++] = (byte) (value >> 16);
    block[size++] = (byte) (value >> 8);
    block[size++] = (byte) value;
  }

  private void writeLong(long value) {
    writeInt((int) (value >> 32));
    writeInt((int) value);
  }

  private void writeBytes(byte[] value) {
    System.arraycopy(value, 0, block, size, value.length);
    size += value.length;
  }
}
