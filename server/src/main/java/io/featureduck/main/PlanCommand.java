package io.featureduck.main;

import io.featureduck.config.Mistake;
import io.featureduck.definition.FeatureStore;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.PlanJson;
import io.featureduck.registry.PlanText;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "plan",
    description = "Shows what 'apply' would change, what that destroys and what readers get.",
    mixinStandardHelpOptions = true)
final class PlanCommand implements Callable<Integer> {
  private static final int CHANGES = 3;

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(
      paramLabel = "VIEW",
      arity = "0..*",
      description = "Which views, of the config or registered (default: all).")
  private List<String> names = new ArrayList<>();

  @Option(names = "--prune", description = "Also drop retired versions.")
  private boolean prune = false;

  @Option(
      names = "--detailed-exitcode",
      description = "Exit with 3 where there are changes, with 0 where there is none.")
  private boolean detailedExitCode = false;

  @Option(names = "--out", paramLabel = "FILE", description = "Keep the plan for 'apply --plan'.")
  private Optional<Path> out = Optional.empty();

  PlanCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    ChangePlan plan;
    try (Materializer materializer = Materializer.open(definitions, store)) {
      plan = materializer.plan(names, prune);
    }
    List<Mistake> mistakes = SourceMistakes.of(plan, definitions, config.file());
    if (!mistakes.isEmpty()) {
      mistakes.forEach(mistake -> console.err().println(mistake));
      return ExitCode.USAGE;
    }
    PlanJson json = new PlanJson(store::columnType);
    if (out.isPresent()) {
      Path ignored = Files.writeString(out.get(), json.of(plan).toPrettyString() + "\n");
    }
    output.print(
        console.out(), () -> new PlanText(store::columnType).of(plan), () -> json.of(plan));
    if (!plan.unplanned().isEmpty()) {
      return ExitCode.SOFTWARE;
    }
    return detailedExitCode && plan.changesAnything() ? CHANGES : ExitCode.OK;
  }
}
