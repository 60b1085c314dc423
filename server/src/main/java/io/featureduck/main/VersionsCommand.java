package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.store.OnlineStore;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
    name = "versions",
    description = "Lists a view's versions: the live one, a pending one, retired ones.",
    mixinStandardHelpOptions = true)
final class VersionsCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(paramLabel = "VIEW", description = "The view's name.")
  private String name = "";

  VersionsCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    FeatureStore definitions = config.read();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    RegisteredView view = store.registered(name);
    if (view.versions().isEmpty()) {
      FeatureView ignored = DeclaredViews.view(definitions, name);
    }
    output.print(console.out(), () -> text(view), () -> json(view));
    return ExitCode.OK;
  }

  private static String text(RegisteredView view) {
    TextTable table = new TextTable("version", "state", "table", "rows", "created", "by");
    for (RegisteredVersion version : view.versions()) {
      table.row(
          Integer.toString(version.version()),
          version.state().id(),
          version.isComputed() ? version.table() : "-",
          version.rows().map(Object::toString).orElse("-"),
          RunsCommand.second(version.createdAt()),
          version.createdBy());
    }
    return table.toString();
  }

  private static ObjectNode json(RegisteredView view) {
    ObjectNode document = JSON.createObjectNode();
    document.put("view", view.view());
    ArrayNode list = document.putArray("versions");
    for (RegisteredVersion version : view.versions()) {
      ObjectNode node = list.addObject();
      node.put("version", version.version()).put("state", version.state().id());
      node.put("table", version.isComputed() ? version.table() : null);
      node.put("rows", version.rows().orElse(null));
      node.put("created_at", version.createdAt().toString());
      node.put("created_by", version.createdBy());
      node.set("definition", JSON.readTree(version.definition().json()));
    }
    return document;
  }
}
