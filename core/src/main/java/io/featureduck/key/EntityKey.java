package io.featureduck.key;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigInteger;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The one text form of an entity's join key values: each value as text, with {@code \} and {@code
 * |} escaped by {@code \}, joined by {@code |} in declared order. Whole numbers have no leading
 * zeros nor plus, dates are {@code 2024-01-31}, booleans {@code true} and {@code false}.
 *
 * <p>The engines' SQL makes the same text; both are held to one file of test vectors.
 */
public final class EntityKey {
  /** How long a key may be, as UTF-8. */
  public static final int BYTES_MAX = 2_048;

  private static final BigInteger LONG_MIN = BigInteger.valueOf(Long.MIN_VALUE);
  private static final BigInteger LONG_MAX = BigInteger.valueOf(Long.MAX_VALUE);
  private static final int SHOWN_MAX = 60;

  private EntityKey() {}

  /**
   * Returns the key of the entity with these values, in the order of {@code keys}. A value is what
   * a JSON parser gives (String, Boolean, Integer, Long, BigInteger) or a LocalDate; text is read
   * by the key's type, so that {@code 42} and {@code "42"} are one INT64 key.
   *
   * @throws EntityKeyException where a value, null included, is none of its join key's type, or the
   *     key gets too long
   */
  public static String encode(List<JoinKey> keys, List<? extends @Nullable Object> values) {
    if (values.size() != keys.size()) {
      throw wrongCount(keys, values.size());
    }
    StringBuilder encoded = new StringBuilder();
    for (int i = 0; i < keys.size(); i++) {
      if (i > 0) {
        encoded.append('|');
      }
      escape(text(keys.get(i), values.get(i)), encoded);
    }
    return checked(encoded.toString());
  }

  /** As {@link #encode}, of values one by one. */
  public static String of(List<JoinKey> keys, @Nullable Object... values) {
    return encode(keys, Arrays.asList(values));
  }

  /**
   * Returns the key that a request's path means: with one join key {@code text} is the value
   * itself, with several it is an encoded key, whose values may be written otherwise than we would
   * ({@code 007} for 7).
   *
   * @throws EntityKeyException as {@link #encode}, and where the number of values or the escaping
   *     is wrong
   */
  public static String canonical(List<JoinKey> keys, String text) {
    return encode(keys, keys.size() == 1 ? List.of(text) : split(keys, text));
  }

  private static List<String> split(List<JoinKey> keys, String encoded) {
    List<String> values = new ArrayList<>();
    StringBuilder value = new StringBuilder();
    for (int i = 0; i < encoded.length(); i++) {
      char c = encoded.charAt(i);
      if (c == '|') {
        values.add(value.toString());
        value.setLength(0);
      } else if (c != '\\') {
        value.append(c);
      } else if (i + 1 < encoded.length() && "\\|".indexOf(encoded.charAt(i + 1)) >= 0) {
        value.append(encoded.charAt(++i));
      } else {
        throw new EntityKeyException(
            "%s: a backslash at character %d that escapes neither | nor \\"
                .formatted(shown(encoded), i + 1));
      }
    }
    values.add(value.toString());
    if (values.size() != keys.size()) {
      throw wrongCount(keys, values.size());
    }
    return values;
  }

  private static EntityKeyException wrongCount(List<JoinKey> keys, int found) {
    return new EntityKeyException(
        "expected %s, joined by |: found %d value%s"
            .formatted(
                String.join("|", keys.stream().map(JoinKey::name).toList()),
                found,
                found == 1 ? "" : "s"));
  }

  private static String text(JoinKey key, @Nullable Object value) {
    if (value == null) {
      throw EntityKeyException.wrongValue(key, "null");
    }
    return switch (value) {
      case String text -> fromText(key, text);
      case Integer number -> fromInteger(key, BigInteger.valueOf(number));
      case Long number -> fromInteger(key, BigInteger.valueOf(number));
      case BigInteger number -> fromInteger(key, number);
      case Boolean bool when key.type() == Primitive.BOOL -> bool.toString();
      case LocalDate date when key.type() == Primitive.DATE -> fromDate(key, date);
      default -> throw EntityKeyException.wrongValue(key, shown(value.toString()));
    };
  }

  private static String fromText(JoinKey key, String text) {
    Primitive type = (Primitive) key.type();
    switch (type) {
      case STRING -> {
        return text;
      }
      case INT32, INT64 -> {
        if (isWhole(text)) {
          return fromInteger(key, new BigInteger(text));
        }
      }
      case BOOL -> {
        if (text.equals("true") || text.equals("false")) {
          return text;
        }
      }
      case DATE -> {
        try {
          return fromDate(key, LocalDate.parse(text));
        } catch (DateTimeParseException refused) {
          throw EntityKeyException.wrongValue(key, "\"" + shown(text) + "\"");
        }
      }
      case FLOAT32, FLOAT64, BYTES, TIMESTAMP, JSON ->
          throw new AssertionError("JoinKey refuses " + type);
    }
    throw EntityKeyException.wrongValue(key, "\"" + shown(text) + "\"");
  }

  /** ASCII digits with a minus at most; longer than any INT64 is refused before it costs time. */
  private static boolean isWhole(String text) {
    int start = text.startsWith("-") ? 1 : 0;
    if (text.length() == start || text.length() > 40) {
      return false;
    }
    for (int i = start; i < text.length(); i++) {
      if (text.charAt(i) < '0' || text.charAt(i) > '9') {
        return false;
      }
    }
    return true;
  }

  private static String fromInteger(JoinKey key, BigInteger number) {
    boolean fits =
        switch ((Primitive) key.type()) {
          case INT32 -> number.bitLength() < Integer.SIZE;
          case INT64 -> number.compareTo(LONG_MIN) >= 0 && number.compareTo(LONG_MAX) <= 0;
          case STRING -> true;
          default -> false;
        };
    if (!fits) {
      throw EntityKeyException.wrongValue(key, shown(number.toString()));
    }
    return number.toString();
  }

  private static String fromDate(JoinKey key, LocalDate date) {
    if (date.getYear() < 1 || date.getYear() > 9999) {
      throw EntityKeyException.wrongValue(key, date.toString());
    }
    return date.toString();
  }

  private static void escape(String text, StringBuilder to) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\\' || c == '|') {
        to.append('\\');
      }
      to.append(c);
    }
  }

  private static String checked(String key) {
    int bytes;
    try {
      bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(key)).remaining();
    } catch (CharacterCodingException refused) {
      throw new EntityKeyException("an entity key with half a surrogate pair: it is no text");
    }
    if (bytes > BYTES_MAX) {
      throw new EntityKeyException(
          "an entity key of %d bytes: at most %d are allowed".formatted(bytes, BYTES_MAX));
    }
    if (key.indexOf('\0') >= 0) {
      throw new EntityKeyException("an entity key with the character U+0000: no store can hold it");
    }
    return key;
  }

  private static String shown(String text) {
    return text.length() <= SHOWN_MAX ? text : text.substring(0, SHOWN_MAX) + "…";
  }
}
