package io.featureduck.http;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/**
 * The body of {@code POST /features/batch}: {@code {"service": "checkout_risk", "entities":
 * [{"customer_id": 1}]}}, or with {@code "features": ["view:feature"]} in place of the service;
 * {@code "full_feature_names"} in both.
 *
 * <p>It is read twice, for which keys an entity must have is known only after the service is:
 * {@link #parse} leaves the entities out, {@link #entities} reads them.
 *
 * @param service null where features are named instead
 * @param features by view, in the order that the views were named in first; empty with a service
 * @param fullNames empty where the request leaves that open
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared.
record ServiceRequest(
    @Nullable String service,
    List<FeatureService.Selection> features,
    Optional<Boolean> fullNames,
    byte[] body) {
  private static final JsonFactory JSON = new JsonFactory();
  private static final int FEATURES_MAX = 10_000;
  private static final String EXPECTED =
      "expected \"service\" or \"features\", \"entities\" and, if wanted, \"full_feature_names\"";

  /**
   * Reads all but the entities.
   *
   * @throws FeatureException INVALID_REQUEST with the position of malformed JSON or the pointer of
   *     what is of the wrong shape
   */
  static ServiceRequest parse(byte[] body) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), body)) {
      return new Reader(parser).read(body);
    } catch (JacksonException e) {
      throw BatchRequest.malformed(e);
    }
  }

  /**
   * Reads the entities, which are known to be there.
   *
   * @return of each the value of each of the set's join keys, as {@link JsonScalar} gives it
   * @throws FeatureException INVALID_REQUEST with a pointer, TOO_MANY_ENTITIES
   */
  List<@Nullable Object[]> entities(FeatureSet set, int entitiesMax) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), body)) {
      JsonToken token = parser.nextToken();
      while (token != JsonToken.PROPERTY_NAME || !parser.currentName().equals("entities")) {
        if (token == JsonToken.START_ARRAY) {
          parser.skipChildren();
        }
        token = parser.nextToken();
      }
      JsonToken ignored = parser.nextToken();
      return new EntityReader(parser, set).read(entitiesMax);
    } catch (JacksonException e) {
      throw BatchRequest.malformed(e);
    }
  }

  private static FeatureException invalid(String pointer, String message) {
    return new FeatureException(ErrorCode.INVALID_REQUEST, message, pointer, null);
  }

  private static final class Reader {
    private final JsonParser parser;
    private final Set<String> seen = new LinkedHashSet<>();
    private @Nullable String service;
    private Optional<Boolean> fullNames = Optional.empty();
    private List<FeatureService.Selection> features = List.of();

    Reader(JsonParser parser) {
      this.parser = parser;
    }

    ServiceRequest read(byte[] body) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw invalid("", "the body is no JSON object: " + EXPECTED);
      }
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        readMember(parser.currentName(), parser.nextToken());
      }
      if (parser.nextToken() != null) {
        throw invalid("", "something follows the JSON object");
      }
      if (seen.contains("service") == seen.contains("features")) {
        throw invalid(
            seen.contains("service") ? "/features" : "/service",
            "one of \"service\" and \"features\" is wanted: " + EXPECTED);
      }
      if (!seen.contains("entities")) {
        throw invalid("/entities", "\"entities\" is missing: " + EXPECTED);
      }
      return new ServiceRequest(service, features, fullNames, body);
    }

    private void readMember(String name, JsonToken value) {
      if (!seen.add(name)) {
        throw invalid(JsonScalar.pointer(name), "\"%s\" comes twice".formatted(Shown.of(name)));
      }
      switch (name) {
        case "service" -> {
          if (value != JsonToken.VALUE_STRING) {
            throw invalid("/service", "\"service\" is no string");
          }
          service = parser.getString();
        }
        case "full_feature_names" -> {
          if (value != JsonToken.VALUE_TRUE && value != JsonToken.VALUE_FALSE) {
            throw invalid("/full_feature_names", "\"full_feature_names\" is no boolean");
          }
          fullNames = Optional.of(value == JsonToken.VALUE_TRUE);
        }
        case "features" -> features = readFeatures(value);
        case "entities" -> {
          if (value != JsonToken.START_ARRAY) {
            throw invalid("/entities", "\"entities\" is no array");
          }
          JsonParser ignored = parser.skipChildren();
        }
        default ->
            throw invalid(
                JsonScalar.pointer(name),
                "unknown key '%s': %s".formatted(Shown.of(name), EXPECTED));
      }
    }

    private List<FeatureService.Selection> readFeatures(JsonToken value) {
      if (value != JsonToken.START_ARRAY) {
        throw invalid("/features", "\"features\" is no array of names");
      }
      Map<String, Set<String>> byView = new LinkedHashMap<>();
      int index = 0;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        String pointer = "/features/" + index++;
        if (index > FEATURES_MAX) {
          throw invalid("/features", "more than %d features".formatted(FEATURES_MAX));
        }
        String name = parser.currentToken() == JsonToken.VALUE_STRING ? parser.getString() : "";
        int colon = name.indexOf(':');
        if (colon <= 0 || colon == name.length() - 1) {
          throw invalid(pointer, "a feature is named \"view:feature\" here");
        }
        boolean ignored =
            byView
                .computeIfAbsent(name.substring(0, colon), view -> new LinkedHashSet<>())
                .add(name.substring(colon + 1));
      }
      if (byView.isEmpty()) {
        throw invalid("/features", "no features are named");
      }
      return byView.entrySet().stream()
          .map(view -> new FeatureService.Selection(view.getKey(), List.copyOf(view.getValue())))
          .toList();
    }
  }

  private static final class EntityReader {
    /** What stands for a key that was not sent, which a JSON null is not. */
    private static final Object ABSENT = new Object();

    private final JsonParser parser;
    private final List<JoinKey> joinKeys;
    private final Map<String, Integer> places = new LinkedHashMap<>();
    private final boolean lenient;

    EntityReader(JsonParser parser, FeatureSet set) {
      this.parser = parser;
      this.joinKeys = set.joinKeys();
      for (JoinKey key : joinKeys) {
        Integer ignored = places.put(key.name(), places.size());
      }
      this.lenient = set.hasFailed();
    }

    List<@Nullable Object[]> read(int entitiesMax) {
      List<@Nullable Object[]> entities = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (entities.size() == entitiesMax) {
          throw new FeatureException(
              ErrorCode.TOO_MANY_ENTITIES,
              "more than %d entities: ask for them in several requests".formatted(entitiesMax),
              "/entities",
              null);
        }
        entities.add(readEntity("/entities/" + entities.size()));
      }
      return entities;
    }

    private @Nullable Object[] readEntity(String pointer) {
      if (parser.currentToken() == JsonToken.START_OBJECT) {
        return readObject(pointer);
      }
      if (parser.currentToken() == JsonToken.START_ARRAY || joinKeys.size() > 1) {
        throw invalid(pointer, "an entity is an object here: expected " + expectedShape());
      }
      return new @Nullable Object[] {JsonScalar.read(parser)};
    }

    private String expectedShape() {
      List<String> pairs = joinKeys.stream().map(key -> "\"%s\": …".formatted(key.name())).toList();
      return "{" + String.join(", ", pairs) + "}";
    }

    private @Nullable Object[] readObject(String pointer) {
      @Nullable Object[] values = new Object[joinKeys.size()];
      Arrays.fill(values, ABSENT);
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        Integer place = places.get(name);
        JsonToken token = parser.nextToken();
        if (place == null && !lenient) {
          throw invalid(
              pointer, "unknown key '%s': expected %s".formatted(Shown.of(name), expectedShape()));
        }
        if (token == JsonToken.START_OBJECT || token == JsonToken.START_ARRAY) {
          throw invalid(
              pointer + JsonScalar.pointer(name), "a join key's value is no string or number");
        }
        if (place == null) {
          continue;
        }
        if (values[place] != ABSENT) {
          throw invalid(pointer, "key '%s' comes twice".formatted(name));
        }
        values[place] = JsonScalar.read(parser);
      }
      for (int i = 0; i < values.length; i++) {
        if (values[i] == ABSENT) {
          throw invalid(
              pointer,
              "key '%s' is missing: expected %s"
                  .formatted(joinKeys.get(i).name(), expectedShape()));
        }
      }
      return values;
    }
  }
}
