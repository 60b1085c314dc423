package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestPostgres;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The shop's Feast repository, of files and Postgres tables, as Feast itself serves it and as we do
 * after the import.
 */
@Timeout(600)
@Execution(ExecutionMode.CONCURRENT)
class ImportFeastCommandTest {
  private static final JsonMapper JSON = new JsonMapper();

  /** Names in Feast that are others here. */
  private static final Map<String, String> RENAMED =
      Map.of(
          "CustomerOrders", "customer_orders",
          "customer__product", "customer_product",
          "visitCount", "visit_count",
          "Last Seen", "last_seen");

  /** What has no type or no name here. */
  private static final List<String> NOT_TAKEN = List.of("labels", "updated_at");

  @TempDir private static Path folder;

  private static Map<String, String> environment = Map.of();
  private static JsonNode answers = JSON.createObjectNode();
  private static String out = "";
  private static String report = "";

  @BeforeAll
  static void importShop() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE SCHEMA crm;
        CREATE TABLE crm.accounts (customer_id INTEGER, updated_on TIMESTAMPTZ, balance NUMERIC(12,2),
          created TIMESTAMPTZ, open BOOLEAN, country TEXT);
        -- Of customer 1 the newest row is not the one that was written last; those of 2 tie.
        INSERT INTO crm.accounts VALUES
          (1, now() - interval '2 hours', 10.50, now() - interval '2 hours', true, 'DE'),
          (1, now() - interval '3 hours', 99, now() - interval '1 hours', false, 'FR'),
          (2, date_trunc('hour', now()), -1.25, now() - interval '3 hours', NULL, NULL),
          (2, date_trunc('hour', now()), 0.10, now() - interval '2 hours', true, 'NL'),
          (2, date_trunc('hour', now()), 7, now() - interval '4 hours', false, 'BE');
        CREATE TABLE "Merchants" (merchant_id TEXT, at TIMESTAMPTZ, rating REAL, "orderCount" BIGINT,
          verified BOOLEAN);
        INSERT INTO "Merchants" VALUES
          ('m-1', now() - interval '1 day', 4.1, 12, true), ('m-1', now() - interval '2 days', 1, 1, false),
          ('m-2', now() - interval '1 hour', NULL, 0, false)
        """);
    environment =
        Map.of(
            "SHOP_PORT",
            "" + database.port(),
            "SHOP_DATABASE",
            database.name(),
            "FEATUREDUCK_STORE_URL",
            database.url(),
            "FEAST_OFFLINE_STORE_PASSWORD",
            "not asked for");
    Path python = FeastEnvironment.python();
    Path repository = folder.resolve("shop");
    FeastEnvironment.copy("shop", repository);
    Path script = folder.resolve("serve_by_feast.py");
    FeastEnvironment.copy("serve_by_feast.py", script);
    Path served = folder.resolve("answers.json");
    FeastEnvironment.execute(
        environment,
        python.toString(),
        "-Wignore",
        script.toString(),
        repository.toString(),
        served.toString());
    answers = JSON.readTree(served);
    try (FeatureDuckProcess process =
        start("import-feast", "shop", "--python", python.toString(), "--to", "shop/config.json")) {
      out = process.awaitSuccess();
      report = process.log();
    }
  }

  private static FeatureDuckProcess start(String... arguments) throws IOException {
    return FeatureDuckProcess.start(folder, environment, arguments);
  }

  @Test
  void importFeast_shop_writesTheConfigAndTellsWhatItLacks() throws IOException {
    assertThat(Files.readString(folder.resolve("shop/config.json")))
        .isEqualTo(resource("shop.config.json"));
    assertThat(report).isEqualTo(resource("shop.report.txt"));
    assertThat(out)
        .isEqualTo("wrote shop/config.json: 3 entities, 4 sources, 5 views, 2 services\n");
  }

  @Test
  void importFeast_shop_isValidBeforeItsSources() throws Exception {
    try (FeatureDuckProcess process = start("validate", "--config", "shop/config.json")) {
      assertThat(process.awaitSuccess()).isEqualTo("shop/config.json is valid: 5 views\n");
    }
  }

  @Test
  void importFeast_shop_servesWhatFeastServes() throws Exception {
    try (FeatureDuckProcess process =
            start("serve", "--config", "shop/config.json", "--port", "0");
        HttpClient client = HttpClient.newHttpClient()) {
      URI server = process.awaitReady();
      int compared = 0;
      for (Map.Entry<String, JsonNode> view : answers.properties()) {
        List<JsonNode> rows = ours(client, server, view.getKey(), view.getValue());
        for (int i = 0; i < rows.size(); i++) {
          compared += compare(view.getKey(), view.getValue().get(i), rows.get(i));
        }
      }
      // Five views, and none of them compared by accident with nothing.
      assertThat(answers.size()).isEqualTo(5);
      assertThat(compared).isEqualTo(4 * 8 + 4 * 2 + 4 * 2 + 3 * 3 + 3 * 3);
    }
  }

  private static List<JsonNode> ours(HttpClient client, URI server, String view, JsonNode feastRows)
      throws Exception {
    ObjectNode request = JSON.createObjectNode();
    var entities = request.putArray("entities");
    feastRows.forEach(row -> entities.add(row.path("entity")));
    String name = RENAMED.getOrDefault(view, view);
    var response =
        client.send(
            HttpRequest.newBuilder(server.resolve("/features/" + name + "/batch"))
                .header("content-type", "application/json")
                .POST(BodyPublishers.ofString(request.toString()))
                .build(),
            BodyHandlers.ofString());
    assertThat(response.statusCode()).describedAs(response.body()).isEqualTo(200);
    List<JsonNode> rows = new ArrayList<>();
    JSON.readTree(response.body()).path("results").forEach(rows::add);
    assertThat(rows).hasSize(feastRows.size());
    return rows;
  }

  /** Compares one row of Feast's with ours, and returns the number of values that were compared. */
  private static int compare(String view, JsonNode feast, JsonNode ours) {
    List<String> taken = new ArrayList<>();
    feast
        .path("features")
        .properties()
        .forEach(feature -> {
          if (!NOT_TAKEN.contains(feature.getKey())) {
            String name = RENAMED.getOrDefault(feature.getKey(), feature.getKey());
            taken.add(name);
            JsonNode value = ours.path("features").path(name);
            assertThat(value.isMissingNode()).describedAs("%s %s", view, name).isFalse();
            assertThat(plain(value))
                .describedAs("%s %s of %s", view, name, feast.path("entity"))
                .isEqualTo(plain(asWeWrite(feature.getValue(), value)));
          }
        });
    assertThat(ours.path("features").propertyNames()).containsExactlyInAnyOrderElementsOf(taken);
    return taken.size();
  }

  /** Python writes a FLOAT32 as the double that it is, we by as many digits as tell it apart. */
  private static JsonNode asWeWrite(JsonNode feast, JsonNode ours) {
    if (feast.isArray() && ours.isArray() && feast.size() == ours.size()) {
      ArrayNode elements = JSON.createArrayNode();
      for (int i = 0; i < feast.size(); i++) {
        elements.add(asWeWrite(feast.get(i), ours.get(i)));
      }
      return elements;
    }
    if (!feast.isFloatingPointNumber() || feast.equals(ours)) {
      return feast;
    }
    return JSON.getNodeFactory().numberNode(Double.parseDouble("" + feast.floatValue()));
  }

  /** Python writes a space in an instant, and +00:00 for Z. */
  private static Object plain(JsonNode value) {
    return value.isString() && value.asString().matches("\\d{4}-\\d\\d-\\d\\d[ T]\\d\\d:.*")
        ? OffsetDateTime.parse(value.asString().replace(' ', 'T')).toInstant()
        : value;
  }

  @Test
  void importFeast_smallRepositoryAsJson_givesOneDocument() throws Exception {
    Path repository = repository("small", "");
    Files.writeString(
        repository.resolve("features.py"),
        """
        from feast import Entity, FeatureService, FileSource, ValueType

        print("a repository may say what it likes")
        customer = Entity(name="customer", join_keys=["id"], value_type=ValueType.STRING)
        events = FileSource(path="events.csv", timestamp_field="at")
        service = FeatureService(name="model", features=["clicks:total"])
        """);
    Path python = Files.createDirectories(repository.resolve(".venv/bin")).resolve("python");
    Files.writeString(python, "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(FeastEnvironment.python()));
    assertThat(python.toFile().setExecutable(true)).isTrue();

    Outcome outcome = run("import-feast", repository.toString(), "--output", "json");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    JsonNode document = JSON.readTree(outcome.out());
    assertThat(document.path("feast_version").asString()).isEqualTo("0.67.0");
    assertThat(document.path("config").path("sources"))
        .isEqualTo(
            JSON.readTree(
                """
                [{"name": "events", "source_type": "csv", "path": "%s", "timestamp_field": "at"}]
                """
                    .formatted(repository.toRealPath().resolve("events.csv"))));
    assertThat(document.path("not_taken"))
        .isEqualTo(
            JSON.readTree(
                """
                [{"kind": "feature service", "name": "model", "reason": "nothing that it has was taken", "hint": ""}]
                """));
    assertThat(document.path("changed").get(0).path("hint").asString())
        .contains("FEATUREDUCK_STORE_URL");
  }

  @Test
  void importFeast_repositoryRaises_showsWhatAndWhere() throws Exception {
    Path repository = repository("raising", "from broken import table\n");
    Files.writeString(
        repository.resolve("broken.py"), "\nraise ValueError('no table for ' + __name__)\n");

    Outcome outcome =
        run(
            "import-feast",
            repository.toString(),
            "--python",
            FeastEnvironment.python().toString());

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err())
        .isEqualTo(
            "featureduck import-feast: the repository can't be run: broken.py, line 2: ValueError: no table for broken (source_unavailable)\n");
  }

  @Test
  void importFeast_pythonWithoutFeast_saysWhatToInstall(@TempDir Path empty) throws Exception {
    Path python = FeastEnvironment.pythonWithout(empty.resolve("python"));

    Outcome outcome =
        run("import-feast", repository("plain", "").toString(), "--python", python.toString());

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err())
        .contains("has no package feast: install it there, with '" + python)
        .contains("-m pip install feast'")
        .doesNotContain("Exception");
  }

  @Test
  void importFeast_noSuchPython_saysSo() throws Exception {
    Outcome outcome =
        run("import-feast", repository("no_python", "").toString(), "--python", "/no/python");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).contains("there is no program '/no/python'").contains("--python");
  }

  @Test
  void importFeast_noRepository_exitsWith2(@TempDir Path empty) {
    Outcome outcome = run("import-feast", empty.toString());

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.err())
        .contains(empty + " is no Feast repository: there is no feature_store.yaml in it");
  }

  @Test
  void importFeast_fileIsThere_isKept(@TempDir Path empty) throws Exception {
    Path config = empty.resolve("config.json");
    Files.writeString(config, "mine");

    Outcome outcome =
        run("import-feast", repository("kept", "").toString(), "--to", config.toString());

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.err()).contains(config + " is there already: give --force to replace it");
    assertThat(Files.readString(config)).isEqualTo("mine");
  }

  private static Path repository(String name, String features) throws IOException {
    Path repository = Files.createDirectory(folder.resolve(name));
    Files.writeString(
        repository.resolve("feature_store.yaml"),
        "project: %s\nprovider: local\nregistry: registry.db\n".formatted(name));
    Files.writeString(repository.resolve("features.py"), features);
    return repository;
  }

  private static String resource(String name) throws IOException {
    return Files.readString(Path.of("src/test/resources/io/featureduck/feast").resolve(name));
  }

  private record Outcome(int exitCode, String out, String err) {}

  private static Outcome run(String... arguments) {
    StringWriter printed = new StringWriter();
    StringWriter told = new StringWriter();
    int exitCode =
        FeatureDuck.execute(
            new Console(new PrintWriter(printed, true), new PrintWriter(told, true)), arguments);
    return new Outcome(exitCode, printed.toString(), told.toString());
  }
}
