package io.featureduck.main;

import io.featureduck.definition.JoinKey;
import io.featureduck.migrate.MigratedFeature;
import io.featureduck.migrate.MigratedView;
import io.featureduck.migrate.MigrationPlan;
import io.featureduck.migrate.MigrationReport;
import io.featureduck.migrate.MigrationReport.Moved;
import io.featureduck.migrate.Proposal;
import io.featureduck.migrate.Proposal.ProposedView;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** How a migration stands, as JSON. */
final class MigrationDocument {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String SOURCE = "the name of its source";

  private MigrationDocument() {}

  static ObjectNode of(MigrationReport report) {
    ObjectNode document = JSON.createObjectNode();
    document.put("state", report.state().id()).put("old_table", report.oldTable());
    ArrayNode views = document.putArray("views");
    for (Moved moved : report.views()) {
      views
          .addObject()
          .put("view", moved.view())
          .put("rows", moved.rows())
          .put("run_id", moved.runId().orElse(null));
    }
    document.put("queued", report.queued());
    document.put("renamed_to", report.renamedTo().orElse(null));
    boolean finished = report.state() == MigrationReport.State.FINISHED;
    document.put("readers_view", finished ? report.noReadersView().isEmpty() : null);
    document.put("no_readers_view", report.noReadersView().orElse(null));
    document.put("readers_note", report.readersNote().orElse(null));
    report.dependents().forEach(document.putArray("dependents")::add);
    report.proposal().ifPresent(proposal -> document.set("proposal", proposal(proposal)));
    document.set("schema", report.plan().schema());
    if (finished) {
      document.set("config", config(undeclared(report.plan())));
    }
    return document;
  }

  private static ObjectNode proposal(Proposal proposal) {
    ObjectNode document = JSON.createObjectNode();
    document.put("inferred", proposal.isInferred());
    ArrayNode views = document.putArray("views");
    for (ProposedView view : proposal.views()) {
      ObjectNode node = views.addObject();
      node.put("view", view.view().view())
          .put("rows", view.rows())
          .put("inferred", view.view().inferred());
      view.notes().forEach(node.putArray("notes")::add);
      view.problems().forEach(node.putArray("problems")::add);
    }
    proposal.problems().forEach(document.putArray("problems")::add);
    return document;
  }

  static List<MigratedView> undeclared(MigrationPlan plan) {
    return plan.views().stream().filter(view -> view.definition().isEmpty()).toList();
  }

  /** Returns what a config may declare views as that it doesn't yet, but for their sources. */
  static ObjectNode config(List<MigratedView> views) {
    ObjectNode config = JSON.createObjectNode();
    ArrayNode entities = config.putArray("entities");
    Map<List<JoinKey>, String> names = new LinkedHashMap<>();
    for (MigratedView view : views) {
      String ignored =
          names.computeIfAbsent(
              view.joinKeys(), keys -> names.isEmpty() ? "entity" : "entity_" + (names.size() + 1));
    }
    names.forEach((keys, name) -> {
      ObjectNode entity = entities.addObject().put("name", name);
      ArrayNode joinKeys = entity.putArray("join_keys");
      for (JoinKey key : keys) {
        joinKeys.addObject().put("name", key.name()).put("type", key.type().toString());
      }
    });
    ArrayNode list = config.putArray("views");
    for (MigratedView view : views) {
      ObjectNode node = list.addObject().put("name", view.view());
      node.putArray("entities").add(names.get(view.joinKeys()));
      node.put("source", SOURCE);
      ArrayNode projections = node.putArray("projections");
      for (MigratedFeature feature : view.features()) {
        projections.addObject().put("expression", feature.name()).put("alias", feature.name());
      }
    }
    return config;
  }
}
