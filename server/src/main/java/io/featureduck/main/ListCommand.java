package io.featureduck.main;

import io.featureduck.definition.Entity;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Pause;
import io.featureduck.store.ViewStatus;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "list",
    description = "Lists the views that the config declares, and how they stand.",
    mixinStandardHelpOptions = true)
final class ListCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  ListCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Map<String, ViewStatus> statuses =
        store.statuses().stream()
            .collect(Collectors.toMap(status -> status.view().view(), Function.identity()));
    Map<String, Pause> pauses = store.pauses();
    output.print(
        console.out(),
        () -> text(definitions, statuses, pauses),
        () -> json(definitions, statuses, pauses));
    return ExitCode.OK;
  }

  private static String text(
      FeatureStore definitions, Map<String, ViewStatus> statuses, Map<String, Pause> pauses) {
    TextTable table =
        new TextTable("view", "entities", "source", "rows", "as of", "schedule", "description");
    for (FeatureView view : definitions.views()) {
      Optional<ViewStatus> status = materialized(statuses, view);
      table.row(
          view.name(),
          String.join(", ", entities(view)),
          view.source(),
          status.map(s -> Long.toString(s.rows())).orElse("-"),
          status.flatMap(ViewStatus::asOf).map(RunsCommand::second).orElse("never"),
          schedule(view, pauses),
          view.description());
    }
    return table.toString();
  }

  private static String schedule(FeatureView view, Map<String, Pause> pauses) {
    return pauses.containsKey(view.name())
        ? "paused"
        : view.batchSchedule().or(view::fullRefreshSchedule).orElse("-");
  }

  private static ObjectNode json(
      FeatureStore definitions, Map<String, ViewStatus> statuses, Map<String, Pause> pauses) {
    ObjectNode document = JSON.createObjectNode();
    ArrayNode views = document.putArray("views");
    for (FeatureView view : definitions.views()) {
      ObjectNode node = views.addObject();
      node.put("view", view.name());
      entities(view).forEach(node.putArray("entities")::add);
      node.put("source", view.source());
      Optional<ViewStatus> status = materialized(statuses, view);
      node.put("version", status.map(s -> s.view().version()).orElse(null));
      node.put("rows", status.map(ViewStatus::rows).orElse(null));
      node.put("as_of", status.flatMap(ViewStatus::asOf).map(Instant::toString).orElse(null));
      node.put("description", view.description());
      PauseCommand.put(node, Optional.ofNullable(pauses.get(view.name())));
    }
    return document;
  }

  private static Optional<ViewStatus> materialized(
      Map<String, ViewStatus> statuses, FeatureView view) {
    return Optional.ofNullable(statuses.get(view.name()))
        .filter(status -> status.asOf().isPresent());
  }

  private static List<String> entities(FeatureView view) {
    return view.entities().stream().map(Entity::name).toList();
  }
}
