package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Storage;
import io.featureduck.http.Serving;
import io.featureduck.lookup.PostgresRows;
import io.featureduck.lookup.RandomRows;
import io.featureduck.plan.Feature;
import io.featureduck.run.Materializer;
import io.featureduck.run.RunRequest;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Vertx;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.Statement;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
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

  private static final FeatureType ARRAY_OF_JSON =
      new FeatureType.Array(FeatureType.Primitive.JSON);

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
  private final Vertx vertx = Vertx.vertx();
  private FeatureStore definitions;
  private OnlineStore store;
  private Materializer materializer;

  OnlineStoreFormsTest(TestStore.Form form) throws Exception {
    target = form.create();
    source = TestPostgres.newDatabase();
  }

  @BeforeEach
  void open() throws Exception {
    source.execute("CREATE TABLE people (%s)".formatted(COLUMNS));
    definitions = definitions();
    store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
  }

  @AfterEach
  void close() throws Exception {
    materializer.close();
    assertThat(vertx.close().await(20, TimeUnit.SECONDS)).isNull();
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
      URI server = serving.awaitReady();

      assertThat(tokens(features(server, "people", "low")))
          .isEqualTo(
              tokens(
                  """
                  {"a_bool": false, "an_int32": -2147483648, "an_int64": -9223372036854775808, "a_float32": -3.4028235E38,
                   "a_float64": 4.9E-324, "a_decimal": -9999999999999999999999999999.9999999999, "a_text": "", "some_bytes": "",
                   "a_day": "0001-01-01", "a_time": "1969-12-31T23:59:59.999999Z", "a_json": null, "ints": [], "texts": [],
                   "decimals": null}
                  """));
      assertThat(tokens(features(server, "people", "high")))
          .isEqualTo(
              tokens(
                  """
                  {"a_bool": true, "an_int32": 2147483647, "an_int64": 9223372036854775807, "a_float32": 1.1754944E-38,
                   "a_float64": 1.7976931348623157E308, "a_decimal": 0.0000000001, "a_text": "\\u0001 \\"quoted\\" \\\\ 🦆\\n",
                   "some_bytes": "AP8=", "a_day": "9999-12-31", "a_time": "9999-12-31T23:59:59.999999Z",
                   "a_json": {"a": [1.50, null, "é🦆"], "b": {"c": 12345678901234567890}},
                   "ints": [9223372036854775807, null, -9223372036854775808], "texts": ["", null, "a,\\"b\\"", "🦆 "],
                   "decimals": [9999.9, null, -0.1]}
                  """));
      List<JsonNode> rows = read(server, List.of("none", "long"));
      assertThat(rows.get(0).path("features").valueStream()).hasSize(14).allMatch(JsonNode::isNull);
      assertThat(rows.get(1).path("features").path("a_text").asString())
          .isEqualTo("duck🦆".repeat(131_072));
    }
  }

  /**
   * Features and rows by chance, in a table of the source that a real run reads. Values are
   * compared as they are written, but for blanks between them.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void values_byChance_areServedAsTheyAre(long seed) throws Exception {
    System.out.println("seed " + seed);
    RandomRows random = new RandomRows(new Random(seed), this::isKept);
    PostgresRows rows = PostgresRows.of(Storage.TYPED);
    // A source's JSONB[] is read as an array of texts.
    LiveView table =
        table(
            random.features().stream()
                .filter(feature -> !feature.type().equals(ARRAY_OF_JSON))
                .toList());
    rows.create(table);
    LocalDateTime now = LocalDateTime.now(ZoneOffset.UTC).minusHours(1);
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      List<@Nullable Object> values = random.row(table.features());
      rows.put(table, "k" + i, values, now, now);
      expected.add(RandomRows.json(table.features(), values));
    }
    FeatureStore byChance = byChance(rows.database().connectionString());
    try (Materializer runs = Materializer.open(byChance, store)) {
      Run run = runs.run("chance", RunRequest.now());
      assertThat(run.error()).as("seed %d", seed).isEmpty();
    }
    URI server = URI.create("http://127.0.0.1:" + serveHere(byChance).port());

    for (int i = 0; i < expected.size(); i++) {
      assertThat(tokens(features(server, "chance", "k" + i)))
          .as("seed %d, k%d", seed, i)
          .isEqualTo(tokens(expected.get(i)));
    }
  }

  /** A DOUBLE of MySQL has no such numbers; in an array, which is JSON there, they may be. */
  private boolean isKept(Object value) {
    return target.form() != TestStore.Form.MYSQL_TYPED
        || switch (value) {
          case Float f -> Float.isFinite(f);
          case Double d -> Double.isFinite(d);
          default -> true;
        };
  }

  private static LiveView table(List<Feature> features) {
    return new LiveView(
        "source",
        1,
        List.of(new JoinKey("entity_key", FeatureType.Primitive.STRING)),
        features,
        Optional.empty(),
        Optional.empty(),
        Storage.TYPED,
        Duration.ZERO,
        "{}",
        Optional.empty(),
        0);
  }

  private FeatureStore byChance(String connectionString) throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("chance.json"),
            """
            {"project": "chance", "server": {"host": "127.0.0.1", "port": 0},
             "online_store": %s,
             "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
               "extension_directory": "%s"},
             "entities": [{"name": "row", "join_keys": [{"name": "entity_key", "type": "STRING"}]}],
             "sources": [{"name": "rows", "source_type": "postgres", "connection_string": "%s",
               "schema": "public", "table": "online_source", "timestamp_field": "event_timestamp",
               "cursor_field": "updated_at"}],
             "views": [{"name": "chance", "entities": ["row"], "source": "rows", "storage": "%s"}]}
            """
                .formatted(
                    target.json(),
                    TestDefinitions.materializer(directory).extensionDirectory(),
                    connectionString,
                    target.form().storage().id()));
    return ConfigReader.read(file, Map.of());
  }

  /** Returns the object of features as the answer for an entity has it. */
  private String features(URI server, String view, String key) throws Exception {
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(server.resolve("/features/" + view + "/" + key)).build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    String begin = "\"features\":";
    // In the value of a feature the quotes would be escaped.
    return answer
        .body()
        .substring(
            answer.body().indexOf(begin) + begin.length(),
            answer.body().lastIndexOf(",\"event_timestamp\":"));
  }

  /** Returns what a JSON text consists of, each number with the digits that it has. */
  private static List<String> tokens(String json) {
    List<String> tokens = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(json)) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        tokens.add(token + " " + parser.getString());
      }
    }
    return tokens;
  }

  /** A server in this process. */
  private Serving serveHere(FeatureStore served) throws Exception {
    return Serving.start(
            vertx,
            served,
            OnlineStore.open(served.onlineStore()),
            new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
            2)
        .await(20, TimeUnit.SECONDS);
  }

  /** Asks to erase an entity and, once it is said to be gone, at once whether it is. */
  private CompletableFuture<Integer> eraseAndGet(URI server, String key) {
    URI target = server.resolve("/features/people/" + key);
    return http.sendAsync(
            HttpRequest.newBuilder(target).DELETE().build(), HttpResponse.BodyHandlers.ofString())
        .thenCompose(answer -> {
          assertThat(answer.statusCode()).as(answer.body()).isEqualTo(204);
          return http.sendAsync(
              HttpRequest.newBuilder(target).build(), HttpResponse.BodyHandlers.ofString());
        })
        .thenApply(HttpResponse::statusCode);
  }

  @Test
  void erase_twoOverHttpAtOnce_areNotServedOnceAnswered() throws Exception {
    source.execute(
        "INSERT INTO people (id, at, an_int64) SELECT 'p' || i, now(), i FROM generate_series(0, 9) i");
    assertThat(run(true).rowsWritten()).contains(10L);
    URI server = URI.create("http://127.0.0.1:" + serveHere(definitions).port());
    for (int i = 0; i < 10; i += 2) {
      List<String> keys = List.of("p" + i, "p" + (i + 1));
      assertThat(statuses(read(server, keys))).containsOnly("found");
      List<CompletableFuture<Integer>> asked;
      try (Connection run = target.connect();
          Statement statement = run.createStatement()) {
        run.setAutoCommit(false);
        boolean ignored =
            statement.execute(
                "SELECT entity_key FROM online_people WHERE entity_key = '%s' FOR UPDATE"
                    .formatted(keys.getFirst()));
        // Both have put up their tombstones before one of them deletes the rows of both.
        asked = keys.stream().map(key -> eraseAndGet(server, key)).toList();
        awaitNumber("SELECT count(*) FROM featureduck_tombstones", i + 2L);
        run.rollback();
      }
      for (CompletableFuture<Integer> status : asked) {
        assertThat(status.get(20, TimeUnit.SECONDS)).isEqualTo(404);
      }
      assertThat(statuses(read(server, keys))).containsOnly("not_found");
    }
    assertThat(target.number("SELECT count(*) FROM online_people")).isZero();
    assertThat(
            target.number(
                "SELECT count(*) FROM featureduck_erasures WHERE finished_at IS NOT NULL AND origin = 'http'"))
        .isEqualTo(10);
    assertThat(run(true).rowsWritten()).contains(0L);
    assertThat(statuses(read(server, List.of("p0")))).containsExactly("not_found");
  }

  private void awaitNumber(String sql, long number) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (target.number(sql) != number) {
      assertThat(System.nanoTime()).as(sql).isLessThan(end);
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
