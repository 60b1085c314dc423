package io.featureduck.main;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import io.featureduck.store.Pause;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "pause",
    description = "Has no process run a view by its schedules, until 'resume'.",
    mixinStandardHelpOptions = true)
final class PauseCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String name = "";

  PauseCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    String view = DeclaredViews.view(definitions, name).name();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Pause pause = store.pause(view, Operator.ofProcess());
    output.print(
        console.out(),
        () -> "view %s is paused since %s".formatted(view, words(pause)),
        () -> json(view, Optional.of(pause)));
    return ExitCode.OK;
  }

  /** Says since when, and by whom. */
  static String words(Pause pause) {
    return "%s, by %s".formatted(RunsCommand.second(pause.at()), pause.by());
  }

  /** Returns whether a view is paused, as it stands in all documents about it. */
  static ObjectNode json(String view, Optional<Pause> pause) {
    return put(JSON.createObjectNode().put("view", view), pause);
  }

  @CanIgnoreReturnValue
  static ObjectNode put(ObjectNode node, Optional<Pause> pause) {
    return node.put("paused", pause.isPresent())
        .put("paused_at", pause.map(p -> p.at().toString()).orElse(null))
        .put("paused_by", pause.map(Pause::by).orElse(null));
  }
}
