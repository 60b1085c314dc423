package io.featureduck.key;

import io.featureduck.definition.JoinKey;
import io.featureduck.type.FeatureType;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The keys that our encoder and every engine's SQL must make, from {@code vectors.json}. */
public final class EntityKeyVectors {
  private EntityKeyVectors() {}

  /** Values as text, in the order of the join keys. */
  public record Vector(List<JoinKey> keys, List<String> values, String key) {}

  public static List<Vector> read() throws Exception {
    try (InputStream file = EntityKeyVectors.class.getResourceAsStream("vectors.json")) {
      List<Vector> vectors = new ArrayList<>();
      for (JsonNode node : JsonMapper.shared().readTree(Objects.requireNonNull(file))) {
        List<JoinKey> keys = new ArrayList<>();
        List<String> values = new ArrayList<>();
        for (int i = 0; i < node.get("types").size(); i++) {
          String type = node.get("types").get(i).asString();
          keys.add(new JoinKey("k" + i, FeatureType.parse(type).orElseThrow()));
          values.add(node.get("values").get(i).asString());
        }
        vectors.add(new Vector(keys, values, node.get("key").asString()));
      }
      return vectors;
    }
  }
}
