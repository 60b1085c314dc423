package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.registry.HistoryDetail;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.store.OnlineStore;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "history",
    description = "Tells who changed what of a view and when, newest first.",
    mixinStandardHelpOptions = true)
final class HistoryCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name; it may be removed.")
  private String view = "";

  HistoryCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    List<HistoryEntry> entries = store.history(view);
    if (entries.isEmpty()) {
      FeatureView ignored = DeclaredViews.view(definitions, view);
    }
    output.print(console.out(), () -> text(entries), () -> json(entries));
    return ExitCode.OK;
  }

  private static String text(List<HistoryEntry> entries) {
    TextTable table = new TextTable("at", "version", "action", "by", "what");
    for (HistoryEntry entry : entries) {
      table.row(
          RunsCommand.second(entry.at()),
          Integer.toString(entry.version()),
          entry.action().id(),
          entry.by(),
          HistoryDetail.words(entry));
    }
    return table.toString();
  }

  private ObjectNode json(List<HistoryEntry> entries) {
    ObjectNode document = JSON.createObjectNode();
    document.put("view", view);
    ArrayNode list = document.putArray("history");
    for (HistoryEntry entry : entries) {
      ObjectNode node = list.addObject();
      node.put("id", entry.id()).put("version", entry.version());
      node.put("action", entry.action().id());
      node.put("at", entry.at().toString()).put("by", entry.by());
      node.set("what", JSON.readTree(entry.what()));
    }
    return document;
  }
}
