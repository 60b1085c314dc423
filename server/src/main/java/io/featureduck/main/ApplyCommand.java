package io.featureduck.main;

import io.featureduck.config.Mistake;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.PlanJson;
import io.featureduck.registry.PlanText;
import io.featureduck.registry.SavedPlan;
import io.featureduck.registry.ViewChange;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import io.featureduck.store.Registrar;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "apply",
    description = "Registers views as the config has them, after asking where that destroys.",
    mixinStandardHelpOptions = true)
final class ApplyCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Console console;

  @Spec
  private picocli.CommandLine.Model.CommandSpec spec =
      picocli.CommandLine.Model.CommandSpec.create();

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(
      paramLabel = "VIEW",
      arity = "0..*",
      description = "Which views, of the config or registered (default: all).")
  private List<String> names = new ArrayList<>();

  @Option(
      names = "--plan",
      paramLabel = "FILE",
      description = "What 'plan --out' kept, and only if nothing has changed since.")
  private Optional<Path> saved = Optional.empty();

  @Option(names = "--yes", description = "Destroy what the plan destroys, without a question.")
  private boolean yes = false;

  @Option(names = "--prune", description = "Also drop retired versions.")
  private boolean prune = false;

  @Option(
      names = "--by",
      paramLabel = "NAME",
      description = "Who the history says it was (default: the user and machine).")
  private Optional<String> by = Optional.empty();

  ApplyCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException {
    if (saved.isPresent() && (!names.isEmpty() || prune)) {
      throw new ParameterException(
          spec.commandLine(), "--plan has its own views and --prune: give either");
    }
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    ChangePlan plan = plan(definitions, store);
    List<Mistake> mistakes = SourceMistakes.of(plan, definitions, config.file());
    if (!mistakes.isEmpty()) {
      mistakes.forEach(mistake -> console.err().println(mistake));
      return ExitCode.USAGE;
    }
    output.printAhead(console.out(), () -> new PlanText(store::columnType).of(plan));
    List<Result> results = new ArrayList<>();
    if (plan.changesAnything()) {
      if (!mayDestroy(plan)) {
        return ExitCode.SOFTWARE;
      }
      results.addAll(apply(store, plan));
    } else {
      store.tryRegistrar().ifPresent(this::finishRemovalsAndClose);
    }
    output.print(console.out(), () -> text(results), () -> json(store, plan, results));
    boolean failed = results.stream().anyMatch(result -> result.failure().isPresent());
    return failed || !plan.unplanned().isEmpty() ? ExitCode.SOFTWARE : ExitCode.OK;
  }

  private ChangePlan plan(FeatureStore definitions, OnlineStore store) throws IOException {
    try (Materializer materializer = Materializer.open(definitions, store)) {
      if (saved.isEmpty()) {
        return materializer.plan(names, prune);
      }
      SavedPlan kept = SavedPlan.read(saved.get().toString(), Files.readString(saved.get()));
      ChangePlan plan = materializer.plan(kept.asked(), kept.prune());
      kept.requireSame(plan);
      return plan;
    }
  }

  private boolean mayDestroy(ChangePlan plan) throws IOException {
    List<String> destroys = plan.destroys();
    if (destroys.isEmpty() || yes) {
      return true;
    }
    String what = String.join("; ", destroys);
    if (console.answers().isEmpty()) {
      console
          .err()
          .printf(
              "featureduck apply: nothing was applied, for it would destroy %s, and there is no terminal to ask on: say --yes%n",
              what);
      return false;
    }
    console.err().printf("Apply, and destroy %s? Only 'yes' does it: ", what);
    console.err().flush();
    if ("yes".equals(console.answers().get().readLine())) {
      return true;
    }
    console.err().println("featureduck apply: nothing was applied");
    return false;
  }

  /**
   * What became of a change.
   *
   * @param columns that were dropped
   */
  private record Result(
      ViewChange change,
      Optional<Registrar.Applied> applied,
      List<String> columns,
      Optional<FeatureException> failure) {}

  /** Goes on with the other views where one fails. */
  private List<Result> apply(OnlineStore store, ChangePlan plan) {
    List<Result> results = new ArrayList<>();
    String applier = by.orElseGet(Operator::ofProcess);
    try (Registrar registrar = store.registrar(PATIENCE)) {
      for (ViewChange change : plan.changes()) {
        if (change.changesAnything()) {
          results.add(apply(registrar, change, applier));
        }
      }
      // All definitions come before the first column, so that they share its wait.
      for (int i = 0; i < results.size(); i++) {
        results.set(i, finish(registrar, results.get(i)));
      }
      finishRemovals(registrar);
    }
    return results;
  }

  private void finishRemovalsAndClose(Registrar registrar) {
    try (registrar) {
      finishRemovals(registrar);
    }
  }

  private void finishRemovals(Registrar registrar) {
    try {
      List<String> ignored = registrar.finishRemovals();
    } catch (FeatureException e) {
      // What was asked for is done, but for the space that a table takes.
      console.err().printf("featureduck apply: %s (%s)%n", e.getMessage(), e.code().id());
    }
  }

  private static Result apply(Registrar registrar, ViewChange change, String by) {
    try {
      return new Result(
          change, Optional.of(registrar.apply(change, by)), List.of(), Optional.empty());
    } catch (FeatureException e) {
      return new Result(change, Optional.empty(), List.of(), Optional.of(e));
    }
  }

  private static Result finish(Registrar registrar, Result result) {
    boolean leavesColumns =
        result.change() instanceof ViewChange.InPlace inPlace
            && !(inPlace.change().dropped().isEmpty() && inPlace.live().strayColumns().isEmpty());
    if (!leavesColumns || result.failure().isPresent()) {
      return result;
    }
    try {
      List<String> columns = registrar.finish(result.change().view());
      return new Result(result.change(), result.applied(), columns, Optional.empty());
    } catch (FeatureException e) {
      return new Result(result.change(), result.applied(), List.of(), Optional.of(e));
    }
  }

  private static String text(List<Result> results) {
    StringBuilder text = new StringBuilder();
    for (Result result : results) {
      text.append("\n%s: %s".formatted(result.change().view(), words(result)));
    }
    return text.toString();
  }

  private static String words(Result result) {
    String failure =
        result.failure().map(e -> "%s (%s)".formatted(e.getMessage(), e.code().id())).orElse("");
    if (result.applied().isEmpty()) {
      return "not applied: " + failure;
    }
    String columns =
        result.columns().isEmpty() ? "" : ", dropped " + String.join(", ", result.columns());
    String undone = failure.isEmpty() ? "" : ", but columns are left: " + failure;
    return switch (result.applied().get()) {
      case APPLIED -> result.change().action() + " applied" + columns + undone;
      case AS_WANTED -> "someone else has applied it" + columns + undone;
    };
  }

  private static ObjectNode json(OnlineStore store, ChangePlan plan, List<Result> results) {
    ObjectNode document = JSON.createObjectNode();
    document.set("plan", new PlanJson(store::columnType).of(plan));
    ArrayNode list = document.putArray("results");
    for (Result result : results) {
      ObjectNode node = list.addObject();
      node.put("view", result.change().view()).put("action", result.change().action());
      node.put(
          "result",
          result
              .applied()
              .map(applied -> applied.name().toLowerCase(java.util.Locale.ROOT))
              .orElse("failed"));
      ArrayNode columns = node.putArray("dropped_columns");
      result.columns().forEach(columns::add);
      if (result.failure().isPresent()) {
        FeatureException failure = result.failure().get();
        node.putObject("error")
            .put("code", failure.code().id())
            .put("detail", failure.getMessage());
      } else {
        node.putNull("error");
      }
    }
    return document;
  }
}
