package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.lookup.Selection;
import io.featureduck.lookup.ServedView;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;

/**
 * The body of {@code POST /features/{view}/batch}: {@code {"entities": ["1", 2, {"customer_id":
 * 3}], "features": ["a"]}}, with each entity as its key or as what is wrong with it.
 */
final class BatchRequest {
  private static final JsonFactory JSON = new JsonFactory();
  private static final String EXPECTED = "expected \"entities\" and, if wanted, \"features\"";

  private final List<Entity> entities;
  private final Selection selection;

  private BatchRequest(List<Entity> entities, Selection selection) {
    this.entities = entities;
    this.selection = selection;
  }

  List<Entity> entities() {
    return entities;
  }

  Selection selection() {
    return selection;
  }

  /**
   * One entity that is asked for.
   *
   * @param key its canonical key, or where it has none, what was sent
   * @param mistake why it can't be an entity of the view; null where it can
   */
  record Entity(String key, @Nullable String mistake) {}

  /**
   * Reads a body in one pass.
   *
   * @throws FeatureException INVALID_REQUEST with the position of malformed JSON or the pointer of
   *     what is of the wrong shape, UNKNOWN_FEATURE, TOO_MANY_ENTITIES
   */
  static BatchRequest parse(byte[] body, ServedView view, int entitiesMax) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), body)) {
      return new Reader(parser, view, entitiesMax).read();
    } catch (JacksonException e) {
      throw malformed(e);
    }
  }

  /** Returns the failure of a body that is no JSON, with the position; columns count bytes. */
  static FeatureException malformed(JacksonException e) {
    TokenStreamLocation at = e.getLocation();
    String place =
        at == null ? "" : " at line %d, column %d".formatted(at.getLineNr(), at.getColumnNr());
    return new FeatureException(ErrorCode.INVALID_REQUEST, "the body is malformed JSON" + place, e);
  }

  private static FeatureException invalid(String pointer, String message) {
    return new FeatureException(ErrorCode.INVALID_REQUEST, message, pointer, null);
  }

  private static final class Reader {
    private final JsonParser parser;
    private final ServedView view;
    private final List<JoinKey> joinKeys;
    private final int entitiesMax;
    private @Nullable List<Entity> entities;
    private @Nullable List<String> features;

    Reader(JsonParser parser, ServedView view, int entitiesMax) {
      this.parser = parser;
      this.view = view;
      this.joinKeys = view.definition().joinKeys();
      this.entitiesMax = entitiesMax;
    }

    BatchRequest read() {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw invalid("", "the body is no JSON object: " + EXPECTED);
      }
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        JsonToken ignored = parser.nextToken();
        switch (name) {
          case "entities" -> readEntities();
          case "features" -> readFeatures();
          default ->
              throw invalid(
                  JsonScalar.pointer(name),
                  "unknown key '%s': %s".formatted(Shown.of(name), EXPECTED));
        }
      }
      if (parser.nextToken() != null) {
        throw invalid("", "something follows the JSON object");
      }
      if (entities == null) {
        throw invalid("/entities", "\"entities\" is missing: " + EXPECTED);
      }
      return new BatchRequest(
          entities, features == null ? Selection.ALL : Selection.of(view, features, "/features"));
    }

    private void readFeatures() {
      if (features != null) {
        throw invalid("/features", "\"features\" comes twice");
      }
      if (parser.currentToken() != JsonToken.START_ARRAY) {
        throw invalid("/features", "\"features\" is no array of names");
      }
      List<String> names = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
          throw invalid("/features/" + names.size(), "a feature's name is no string");
        }
        names.add(parser.getString());
        // A name that comes twice counts once, so a list can't be longer than this and right.
        if (names.size() > 2 * view.definition().features().size() + 1_000) {
          throw invalid("/features", "more names than the view has features");
        }
      }
      features = names;
    }

    private void readEntities() {
      if (entities != null) {
        throw invalid("/entities", "\"entities\" comes twice");
      }
      if (parser.currentToken() != JsonToken.START_ARRAY) {
        throw invalid("/entities", "\"entities\" is no array");
      }
      List<Entity> read = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (read.size() == entitiesMax) {
          throw new FeatureException(
              ErrorCode.TOO_MANY_ENTITIES,
              "more than %d entities: ask for them in several requests".formatted(entitiesMax),
              "/entities",
              null);
        }
        read.add(readEntity("/entities/", read.size()));
      }
      entities = read;
    }

    private Entity readEntity(String pointer, int index) {
      JsonToken token = parser.currentToken();
      if (token == JsonToken.START_OBJECT) {
        return readObject(pointer + index);
      }
      if (token == JsonToken.START_ARRAY) {
        throw invalid(pointer + index, "an entity is no array: expected " + expectedShape());
      }
      if (joinKeys.size() > 1) {
        throw invalid(
            pointer + index,
            "view %s has several join keys: expected %s".formatted(view.name(), expectedShape()));
      }
      return entity(Arrays.asList(JsonScalar.read(parser)));
    }

    private String expectedShape() {
      List<String> pairs = new ArrayList<>();
      for (JoinKey key : joinKeys) {
        pairs.add("\"%s\": …".formatted(key.name()));
      }
      String object = "{" + String.join(", ", pairs) + "}";
      return joinKeys.size() == 1 ? "a string, a number or " + object : object;
    }

    private Entity readObject(String pointer) {
      Map<String, Optional<Object>> values = HashMap.newHashMap(joinKeys.size());
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        if (joinKeys.stream().noneMatch(key -> key.name().equals(name))) {
          throw invalid(
              pointer, "unknown key '%s': expected %s".formatted(Shown.of(name), expectedShape()));
        }
        JsonToken token = parser.nextToken();
        if (token == JsonToken.START_OBJECT || token == JsonToken.START_ARRAY) {
          throw invalid(
              pointer + JsonScalar.pointer(name), "a join key's value is no string or number");
        }
        if (values.put(name, Optional.ofNullable(JsonScalar.read(parser))) != null) {
          throw invalid(pointer, "key '%s' comes twice".formatted(name));
        }
      }
      List<@Nullable Object> ordered = new ArrayList<>(joinKeys.size());
      for (JoinKey key : joinKeys) {
        Optional<Object> value = values.get(key.name());
        if (value == null) {
          throw invalid(
              pointer, "key '%s' is missing: expected %s".formatted(key.name(), expectedShape()));
        }
        ordered.add(value.orElse(null));
      }
      return entity(ordered);
    }

    private Entity entity(List<? extends @Nullable Object> values) {
      try {
        return new Entity(EntityKey.encode(joinKeys, values), null);
      } catch (EntityKeyException e) {
        List<String> sent = values.stream().map(String::valueOf).toList();
        return new Entity(Shown.of(String.join("|", sent)), String.valueOf(e.getMessage()));
      }
    }
  }
}
