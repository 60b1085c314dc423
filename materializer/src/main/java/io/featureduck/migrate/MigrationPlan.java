package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What each view of the old table becomes.
 *
 * @param views by the old table's names
 */
public record MigrationPlan(List<MigratedView> views) {
  private static final JsonMapper JSON = new JsonMapper();

  public MigrationPlan {
    views = List.copyOf(views);
  }

  /** Returns the plan in the form of {@link SchemaFile}. */
  public ObjectNode schema() {
    return json(false);
  }

  /** Returns all of the plan, for {@link #parse}. */
  String stored() {
    return JSON.writeValueAsString(json(true));
  }

  private ObjectNode json(boolean all) {
    ObjectNode root = JSON.createObjectNode();
    ArrayNode list = root.putArray("views");
    for (MigratedView view : views) {
      ObjectNode node = list.addObject();
      node.put("feature_view", view.featureView()).put("view", view.view());
      ArrayNode keys = node.putArray("join_keys");
      for (JoinKey key : view.joinKeys()) {
        keys.addObject().put("name", key.name()).put("type", key.type().toString());
      }
      view.keySeparator().ifPresent(separator -> node.put("key_separator", separator));
      ArrayNode features = node.putArray("features");
      for (MigratedFeature feature : view.features()) {
        ObjectNode item =
            features
                .addObject()
                .put("from", feature.from())
                .put("name", feature.name())
                .put("type", feature.type().toString());
        if (all) {
          item.put("exact", feature.exact()).put("keeps_null", feature.keepsNull());
        }
      }
      view.ignored().forEach(node.putArray("ignored")::add);
      if (all) {
        view.definition().ifPresent(json -> node.put("definition", json));
        view.source().ifPresent(source -> node.put("source", source));
        node.put("inferred", view.inferred());
      }
    }
    return root;
  }

  /** Reads what {@link #stored} made. */
  static MigrationPlan parse(String stored) {
    List<MigratedView> views = new ArrayList<>();
    for (JsonNode node : JSON.readTree(stored).path("views")) {
      List<JoinKey> keys = new ArrayList<>();
      for (JsonNode key : node.path("join_keys")) {
        keys.add(new JoinKey(key.path("name").asString(), type(key)));
      }
      List<MigratedFeature> features = new ArrayList<>();
      for (JsonNode feature : node.path("features")) {
        features.add(
            new MigratedFeature(
                feature.path("from").asString(),
                feature.path("name").asString(),
                type(feature),
                feature.path("exact").asBoolean(),
                feature.path("keeps_null").asBoolean()));
      }
      List<String> ignored = new ArrayList<>();
      node.path("ignored").forEach(name -> ignored.add(name.asString()));
      views.add(
          new MigratedView(
              node.path("feature_view").asString(),
              node.path("view").asString(),
              keys,
              text(node, "key_separator"),
              features,
              ignored,
              text(node, "definition"),
              text(node, "source"),
              node.path("inferred").asBoolean()));
    }
    return new MigrationPlan(views);
  }

  private static FeatureType type(JsonNode node) {
    String text = node.path("type").asString();
    return FeatureType.parse(text)
        .orElseThrow(() -> new IllegalStateException("a migration's plan has a type " + text));
  }

  private static Optional<String> text(JsonNode node, String name) {
    return node.has(name) ? Optional.of(node.path(name).asString()) : Optional.empty();
  }
}
