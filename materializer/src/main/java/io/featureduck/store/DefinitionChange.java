package io.featureduck.store;

import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What differs between a view as it is live and as the config has it now. Settings that no computed
 * value depends on, and features beside those that exist, may change in place; all else gives other
 * numbers under an old name, or takes something away.
 */
final class DefinitionChange {
  private static final JsonMapper JSON = new JsonMapper();

  private static final Set<String> SETTINGS =
      Set.of(
          "ttl",
          "batch_schedule",
          "full_refresh_schedule",
          "timezone",
          "freshness",
          "cache",
          "description",
          "owner",
          "tags");

  private final List<String> refused;
  private final boolean features;

  private DefinitionChange(List<String> refused, boolean features) {
    this.refused = List.copyOf(refused);
    this.features = features;
  }

  static DefinitionChange between(
      LiveView live, String definition, List<JoinKey> joinKeys, List<Feature> features) {
    List<String> refused = new ArrayList<>();
    if (!live.joinKeys().equals(joinKeys)) {
      refused.add("join keys: live %s, now %s".formatted(live.joinKeys(), joinKeys));
    }
    for (Feature feature : live.features()) {
      List<Feature> named =
          features.stream().filter(other -> other.name().equals(feature.name())).toList();
      if (named.isEmpty()) {
        refused.add("feature %s is gone".formatted(feature.name()));
      } else if (!named.getFirst().type().equals(feature.type())) {
        refused.add(
            "feature %s: live %s, now %s"
                .formatted(feature.name(), feature.type(), named.getFirst().type()));
      }
    }
    JsonNode before = JSON.readTree(live.definition());
    JsonNode now = JSON.readTree(definition);
    Set<String> names = new java.util.TreeSet<>(before.propertyNames());
    names.addAll(now.propertyNames());
    for (String name : names) {
      if (!SETTINGS.contains(name) && !isKept(name, before.path(name), now.path(name))) {
        refused.add("%s: live %s, now %s".formatted(name, before.path(name), now.path(name)));
      }
    }
    return new DefinitionChange(refused, features.size() > live.features().size());
  }

  /** Returns what can't be changed in place, in words. */
  List<String> refused() {
    return refused;
  }

  /** Tells whether there are features that the online table has no column for. */
  boolean addsFeatures() {
    return features;
  }

  private static boolean isKept(String name, JsonNode before, JsonNode now) {
    if (before.equals(now)) {
      return true;
    }
    return switch (name) {
      case "aggregations", "projections" -> isKept(before, now);
      // What is not said is typed.
      case "storage" -> before.asString("typed").equals(now.asString("typed"));
      default -> false;
    };
  }

  private static boolean isKept(JsonNode before, JsonNode now) {
    // Where there was none, a view had other rows: the newest ones, with all their columns.
    if (before.isEmpty()) {
      return false;
    }
    for (JsonNode item : before) {
      boolean found = false;
      for (JsonNode candidate : now) {
        found |= covers(item, candidate);
      }
      if (!found) {
        return false;
      }
    }
    return true;
  }

  /** Tells whether {@code candidate} is {@code item}, but for windows that it has besides. */
  private static boolean covers(JsonNode item, JsonNode candidate) {
    Set<String> names = new java.util.TreeSet<>(item.propertyNames());
    names.addAll(candidate.propertyNames());
    names.remove("windows");
    for (String name : names) {
      if (!item.path(name).equals(candidate.path(name))) {
        return false;
      }
    }
    if (item.path("windows").isEmpty() != candidate.path("windows").isEmpty()) {
      return false;
    }
    List<JsonNode> windows = candidate.path("windows").valueStream().toList();
    return item.path("windows").valueStream().allMatch(windows::contains);
  }
}
