package io.featureduck.registry;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A view as it is registered: what the config says of it, and what only its sources and entities
 * tell.
 *
 * @param joinKeys in the order that makes the entity key
 * @param features with their types, in the order of answers
 * @param json the view as the config has it: a JSON object
 */
public record ViewDefinition(
    String view, List<JoinKey> joinKeys, List<Feature> features, String json) {
  /** What a view has in its JSON that was migrated, in place of how it is computed. */
  public static final String MIGRATED_FROM = "migrated_from";

  private static final JsonMapper JSON = new JsonMapper();

  public ViewDefinition {
    joinKeys = List.copyOf(joinKeys);
    features = List.copyOf(features);
  }

  /**
   * @param features as the planner found them
   */
  public static ViewDefinition of(FeatureView view, List<Feature> features) {
    return new ViewDefinition(view.name(), view.joinKeys(), features, view.json());
  }

  /**
   * Reads what {@link #stored} wrote, whatever order a database gave its keys.
   *
   * @param stored {@code {"view": …, "join_keys": [{"name", "type"}], "features": [{"name",
   *     "type"}]}}
   */
  public static ViewDefinition parse(String view, String stored) {
    JsonNode root = JSON.readTree(stored);
    List<JoinKey> joinKeys = new ArrayList<>();
    for (JsonNode key : root.path("join_keys")) {
      joinKeys.add(new JoinKey(key.path("name").asString(), type(key)));
    }
    List<Feature> features = new ArrayList<>();
    for (JsonNode feature : root.path("features")) {
      features.add(new Feature(feature.path("name").asString(), type(feature)));
    }
    return new ViewDefinition(view, joinKeys, features, JSON.writeValueAsString(root.path("view")));
  }

  private static FeatureType type(JsonNode node) {
    String text = node.path("type").asString();
    return FeatureType.parse(text)
        .orElseThrow(() -> new IllegalStateException("featureduck_views has a type " + text));
  }

  /** Returns the JSON that {@code featureduck_views.definition} holds. */
  public String stored() {
    ObjectNode root = JSON.createObjectNode();
    root.set("view", tree());
    ArrayNode keys = root.putArray("join_keys");
    for (JoinKey key : joinKeys) {
      keys.addObject().put("name", key.name()).put("type", key.type().toString());
    }
    ArrayNode list = root.putArray("features");
    for (Feature feature : features) {
      list.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
    return JSON.writeValueAsString(root);
  }

  /** Returns what tells this definition from others: a hash of {@link #stored}. */
  public String hash() {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(stored().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  public Storage storage() {
    return tree().path("storage").asString("").equals(Storage.JSONB.id())
        ? Storage.JSONB
        : Storage.TYPED;
  }

  /**
   * Tells whether the rows were taken over from another store, and no definition says yet how they
   * are computed.
   */
  public boolean isMigrated() {
    return tree().has(MIGRATED_FROM);
  }

  /** Returns the source that the view is computed from; empty where it is migrated. */
  public Optional<String> source() {
    return tree().path("source").stringValueOpt();
  }

  /** Tells whether an entity key means the same entity in both. */
  public boolean hasEntitiesOf(ViewDefinition other) {
    return joinKeys.equals(other.joinKeys)
        && tree().path("entities").equals(other.tree().path("entities"));
  }

  /** Returns {@link #json} as a tree. */
  JsonNode tree() {
    return JSON.readTree(json);
  }

  /** Returns the name of the online table of a version, without its schema; it needs no quoting. */
  public static String table(String view, int version) {
    return version == 1 ? "online_" + view : "online_" + view + "__v" + version;
  }
}
