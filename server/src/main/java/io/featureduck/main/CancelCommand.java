package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Exit code 1 also where the run had ended by itself. */
@Command(
    name = "cancel",
    description = "Ends a run, whichever process it goes on in.",
    mixinStandardHelpOptions = true)
final class CancelCommand implements Callable<Integer> {
  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "RUN", description = "The run's number, as 'featureduck runs' lists it.")
  private long runId = 0;

  CancelCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Run before =
        store
            .run(runId)
            .orElseThrow(() ->
                new FeatureException(
                    ErrorCode.UNKNOWN_RUN,
                    "there is no run %d: 'featureduck runs' lists them".formatted(runId)));
    if (before.status() != Run.Status.RUNNING) {
      tell(before, "run %d had ended before: %s".formatted(runId, before.status().id()));
      return ExitCode.SOFTWARE;
    }
    Run run;
    try (Materializer materializer = Materializer.open(definitions, store)) {
      run = materializer.cancel(runId);
    }
    if (run.status() != Run.Status.CANCELLED) {
      tell(run, "run %d ended by itself: %s".formatted(runId, run.status().id()));
      return ExitCode.SOFTWARE;
    }
    tell(run, "run %d is cancelled".formatted(runId));
    return ExitCode.OK;
  }

  private void tell(Run run, String words) {
    output.print(console.out(), () -> words, () -> RunsCommand.json(List.of(run)));
  }
}
