package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Asks a server of its own, on a free port, so that what it prints is what clients are answered,
 * whether or not a server runs.
 */
@Command(
    name = "get",
    description = "Looks an entity up, as GET /features/VIEW/ENTITY would.",
    mixinStandardHelpOptions = true)
final class GetCommand implements Callable<Integer> {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  private final Console console;

  @Mixin private final ConfigOptions config = new ConfigOptions();
  @Mixin private final OutputOptions output = new OutputOptions();

  @Parameters(index = "0", paramLabel = "VIEW", description = "The view's name.")
  private String view = "";

  @Parameters(
      index = "1",
      paramLabel = "ENTITY",
      description = "The entity key: with several join keys, their values with | between.")
  private String entity = "";

  GetCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    FeatureStore definitions = Service.listeningOn(config.read(), "127.0.0.1", 0);
    String name = DeclaredViews.view(definitions, view).name();
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    HttpResponse<String> response;
    try (Service service = Service.start(definitions, store, Optional.empty(), 1);
        HttpClient client = HttpClient.newHttpClient()) {
      URI address = URI.create(service.address() + "/features/" + name + "/" + encoded(entity));
      response =
          client.send(
              HttpRequest.newBuilder(address).timeout(TIMEOUT).build(), BodyHandlers.ofString());
    }
    JsonNode answer = JSON.readTree(response.body());
    if (response.statusCode() != 200) {
      console.err().printf("featureduck get: %s%n", answer.path("detail").asString());
      return ExitCode.SOFTWARE;
    }
    output.print(console.out(), () -> text(answer), () -> answer);
    return ExitCode.OK;
  }

  private static String encoded(String value) {
    return URLEncoder.encode(value, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private static String text(JsonNode answer) {
    TextTable table = new TextTable("entity", answer.path("entity").asString());
    table.row("status", answer.path("status").asString());
    for (Map.Entry<String, JsonNode> feature : answer.path("features").properties()) {
      JsonNode value = feature.getValue();
      table.row(feature.getKey(), value.isString() ? value.asString() : value.toString());
    }
    table.row("event_timestamp", answer.path("event_timestamp").asString(""));
    table.row("updated_at", answer.path("updated_at").asString(""));
    return table.toString();
  }
}
