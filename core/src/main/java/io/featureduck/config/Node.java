package io.featureduck.config;

import io.featureduck.definition.DurationText;
import io.featureduck.definition.MySqlAddress;
import io.featureduck.error.Nearest;
import io.featureduck.expression.Expression;
import io.featureduck.expression.ExpressionParser;
import io.featureduck.expression.ExpressionSyntaxException;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * A place in a document, whose values it reads. A value that is absent or of a wrong type reads as
 * absent, without a word, for {@link Structure} has told; one whose text can't be read is noted as
 * a mistake and reads as a stand-in, which nobody sees, for a config with mistakes is refused.
 */
final class Node {
  /** Longer ones can't be reckoned with from any date. */
  private static final Duration LONGEST = Duration.ofDays(36_500);

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,47}");
  private static final Pattern SIZE =
      Pattern.compile("(\\d{1,12}(?:\\.\\d{1,6})?) ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB|%|)");

  /** What Postgres keeps of a longer identifier. */
  private static final int IDENTIFIER_BYTES_MAX = 63;

  private static final int QUOTED_MAX = 80;
  private static final JsonMapper SORTED =
      JsonMapper.builder().enable(JsonNodeFeature.WRITE_PROPERTIES_SORTED).build();

  private final Document document;
  private final String pointer;
  private final JsonNode json;
  private final Mistakes mistakes;

  Node(Document document, String pointer, JsonNode json, Mistakes mistakes) {
    this.document = document;
    this.pointer = pointer;
    this.json = json;
    this.mistakes = mistakes;
  }

  /** Returns {@code text} in quotes, on one line and not too long for a message. */
  static String quoted(String text) {
    StringBuilder shown = new StringBuilder();
    text.codePoints()
        .limit(QUOTED_MAX)
        .forEach(c -> {
          if (Character.isISOControl(c)) {
            shown.append("\\u%04x".formatted(c));
          } else {
            shown.appendCodePoint(c);
          }
        });
    boolean cut = text.codePointCount(0, text.length()) > QUOTED_MAX;
    return "'" + shown + (cut ? "…" : "") + "'";
  }

  /** Tells whether {@code text} follows the rule for names that we make. */
  static boolean isName(String text) {
    return NAME.matcher(text).matches() && !text.contains("__");
  }

  /** Notes a mistake here. */
  void mistake(String message) {
    mistakes.add(document, pointer, message);
  }

  /** Returns where this is, with the file, for mentioning it elsewhere. */
  String place() {
    return document.file() + " " + pointer;
  }

  String pointer() {
    return pointer;
  }

  Path folder() {
    return document.folder();
  }

  /**
   * Returns the value as it was written, in quotes: what came from the environment is not shown.
   */
  String shown() {
    String written = document.written(pointer);
    if (written != null) {
      return quoted(written);
    }
    return json.isString() ? quoted(json.stringValue()) : json.toString();
  }

  Node child(String key) {
    return new Node(document, Document.child(pointer, key), json.path(key), mistakes);
  }

  boolean has(String key) {
    return json.has(key);
  }

  /** Tells whether {@code key} is missing, and not just misspelt. */
  boolean lacks(String key) {
    return !json.has(key) && !mistakes.isMeant(document, Document.child(pointer, key));
  }

  boolean exists() {
    return !json.isMissingNode();
  }

  boolean isObject() {
    return json.isObject();
  }

  /** Returns the elements of the list under {@code key}; none where there is no list. */
  List<Node> items(String key) {
    Node list = child(key);
    List<Node> items = new ArrayList<>();
    if (list.json.isArray()) {
      for (int i = 0; i < list.json.size(); i++) {
        items.add(new Node(document, list.pointer + "/" + i, list.json.required(i), mistakes));
      }
    }
    return items;
  }

  /** Returns the values of the object under {@code key}, in its order. */
  Map<String, Node> entries(String key) {
    Node object = child(key);
    Map<String, Node> entries = new LinkedHashMap<>();
    if (object.json.isObject()) {
      for (String name : object.json.propertyNames()) {
        entries.put(name, object.child(name));
      }
    }
    return entries;
  }

  /** Returns the text that stands here. */
  Optional<String> text() {
    if (!json.isString()) {
      return Optional.empty();
    }
    if (json.stringValue().indexOf('\0') >= 0) {
      mistake("must not contain U+0000");
      return Optional.empty();
    }
    return Optional.of(json.stringValue());
  }

  Optional<String> text(String key) {
    return child(key).text();
  }

  String text(String key, String absent) {
    return text(key).orElse(absent);
  }

  int integer(String key, int absent) {
    return integer(key).orElse(absent);
  }

  /** Returns a whole number; the schema holds its bounds, which are those of an int or closer. */
  Optional<Integer> integer(String key) {
    JsonNode number = json.path(key);
    if (!number.isNumber()) {
      return Optional.empty();
    }
    double value = number.doubleValue();
    return value == Math.rint(value) && Math.abs(value) <= Integer.MAX_VALUE
        ? Optional.of((int) value)
        : Optional.empty();
  }

  Optional<Double> number(String key) {
    JsonNode number = json.path(key);
    return number.isNumber() ? Optional.of(number.doubleValue()) : Optional.empty();
  }

  boolean flag(String key) {
    JsonNode flag = json.path(key);
    return flag.isBoolean() && flag.booleanValue();
  }

  /** Returns a name that we make, checked by the rule for those. */
  String name(String key) {
    Node name = child(key);
    Optional<String> text = name.text();
    if (text.isPresent() && !isName(text.get())) {
      name.notAName(name.shown());
    }
    return text.orElse("");
  }

  /** Notes that something is no name. */
  void notAName(String shown) {
    mistake(
        ("%s is not a valid name: expected a lower-case letter, then up to 47 lower-case letters,"
                + " digits or '_', without '__'")
            .formatted(shown));
  }

  /**
   * Returns the name of something that the source or a database has: any text that is not empty.
   */
  Optional<String> identifier(String key) {
    return child(key).identifier();
  }

  Optional<String> identifier() {
    Optional<String> text = text();
    if (text.isPresent() && text.get().isBlank()) {
      mistake("must not be empty");
      return Optional.empty();
    }
    return text;
  }

  /** Reads where a MySQL server is. */
  Optional<MySqlAddress> mySqlAddress() {
    return identifier()
        .flatMap(text -> {
          try {
            return Optional.of(MySqlAddress.parse(text));
          } catch (IllegalArgumentException refused) {
            mistake(String.valueOf(refused.getMessage()));
            return Optional.empty();
          }
        });
  }

  /** Tells whether a name fits into the online store's catalog. */
  static boolean fitsIdentifier(String name) {
    return name.getBytes(StandardCharsets.UTF_8).length <= IDENTIFIER_BYTES_MAX
        && name.chars().noneMatch(Character::isISOControl);
  }

  /** Returns a duration of more than zero. */
  Optional<Duration> duration(String key) {
    Node node = child(key);
    Optional<Duration> duration = node.durationOrZero();
    if (duration.isPresent() && duration.get().isZero()) {
      node.mistake("must be longer than 0");
    }
    return duration;
  }

  Duration duration(String key, Duration absent) {
    return duration(key).orElse(absent);
  }

  Duration durationOrZero(String key, Duration absent) {
    return child(key).durationOrZero().orElse(absent);
  }

  private Optional<Duration> durationOrZero() {
    Optional<String> text = text();
    if (text.isEmpty()) {
      return Optional.empty();
    }
    try {
      Duration duration = DurationText.parse(text.get());
      if (duration.compareTo(LONGEST) > 0) {
        mistake("%s is too long: at most 36500d".formatted(shown()));
        return Optional.empty();
      }
      return Optional.of(duration);
    } catch (IllegalArgumentException refused) {
      mistake(
          "%s is no duration: write a number and s, m, h, d or w, such as 15m".formatted(shown()));
      return Optional.empty();
    }
  }

  /** Returns this place as a window's length. */
  Optional<Duration> window() {
    Optional<Duration> length = durationOrZero();
    if (length.isPresent() && length.get().isZero()) {
      mistake("must be longer than 0");
      return Optional.empty();
    }
    return length;
  }

  /**
   * Returns a number of bytes.
   *
   * @param whole what 100% is of; 0 where a share makes no sense
   */
  Optional<Long> bytes(String key, long whole) {
    Node node = child(key);
    String text = node.json.isNumber() ? node.json.asString() : node.text().orElse("");
    if (!node.exists() || (text.isEmpty() && !node.json.isString())) {
      return Optional.empty();
    }
    Matcher matcher = SIZE.matcher(text);
    if (!matcher.matches() || (matcher.group(2).equals("%") && whole == 0)) {
      node.mistake(
          "%s is no size: write a number and a unit, such as 4MiB or 2GB%s"
              .formatted(node.shown(), whole == 0 ? "" : ", or a share such as 25%"));
      return Optional.empty();
    }
    BigDecimal number = new BigDecimal(matcher.group(1));
    BigDecimal unit =
        switch (matcher.group(2)) {
          case "KB" -> BigDecimal.valueOf(1_000);
          case "MB" -> BigDecimal.valueOf(1_000_000);
          case "GB" -> BigDecimal.valueOf(1_000_000_000);
          case "TB" -> BigDecimal.valueOf(1_000_000_000_000L);
          case "KiB" -> BigDecimal.valueOf(1L << 10);
          case "MiB" -> BigDecimal.valueOf(1L << 20);
          case "GiB" -> BigDecimal.valueOf(1L << 30);
          case "TiB" -> BigDecimal.valueOf(1L << 40);
          case "%" -> BigDecimal.valueOf(whole).movePointLeft(2);
          default -> BigDecimal.ONE;
        };
    long bytes = number.multiply(unit).min(BigDecimal.valueOf(Long.MAX_VALUE)).longValue();
    if (bytes == 0) {
      node.mistake("must be more than 0");
      return Optional.empty();
    }
    return Optional.of(bytes);
  }

  ZoneId zone(String key) {
    Node node = child(key);
    Optional<String> text = node.text();
    if (text.isEmpty()) {
      return ZoneOffset.UTC;
    }
    try {
      ZoneId zone = ZoneId.of(text.get());
      if (zone.normalized() instanceof ZoneOffset offset && offset.getTotalSeconds() % 3_600 != 0) {
        node.mistake(
            "%s is no whole number of hours: expected a region such as Asia/Kolkata"
                .formatted(node.shown()));
      }
      return zone;
    } catch (DateTimeException refused) {
      node.mistake(
          "%s is no time zone%s"
              .formatted(node.shown(), Nearest.hint(text.get(), ZoneId.getAvailableZoneIds())));
      return ZoneOffset.UTC;
    }
  }

  /** Returns this place as a type. */
  Optional<FeatureType> type() {
    Optional<String> text = text();
    if (text.isEmpty()) {
      return Optional.empty();
    }
    Optional<FeatureType> type = FeatureType.parse(text.get());
    if (type.isEmpty()) {
      List<String> names = new ArrayList<>();
      for (Primitive primitive : Primitive.values()) {
        names.add(primitive.name());
      }
      mistake(
          "%s is no type: expected %s, DECIMAL(p,s) or ARRAY<T>%s"
              .formatted(shown(), String.join(", ", names), Nearest.hint(text.get(), names)));
    }
    return type;
  }

  /** Returns this place as an expression; NULL where there is none to be read. */
  Expression expression() {
    Optional<String> text = text();
    if (text.isEmpty()) {
      return new Expression.NullLiteral();
    }
    try {
      return ExpressionParser.parse(text.get());
    } catch (ExpressionSyntaxException e) {
      mistake(
          document.written(pointer) == null
              ? String.valueOf(e.getMessage())
              : "%s, with its variables put in, can't be read (at character %d)"
                  .formatted(shown(), e.column()));
      return new Expression.NullLiteral();
    }
  }

  /** Returns the absolute path that a text stands for; it starts at the file's folder. */
  Optional<Path> path(String key, String absent, String home) {
    Node node = child(key);
    String text = node.exists() ? node.text().orElse("") : absent;
    try {
      String path = text.startsWith("~/") ? home + text.substring(1) : text;
      return Optional.of(document.folder().resolve(path).normalize());
    } catch (InvalidPathException refused) {
      node.mistake("%s is no path".formatted(node.shown()));
      return Optional.empty();
    }
  }

  /** Returns the JSON here with its keys sorted, on one line. */
  String canonical() {
    return SORTED.writeValueAsString(json);
  }
}
