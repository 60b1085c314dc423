package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.run.Materializer;
import io.featureduck.run.Preview;
import io.featureduck.store.OnlineStore;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "preview",
    description = "Computes rows of a view and prints them; writes nothing.",
    mixinStandardHelpOptions = true)
final class PreviewCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String view = "";

  @Option(names = "--entity", paramLabel = "KEY", description = "Of this entity only.")
  private Optional<String> entity = Optional.empty();

  @Option(
      names = "--as-of",
      paramLabel = "INSTANT",
      description = "For this instant (default: now).")
  private Optional<Instant> asOf = Optional.empty();

  PreviewCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    String name = DeclaredViews.view(definitions, view).name();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = Materializer.open(definitions, store)) {
      Preview preview = materializer.preview(name, entity, asOf);
      output.print(console.out(), () -> text(preview), () -> json(name, preview));
    }
    return ExitCode.OK;
  }

  private static String text(Preview preview) {
    TextTable table = new TextTable(preview.columns());
    for (List<@Nullable String> row : preview.rows()) {
      table.row(row.stream().map(value -> value == null ? "NULL" : value).toList());
    }
    return "as of %s%n%s".formatted(preview.asOf(), table);
  }

  private static ObjectNode json(String view, Preview preview) {
    ObjectNode document = JSON.createObjectNode();
    document.put("view", view).put("as_of", preview.asOf().toString());
    ArrayNode rows = document.putArray("rows");
    for (List<@Nullable String> row : preview.rows()) {
      ObjectNode node = rows.addObject();
      for (int i = 0; i < row.size(); i++) {
        node.put(preview.columns().get(i), row.get(i));
      }
    }
    return document;
  }
}
