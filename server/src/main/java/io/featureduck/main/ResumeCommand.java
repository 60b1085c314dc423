package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Pause;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(
    name = "resume",
    description =
        "Has a paused view run by its schedules again; a tick that was missed is run once.",
    mixinStandardHelpOptions = true)
final class ResumeCommand implements Callable<Integer> {
  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String name = "";

  ResumeCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    String view = DeclaredViews.view(definitions, name).name();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Optional<Pause> ended = store.resume(view);
    output.print(
        console.out(),
        () ->
            ended
                .map(pause ->
                    "view %s was paused since %s, and is run by its schedules again"
                        .formatted(view, PauseCommand.words(pause)))
                .orElse("view %s is not paused".formatted(view)),
        () -> PauseCommand.json(view, Optional.empty()));
    return ExitCode.OK;
  }
}
