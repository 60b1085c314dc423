package io.featureduck.registry;

import io.featureduck.plan.Feature;
import io.featureduck.registry.DefinitionChange.Remade;
import io.featureduck.registry.DefinitionChange.Setting;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What the history keeps of a change beside its name: a JSON object, and its words for people. */
public final class HistoryDetail {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String WITHDRAWN = "withdrawn_version";

  private HistoryDetail() {}

  /** Returns what is kept of a change that was applied. */
  public static String of(ViewChange change) {
    ObjectNode what = JSON.createObjectNode();
    switch (change) {
      case ViewChange.Addition addition ->
          features(what.putArray("added"), addition.definition().features());
      case ViewChange.InPlace inPlace -> {
        put(what, inPlace.change());
        inPlace.withdrawn().ifPresent(pending -> what.put(WITHDRAWN, pending.version()));
      }
      case ViewChange.NewVersion newVersion -> put(what, newVersion.change());
      case ViewChange.Removal removal -> put(what, removal.registered().versions());
      case ViewChange.Prune prune -> put(what, prune.versions());
      case ViewChange.Unchanged unchanged -> throw nothing(unchanged);
      case ViewChange.Unplanned unplanned -> throw nothing(unplanned);
    }
    change.wanted().ifPresent(definition -> what.set("definition", definition.tree()));
    return what.toString();
  }

  private static IllegalArgumentException nothing(ViewChange change) {
    return new IllegalArgumentException("view %s: nothing was done".formatted(change.view()));
  }

  /** Returns what is kept of a run that made its version live. */
  public static String promoted(long runId, Optional<Integer> retired) {
    return JSON.createObjectNode()
        .put("run_id", runId)
        .put("retired_version", retired.orElse(null))
        .toString();
  }

  /** Puts the parts of a difference into a document, with the features' names and types. */
  static void put(ObjectNode node, DefinitionChange change) {
    ArrayNode settings = node.putArray("settings");
    for (Setting setting : change.settings()) {
      settings
          .addObject()
          .put("name", setting.name())
          .put("before", setting.before().orElse(null))
          .put("after", setting.after().orElse(null));
    }
    features(node.putArray("added"), change.added());
    features(node.putArray("dropped"), change.dropped());
    ArrayNode remade = node.putArray("remade");
    for (Remade what : change.remade()) {
      remade
          .addObject()
          .put("what", what.what())
          .put("before", what.before().orElse(null))
          .put("after", what.after().orElse(null));
    }
  }

  private static void features(ArrayNode array, List<Feature> features) {
    for (Feature feature : features) {
      array.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
  }

  static void put(ObjectNode node, List<RegisteredVersion> versions) {
    ArrayNode array = node.putArray("versions");
    for (RegisteredVersion version : versions) {
      array
          .addObject()
          .put("version", version.version())
          .put("state", version.state().id())
          .put("table", version.isComputed() ? version.table() : null)
          .put("rows", version.rows().orElse(null));
    }
  }

  /** Returns the tables of the versions that an entry says are gone. */
  public static List<String> tables(HistoryEntry entry) {
    List<String> tables = new ArrayList<>();
    JsonNode what = JSON.readTree(entry.what());
    for (JsonNode version : what.path("versions")) {
      tables.add(ViewDefinition.table(entry.view(), version.path("version").asInt()));
    }
    JsonNode withdrawn = what.path(WITHDRAWN);
    if (withdrawn.isNumber()) {
      // A run of it may have made the table before it failed.
      tables.add(ViewDefinition.table(entry.view(), withdrawn.asInt()));
    }
    return tables;
  }

  /** Says in a line what an entry keeps. */
  public static String words(HistoryEntry entry) {
    JsonNode what = JSON.readTree(entry.what());
    List<String> parts = new ArrayList<>();
    for (JsonNode setting : what.path("settings")) {
      parts.add("~" + setting.path("name").asString() + fromTo(setting));
    }
    for (JsonNode remade : what.path("remade")) {
      parts.add("-/+" + remade.path("what").asString() + fromTo(remade));
    }
    for (JsonNode feature : what.path("added")) {
      parts.add("+" + feature.path("name").asString());
    }
    for (JsonNode feature : what.path("dropped")) {
      parts.add("-" + feature.path("name").asString());
    }
    for (JsonNode version : what.path("versions")) {
      parts.add("-version " + version.path("version").asInt());
    }
    if (what.path(WITHDRAWN).isNumber()) {
      parts.add("-version " + what.path(WITHDRAWN).asInt());
    }
    if (what.path("run_id").isNumber()) {
      parts.add("by run " + what.path("run_id").asLong());
    }
    if (what.path("retired_version").isNumber()) {
      parts.add("version %d is retired".formatted(what.path("retired_version").asInt()));
    }
    return String.join(", ", parts);
  }

  private static String fromTo(JsonNode difference) {
    return " %s -> %s"
        .formatted(
            difference.path("before").asString("(none)"),
            difference.path("after").asString("(none)"));
  }
}
