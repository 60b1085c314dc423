package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.FeatureException;
import io.featureduck.run.Materializer;
import io.featureduck.run.RunRequest;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Pause;
import io.featureduck.store.Run;
import io.featureduck.store.ViewStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "materialize",
    description = "Computes views now and writes what changed to the online store.",
    mixinStandardHelpOptions = true)
final class MaterializeCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(MaterializeCommand.class);

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", arity = "0..*", description = "Which views (default: all).")
  private List<String> names = new ArrayList<>();

  @Option(names = "--full", description = "Read everything, not only what is new.")
  private boolean full = false;

  @Option(
      names = "--as-of",
      paramLabel = "INSTANT",
      description = "Compute for this instant, such as 2026-11-23T10:00:00Z (default: now).")
  private Optional<Instant> asOf = Optional.empty();

  MaterializeCommand(Console console) {
    this.console = console;
  }

  /** Goes on with the other views where one fails. */
  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    List<FeatureView> views = DeclaredViews.views(definitions, names);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Map<String, Pause> pauses = store.pauses();
    List<Run> runs = new ArrayList<>();
    boolean failed = false;
    try (Shutdown shutdown = Shutdown.onSignal()) {
      Materializer materializer = shutdown.add(Materializer.open(definitions, store));
      if (Logging.isOnTerminal()) {
        materializer.listen(shutdown.add(new ProgressBars(rows(store), Optional.empty())));
      }
      for (FeatureView view : views) {
        Optional.ofNullable(pauses.get(view.name())).ifPresent(pause -> tellPause(view, pause));
        try {
          Run run = materializer.run(view.name(), new RunRequest(full, asOf, Optional.empty()));
          runs.add(run);
          failed |= run.status() != Run.Status.SUCCEEDED;
        } catch (FeatureException e) {
          console.err().printf("%s: %s (%s)%n", view.name(), e.getMessage(), e.code().id());
          failed = true;
        }
      }
    }
    output.print(console.out(), () -> RunsCommand.text(runs), () -> RunsCommand.json(runs));
    failed |= !finishesErasures(store);
    return failed ? ExitCode.SOFTWARE : ExitCode.OK;
  }

  /** Where no process stays, there is nobody else to end what was left half done. */
  private boolean finishesErasures(OnlineStore store) {
    try {
      for (String view : store.unfinishedErasures(Duration.ZERO)) {
        long rows = store.finishErasures(view);
        LOG.info("view {}: {} rows of entities erased", view, rows);
      }
      return true;
    } catch (FeatureException e) {
      console
          .err()
          .printf(
              "featureduck materialize: entities are left half erased: %s (%s)%n",
              e.getMessage(), e.code().id());
      return false;
    }
  }

  private static Map<String, Long> rows(OnlineStore store) {
    return store.statuses().stream()
        .filter(status -> status.rows() > 0)
        .collect(Collectors.toMap(status -> status.view().view(), ViewStatus::rows));
  }

  private void tellPause(FeatureView view, Pause pause) {
    console
        .err()
        .printf(
            "%s: its schedules are paused since %s; it is run all the same%n",
            view.name(), PauseCommand.words(pause));
  }
}
