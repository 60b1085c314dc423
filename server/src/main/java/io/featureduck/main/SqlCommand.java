package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.run.Materializer;
import io.featureduck.store.OnlineStore;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;

@Command(
    name = "sql",
    description = "Prints the SQL that computes a view, with secrets masked.",
    mixinStandardHelpOptions = true)
final class SqlCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String view = "";

  @Option(
      names = "--as-of",
      paramLabel = "INSTANT",
      description = "For this instant (default: now).")
  private Optional<Instant> asOf = Optional.empty();

  SqlCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    String name = DeclaredViews.view(definitions, view).name();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store)) {
      String sql = materializer.sql(name, asOf);
      output.print(
          console.out(),
          () -> sql,
          () -> JSON.createObjectNode().put("view", name).put("dialect", "duckdb").put("sql", sql));
    }
    return ExitCode.OK;
  }
}
