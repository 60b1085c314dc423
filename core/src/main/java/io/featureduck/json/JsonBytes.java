package io.featureduck.json;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;

/**
 * A growing array of UTF-8 that JSON is written to. Not thread-safe; may be cleared and used again.
 *
 * <p>Hot path: ASCII is copied byte by byte with no table look-up but the escape test, and numbers
 * are written from their decimal text.
 */
public final class JsonBytes {
  private static final byte[] NULL = ascii("null");
  private static final byte[] TRUE = ascii("true");
  private static final byte[] FALSE = ascii("false");
  private static final byte[] HEX = ascii("0123456789abcdef");
  private static final byte[] MIN_LONG = ascii("-9223372036854775808");
  private static final int LONG_DIGITS_MAX = 20;
  private static final long DAY_MICROS = 86_400_000_000L;

  private byte[] bytes;
  private int size;

  public JsonBytes(int capacity) {
    bytes = new byte[capacity];
  }

  /** Returns the bytes of a text that is known to be ASCII. */
  public static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  /** Returns {@code text} as a JSON string. */
  public static byte[] quoted(String text) {
    JsonBytes out = new JsonBytes(text.length() + 2);
    out.string(text);
    return out.toArray();
  }

  public int size() {
    return size;
  }

  public void clear() {
    size = 0;
  }

  /** Returns a copy of what was written. */
  public byte[] toArray() {
    return Arrays.copyOf(bytes, size);
  }

  /** Returns the array that is written to; what was written are its first {@link #size()} bytes. */
  public byte[] array() {
    return bytes;
  }

  public void raw(byte[] source) {
    raw(source, 0, source.length);
  }

  public void raw(byte[] source, int offset, int length) {
    reserve(length);
    System.arraycopy(source, offset, bytes, size, length);
    size += length;
  }

  public void raw(char asciiCharacter) {
    reserve(1);
    bytes[size++] = (byte) asciiCharacter;
  }

  /** Appends text that is JSON already. */
  public void raw(String json) {
    raw(json, 0, json.length());
  }

  /** Appends a part of a text that is JSON already. */
  public void raw(String json, int start, int end) {
    reserve(end - start);
    for (int i = start; i < end; i++) {
      char c = json.charAt(i);
      if (c >= 0x80) {
        raw(json.substring(i, end).getBytes(StandardCharsets.UTF_8));
        return;
      }
      bytes[size++] = (byte) c;
    }
  }

  public void nullValue() {
    raw(NULL);
  }

  public void bool(boolean value) {
    raw(value ? TRUE : FALSE);
  }

  public void number(long value) {
    reserve(LONG_DIGITS_MAX);
    if (value == Long.MIN_VALUE) {
      raw(MIN_LONG);
      return;
    }
    long rest = value;
    if (rest < 0) {
      bytes[size++] = '-';
      rest = -rest;
    }
    int end = size + digits(rest);
    int at = end;
    do {
      bytes[--at] = (byte) ('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    size = end;
  }

  private static int digits(long value) {
    int digits = 1;
    for (long rest = value; rest >= 10; rest /= 10) {
      digits++;
    }
    return digits;
  }

  /** Appends the shortest text that reads back as {@code value}; a string where JSON has none. */
  public void number(double value) {
    if (Double.isFinite(value)) {
      raw(Double.toString(value));
    } else {
      nonFinite(Double.toString(value));
    }
  }

  /** Appends the shortest text that reads back as {@code value}; a string where JSON has none. */
  public void number(float value) {
    if (Float.isFinite(value)) {
      raw(Float.toString(value));
    } else {
      nonFinite(Float.toString(value));
    }
  }

  private void nonFinite(String name) {
    raw('"');
    raw(name);
    raw('"');
  }

  /**
   * Appends {@code "2026-11-23"}.
   *
   * @param epochDay days since 1970
   */
  public void date(long epochDay) {
    date(LocalDate.ofEpochDay(epochDay));
  }

  /** Appends {@code "2026-11-23"}. */
  public void date(LocalDate value) {
    raw('"');
    appendDate(value);
    raw('"');
  }

  /** Appends an instant in UTC with 0, 3 or 6 digits of its second: {@code "…T10:00:00Z"}. */
  public void timestamp(OffsetDateTime value) {
    OffsetDateTime utc =
        value.getOffset().equals(ZoneOffset.UTC)
            ? value
            : value.withOffsetSameInstant(ZoneOffset.UTC);
    raw('"');
    appendDate(utc.toLocalDate());
    appendTime(utc.getHour(), utc.getMinute(), utc.getSecond(), utc.getNano() / 1_000);
  }

  /**
   * Appends an instant as {@link #timestamp(OffsetDateTime)} does.
   *
   * @param epochMicros microseconds since 1970, UTC
   */
  public void timestamp(long epochMicros) {
    raw('"');
    appendDate(LocalDate.ofEpochDay(Math.floorDiv(epochMicros, DAY_MICROS)));
    long ofDay = Math.floorMod(epochMicros, DAY_MICROS);
    int seconds = (int) (ofDay / 1_000_000);
    appendTime(seconds / 3_600, seconds / 60 % 60, seconds % 60, (int) (ofDay % 1_000_000));
  }

  private void appendTime(int hour, int minute, int second, int micros) {
    reserve(16);
    bytes[size++] = 'T';
    twoDigits(hour);
    bytes[size++] = ':';
    twoDigits(minute);
    bytes[size++] = ':';
    twoDigits(second);
    appendFraction(micros);
    raw('Z');
    raw('"');
  }

  private void appendDate(LocalDate value) {
    int year = value.getYear();
    if (year < 0 || year > 9_999) {
      raw(value.toString());
      return;
    }
    reserve(10);
    twoDigits(year / 100);
    twoDigits(year % 100);
    bytes[size++] = '-';
    twoDigits(value.getMonthValue());
    bytes[size++] = '-';
    twoDigits(value.getDayOfMonth());
  }

  private void appendFraction(int micros) {
    if (micros == 0) {
      return;
    }
    bytes[size++] = '.';
    threeDigits(micros / 1_000);
    if (micros % 1_000 != 0) {
      threeDigits(micros % 1_000);
    }
  }

  private void twoDigits(int value) {
    bytes[size++] = (byte) ('0' + value / 10);
    bytes[size++] = (byte) ('0' + value % 10);
  }

  private void threeDigits(int value) {
    bytes[size++] = (byte) ('0' + value / 100);
    twoDigits(value % 100);
  }

  /** Appends a JSON string. A surrogate without its other half becomes U+FFFD. */
  public void string(String text) {
    string(text, 0, text.length());
  }

  /** Appends a part of a text as a JSON string, as {@link #string(String)} does. */
  public void string(String text, int start, int end) {
    raw('"');
    reserve(end - start);
    for (int i = start; i < end; i++) {
      char c = text.charAt(i);
      if (c < 0x80 && c >= 0x20 && c != '"' && c != '\\') {
        reserve(1);
        bytes[size++] = (byte) c;
      } else if (c < 0x80) {
        escape(c);
      } else if (Character.isHighSurrogate(c)
          && i + 1 < end
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        codePoint(Character.toCodePoint(c, text.charAt(i)));
      } else {
        codePoint(Character.isSurrogate(c) ? '\uFFFD' : c);
      }
    }
    raw('"');
  }

  /**
   * Appends a JSON string.
   *
   * @param utf8 the text in UTF-8
   */
  public void string(byte[] utf8) {
    raw('"');
    reserve(utf8.length);
    for (byte b : utf8) {
      if (b < 0 || (b >= 0x20 && b != '"' && b != '\\')) {
        reserve(1);
        bytes[size++] = b;
      } else {
        escape((char) b);
      }
    }
    raw('"');
  }

  private void escape(char c) {
    reserve(6);
    bytes[size++] = '\\';
    switch (c) {
      case '"', '\\' -> bytes[size++] = (byte) c;
      case '\n' -> bytes[size++] = 'n';
      case '\r' -> bytes[size++] = 'r';
      case '\t' -> bytes[size++] = 't';
      default -> {
        bytes[size++] = 'u';
        bytes[size++] = '0';
        bytes[size++] = '0';
        bytes[size++] = HEX[c >> 4];
        bytes[size++] = HEX[c & 0xF];
      }
    }
  }

  private void codePoint(int value) {
    reserve(4);
    if (value < 0x800) {
      bytes[size++] = (byte) (0xC0 | (value >> 6));
    } else if (value < 0x1_0000) {
      bytes[size++] = (byte) (0xE0 | (value >> 12));
      bytes[size++] = (byte) (0x80 | ((value >> 6) & 0x3F));
    } else {
      bytes[size++] = (byte) (0xF0 | (value >> 18));
      bytes[size++] = (byte) (0x80 | ((value >> 12) & 0x3F));
      bytes[size++] = (byte) (0x80 | ((value >> 6) & 0x3F));
    }
    bytes[size++] = (byte) (0x80 | (value & 0x3F));
  }

  private void reserve(int more) {
    if (bytes.length - size < more) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
    }
  }
}
