package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.http.RunDocument;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

@Command(name = "runs", description = "Lists runs, newest first.", mixinStandardHelpOptions = true)
final class RunsCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Option(names = "--view", paramLabel = "VIEW", description = "Of this view only.")
  private Optional<String> view = Optional.empty();

  @Option(
      names = "--limit",
      paramLabel = "N",
      converter = NumberReader.Limit.class,
      description = "At most so many, up to 1000 (default: 20).")
  private int limit = 20;

  RunsCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    List<Run> runs = store.runs(view, limit);
    if (runs.isEmpty()) {
      // A view that is declared no more may still have runs.
      Optional<FeatureView> ignored = view.map(name -> DeclaredViews.view(definitions, name));
    }
    output.print(console.out(), () -> text(runs), () -> json(runs));
    return ExitCode.OK;
  }

  static ObjectNode json(List<Run> runs) {
    ObjectNode document = JSON.createObjectNode();
    document.putArray("runs").addAll(runs.stream().map(RunDocument::of).toList());
    return document;
  }

  static String text(List<Run> runs) {
    TextTable table =
        new TextTable(
            "run", "view", "kind", "status", "started", "seconds", "read", "written", "error");
    for (Run run : runs) {
      table.row(
          Long.toString(run.runId()),
          run.view() + " v" + run.version(),
          run.kind().id(),
          RunDocument.stage(run).orElse(run.status().id()),
          second(run.startedAt()),
          run.duration().map(took -> "%.1f".formatted(took.toMillis() / 1_000.0)).orElse("-"),
          run.rowsRead().map(Object::toString).orElse("-"),
          run.rowsWritten().map(Object::toString).orElse("-"),
          run.error().map(error -> run.errorCode().orElse("internal") + ": " + error).orElse(""));
    }
    return table.toString();
  }

  /** An instant for people: in UTC, without what is below a second. */
  static String second(Instant instant) {
    return instant.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
