package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What someone says of the views of an old table: {@code {"views": [{"feature_view", "view",
 * "join_keys": [{"name", "type"}], "key_separator", "features": [{"from", "name", "type"}],
 * "ignored": []}]}}. All but {@code feature_view} and {@code from} may be left out, and is found
 * otherwise. A document that holds such an object as {@code schema}, as the command prints it, will
 * do as well.
 */
public final class SchemaFile {
  private static final JsonMapper JSON = new JsonMapper();

  private final Map<String, ToldView> views;

  private SchemaFile(Map<String, ToldView> views) {
    this.views = views;
  }

  record ToldView(
      Optional<String> view,
      List<JoinKey> joinKeys,
      Optional<String> keySeparator,
      Map<String, ToldFeature> features,
      List<String> ignored) {
    static final ToldView NOTHING =
        new ToldView(Optional.empty(), List.of(), Optional.empty(), Map.of(), List.of());
  }

  record ToldFeature(Optional<String> name, Optional<FeatureType> type) {
    static final ToldFeature NOTHING = new ToldFeature(Optional.empty(), Optional.empty());
  }

  /** Returns a file that says nothing. */
  public static SchemaFile none() {
    return new SchemaFile(Map.of());
  }

  /**
   * Reads a file's text.
   *
   * @throws FeatureException INVALID_CONFIG with the pointer of what is wrong
   */
  public static SchemaFile parse(String text) {
    JsonNode document;
    try {
      document = JSON.readTree(text);
    } catch (JacksonException e) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG, "the schema file is no JSON: " + e.getOriginalMessage(), e);
    }
    Reader root =
        document.has("schema")
            ? new Reader("/schema", document.path("schema"))
            : new Reader("", document);
    root.hasOnly("views");
    Map<String, ToldView> views = new LinkedHashMap<>();
    for (Reader view : root.items("views")) {
      view.hasOnly("feature_view", "view", "join_keys", "key_separator", "features", "ignored");
      String featureView =
          view.text("feature_view").orElseThrow(() -> view.wrong("feature_view is missing"));
      if (views.put(featureView, toldView(view)) != null) {
        throw view.wrong("feature_view '%s' is there twice".formatted(featureView));
      }
    }
    return new SchemaFile(views);
  }

  private static ToldView toldView(Reader view) {
    Optional<String> name = view.text("view");
    name.filter(text -> !Names.isName(text) || text.equals(Names.RESERVED_VIEW))
        .ifPresent(text -> {
          throw view.wrong("'%s' can't be the name of a view".formatted(text));
        });
    Map<String, ToldFeature> features = new LinkedHashMap<>();
    for (Reader feature : view.items("features")) {
      feature.hasOnly("from", "name", "type");
      String from = feature.text("from").orElseThrow(() -> feature.wrong("from is missing"));
      Optional<String> to = feature.text("name");
      to.filter(text -> !Names.isName(text) || Names.RESERVED.contains(text))
          .ifPresent(text -> {
            throw feature.wrong("'%s' can't be the name of a feature".formatted(text));
          });
      if (features.put(from, new ToldFeature(to, feature.type())) != null) {
        throw feature.wrong("feature '%s' is there twice".formatted(from));
      }
    }
    List<JoinKey> keys = new ArrayList<>();
    for (Reader key : view.items("join_keys")) {
      key.hasOnly("name", "type");
      FeatureType type = key.type().orElseThrow(() -> key.wrong("type is missing"));
      if (!JoinKey.isKeyType(type)) {
        throw key.wrong("a join key is INT32, INT64, STRING, DATE or BOOL, not " + type);
      }
      keys.add(new JoinKey(key.text("name").orElseThrow(() -> key.wrong("name is missing")), type));
    }
    Optional<String> separator = view.text("key_separator");
    separator
        .filter(String::isEmpty)
        .ifPresent(text -> {
          throw view.wrong("key_separator is empty");
        });
    return new ToldView(name, keys, separator, features, view.texts("ignored"));
  }

  /** Returns what is said of a view; nothing where it isn't there. */
  ToldView view(String featureView) {
    return views.getOrDefault(featureView, ToldView.NOTHING);
  }

  /** Returns the views of which something is said, by the old table's names. */
  List<String> featureViews() {
    return List.copyOf(views.keySet());
  }

  /** A place in the file. */
  private record Reader(String pointer, JsonNode json) {
    void hasOnly(String... known) {
      if (!json.isObject()) {
        throw wrong("expected an object");
      }
      for (String name : json.propertyNames()) {
        if (!List.of(known).contains(name)) {
          throw wrong("unknown key '%s': there are %s".formatted(name, String.join(", ", known)));
        }
      }
    }

    Optional<String> text(String name) {
      JsonNode value = json.path(name);
      if (value.isMissingNode() || value.isNull()) {
        return Optional.empty();
      }
      if (!value.isString()) {
        throw wrong(name + ": expected a string");
      }
      return Optional.of(value.asString());
    }

    Optional<FeatureType> type() {
      return text("type")
          .map(text ->
              FeatureType.parse(text)
                  .orElseThrow(() -> wrong("'%s' is no type of a feature".formatted(text))));
    }

    List<Reader> items(String name) {
      JsonNode value = json.path(name);
      if (!value.isMissingNode() && !value.isArray()) {
        throw wrong(name + ": expected an array");
      }
      List<Reader> items = new ArrayList<>();
      for (JsonNode item : value) {
        items.add(new Reader("%s/%s/%d".formatted(pointer, name, items.size()), item));
      }
      return items;
    }

    List<String> texts(String name) {
      List<String> texts = new ArrayList<>();
      for (Reader item : items(name)) {
        if (!item.json().isString()) {
          throw item.wrong("expected a string");
        }
        texts.add(item.json().asString());
      }
      return texts;
    }

    FeatureException wrong(String what) {
      String where = pointer.isEmpty() ? "the schema file" : "the schema file at " + pointer;
      return new FeatureException(ErrorCode.INVALID_CONFIG, where + ": " + what, pointer, null);
    }
  }
}
