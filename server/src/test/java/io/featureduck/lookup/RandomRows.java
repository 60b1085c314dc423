package io.featureduck.lookup;

import io.featureduck.lookup.StoredRows.Json;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Features and rows by chance, and what a plain reading of the contract makes of their values. */
public final class RandomRows {
  private static final LocalDate LAST_DAY = LocalDate.of(9999, 12, 31);

  private final Random random;
  private final Predicate<Object> holds;

  /**
   * @param holds which values may be made
   */
  public RandomRows(Random random, Predicate<Object> holds) {
    this.random = random;
    this.holds = holds;
  }

  /** Returns one or more features of each type, in any order. */
  public List<Feature> features() {
    List<Feature> features = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      FeatureType type = i < 12 ? scalar(i) : type();
      features.add(new Feature("f%s_%d".formatted("x".repeat(random.nextInt(10)), i), type));
    }
    java.util.Collections.shuffle(features, random);
    return features;
  }

  private FeatureType type() {
    FeatureType scalar = scalar(random.nextInt(12));
    return random.nextInt(3) == 0 ? new FeatureType.Array(scalar) : scalar;
  }

  private FeatureType scalar(int kind) {
    List<Primitive> primitives = List.of(Primitive.values());
    if (kind < primitives.size()) {
      return primitives.get(kind);
    }
    int precision = 1 + random.nextInt(38);
    return new FeatureType.Decimal(precision, random.nextInt(Math.min(precision, 30) + 1));
  }

  /** Returns a value of each feature, some of them null. */
  public List<@Nullable Object> row(List<Feature> features) {
    List<@Nullable Object> values = new ArrayList<>();
    for (Feature feature : features) {
      values.add(valueOrNull(feature.type()));
    }
    return values;
  }

  private @Nullable Object valueOrNull(FeatureType type) {
    return random.nextInt(8) == 0 ? null : value(type);
  }

  private Object value(FeatureType type) {
    Object value = anyValue(type);
    while (!holds.test(value)) {
      value = anyValue(type);
    }
    return value;
  }

  private Object anyValue(FeatureType type) {
    return switch (type) {
      case Primitive primitive -> anyValue(primitive);
      case FeatureType.Decimal(int precision, int scale) -> decimal(precision, scale);
      case FeatureType.Array(FeatureType element) -> {
        List<@Nullable Object> values = new ArrayList<>();
        for (int i = random.nextInt(5); i > 0; i--) {
          values.add(random.nextInt(8) == 0 ? null : anyValue(element));
        }
        yield values;
      }
    };
  }

  private Object anyValue(Primitive type) {
    return switch (type) {
      case BOOL -> random.nextBoolean();
      case INT32 -> (long) (random.nextInt() >> random.nextInt(32));
      case INT64 -> random.nextLong() >> random.nextInt(64);
      case FLOAT32 ->
          random.nextBoolean()
              ? (Object) Float.intBitsToFloat(random.nextInt())
              : (Object) (float) (random.nextInt(2_000) / 8.0 - 100);
      case FLOAT64 ->
          random.nextBoolean()
              ? Double.longBitsToDouble(random.nextLong())
              : random.nextInt(2_000) / 100.0;
      case STRING -> text();
      case BYTES -> {
        byte[] bytes = new byte[random.nextInt(8)];
        random.nextBytes(bytes);
        yield bytes;
      }
      case DATE -> date();
      case TIMESTAMP ->
          LocalDateTime.ofEpochSecond(
              date().toEpochDay() * 86_400 + random.nextInt(86_400),
              1_000
                  * (random.nextInt(1_000_000)
                      / (random.nextBoolean() ? 1_000 : 1)
                      * (random.nextBoolean() ? 1_000 : 1)
                      % 1_000_000),
              ZoneOffset.UTC);
      case JSON ->
          new Json(
              "{\"a\": [%d, %s], \"b\": null}".formatted(random.nextInt(), random.nextBoolean()));
    };
  }

  private LocalDate date() {
    return LocalDate.ofEpochDay(
        LocalDate.of(1, 1, 1).toEpochDay()
            + random.nextLong(LAST_DAY.toEpochDay() - LocalDate.of(1, 1, 1).toEpochDay()));
  }

  private BigDecimal decimal(int precision, int scale) {
    BigInteger digits = new BigInteger(random.nextInt(1 + 3 * precision), random);
    BigInteger bound = BigInteger.TEN.pow(precision);
    BigDecimal value = new BigDecimal(digits.mod(bound), scale);
    return random.nextBoolean() ? value : value.negate();
  }

  private String text() {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      switch (random.nextInt(6)) {
        case 0 -> text.append((char) (1 + random.nextInt(31)));
        case 1 -> text.append("\"\\/{}[]:,u0041n".charAt(random.nextInt(15)));
        case 2 -> text.append((char) (0x80 + random.nextInt(0x800)));
        case 3 -> text.appendCodePoint(0x1F000 + random.nextInt(0x800));
        default -> text.append((char) (' ' + random.nextInt(95)));
      }
    }
    return text.toString();
  }

  /** Returns the object of features that an answer has. */
  public static String json(List<Feature> features, List<@Nullable Object> values) {
    StringBuilder json = new StringBuilder("{");
    for (int i = 0; i < features.size(); i++) {
      json.append(i == 0 ? "" : ",").append(quoted(features.get(i).name())).append(':');
      json.append(json(values.get(i)));
    }
    return json.append('}').toString();
  }

  private static String json(@Nullable Object value) {
    return switch (value) {
      case null -> "null";
      case Float f -> Float.isFinite(f) ? f.toString() : quoted(f.toString());
      case Double d -> Double.isFinite(d) ? d.toString() : quoted(d.toString());
      case BigDecimal d -> d.toPlainString();
      case String s -> quoted(s);
      case byte[] b -> quoted(Base64.getEncoder().encodeToString(b));
      case LocalDate d -> quoted(d.toString());
      case LocalDateTime t -> quoted(instant(t));
      case Json j -> j.text();
      case List<?> list ->
          list.stream().map(RandomRows::json).collect(Collectors.joining(",", "[", "]"));
      default -> value.toString();
    };
  }

  private static String instant(LocalDateTime utc) {
    String all = StoredRows.instant(utc);
    return all.replaceFirst("\\.000000Z$", "Z").replaceFirst("(\\.\\d{3})000Z$", "$1Z");
  }

  private static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"', '\\' -> json.append('\\').append(c);
        case '\n' -> json.append("\\n");
        case '\r' -> json.append("\\r");
        case '\t' -> json.append("\\t");
        default -> json.append(c < ' ' ? "\\u%04x".formatted((int) c) : "" + c);
      }
    }
    return json.append('"').toString();
  }
}
