package io.featureduck.http;

import io.featureduck.definition.FeatureService;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.ArrayList;
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
 * The body of Feast's {@code POST /get-online-features} (version 0.67): {@code {"entities":
 * {"user_id": [1, 2]}, "features": ["view:feature"]}}, or with {@code "feature_service": "name"}.
 *
 * @param columns the values of each entity column, as {@link JsonScalar} gives them, all as long as
 *     {@code rows}
 * @param service which counts if there is one
 * @param features by view, in the order that the views were named in first
 * @param versions of the views that were named with one
 * @param metadata whether the answer is to tell the versions of its views
 */
record FeastRequest(
    Map<String, List<@Nullable Object>> columns,
    int rows,
    Optional<String> service,
    List<FeatureService.Selection> features,
    Map<String, Integer> versions,
    boolean fullNames,
    boolean metadata) {
  private static final JsonFactory JSON = new JsonFactory();
  private static final int FEATURES_MAX = 10_000;
  private static final int COLUMNS_MAX = 1_000;

  /**
   * What is wrong with a body, in the words of Feast's own answer.
   *
   * @see FeastError#malformed
   */
  static final class Malformed extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient List<String> place;

    Malformed(List<String> place, String message) {
      super(message, null, false, false);
      this.place = List.copyOf(place);
    }

    /** Returns where, from the outside in. */
    List<String> place() {
      return place;
    }
  }

  /** Says that a view is not served in the version that was asked for. */
  static final class NoSuchVersion extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NoSuchVersion(String message) {
      super(message, null, false, false);
    }
  }

  /**
   * Reads a body. What it has beside is left alone, as Feast does.
   *
   * @throws Malformed where it is none
   * @throws FeatureException TOO_MANY_ENTITIES
   */
  static FeastRequest parse(byte[] body, int entitiesMax) {
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), body)) {
      return new Reader(parser, entitiesMax).read();
    } catch (JacksonException e) {
      throw new Malformed(List.of("body"), BatchRequest.malformed(e).getMessage());
    }
  }

  private static final class Reader {
    private final JsonParser parser;
    private final int entitiesMax;
    private final Map<String, List<@Nullable Object>> columns = new LinkedHashMap<>();
    private final Map<String, Set<String>> features = new LinkedHashMap<>();
    private final Map<String, Integer> versions = new LinkedHashMap<>();
    private boolean hasEntities;
    private Optional<String> service = Optional.empty();
    private boolean fullNames;
    private boolean metadata;

    Reader(JsonParser parser, int entitiesMax) {
      this.parser = parser;
      this.entitiesMax = entitiesMax;
    }

    FeastRequest read() {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new Malformed(List.of("body"), "Input should be an object");
      }
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        member(parser.currentName(), parser.nextToken());
      }
      if (parser.nextToken() != null) {
        throw new Malformed(List.of("body"), "Something follows the object");
      }
      if (!hasEntities) {
        throw new Malformed(List.of("body", "entities"), "Field required");
      }
      if (service.isEmpty() && features.isEmpty()) {
        throw new Malformed(
            List.of("body", "features"), "Either feature_service or features must be given");
      }
      return new FeastRequest(
          columns,
          rows(),
          service,
          features.entrySet().stream()
              .map(
                  view -> new FeatureService.Selection(view.getKey(), List.copyOf(view.getValue())))
              .toList(),
          versions,
          fullNames,
          metadata);
    }

    private int rows() {
      int rows = -1;
      for (Map.Entry<String, List<@Nullable Object>> column : columns.entrySet()) {
        int length = column.getValue().size();
        if (rows >= 0 && length != rows) {
          throw new Malformed(
              List.of("body", "entities", column.getKey()),
              "All entity columns should have the same length: %d and %d".formatted(rows, length));
        }
        rows = length;
      }
      return Math.max(rows, 0);
    }

    private void member(String name, JsonToken value) {
      switch (name) {
        case "entities" -> entities(value);
        case "features" -> features(value);
        case "feature_service" -> {
          if (value == JsonToken.VALUE_STRING) {
            // An empty one is none to Feast.
            service = Optional.of(parser.getString()).filter(given -> !given.isEmpty());
          } else if (value != JsonToken.VALUE_NULL) {
            throw new Malformed(
                List.of("body", "feature_service"), "Input should be a valid string");
          }
        }
        case "full_feature_names" -> fullNames = flag(name, value);
        case "include_feature_view_version_metadata" -> metadata = flag(name, value);
        default -> {
          JsonParser ignored = parser.skipChildren();
        }
      }
    }

    private static boolean flag(String name, JsonToken value) {
      if (value != JsonToken.VALUE_TRUE && value != JsonToken.VALUE_FALSE) {
        throw new Malformed(List.of("body", name), "Input should be a valid boolean");
      }
      return value == JsonToken.VALUE_TRUE;
    }

    private void entities(JsonToken value) {
      if (value != JsonToken.START_OBJECT) {
        throw new Malformed(List.of("body", "entities"), "Input should be a valid dictionary");
      }
      hasEntities = true;
      columns.clear();
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        if (parser.nextToken() != JsonToken.START_ARRAY) {
          throw new Malformed(List.of("body", "entities", name), "Input should be a valid list");
        }
        if (columns.size() == COLUMNS_MAX) {
          throw new Malformed(
              List.of("body", "entities"),
              "Input should have at most %d columns".formatted(COLUMNS_MAX));
        }
        List<@Nullable Object> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          if (values.size() == entitiesMax) {
            throw new FeatureException(
                ErrorCode.TOO_MANY_ENTITIES,
                "more than %d entities: ask for them in several requests".formatted(entitiesMax));
          }
          values.add(JsonScalar.read(parser));
          JsonParser ignored = parser.skipChildren();
        }
        columns.put(name, values);
      }
    }

    private void features(JsonToken value) {
      if (value != JsonToken.START_ARRAY) {
        throw new Malformed(List.of("body", "features"), "Input should be a valid list");
      }
      features.clear();
      versions.clear();
      int index = 0;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (index == FEATURES_MAX) {
          throw new Malformed(
              List.of("body", "features"),
              "Input should have at most %d features".formatted(FEATURES_MAX));
        }
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
          throw malformedFeature(index, "Input should be a valid string");
        }
        feature(index, parser.getString());
        index++;
      }
    }

    private static Malformed malformedFeature(int index, String message) {
      return new Malformed(List.of("body", "features", Integer.toString(index)), message);
    }

    /** Reads {@code view:feature}, {@code view@v2:feature} or {@code view@latest:feature}. */
    private void feature(int index, String reference) {
      int colon = reference.indexOf(':');
      if (colon <= 0 || colon == reference.length() - 1) {
        throw malformedFeature(index, "Input should be a feature reference, view:feature");
      }
      String view = reference.substring(0, colon);
      int at = view.indexOf('@');
      if (at > 0) {
        version(index, view.substring(0, at), view.substring(at + 1));
        view = view.substring(0, at);
      }
      boolean ignored =
          features
              .computeIfAbsent(view, name -> new LinkedHashSet<>())
              .add(reference.substring(colon + 1));
    }

    private void version(int index, String view, String version) {
      if (version.isEmpty() || version.equalsIgnoreCase("latest")) {
        return;
      }
      int number;
      try {
        number = Integer.parseInt(version, 1, version.length(), 10);
      } catch (NumberFormatException e) {
        number = -1;
      }
      if (number < 0 || (version.charAt(0) != 'v' && version.charAt(0) != 'V')) {
        throw malformedFeature(index, "Input should have a version such as @v2 or @latest");
      }
      Integer other = versions.put(view, number);
      if (other != null && other != number) {
        throw malformedFeature(index, "Only one version of a feature view is served");
      }
    }
  }
}
