package io.featureduck.type;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The type of a feature, a join key or a source's column. Its text is its form in {@code
 * config.json}: {@code INT64}, {@code DECIMAL(12,2)}, {@code ARRAY<FLOAT32>}.
 */
public sealed interface FeatureType {
  /** A type without parameters. TIMESTAMP is an instant in UTC with microseconds. */
  enum Primitive implements FeatureType {
    BOOL,
    INT32,
    INT64,
    FLOAT32,
    FLOAT64,
    STRING,
    BYTES,
    DATE,
    TIMESTAMP,
    JSON
  }

  /** An exact number of at most {@code precision} digits, {@code scale} of them after the point. */
  record Decimal(int precision, int scale) implements FeatureType {
    public Decimal {
      if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
        throw new IllegalArgumentException(
            "DECIMAL(%d,%d): must be 1 to 38 digits, and no more of them after the point"
                .formatted(precision, scale));
      }
    }

    @Override
    public String toString() {
      return "DECIMAL(" + precision + "," + scale + ")";
    }
  }

  /** A list of values of one type, any of which may be NULL. Lists don't nest. */
  record Array(FeatureType element) implements FeatureType {
    public Array {
      if (element instanceof Array) {
        throw new IllegalArgumentException("ARRAY<" + element + ">: arrays don't nest");
      }
    }

    @Override
    public String toString() {
      return "ARRAY<" + element + ">";
    }
  }

  /**
   * Reads a type in the form of its text; case and spaces don't matter.
   *
   * @return the type, or empty where {@code text} names none
   */
  static Optional<FeatureType> parse(String text) {
    String type = text.replace(" ", "").toUpperCase(Locale.ROOT);
    for (Primitive primitive : Primitive.values()) {
      if (primitive.name().equals(type)) {
        return Optional.of(primitive);
      }
    }
    try {
      if (type.startsWith("ARRAY<") && type.endsWith(">")) {
        return parse(type.substring("ARRAY<".length(), type.length() - 1)).map(Array::new);
      }
      Matcher decimal = Pattern.compile("DECIMAL\\((\\d{1,2}),(\\d{1,2})\\)").matcher(type);
      if (decimal.matches()) {
        return Optional.of(
            new Decimal(Integer.parseInt(decimal.group(1)), Integer.parseInt(decimal.group(2))));
      }
    } catch (IllegalArgumentException refused) {
      return Optional.empty();
    }
    return Optional.empty();
  }
}
