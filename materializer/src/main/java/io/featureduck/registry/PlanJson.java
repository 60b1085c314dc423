package io.featureduck.registry;

import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A plan as a document, for scripts and for {@link SavedPlan}. */
public final class PlanJson {
  /** The form of the document; a reader refuses another one. */
  static final int FORMAT = 1;

  private static final JsonMapper JSON = new JsonMapper();

  private final Function<FeatureType, String> columnTypes;

  /**
   * @param columnTypes the online store's column for a type
   */
  public PlanJson(Function<FeatureType, String> columnTypes) {
    this.columnTypes = columnTypes;
  }

  public ObjectNode of(ChangePlan plan) {
    ObjectNode document = JSON.createObjectNode();
    document.put("format", FORMAT);
    document.put("project", plan.project()).put("store", plan.store());
    ArrayNode asked = document.putArray("asked");
    plan.asked().forEach(asked::add);
    document.put("prune", plan.prune());
    ArrayNode notes = document.putArray("notes");
    plan.notes().forEach(notes::add);
    document.put("changes_anything", plan.changesAnything());
    ArrayNode destroys = document.putArray("destroys");
    plan.destroys().forEach(destroys::add);
    ArrayNode changes = document.putArray("views");
    plan.changes().forEach(change -> changes.add(change(change)));
    return document;
  }

  private ObjectNode change(ViewChange change) {
    ObjectNode node = JSON.createObjectNode();
    node.put("view", change.view()).put("action", change.action());
    Optional<RegisteredVersion> live = change.registered().live();
    node.put("live_version", live.map(RegisteredVersion::version).orElse(null));
    node.put(
        "live_table",
        live.filter(RegisteredVersion::isComputed).map(RegisteredVersion::table).orElse(null));
    node.put("rows", live.flatMap(RegisteredVersion::rows).orElse(null));
    switch (change) {
      case ViewChange.Unchanged unchanged -> {
        unchanged
            .registered()
            .pending()
            .ifPresent(pending -> node.put("pending_version", pending.version()));
        if (unchanged.definition().isMigrated()) {
          node.put("undeclared", true);
        }
      }
      case ViewChange.Addition addition -> {
        version(node, addition.view(), addition.registered().nextVersion());
        features(node.putArray("added"), addition.definition(), addition.definition().features());
      }
      case ViewChange.InPlace inPlace -> {
        version(node, inPlace.view(), inPlace.live().version());
        change(node, inPlace.live().definition(), inPlace.definition(), inPlace.change());
        ArrayNode stray = node.putArray("stray_columns");
        inPlace.live().strayColumns().forEach(stray::add);
        node.put(
            "withdrawn_version", inPlace.withdrawn().map(RegisteredVersion::version).orElse(null));
      }
      case ViewChange.NewVersion newVersion -> {
        version(node, newVersion.view(), newVersion.version());
        change(node, newVersion.live().definition(), newVersion.definition(), newVersion.change());
      }
      case ViewChange.Removal removal -> HistoryDetail.put(node, removal.registered().versions());
      case ViewChange.Prune prune -> HistoryDetail.put(node, prune.versions());
      case ViewChange.Unplanned unplanned ->
          node.putObject("error").put("code", unplanned.code()).put("detail", unplanned.detail());
    }
    ArrayNode destroys = node.putArray("destroys");
    change.destroys().forEach(destroys::add);
    node.put("readers", change.readers());
    node.put("wanted", change.wanted().map(ViewDefinition::hash).orElse(null));
    node.put("registered", change.registered().state());
    return node;
  }

  private static void version(ObjectNode node, String view, int version) {
    node.put("version", version).put("table", ViewDefinition.table(view, version));
  }

  private void change(
      ObjectNode node, ViewDefinition before, ViewDefinition after, DefinitionChange change) {
    HistoryDetail.put(node, change);
    // With their columns' types.
    features(node.putArray("added"), after, change.added());
    features(node.putArray("dropped"), before, change.dropped());
  }

  private void features(ArrayNode array, ViewDefinition definition, List<Feature> features) {
    for (Feature feature : features) {
      ObjectNode node = array.addObject();
      node.put("name", feature.name()).put("type", feature.type().toString());
      node.put(
          "column_type",
          definition.storage() == Storage.JSONB ? null : columnTypes.apply(feature.type()));
    }
  }
}
