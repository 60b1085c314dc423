package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Pause;
import io.featureduck.store.ViewStatus;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "show",
    description = "Shows a view: its definition, what is live of it, its last run.",
    mixinStandardHelpOptions = true)
final class ShowCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String name = "";

  ShowCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    FeatureView view = DeclaredViews.view(definitions, name);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Optional<ViewStatus> status =
        store.statuses().stream().filter(s -> s.view().view().equals(name)).findFirst();
    Optional<Pause> pause = Optional.ofNullable(store.pauses().get(name));
    output.print(
        console.out(),
        () -> text(view, status, pause),
        () -> PauseCommand.put(json(view, status), pause));
    return ExitCode.OK;
  }

  private static String text(FeatureView view, Optional<ViewStatus> status, Optional<Pause> pause) {
    StringBuilder text = new StringBuilder();
    text.append(
        JSON.writerWithDefaultPrettyPrinter().writeValueAsString(JSON.readTree(view.json())));
    pause.ifPresent(since -> text.append("\n\npaused since ").append(PauseCommand.words(since)));
    if (status.isEmpty()) {
      return text.append("\n\nnever materialized").toString();
    }
    LiveView live = status.get().view();
    TextTable facts = new TextTable("live", "version " + live.version());
    facts.row("table", live.table());
    for (JoinKey key : live.joinKeys()) {
      facts.row("join key", key.name() + " " + key.type());
    }
    for (Feature feature : live.features()) {
      facts.row("feature", feature.name() + " " + feature.type());
    }
    facts.row("rows", Long.toString(status.get().rows()));
    facts.row("as of", second(status.get().asOf()));
    facts.row("newest event", second(status.get().eventMax()));
    facts.row("last success", second(status.get().lastSuccess()));
    status
        .get()
        .lastRun()
        .ifPresent(run -> facts.row("last run", run.runId() + " " + run.status().id()));
    return text.append("\n\n").append(facts).toString();
  }

  private static String second(Optional<Instant> instant) {
    return instant.map(RunsCommand::second).orElse("-");
  }

  private static ObjectNode json(FeatureView view, Optional<ViewStatus> status) {
    ObjectNode document = JSON.createObjectNode();
    document.put("view", view.name());
    document.set("definition", JSON.readTree(view.json()));
    if (status.isEmpty()) {
      return document.putNull("live");
    }
    LiveView live = status.get().view();
    ObjectNode node = document.putObject("live");
    node.put("version", live.version()).put("table", live.table());
    ArrayNode joinKeys = node.putArray("join_keys");
    for (JoinKey key : live.joinKeys()) {
      joinKeys.addObject().put("name", key.name()).put("type", key.type().toString());
    }
    ArrayNode features = node.putArray("features");
    for (Feature feature : live.features()) {
      features.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
    node.put("rows", status.get().rows());
    node.put("as_of", status.get().asOf().map(Instant::toString).orElse(null));
    node.put("event_max", status.get().eventMax().map(Instant::toString).orElse(null));
    node.put("last_success", status.get().lastSuccess().map(Instant::toString).orElse(null));
    return document;
  }
}
