package io.featureduck.main;

import io.featureduck.config.InvalidConfigException;
import io.featureduck.config.Mistake;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.PlanMistake;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "validate",
    description = "Checks the config, then each view against the columns of its sources.",
    mixinStandardHelpOptions = true)
final class ValidateCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  ValidateCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    List<Mistake> mistakes;
    int views = 0;
    try {
      FeatureStore definitions = config.read();
      views = definitions.views().size();
      mistakes = check(definitions, config.file(), view -> true);
    } catch (InvalidConfigException e) {
      mistakes = e.mistakes();
    }
    print(mistakes, views);
    return mistakes.isEmpty() ? ExitCode.OK : ExitCode.USAGE;
  }

  /** Returns the mistakes of some views that their sources reveal. */
  static List<Mistake> check(FeatureStore definitions, Path file, Predicate<String> which) {
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    List<Mistake> mistakes = new ArrayList<>();
    try (Materializer materializer = Materializer.open(definitions, store)) {
      for (int i = 0; i < definitions.views().size(); i++) {
        FeatureView view = definitions.views().get(i);
        if (!which.test(view.name())) {
          continue;
        }
        // With includes, views are numbered over all files; so the message has the name, too.
        String pointer = "/views/" + i;
        String place = "view " + view.name() + ": ";
        try {
          for (PlanMistake mistake : materializer.check(view.name())) {
            mistakes.add(new Mistake(file, pointer + mistake.pointer(), place + mistake.message()));
          }
        } catch (FeatureException e) {
          mistakes.add(new Mistake(file, pointer + "/source", place + e.getMessage()));
        }
      }
    }
    return mistakes;
  }

  private void print(List<Mistake> mistakes, int views) {
    output.print(
        console.out(),
        () ->
            mistakes.isEmpty()
                ? "%s is valid: %d views".formatted(config.file(), views)
                : String.join("\n", mistakes.stream().map(Mistake::toString).toList()),
        () -> json(mistakes));
  }

  private static ObjectNode json(List<Mistake> mistakes) {
    ObjectNode document = JSON.createObjectNode();
    document.put("valid", mistakes.isEmpty());
    ArrayNode list = document.putArray("mistakes");
    for (Mistake mistake : mistakes) {
      list.addObject()
          .put("file", mistake.file().toString())
          .put("pointer", mistake.pointer())
          .put("message", mistake.message());
    }
    return document;
  }
}
