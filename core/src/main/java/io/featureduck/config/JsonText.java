package io.featureduck.config;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Parses JSON text into a tree, token by token: Jackson's own reading stops at the first key that
 * is there twice, or says nothing.
 */
final class JsonText {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  // Jackson's words are good but where they quote the text, which may be a password, or speak of
  // its options.
  private static final Pattern QUOTED = Pattern.compile("(token) '[^']*'");
  private static final Pattern ASIDE =
      Pattern.compile(" ?\\(start marker at .*\\)| ?\\(code \\d+\\)|: enable .*");

  /** Keys that stand twice in one object: the pointer of each with where it stands again. */
  private final Map<String, String> repeated = new HashMap<>();

  private Optional<String> failure = Optional.empty();

  /** Parses UTF-8 text. Returns a missing node where {@link #failure} says why there is none. */
  JsonNode parse(byte[] text) {
    try (JsonParser parser = MAPPER.createParser(text)) {
      if (parser.nextToken() == null) {
        failure = Optional.of("the file is empty: expected a JSON object");
        return MissingNode.getInstance();
      }
      JsonNode root = value(parser, "");
      if (parser.nextToken() != null) {
        failure =
            Optional.of(
                at(parser.currentTokenLocation()) + ": expected the end after the JSON object");
        return MissingNode.getInstance();
      }
      return root;
    } catch (StreamConstraintsException e) {
      // Its location may be absent, and its words are of the limits' options.
      failure = Optional.of("the JSON is nested too deeply, or has a number or a text too long");
      return MissingNode.getInstance();
    } catch (JacksonException e) {
      failure = Optional.of(at(e.getLocation()) + ": " + plain(e.getOriginalMessage()));
      return MissingNode.getInstance();
    }
  }

  /** Returns why there is no tree, with line and column; empty where there is one. */
  Optional<String> failure() {
    return failure;
  }

  Map<String, String> repeated() {
    return repeated;
  }

  private JsonNode value(JsonParser parser, String pointer) {
    return switch (parser.currentToken()) {
      case START_OBJECT -> object(parser, pointer);
      case START_ARRAY -> array(parser, pointer);
      case VALUE_STRING -> NODES.stringNode(parser.getString());
      case VALUE_TRUE -> NODES.booleanNode(true);
      case VALUE_FALSE -> NODES.booleanNode(false);
      case VALUE_NULL -> NODES.nullNode();
      case VALUE_NUMBER_FLOAT -> NODES.numberNode(parser.getDoubleValue());
      case VALUE_NUMBER_INT ->
          switch (parser.getNumberType()) {
            case INT -> NODES.numberNode(parser.getIntValue());
            case LONG -> NODES.numberNode(parser.getLongValue());
            default -> NODES.numberNode(parser.getBigIntegerValue());
          };
      default -> throw new IllegalStateException("no JSON value: " + parser.currentToken());
    };
  }

  private ObjectNode object(JsonParser parser, String pointer) {
    ObjectNode object = NODES.objectNode();
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = parser.currentName();
      String place = Document.child(pointer, key);
      if (object.has(key)) {
        repeated.put(place, at(parser.currentTokenLocation()));
      }
      parser.nextToken();
      object.set(key, value(parser, place));
    }
    return object;
  }

  private ArrayNode array(JsonParser parser, String pointer) {
    ArrayNode array = NODES.arrayNode();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      array.add(value(parser, pointer + "/" + array.size()));
    }
    return array;
  }

  private static String at(TokenStreamLocation location) {
    return "line %d, column %d".formatted(location.getLineNr(), location.getColumnNr());
  }

  private static String plain(String message) {
    String words = ASIDE.matcher(QUOTED.matcher(message).replaceAll("$1")).replaceAll("");
    return words.isEmpty()
        ? "no JSON"
        : Character.toLowerCase(words.charAt(0)) + words.substring(1);
  }
}
