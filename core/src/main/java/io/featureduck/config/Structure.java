package io.featureduck.config;

import static java.util.stream.Collectors.joining;

import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.featureduck.error.Nearest;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonPointer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Checks documents against the JSON Schema: which keys there are, and of which types their values.
 * The validator's findings are told in words that need no knowledge of JSON Schema.
 */
final class Structure {
  private static final String RESOURCE = "config.schema.json";
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  // Keys whose values are, or may hold, a password.
  private static final Set<String> SECRET_KEYS = Set.of("password", "url", "connection_string");

  private static final JsonNode DEFINITION = resource();
  private static final Schema MAIN = schema("#");
  private static final Schema INCLUDED = schema("#/$defs/included");

  private Structure() {}

  private static JsonNode resource() {
    try (InputStream stream = Structure.class.getResourceAsStream(RESOURCE)) {
      if (stream == null) {
        throw new IllegalStateException(RESOURCE + " is missing from the jar");
      }
      return MAPPER.readTree(stream);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the schema itself, or a part of it that stands on its own with the same $defs. */
  private static Schema schema(String reference) {
    JsonNode node = DEFINITION;
    if (!reference.equals("#")) {
      ObjectNode part = JsonNodeFactory.instance.objectNode();
      part.set("$schema", DEFINITION.required("$schema"));
      part.put("$ref", reference);
      part.set("$defs", DEFINITION.required("$defs"));
      node = part;
    }
    return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12).getSchema(node);
  }

  /** Checks a document; {@code include} tells that it isn't the main one. */
  static void check(Document document, boolean include, Mistakes mistakes) {
    Schema schema = include ? INCLUDED : MAIN;
    List<Error> errors = schema.validate(document.root());
    boolean converted = false;
    for (Error error : errors) {
      converted |= convert(document, error);
    }
    if (converted) {
      errors = schema.validate(document.root());
    }
    for (Error error : errors) {
      if (error.getKeyword().equals("additionalProperties")) {
        unknownKey(document, error, mistakes);
      }
    }
    for (Error error : errors) {
      String pointer = error.getInstanceLocation().toString();
      switch (error.getKeyword()) {
        case "additionalProperties" -> {}
        case "required" -> {
          if (!mistakes.isMeant(document, Document.child(pointer, error.getProperty()))) {
            mistakes.add(document, pointer, "'%s' is missing".formatted(error.getProperty()));
          }
        }
        case "enum" -> mistakes.addFallback(document, pointer, notAmong(document, pointer, error));
        case "pattern" ->
            mistakes.addFallback(
                document,
                pointer,
                "%s does not have the form %s"
                    .formatted(found(document, pointer, error), error.getSchemaNode()));
        default -> mistakes.addUnusable(document, pointer, message(document, pointer, error));
      }
    }
  }

  /**
   * Turns an interpolated string into the number or boolean that is wanted in its place, for the
   * environment has nothing but strings. Returns whether it did.
   */
  private static boolean convert(Document document, Error error) {
    String pointer = error.getInstanceLocation().toString();
    JsonNode instance = error.getInstanceNode();
    if (!error.getKeyword().equals("type")
        || document.written(pointer) == null
        || !instance.isString()) {
      return false;
    }
    Optional<JsonNode> value = scalar(instance.stringValue());
    JsonPointer place = JsonPointer.compile(pointer);
    value.ifPresent(node -> {
      switch (document.root().at(place.head())) {
        case ObjectNode object -> object.set(place.last().getMatchingProperty(), node);
        case ArrayNode array -> array.set(place.last().getMatchingIndex(), node);
        default -> throw new IllegalStateException(pointer + " is in no container");
      }
    });
    return value.isPresent();
  }

  private static Optional<JsonNode> scalar(String text) {
    try {
      JsonNode node = MAPPER.readTree(text);
      return node.isNumber() || node.isBoolean() ? Optional.of(node) : Optional.empty();
    } catch (JacksonException noJson) {
      return Optional.empty();
    }
  }

  /** Notes a key that isn't known, and the one that was probably meant. */
  private static void unknownKey(Document document, Error error, Mistakes mistakes) {
    String pointer = error.getInstanceLocation().toString();
    String key = error.getProperty();
    List<String> known = keysBeside(error);
    Optional<String> meant = Nearest.to(key, known);
    String hint =
        meant
            .map("; did you mean '%s'?"::formatted)
            .orElseGet(() -> "; the keys are " + String.join(", ", known));
    mistakes.addUnusable(
        document,
        Document.child(pointer, key),
        "there is no key %s here%s".formatted(Node.quoted(key), hint));
    meant.ifPresent(name -> mistakes.addMeant(document, Document.child(pointer, name)));
  }

  /** Returns the keys that the schema knows where an additional one was found. */
  private static List<String> keysBeside(Error error) {
    String keyword = error.getSchemaLocation().getFragment().toString();
    String parent = keyword.substring(0, keyword.lastIndexOf('/'));
    return List.copyOf(DEFINITION.at(parent + "/properties").propertyNames());
  }

  private static String notAmong(Document document, String pointer, Error error) {
    List<String> valid = new ArrayList<>();
    error.getSchemaNode().forEach(value -> valid.add(value.asString()));
    String hint =
        error.getInstanceNode().isString()
            ? Nearest.hint(error.getInstanceNode().stringValue(), valid)
            : "";
    return "expected %s, found %s%s".formatted(oneOf(valid), found(document, pointer, error), hint);
  }

  private static String oneOf(List<String> valid) {
    List<String> quoted = valid.stream().map(value -> "'" + value + "'").toList();
    int last = quoted.size() - 1;
    return last == 0
        ? quoted.get(0)
        : String.join(", ", quoted.subList(0, last)) + " or " + quoted.get(last);
  }

  private static String message(Document document, String pointer, Error error) {
    String found = found(document, pointer, error);
    JsonNode limit = error.getSchemaNode();
    return switch (error.getKeyword()) {
      case "type" -> "expected %s, found %s".formatted(kinds(limit), found);
      case "minLength", "minItems" -> "must not be empty";
      case "minimum" -> "expected at least %s, found %s".formatted(limit, found);
      case "maximum" -> "expected at most %s, found %s".formatted(limit, found);
      default -> error.getMessage();
    };
  }

  private static String kinds(JsonNode types) {
    if (types.isString()) {
      return kind(types.stringValue());
    }
    return types.valueStream().map(type -> kind(type.asString())).collect(joining(" or "));
  }

  private static String kind(String type) {
    return switch (type) {
      case "integer" -> "a whole number";
      case "boolean" -> "true or false";
      case "object" -> "an object";
      case "array" -> "a list";
      default -> "a " + type;
    };
  }

  /** Says what stands at a place, without telling what came from the environment. */
  private static String found(Document document, String pointer, Error error) {
    JsonNode node = error.getInstanceNode();
    boolean secret = SECRET_KEYS.contains(pointer.substring(pointer.lastIndexOf('/') + 1));
    String written = document.written(pointer);
    return switch (node.getNodeType()) {
      case OBJECT -> "an object";
      case ARRAY -> "a list";
      case NULL -> "null";
      default -> {
        if (secret) {
          yield "a " + (node.isString() ? "string" : node.isNumber() ? "number" : "boolean");
        }
        if (written != null) {
          yield Node.quoted(written);
        }
        yield node.isString() ? Node.quoted(node.stringValue()) : node.toString();
      }
    };
  }
}
