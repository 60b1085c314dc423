package io.featureduck.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestPostgres;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Each command as people and scripts call it: what it prints where, and its exit code. */
@Timeout(60)
class CommandLineTest {
  private static final JsonMapper JSON = new JsonMapper();

  @TempDir Path folder;

  private Path config = Path.of("config.json");
  private TestPostgres.Database database = new TestPostgres.Database("none", 0);

  @BeforeEach
  void makeShop() throws Exception {
    database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (customer_id BIGINT, ordered_at TIMESTAMPTZ, amount NUMERIC(10,2));
        INSERT INTO orders VALUES (1, '2026-01-01T10:00:00Z', 1.50), (1, '2026-01-02T10:00:00Z', 2.25),
          (2, '2026-01-03T10:00:00Z', 10)
        """);
    config = folder.resolve("config.json");
    Files.writeString(
        config,
        """
        {
          "project": "test",
          "online_store": {"type": "postgres", "url": "%s"},
          "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
          "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s password=hidden",
            "schema": "public", "table": "orders", "timestamp_field": "ordered_at"}],
          "views": [
            {"name": "spending", "entities": ["customer"], "source": "orders", "description": "Money",
              "aggregations": [{"function": "sum", "column": "amount", "alias": "total"}]},
            {"name": "counting", "entities": ["customer"], "source": "orders",
              "aggregations": [{"function": "count", "alias": "orders"}]}]
        }
        """
            .formatted(database.url(), database.connectionString()));
  }

  @Test
  void materialize_allViews_printsARunOfEach() {
    Outcome outcome = run("materialize", "--output", "json");

    assertThat(outcome.exitCode()).isZero();
    JsonNode runs = JSON.readTree(outcome.out()).path("runs");
    assertThat(runs).hasSize(2);
    assertThat(runs.get(0).path("view").asString()).isEqualTo("spending");
    assertThat(runs.get(0).path("status").asString()).isEqualTo("succeeded");
    assertThat(runs.get(0).path("rows_written").asLong()).isEqualTo(2);
    assertThat(runs.get(0).path("rows_computed").asLong()).isEqualTo(2);
    assertThat(runs.get(0).path("bytes_written").asLong()).isPositive();
    assertThat(runs.get(0).path("peak_memory_bytes").asLong()).isPositive();
    assertThat(runs.get(0).path("attempts").asInt()).isEqualTo(1);
    assertThat(runs.get(0).path("stage").isNull()).isTrue();
    assertThat(runs.get(0).path("sources").get(0).path("source").asString()).isEqualTo("orders");
    assertThat(runs.get(0).path("stages"))
        .extracting(stage -> stage.path("name").asString())
        .contains("planning", "copying", "committing");
  }

  @Test
  void materialize_oneViewFails_goesOnAndExitsWith1() throws Exception {
    String text = Files.readString(config);
    Files.writeString(config, text.replace("\"column\": \"amount\"", "\"column\": \"amuont\""));

    Outcome outcome = run("materialize", "--output", "json");

    assertThat(outcome.exitCode()).isEqualTo(1);
    JsonNode runs = JSON.readTree(outcome.out()).path("runs");
    assertThat(runs.get(0).path("status").asString()).isEqualTo("failed");
    assertThat(runs.get(0).path("error").path("detail").asString()).contains("'amount'");
    assertThat(runs.get(1).path("status").asString()).isEqualTo("succeeded");
  }

  @Test
  void get_materializedView_printsWhatAClientIsAnswered() {
    assertThat(run("materialize", "spending").exitCode()).isZero();

    Outcome found = run("get", "spending", "1", "--output", "json");
    Outcome missing = run("get", "spending", "7");

    assertThat(found.exitCode()).isZero();
    assertThat(JSON.readTree(found.out()).path("features").toString())
        .isEqualTo("{\"total\":3.75}");
    assertThat(missing.exitCode()).isEqualTo(1);
    assertThat(missing.out()).isEmpty();
    assertThat(missing.err()).contains("'7'");
  }

  @Test
  void preview_entity_computesAndWritesNothing() {
    Outcome preview = run("preview", "counting", "--entity", "1", "--output", "json");

    assertThat(preview.exitCode()).isZero();
    JsonNode rows = JSON.readTree(preview.out()).path("rows");
    assertThat(rows).hasSize(1);
    assertThat(rows.get(0).path("orders").asString()).isEqualTo("2");
    assertThat(run("list").out()).contains("counting").contains("never");
  }

  @Test
  void sql_view_masksSecrets() {
    Outcome outcome = run("sql", "spending");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .contains("postgres_scan(")
        .contains("password=***")
        .doesNotContain("hidden");
  }

  @Test
  void listShowRuns_materializedView_tellHowItStands() {
    assertThat(run("materialize", "spending").exitCode()).isZero();

    assertThat(run("list").out()).containsPattern("spending +customer +orders +2 +20.*Money");
    assertThat(run("show", "spending").out())
        .contains("online_spending")
        .contains("total DECIMAL(38,2)");
    assertThat(run("runs", "--view", "spending").out())
        .contains("spending v1")
        .contains("succeeded");
    JsonNode shown = JSON.readTree(run("show", "spending", "--output", "json").out());
    assertThat(shown.path("live").path("rows").asLong()).isEqualTo(2);
    JsonNode listed = JSON.readTree(run("list", "--output", "json").out());
    assertThat(listed.path("views").get(1).path("rows").isNull()).isTrue();
  }

  @Test
  void pauseResume_view_tellAndAreShown() {
    Outcome paused = run("pause", "spending");
    Outcome again = run("pause", "spending", "--output", "json");

    assertThat(paused.exitCode()).isZero();
    assertThat(paused.out()).containsPattern("view spending is paused since 20.*Z, by .*@");
    assertThat(JSON.readTree(again.out()).path("paused").asBoolean()).isTrue();
    assertThat(run("list").out()).containsPattern("spending .* paused").contains("counting");
    JsonNode listed = JSON.readTree(run("list", "--output", "json").out()).path("views");
    assertThat(listed.get(0).path("paused_by").asString()).contains("@");
    assertThat(listed.get(1).path("paused").asBoolean()).isFalse();
    assertThat(run("show", "spending").out()).contains("paused since 20");
    Outcome materialized = run("materialize", "spending");
    assertThat(materialized.exitCode()).isZero();
    assertThat(materialized.out()).contains("succeeded");
    assertThat(materialized.err()).contains("spending: its schedules are paused since 20");
    assertThat(run("resume", "spending").out()).contains("is run by its schedules again");
    assertThat(run("resume", "spending").out()).contains("view spending is not paused");
    assertThat(run("pause", "spendign").exitCode()).isEqualTo(2);
  }

  @Test
  void cancel_runThatIsNotThereOrHasEnded_saysSo() {
    assertThat(run("materialize", "spending").exitCode()).isZero();

    Outcome ended = run("cancel", "1");
    Outcome unknown = run("cancel", "4711");
    Outcome noNumber = run("cancel", "spending");

    assertThat(ended.exitCode()).isEqualTo(1);
    assertThat(ended.out()).contains("run 1 had ended before: succeeded");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("there is no run 4711");
    assertThat(noNumber.exitCode()).isEqualTo(2);
  }

  @Test
  void runs_oneGoesOn_showsItsStage() throws Exception {
    assertThat(run("materialize", "spending").exitCode()).isZero();
    database.execute(
        "INSERT INTO featureduck_runs (view, version, kind, status, engine, host, progress) VALUES ('spending', 1, 'full', 'running', 'duckdb', 'elsewhere', '{\"stage\": \"copying\"}'), ('spending', 1, 'full', 'failed', 'duckdb', 'older', '{}')");

    assertThat(run("runs").out()).containsPattern("2 +spending v1 +full +copying");
    JsonNode runs = JSON.readTree(run("runs", "--output", "json").out()).path("runs");
    assertThat(runs.get(1).path("stage").asString()).isEqualTo("copying");
    assertThat(runs.get(0).path("rows_computed").isNull()).isTrue();
    assertThat(runs.get(0).path("sources")).isEmpty();
  }

  @Test
  void cancel_runWhoseProcessIsGone_closesIt() throws Exception {
    assertThat(run("materialize", "spending").exitCode()).isZero();
    database.execute(
        "INSERT INTO featureduck_runs (view, version, kind, status, engine, host) VALUES ('spending', 1, 'full', 'running', 'duckdb', 'elsewhere')");

    Outcome cancelled = run("cancel", "2", "--output", "json");

    assertThat(cancelled.exitCode()).isZero();
    JsonNode run = JSON.readTree(cancelled.out()).path("runs").get(0);
    assertThat(run.path("status").asString()).isEqualTo("cancelled");
    assertThat(run.path("error").path("detail").asString()).contains("elsewhere");
  }

  @Test
  void validate_goodConfig_isValid() {
    Outcome outcome = run("validate");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out()).isEqualTo(config + " is valid: 2 views\n");
  }

  @Test
  void validate_columnsThatAreNotThere_tellsAllWithPointers() throws Exception {
    String text = Files.readString(config);
    Files.writeString(
        config,
        text.replace("\"column\": \"amount\"", "\"column\": \"amuont\"")
            .replace(
                "\"name\": \"counting\",", "\"name\": \"counting\", \"filters\": [\"paid = 1\"],"));

    Outcome outcome = run("validate", "--output", "json");

    assertThat(outcome.exitCode()).isEqualTo(2);
    JsonNode mistakes = JSON.readTree(outcome.out()).path("mistakes");
    assertThat(mistakes).hasSize(2);
    assertThat(mistakes.get(0).path("pointer").asString()).startsWith("/views/0/aggregations/0");
    assertThat(mistakes.get(0).path("message").asString()).contains("amuont").contains("'amount'");
    assertThat(mistakes.get(1).path("pointer").asString()).startsWith("/views/1/filters/0");
  }

  @Test
  void validate_unsetVariable_namesIt() throws Exception {
    String text = Files.readString(config);
    Files.writeString(
        config, text.replace("\"project\": \"test\"", "\"project\": \"${NOT_SET_ANYWHERE}\""));

    Outcome outcome = run("validate");

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.out()).contains("/project").contains("NOT_SET_ANYWHERE");
  }

  @Test
  void validate_variableOfUp_isReadFromItsDirectory() throws Exception {
    String text = Files.readString(config);
    Files.writeString(config, text.replace("\"test\"", "\"${FEATUREDUCK_TEST_PROJECT}\""));
    Path directory = Files.createDirectories(folder.resolve(".featureduck"));
    Files.writeString(directory.resolve("env"), "FEATUREDUCK_TEST_PROJECT='test'\n");

    assertThat(run("validate").exitCode()).isZero();
  }

  @Test
  void doctor_goodMachine_findsNothing() {
    Outcome outcome = run("doctor", "--output", "json");

    assertThat(outcome.exitCode()).isZero();
    assertThat(JSON.readTree(outcome.out()).path("findings"))
        .extracting(finding -> finding.path("what").asString())
        .contains("JDK", "config", "online store", "disk", "DuckDB's postgres_scanner");
  }

  @Test
  void doctor_incrementalSourceWithoutIndexes_warnsAndSaysWhichWouldHelp() throws Exception {
    String text = Files.readString(config);
    Files.writeString(
        config,
        text.replace(
            "\"timestamp_field\": \"ordered_at\"",
            "\"timestamp_field\": \"ordered_at\", \"incremental\": true"));

    Outcome shown = run("doctor");
    Outcome outcome = run("doctor", "--output", "json");

    assertThat(outcome.exitCode()).isZero();
    assertThat(shown.exitCode()).isZero();
    assertThat(shown.out())
        .containsPattern("index of orders on ordered_at +warning +none; .* CREATE INDEX")
        .containsOnlyOnce("on customer_id");
    List<JsonNode> warnings = new ArrayList<>();
    for (JsonNode finding : JSON.readTree(outcome.out()).path("findings")) {
      if (finding.path("state").asString().equals("warning")) {
        warnings.add(finding);
      }
    }
    assertThat(warnings)
        .extracting(finding -> finding.path("found").asString())
        .containsExactly(
            "none; rows that were written lately are found by reading all: CREATE INDEX CONCURRENTLY ON \"public\".\"orders\" (\"ordered_at\")",
            "none; the rows of touched entities are found by reading all: CREATE INDEX CONCURRENTLY ON \"public\".\"orders\" (\"customer_id\")");
  }

  @Test
  void doctor_indexesThatCanNotBeLookedAt_warnsAndSaysWhy() throws Exception {
    String text = Files.readString(config);
    Files.writeString(
        config,
        text.replace(
            "\"timestamp_field\": \"ordered_at\"",
            "\"timestamp_field\": \"ordred_at\", \"incremental\": true"));

    Outcome outcome = run("doctor");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .containsPattern("indexes for view spending +warning +not looked at: .*ordred_at");
  }

  @Test
  void doctor_databaseAway_saysSoAndExitsWith1() throws Exception {
    String text = Files.readString(config);
    Files.writeString(config, text.replaceFirst("127\\.0\\.0\\.1:\\d+", "127.0.0.1:1"));

    Outcome outcome = run("doctor");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).containsPattern("online store +failed +.*127\\.0\\.0\\.1:1");
  }

  @Test
  void delete_entities_areGoneAndStayAway() throws Exception {
    assertThat(run("materialize").exitCode()).isZero();

    Outcome deleted = run("delete", "spending", "1", "007", "1", "--output", "json");

    assertThat(deleted.exitCode()).isZero();
    JsonNode document = JSON.readTree(deleted.out());
    assertThat(document.path("entities").asLong()).isEqualTo(2);
    assertThat(document.path("rows").asLong()).isEqualTo(1);
    assertThat(document.path("pending").asBoolean()).isFalse();
    assertThat(document.path("erasures")).hasSize(1);
    assertThat(run("get", "spending", "1").exitCode()).isEqualTo(1);
    assertThat(run("get", "counting", "1").exitCode()).isZero();
    assertThat(run("materialize", "spending", "--full").exitCode()).isZero();
    assertThat(run("get", "spending", "1").exitCode()).isEqualTo(1);
    assertThat(run("get", "spending", "2").exitCode()).isZero();
  }

  @Test
  void delete_keysOfAFile_areTakenWithThoseNamed() throws Exception {
    assertThat(run("materialize").exitCode()).isZero();
    StringBuilder keys = new StringBuilder("1\r\n\n");
    for (int i = 100; i < 10_105; i++) {
      keys.append(i).append('\n');
    }
    Path file = Files.writeString(folder.resolve("keys"), keys);

    Outcome deleted = run("delete", "spending", "2", "--file", file.toString());

    assertThat(deleted.err()).isEmpty();
    assertThat(deleted.exitCode()).isZero();
    assertThat(deleted.out()).contains("2 rows of 10007 entities erased");
    assertThat(run("get", "spending", "2").exitCode()).isEqualTo(1);
  }

  @Test
  void delete_keysOfTheStandardInput_areTaken() throws Exception {
    assertThat(run("materialize").exitCode()).isZero();
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream("1\n2\n".getBytes(UTF_8)));
    try {
      assertThat(run("delete", "spending", "--file", "-").out())
          .contains("2 rows of 2 entities erased");
    } finally {
      System.setIn(before);
    }
  }

  @Test
  void delete_failsAfterSomeOfThem_saysWhatWasDone() throws Exception {
    assertThat(run("materialize").exitCode()).isZero();
    StringBuilder keys = new StringBuilder();
    for (int i = 1; i <= 10_001; i++) {
      keys.append(i).append('\n');
    }
    Path file = Files.writeString(folder.resolve("keys"), keys);
    database.execute(
        "ALTER TABLE featureduck_erasures ADD CONSTRAINT full_ones CHECK (entities = 10000)");

    Outcome deleted = run("delete", "spending", "--file", file.toString(), "--output", "json");

    assertThat(deleted.exitCode()).isEqualTo(1);
    JsonNode document = JSON.readTree(deleted.out());
    assertThat(document.path("entities").asLong()).isEqualTo(10_000);
    assertThat(document.path("rows").asLong()).isEqualTo(2);
    assertThat(deleted.err())
        .contains("featureduck delete: the last 1 of 10001 entities are not erased: ")
        .contains("(store_unavailable)");
    assertThat(run("get", "spending", "1").exitCode()).isEqualTo(1);
  }

  @Test
  void materialize_erasuresThatCannotBeFinished_areToldAfterTheRuns() throws Exception {
    assertThat(run("materialize").exitCode()).isZero();
    assertThat(run("delete", "spending", "1").exitCode()).isZero();
    database.execute("UPDATE featureduck_tombstones SET pending = true, view = 'other'");
    database.execute("UPDATE featureduck_erasures SET view = 'other'");
    database.execute("ALTER TABLE featureduck_tombstones ADD CONSTRAINT stuck CHECK (pending)");

    Outcome outcome = run("materialize", "counting");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).contains("succeeded");
    assertThat(outcome.err())
        .contains("featureduck materialize: entities are left half erased: ")
        .contains("(store_unavailable)");
  }

  @Test
  void delete_usedWrongly_erasesNothing() throws Exception {
    Outcome never = run("delete", "spending", "1");
    assertThat(never.exitCode()).isEqualTo(2);
    assertThat(never.err()).contains("never materialized");
    assertThat(run("materialize").exitCode()).isZero();
    Outcome misspelt = run("delete", "spendign", "1");
    assertThat(misspelt.exitCode()).isEqualTo(2);
    assertThat(misspelt.err()).contains("did you mean 'spending'?");
    Outcome none = run("delete", "spending");
    assertThat(none.exitCode()).isEqualTo(2);
    Outcome noKey = run("delete", "spending", "1", "one");
    assertThat(noKey.exitCode()).isEqualTo(2);
    assertThat(noKey.err()).contains("\"one\"").contains("Nothing is erased.");
    Outcome noFile = run("delete", "spending", "--file", folder.resolve("none").toString());
    assertThat(noFile.exitCode()).isEqualTo(1);
    Path latin = Files.write(folder.resolve("latin"), new byte[] {'1', '\n', (byte) 0xe9});
    Outcome notUtf8 = run("delete", "spending", "--file", latin.toString());
    assertThat(notUtf8.exitCode()).isEqualTo(2);
    assertThat(notUtf8.err()).contains("latin is not in UTF-8").contains("Nothing is erased.");
    assertThat(run("get", "spending", "1").exitCode()).isZero();
  }

  @Test
  void execute_usedWrongly_exitsWith2AndKeepsTheAnswerEmpty() {
    assertThat(run("materialise").exitCode()).isEqualTo(2);
    assertThat(run("get", "spending").exitCode()).isEqualTo(2);
    Outcome outcome = run("sql", "spendign");
    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).contains("did you mean 'spending'?");
    assertThat(run("list", "--output", "xml").err()).contains("neither text nor json");
  }

  @Test
  void execute_valueOutOfRange_exitsWith2AndSaysWhatIsExpected() {
    Outcome port = run("serve", "--port", "99999");
    assertThat(port.exitCode()).isEqualTo(2);
    assertThat(port.err()).contains("'99999' is no whole number from 0 to 65535");
    Outcome limit = run("runs", "--limit", "-1");
    assertThat(limit.exitCode()).isEqualTo(2);
    assertThat(limit.err()).contains("'-1' is no whole number from 1 to 1000");
    Outcome instant = run("materialize", "--as-of", "yesterday");
    assertThat(instant.exitCode()).isEqualTo(2);
    assertThat(instant.err()).contains("'yesterday' is no instant such as");
  }

  @Test
  void runs_emptyStore_listsNoneAndRefusesAnUnknownView() {
    assertThat(run("runs", "--view", "spending").exitCode()).isZero();
    Outcome unknown = run("runs", "--view", "spendign");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("did you mean 'spending'?");
  }

  @Test
  void serve_portTaken_saysWhichAndExitsWith1() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Outcome outcome = run("serve", "--port", Integer.toString(taken.getLocalPort()));

      assertThat(outcome.exitCode()).isEqualTo(1);
      assertThat(outcome.err())
          .contains("can't listen on 127.0.0.1, port " + taken.getLocalPort())
          .doesNotContain("Exception");
    }
  }

  private record Outcome(int exitCode, String out, String err) {}

  private Outcome run(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] all = java.util.Arrays.copyOf(arguments, arguments.length + 2);
    all[arguments.length] = "--config";
    all[arguments.length + 1] = config.toString();
    int exitCode =
        FeatureDuck.execute(
            new Console(new PrintWriter(out, true), new PrintWriter(err, true)), all);
    return new Outcome(exitCode, out.toString(), err.toString());
  }
}
