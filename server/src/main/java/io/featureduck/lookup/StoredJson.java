package io.featureduck.lookup;

import io.featureduck.json.JsonBytes;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;

/**
 * Walks through JSON text that the store keeps values in, and writes them as the columns of their
 * types would come out. Confined to one thread.
 *
 * <p>In the text BOOL, INT32, INT64, JSON and NULL are what JSON has for them; FLOAT32 and FLOAT64
 * numbers in any notation, or one of the strings {@code "NaN"}, {@code "Infinity"}, {@code
 * "-Infinity"} and {@code "-0.0"}; DECIMAL a string of its digits; BYTES a string in base64; DATE
 * {@code "2026-01-01"}; TIMESTAMP {@code "2026-01-01T00:00:00.5Z"} with at most six digits of a
 * second; ARRAY an array of such. Anything else is a {@link StoredJsonException}: the text may have
 * been edited, and what is copied from it must be JSON.
 *
 * <p>Hot path, as {@link RowJson}: characters are looked at once, and no tree is built.
 */
final class StoredJson {
  private static final int DEPTH_MAX = 1_000;
  private static final int MICROS_DIGITS = 6;
  private static final String DATE = "a date such as \"2026-01-01\"";
  private static final String TIMESTAMP = "an instant such as \"2026-01-01T00:00:00Z\"";

  private String text = "";
  private int at;

  /** Whether the string that was scanned last has escapes. */
  private boolean escaped;

  /** Stands before the first character of a text. */
  void open(String json) {
    text = json;
    at = 0;
  }

  /** Makes sure that nothing follows, and lets go of the text. */
  void end() throws StoredJsonException {
    skipSpace();
    if (at < text.length()) {
      throw unlike("the end");
    }
    open("");
  }

  /** Goes into an object. */
  void beginObject() throws StoredJsonException {
    skipSpace();
    expect('{');
  }

  /** Goes to the next name of an object, or leaves the object where there is none. */
  boolean hasNextName(boolean first) throws StoredJsonException {
    skipSpace();
    if (isNext('}')) {
      at++;
      return false;
    }
    if (!first) {
      expect(',');
      skipSpace();
    }
    if (!isNext('"')) {
      throw unlike("a name");
    }
    return true;
  }

  /** Goes to a name's value if it is that name, given as JSON. */
  boolean skipName(String quoted) throws StoredJsonException {
    if (!text.startsWith(quoted, at)) {
      return false;
    }
    at += quoted.length();
    colon();
    return true;
  }

  /** Goes to a name's value, and returns the name. */
  String name() throws StoredJsonException {
    int start = at + 1;
    scanString();
    String name = unescaped(start, at - 1);
    colon();
    return name;
  }

  private void colon() throws StoredJsonException {
    skipSpace();
    expect(':');
  }

  /** Appends a value, and goes behind it. */
  void write(FeatureType type, JsonBytes to) throws StoredJsonException {
    skipSpace();
    if (isNext('n')) {
      literal("null");
      to.nullValue();
      return;
    }
    switch (type) {
      case Primitive primitive -> writePrimitive(primitive, to);
      case FeatureType.Decimal decimal -> writeDecimal(to);
      case FeatureType.Array array -> writeArray(array.element(), to);
    }
  }

  private void writePrimitive(Primitive type, JsonBytes to) throws StoredJsonException {
    switch (type) {
      case BOOL -> writeBool(to);
      case INT32 -> to.number(integer(Integer.MIN_VALUE, Integer.MAX_VALUE));
      case INT64 -> to.number(integer(Long.MIN_VALUE, Long.MAX_VALUE));
      case FLOAT32 -> writeFloat32(to);
      case FLOAT64 -> writeFloat64(to);
      case STRING -> writeString(to);
      case BYTES -> writeBytes(to);
      case DATE -> writeDate(to);
      case TIMESTAMP -> writeTimestamp(to);
      case JSON -> writeJson(to);
    }
  }

  private void writeBool(JsonBytes to) throws StoredJsonException {
    boolean value = isNext('t');
    if (!value && !isNext('f')) {
      throw unlike("true or false");
    }
    literal(value ? "true" : "false");
    to.bool(value);
  }

  private long integer(long min, long max) throws StoredJsonException {
    int start = at;
    boolean whole = scanNumber();
    try {
      long value = whole ? Long.parseLong(text, start, at, 10) : 0;
      if (whole && value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException tooLong) {
      // Answered below, as one that is out of its type's range.
    }
    throw unlike("an integer from %d to %d".formatted(min, max), start);
  }

  private void writeFloat32(JsonBytes to) throws StoredJsonException {
    int start = at;
    float value = isNext('"') ? (float) namedNumber() : Float.parseFloat(number());
    if (Float.isInfinite(value) && text.charAt(start) != '"') {
      throw unlike("a FLOAT32", start);
    }
    to.number(value);
  }

  private void writeFloat64(JsonBytes to) throws StoredJsonException {
    int start = at;
    double value = isNext('"') ? namedNumber() : Double.parseDouble(number());
    if (Double.isInfinite(value) && text.charAt(start) != '"') {
      throw unlike("a FLOAT64", start);
    }
    to.number(value);
  }

  private String number() throws StoredJsonException {
    int start = at;
    boolean ignored = scanNumber();
    return text.substring(start, at);
  }

  private double namedNumber() throws StoredJsonException {
    int start = at;
    scanString();
    return switch (text.substring(start + 1, at - 1)) {
      case "NaN" -> Double.NaN;
      case "Infinity" -> Double.POSITIVE_INFINITY;
      case "-Infinity" -> Double.NEGATIVE_INFINITY;
      // jsonb's numbers have no negative zero.
      case "-0.0" -> -0.0;
      default -> throw unlike("a number, \"NaN\", \"Infinity\", \"-Infinity\" or \"-0.0\"", start);
    };
  }

  private void writeDecimal(JsonBytes to) throws StoredJsonException {
    int start = at;
    expect('"');
    boolean ignored = scanDecimal();
    to.raw(text, start + 1, at);
    expect('"');
  }

  private void writeString(JsonBytes to) throws StoredJsonException {
    int start = at + 1;
    scanString();
    if (escaped) {
      to.string(unescaped(start, at - 1));
    } else {
      to.string(text, start, at - 1);
    }
  }

  private void writeBytes(JsonBytes to) throws StoredJsonException {
    int start = at;
    scanString();
    int end = at - 1;
    int padding = end;
    while (padding > start + 1 && end - padding < 2 && text.charAt(padding - 1) == '=') {
      padding--;
    }
    boolean base64 = (end - start - 1) % 4 == 0;
    for (int i = start + 1; i < padding; i++) {
      base64 &= isBase64(text.charAt(i));
    }
    if (!base64) {
      throw unlike("a string in base64", start);
    }
    to.raw(text, start, at);
  }

  private static boolean isBase64(char c) {
    return isDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/';
  }

  private void writeDate(JsonBytes to) throws StoredJsonException {
    int start = at;
    if (!isNext('"')) {
      throw unlike(DATE);
    }
    at++;
    if (!scanDate() || !isNext('"')) {
      throw unlike(DATE, start);
    }
    at++;
    to.raw(text, start, at);
  }

  private void writeTimestamp(JsonBytes to) throws StoredJsonException {
    int start = at;
    if (!isNext('"')) {
      throw unlike(TIMESTAMP);
    }
    at++;
    if (!scanDate() || !scanTime()) {
      throw unlike(TIMESTAMP, start);
    }
    int seconds = at;
    int micros = scanMicros();
    if (micros < 0 || !text.startsWith("Z\"", at)) {
      throw unlike(TIMESTAMP, start);
    }
    at += 2;
    to.raw(text, start, seconds);
    if (micros > 0) {
      to.raw('.');
      int digits = micros % 1_000 == 0 ? MICROS_DIGITS / 2 : MICROS_DIGITS;
      for (int place = 100_000; digits > 0; digits--, place /= 10) {
        to.raw((char) ('0' + micros / place % 10));
      }
    }
    to.raw("Z\"");
  }

  /** Goes behind a date whose year has four digits, or a sign and four or more. */
  private boolean scanDate() {
    boolean signed = isNext('-') || isNext('+');
    if (signed) {
      at++;
    }
    int year = at;
    skipDigits();
    int digits = at - year;
    return (digits == 4 || (signed && digits > 4))
        && scanTwoDigitsAfter('-')
        && scanTwoDigitsAfter('-');
  }

  private boolean scanTime() {
    return scanTwoDigitsAfter('T') && scanTwoDigitsAfter(':') && scanTwoDigitsAfter(':');
  }

  private boolean scanTwoDigitsAfter(char separator) {
    if (text.length() - at < 3
        || text.charAt(at) != separator
        || !isDigit(text.charAt(at + 1))
        || !isDigit(text.charAt(at + 2))) {
      return false;
    }
    at += 3;
    return true;
  }

  /**
   * Goes behind the fraction of a second, if there is one; returns -1 where it has no or too many
   * digits.
   */
  private int scanMicros() {
    if (!isNext('.')) {
      return 0;
    }
    at++;
    int start = at;
    skipDigits();
    int digits = at - start;
    if (digits == 0 || digits > MICROS_DIGITS) {
      return -1;
    }
    int micros = 0;
    for (int i = 0; i < MICROS_DIGITS; i++) {
      micros = 10 * micros + (i < digits ? text.charAt(start + i) - '0' : 0);
    }
    return micros;
  }

  private void writeArray(FeatureType element, JsonBytes to) throws StoredJsonException {
    expect('[');
    to.raw('[');
    skipSpace();
    if (isNext(']')) {
      at++;
    } else {
      write(element, to);
      while (hasNextElement()) {
        to.raw(',');
        write(element, to);
      }
    }
    to.raw(']');
  }

  private boolean hasNextElement() throws StoredJsonException {
    skipSpace();
    if (isNext(']')) {
      at++;
      return false;
    }
    expect(',');
    return true;
  }

  private void writeJson(JsonBytes to) throws StoredJsonException {
    int start = at;
    skip();
    to.raw(text, start, at);
  }

  /** Goes behind a value, whatever it is. */
  void skip() throws StoredJsonException {
    skip(1);
  }

  private void skip(int depth) throws StoredJsonException {
    skipSpace();
    if (depth > DEPTH_MAX) {
      throw unlike("at most %d levels".formatted(DEPTH_MAX));
    }
    switch (at < text.length() ? text.charAt(at) : ' ') {
      case '{' -> {
        beginObject();
        for (boolean first = true; hasNextName(first); first = false) {
          scanString();
          colon();
          skip(depth + 1);
        }
      }
      case '[' -> skipArray(depth);
      case '"' -> scanString();
      case 't' -> literal("true");
      case 'f' -> literal("false");
      case 'n' -> literal("null");
      default -> {
        boolean ignored = scanNumber();
      }
    }
  }

  private void skipArray(int depth) throws StoredJsonException {
    at++;
    skipSpace();
    if (isNext(']')) {
      at++;
      return;
    }
    do {
      skip(depth + 1);
    } while (hasNextElement());
  }

  private void literal(String word) throws StoredJsonException {
    if (!text.startsWith(word, at)) {
      throw unlike("a value");
    }
    at += word.length();
  }

  /** Goes behind a number, and tells whether it is written without fraction and exponent. */
  private boolean scanNumber() throws StoredJsonException {
    boolean whole = scanDecimal();
    if (!isNext('e') && !isNext('E')) {
      return whole;
    }
    at++;
    if (isNext('+') || isNext('-')) {
      at++;
    }
    requireDigits();
    return false;
  }

  private boolean scanDecimal() throws StoredJsonException {
    if (isNext('-')) {
      at++;
    }
    if (isNext('0')) {
      at++;
    } else {
      requireDigits();
    }
    if (!isNext('.')) {
      return true;
    }
    at++;
    requireDigits();
    return false;
  }

  private void requireDigits() throws StoredJsonException {
    int start = at;
    skipDigits();
    if (at == start) {
      throw unlike("a number");
    }
  }

  private void skipDigits() {
    while (at < text.length() && isDigit(text.charAt(at))) {
      at++;
    }
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  /** Goes behind a string, and notes whether it has escapes. */
  private void scanString() throws StoredJsonException {
    int start = at;
    expect('"');
    escaped = false;
    int length = text.length();
    while (at < length) {
      char c = text.charAt(at++);
      if (c == '"') {
        return;
      }
      if (c == '\\') {
        escaped = true;
        scanEscape();
      } else if (c < ' ') {
        throw unlike("a string without control characters", start);
      }
    }
    throw unlike("a string that ends", start);
  }

  private void scanEscape() throws StoredJsonException {
    char c = at < text.length() ? text.charAt(at) : ' ';
    if ("\"\\/bfnrt".indexOf(c) >= 0) {
      at++;
      return;
    }
    boolean hex = c == 'u' && text.length() - at > 4;
    for (int i = 1; hex && i <= 4; i++) {
      hex = Character.digit(text.charAt(at + i), 16) >= 0;
    }
    if (!hex) {
      throw unlike("an escape of JSON");
    }
    at += 5;
  }

  /** Returns a part of the text, which was scanned as a string's, with its escapes resolved. */
  private String unescaped(int start, int end) {
    if (!escaped) {
      return text.substring(start, end);
    }
    StringBuilder plain = new StringBuilder(end - start);
    int next = start;
    while (next < end) {
      char c = text.charAt(next++);
      if (c != '\\') {
        plain.append(c);
        continue;
      }
      char escape = text.charAt(next++);
      switch (escape) {
        case 'b' -> plain.append('\b');
        case 'f' -> plain.append('\f');
        case 'n' -> plain.append('\n');
        case 'r' -> plain.append('\r');
        case 't' -> plain.append('\t');
        case 'u' -> {
          plain.append((char) Integer.parseInt(text, next, next + 4, 16));
          next += 4;
        }
        default -> plain.append(escape);
      }
    }
    return plain.toString();
  }

  private void skipSpace() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
        return;
      }
      at++;
    }
  }

  private boolean isNext(char c) {
    return at < text.length() && text.charAt(at) == c;
  }

  private void expect(char c) throws StoredJsonException {
    if (!isNext(c)) {
      throw unlike("'" + c + "'");
    }
    at++;
  }

  private StoredJsonException unlike(String expected) {
    return unlike(expected, at);
  }

  private StoredJsonException unlike(String expected, int where) {
    return new StoredJsonException(
        "at character %d of its JSON, expected %s".formatted(where + 1, expected));
  }
}
