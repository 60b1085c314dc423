package io.featureduck.http;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;

/** Values of join keys, as a client sends them. */
final class JsonScalar {
  private JsonScalar() {}

  /**
   * Returns the value that a parser is at: a String, Integer, Long, BigInteger or Boolean, null, or
   * what prints as a number with a fraction, which no join key has.
   */
  static @Nullable Object read(JsonParser parser) {
    return switch (parser.currentToken()) {
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT -> parser.getNumberValue();
      case VALUE_NUMBER_FLOAT -> new Fraction(parser.getString());
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  /** Returns the JSON pointer of a member. */
  static String pointer(String name) {
    return "/" + name.replace("~", "~0").replace("/", "~1");
  }

  /** A number with a point or an exponent, as it was sent. */
  private record Fraction(String text) {
    @Override
    public String toString() {
      return text;
    }
  }
}
