package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.run.Materializer;
import io.featureduck.run.RunRequest;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestStore;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * What every form of online store promises from a source's row to the answer over HTTP, by runs and
 * a server as their users have them. The differences that there are have tests of their own names.
 */
@ParameterizedClass
@EnumSource(TestStore.Form.class)
final class OnlineStoreFormsTest {
  private static final JsonMapper JSON = JsonMapper.shared();

  private static final List<String> KEYS =
      List.of(
          "plain",
          "a|b",
          "back\\slash",
          "sl/ash",
          "quo\"te's",
          "trailing  ",
          "trailing",
          "case",
          "CASE",
          "ä",
          "a\u0308",
          "",
          "🦆".repeat(500));

  private static final String COLUMNS =
      """
      id TEXT, at TIMESTAMPTZ, updated_at TIMESTAMPTZ DEFAULT clock_timestamp(), a_bool BOOLEAN, an_int32 INTEGER,
      an_int64 BIGINT, a_float32 REAL, a_float64 DOUBLE PRECISION, a_decimal NUMERIC(38,10), a_text TEXT, some_bytes BYTEA,
      a_day DATE, a_time TIMESTAMPTZ, a_json JSONB, ints BIGINT[], texts TEXT[], decimals NUMERIC(5,1)[]
      """;

  @TempDir private Path directory = Path.of("");
  private final HttpClient http = HttpClient.newHttpClient();
  private final TestStore target;
  private final TestPostgres.Database source;
  private OnlineStore store;
  private Materializer materializer;

  OnlineStoreFormsTest(TestStore.Form form) throws Exception {
    target = form.create();
    source = TestPostgres.newDatabase();
  }

  @BeforeEach
  void open() throws Exception {
    source.execute("CREATE TABLE people (%s)".formatted(COLUMNS));
    FeatureStore definitions = definitions();
    store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
  }

  @AfterEach
  void close() {
    materializer.close();
  }

  private FeatureStore definitions() throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("config.json"),
            """
            {"project": "people", "server": {"host": "127.0.0.1", "port": 0},
             "online_store": %s,
             "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
               "extension_directory": "%s"},
             "entities": [{"name": "person", "join_keys": [{"name": "id", "type": "STRING"}]}],
             "sources": [{"name": "people", "source_type": "postgres", "connection_string": "%s",
               "schema": "public", "table": "people", "timestamp_field": "at",
               "cursor_field": "updated_at", "incremental": true, "allowed_lateness": "0s"}],
             "views": [{"name": "people", "entities": ["person"], "source": "people", "ttl": "1h",
               "storage": "%s", "cache": {"max_age": "1h"}}]}
            """
                .formatted(
                    target.json(),
                    TestDefinitions.materializer(directory).extensionDirectory(),
                    source.connectionString(),
                    target.form().storage().id()));
    return ConfigReader.read(file, Map.of());
  }

  private Run run(boolean full) {
    Run run = materializer.run("people", new RunRequest(full, Optional.empty(), Optional.empty()));
    assertThat(run.error()).isEmpty();
    return run;
  }

  /** A server that is up, as a process of its own. */
  private FeatureDuckProcess serve() throws Exception {
    return FeatureDuckProcess.start(
        directory, Map.of(), "serve", "--role", "serve", "--config", "config.json");
  }

  private List<JsonNode> read(URI server, List<String> keys) throws Exception {
    ArrayNode entities = JSON.createArrayNode();
    for (String key : keys) {
      ArrayNode ignored = entities.addPOJO(Map.of("id", key));
    }
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(server.resolve("/features/people/batch"))
                .header("content-type", "application/json")
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        JSON.writeValueAsString(Map.of("entities", entities))))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return new ArrayList<>(JSON.readTree(answer.body()).path("results").valueStream().toList());
  }

  private static List<String> statuses(List<JsonNode> rows) {
    return rows.stream().map(row -> row.path("status").asString()).toList();
  }

  private void put(String key, long number, String at) throws Exception {
    try (Connection connection = source.connect();
        PreparedStatement insert =
            connection.prepareStatement(
                "INSERT INTO people (id, at, an_int64) VALUES (?, %s, ?)".formatted(at))) {
      insert.setString(1, key);
      insert.setLong(2, number);
      assertThat(insert.executeUpdate()).isOne();
    }
  }

  @Test
  void rows_throughTheirLife_areServedAsTheSourceHasThem() throws Exception {
    for (int i = 0; i < KEYS.size(); i++) {
      put(KEYS.get(i), i, "now()");
    }
    put("old", -1, "now() - interval '90 minutes'");
    assertThat(run(true).rowsWritten()).contains(KEYS.size() + 1L);
    try (FeatureDuckProcess serving = serve()) {
      URI server = serving.awaitReady();
      List<String> asked = new ArrayList<>(KEYS);
      asked.addAll(List.of("unknown", "plain", "old", "plain ", "Case"));

      List<JsonNode> rows = read(server, asked);

      for (int i = 0; i < KEYS.size(); i++) {
        assertThat(rows.get(i).path("status").asString()).as(KEYS.get(i)).isEqualTo("found");
        assertThat(rows.get(i).path("features").path("an_int64").asLong()).isEqualTo(i);
      }
      assertThat(statuses(rows.subList(KEYS.size(), rows.size())))
          .containsExactly("not_found", "found", "expired", "not_found", "not_found");

      // An increment: one row is changed, one comes, all others stay untouched.
      source.execute(
          "UPDATE people SET an_int64 = 100, updated_at = clock_timestamp() WHERE id = 'plain'");
      put("new", 101, "now()");
      Run increment = run(false);
      assertThat(increment.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(increment.rowsWritten()).contains(2L);
      awaitNumbers(server, List.of("plain", "new", "case"), List.of(100L, 101L, 7L));
      assertThat(run(false).rowsWritten()).contains(0L);

      // What is gone from the source goes with a full run.
      source.execute("DELETE FROM people WHERE id IN ('case', 'new')");
      assertThat(run(true).rowsWritten()).contains(2L);
      awaitNumbers(server, List.of("plain", "new", "case", "CASE"), List.of(100L, 0L, 0L, 8L));
    }
  }

  /** Waits until a server has heard of a commit; 0 stands for an entity without a row. */
  private void awaitNumbers(URI server, List<String> keys, List<Long> numbers) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (true) {
      List<Long> found =
          read(server, keys).stream()
              .map(row -> row.path("features").path("an_int64").asLong(0))
              .toList();
      if (found.equals(numbers)) {
        return;
      }
      assertThat(System.nanoTime()).as("%s", found).isLessThan(end);
    }
  }

  @Test
  void values_ofEachTypeAtTheirEnds_areServedAsTheyAre() throws Exception {
    source.execute(
        """
        INSERT INTO people VALUES
        ('low', now(), now(), false, -2147483648, -9223372036854775808, -3.4028235e38, 5e-324, -9999999999999999999999999999.9999999999,
         '', '', '0001-01-01', '1969-12-31 23:59:59.999999Z', 'null', '{}', '{}', NULL),
        ('high', now(), now(), true, 2147483647, 9223372036854775807, 1.17549435e-38, 1.7976931348623157e308, 0.0000000001,
         E'\\u0001 "quoted" \\\\ 🦆\\n', '\\x00ff', '9999-12-31', '9999-12-31 23:59:59.999999Z',
         '{"a": [1.50, null, "é🦆"], "b": {"c": 12345678901234567890}}',
         '{9223372036854775807,NULL,-9223372036854775808}', ARRAY['', NULL, 'a,"b"', '🦆 '], '{9999.9,NULL,-0.1}');
        INSERT INTO people (id, at, a_text) VALUES ('none', now(), NULL), ('long', now(), repeat('duck🦆', 131072))
        """);
    assertThat(run(true).rowsWritten()).contains(4L);
    try (FeatureDuckProcess serving = serve()) {
      List<JsonNode> rows = read(serving.awaitReady(), List.of("low", "high", "none", "long"));

      assertThat(rows.get(0).path("features"))
          .isEqualTo(
              JSON.readTree(
                  """
                  {"a_bool": false, "an_int32": -2147483648, "an_int64": -9223372036854775808, "a_float32": -3.4028235E38,
                   "a_float64": 4.9E-324, "a_decimal": -9999999999999999999999999999.9999999999, "a_text": "", "some_bytes": "",
                   "a_day": "0001-01-01", "a_time": "1969-12-31T23:59:59.999999Z", "a_json": null, "ints": [], "texts": [],
                   "decimals": null}
                  """));
      assertThat(rows.get(1).path("features"))
          .isEqualTo(
              JSON.readTree(
                  """
                  {"a_bool": true, "an_int32": 2147483647, "an_int64": 9223372036854775807, "a_float32": 1.1754944E-38,
                   "a_float64": 1.7976931348623157E308, "a_decimal": 0.0000000001, "a_text": "\\u0001 \\"quoted\\" \\\\ 🦆\\n",
                   "some_bytes": "AP8=", "a_day": "9999-12-31", "a_time": "9999-12-31T23:59:59.999999Z",
                   "a_json": {"a": [1.50, null, "é🦆"], "b": {"c": 12345678901234567890}},
                   "ints": [9223372036854775807, null, -9223372036854775808], "texts": ["", null, "a,\\"b\\"", "🦆 "],
                   "decimals": [9999.9, null, -0.1]}
                  """));
      assertThat(rows.get(2).path("features").valueStream()).hasSize(14).allMatch(JsonNode::isNull);
      assertThat(rows.get(3).path("features").path("a_text").asString())
          .isEqualTo("duck🦆".repeat(131_072));
    }
  }

  /** A DOUBLE of MySQL has neither; there the run says which row it is, and nothing is written. */
  @Test
  void values_thatAreNoNumbers_areStringsOrRefusedByName() throws Exception {
    source.execute(
        """
        INSERT INTO people (id, at, a_float32, a_float64) VALUES
        ('good', now(), 1, 1), ('odd', now(), 'NaN', '-Infinity')
        """);

    Run run = materializer.run("people", RunRequest.now());

    if (target.form() == TestStore.Form.MYSQL_TYPED) {
      assertThat(run.errorCode()).contains("value_out_of_range");
      assertThat(run.error().orElseThrow())
          .contains("view people, entity 'odd', feature a_float32: NaN");
      assertThat(target.number("SELECT count(*) FROM online_people")).isZero();
    } else {
      assertThat(run.error()).isEmpty();
      try (FeatureDuckProcess serving = serve()) {
        JsonNode features = read(serving.awaitReady(), List.of("odd")).getFirst().path("features");
        assertThat(features.path("a_float32").asString()).isEqualTo("NaN");
        assertThat(features.path("a_float64").asString()).isEqualTo("-Infinity");
      }
    }
  }
}
