package io.featureduck.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestPostgres;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A store whose every feature tells which generation of the source it was computed from, so that a
 * reader sees at once a row that is half old, a batch that is missing entities or an old value.
 */
final class GenerationStore {
  static final int ENTITIES = 20_000;
  private static final JsonMapper JSON = JsonMapper.shared();

  private final HttpClient http = HttpClient.newHttpClient();
  private final TestPostgres.Database database;
  private final Path directory;

  private GenerationStore(TestPostgres.Database database, Path directory) {
    this.database = database;
    this.directory = directory;
  }

  /**
   * Makes the source table at generation 1 and a config with the view {@code counters}. The
   * environment may say STORE_URL, for another way to the store, STORE_SCHEMA, STORE_TIMEOUT and
   * SERVER_TIMEOUT.
   */
  static GenerationStore create(Path directory) throws SQLException, IOException {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE counters (id BIGINT, generation BIGINT, label TEXT, at TIMESTAMPTZ);
        INSERT INTO counters
          SELECT i, 1, 'generation 1', now() - interval '1 day' FROM generate_series(1, %d) i;
        """
            .formatted(ENTITIES));
    Path ignored =
        Files.writeString(
            directory.resolve("config.json"),
            """
            {
              "project": "generations",
              "server": {"host": "127.0.0.1", "port": 0, "timeout": "${SERVER_TIMEOUT:-2s}"},
              "online_store": {"type": "postgres", "url": "${STORE_URL:-%s}",
                "schema": "${STORE_SCHEMA:-public}",
                "timeout": "${STORE_TIMEOUT:-1s}"},
              "materializer": {"state_directory": "state", "threads": 1},
              "entities": [
                {"name": "counter", "join_keys": [{"name": "id", "type": "INT64"}]}
              ],
              "sources": [
                {"name": "counters", "source_type": "postgres", "connection_string": "%s",
                 "schema": "public", "table": "counters", "timestamp_field": "at"}
              ],
              "views": [
                {"name": "counters", "entities": ["counter"], "source": "counters",
                 "aggregations": [
                   {"function": "sum", "column": "generation", "alias": "total"},
                   {"function": "max", "column": "generation", "alias": "highest"},
                   {"function": "last", "column": "label", "alias": "label"}],
                 "cache": {"max_age": "1h"}}
              ]
            }
            """
                .formatted(database.url(), database.connectionString()),
            UTF_8);
    return new GenerationStore(database, directory);
  }

  /**
   * Writes a config that has further views beside {@code counters}.
   *
   * @return where it is
   */
  Path configWith(String... views) throws IOException {
    String config = Files.readString(directory.resolve("config.json"), UTF_8);
    StringBuilder more = new StringBuilder();
    for (String view : views) {
      more.append(
          """
          {"name": "%s", "entities": ["counter"], "source": "counters",
           "aggregations": [{"function": "count", "alias": "rows_seen"}]},
          """
              .formatted(view));
    }
    return Files.writeString(
        Files.createTempFile(directory, "config-", ".json"),
        config.replace("\"views\": [", "\"views\": [" + more),
        UTF_8);
  }

  TestPostgres.Database database() {
    return database;
  }

  FeatureDuckProcess start(String... arguments) throws IOException {
    return start(Map.of(), arguments);
  }

  FeatureDuckProcess start(Map<String, String> environment, String... arguments)
      throws IOException {
    return FeatureDuckProcess.start(directory, environment, arguments);
  }

  /** Gives the source's rows their next values, in one transaction. */
  void moveSourceTo(long generation) throws SQLException {
    database.execute(
        "UPDATE counters SET generation = %d, label = 'generation %d'"
            .formatted(generation, generation));
  }

  /** Gives the source's rows of some entities their next values, in one transaction. */
  void moveSourceTo(long generation, List<Long> entities) throws SQLException {
    database.execute(
        "UPDATE counters SET generation = %1$d, label = 'generation %1$d' WHERE id IN (%2$s)"
            .formatted(
                generation, String.join(", ", entities.stream().map(String::valueOf).toList())));
  }

  /** A commit as the store tells of it. */
  record Change(long generation, Instant at) {}

  /** Returns the newest commit. */
  Change newestChange() throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT generation, at FROM featureduck_changes ORDER BY generation DESC LIMIT 1")) {
      assertThat(rows.next()).as("a commit").isTrue();
      return new Change(rows.getLong(1), rows.getObject(2, OffsetDateTime.class).toInstant());
    }
  }

  /** Returns every table in the store that a refresh could have left behind. */
  List<String> onlineTables() throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'online%'"
                    + " ORDER BY relname")) {
      List<String> tables = new ArrayList<>();
      while (rows.next()) {
        tables.add(rows.getString(1));
      }
      return tables;
    }
  }

  /** Returns the generations that the online table's rows are of, each whole. */
  List<Long> storedGenerations() throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                """
                SELECT total, highest, label, count(*) FROM online_counters GROUP BY 1, 2, 3
                """)) {
      List<Long> generations = new ArrayList<>();
      while (rows.next()) {
        assertThat(rows.getLong(2)).isEqualTo(rows.getLong(1));
        assertThat(rows.getString(3)).isEqualTo("generation " + rows.getLong(1));
        assertThat(rows.getLong(4)).isEqualTo(ENTITIES);
        generations.add(rows.getLong(1));
      }
      return generations;
    }
  }

  /**
   * Asks for one entity or for 50, whichever the random source says, and checks that each row is
   * whole.
   *
   * @return the generations that were seen
   */
  List<Long> read(URI server, SplittableRandom random) throws IOException, InterruptedException {
    return random.nextInt(4) == 0 ? readBatch(server, random) : List.of(readOne(server, random));
  }

  private long readOne(URI server, SplittableRandom random)
      throws IOException, InterruptedException {
    return read(server, random.nextInt(1, ENTITIES + 1));
  }

  /** Asks for one entity, checks that its row is whole, and returns its generation. */
  long read(URI server, long entity) throws IOException, InterruptedException {
    return generation(ok(HttpRequest.newBuilder(server.resolve("/features/counters/" + entity))));
  }

  /** Asks for one entity and returns the answer's status code. */
  int status(URI server, long entity) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(server.resolve("/features/counters/" + entity)))
        .statusCode();
  }

  /** Returns what the view's rows were computed for, as far as this server knows. */
  String asOf(URI server) throws IOException, InterruptedException {
    return ok(HttpRequest.newBuilder(server.resolve("/views/counters"))).path("as_of").asString();
  }

  /** Tells whether a server hears of commits as they happen. */
  boolean isListening(URI server) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(server.resolve("/metrics")))
        .body()
        .contains("featureduck_store_listening 1.0");
  }

  private List<Long> readBatch(URI server, SplittableRandom random)
      throws IOException, InterruptedException {
    StringBuilder body = new StringBuilder("{\"entities\": [");
    for (int i = 0; i < 50; i++) {
      body.append(i == 0 ? "" : ", ").append(random.nextInt(1, ENTITIES + 1));
    }
    JsonNode answer =
        ok(
            HttpRequest.newBuilder(server.resolve("/features/counters/batch"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body.append("]}").toString())));
    List<Long> generations = new ArrayList<>();
    for (JsonNode row : answer.path("results")) {
      generations.add(generation(row));
    }
    assertThat(generations).hasSize(50);
    return generations;
  }

  private static long generation(JsonNode row) {
    JsonNode features = row.path("features");
    assertThat(row.path("status").asString()).as("%s", row).isEqualTo("found");
    long generation = features.path("total").asLong();
    assertThat(features.path("highest").asLong()).as("%s", row).isEqualTo(generation);
    assertThat(features.path("label").asString())
        .as("%s", row)
        .isEqualTo("generation " + generation);
    return generation;
  }

  /** Starts a full refresh and returns the run's number. */
  long startRefresh(URI server) throws IOException, InterruptedException {
    HttpResponse<String> response = postRefresh(server);
    assertThat(response.statusCode()).as("%s", response.body()).isEqualTo(202);
    return JSON.readTree(response.body()).path("run_id").asLong();
  }

  /** Starts a full refresh; false where the run before it has committed and not yet ended. */
  boolean tryRefresh(URI server) throws IOException, InterruptedException {
    HttpResponse<String> response = postRefresh(server);
    assertThat(response.statusCode()).as("%s", response.body()).isIn(202, 409);
    return response.statusCode() == 202;
  }

  private HttpResponse<String> postRefresh(URI server) throws IOException, InterruptedException {
    return send(
        HttpRequest.newBuilder(server.resolve("/views/counters/materialize"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString("{\"full\": true}")));
  }

  /** Returns the status of what a server answers. */
  int statusOf(URI server, String target) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(server.resolve(target))).statusCode();
  }

  /**
   * Tells how a run stands: {@code running}, {@code succeeded}, {@code failed}, {@code cancelled}.
   */
  String statusOf(URI server, long run) throws IOException, InterruptedException {
    for (JsonNode row : ok(HttpRequest.newBuilder(server.resolve("/runs"))).path("runs")) {
      if (row.path("run_id").asLong() == run) {
        return row.path("status").asString();
      }
    }
    throw new AssertionError("/runs has no run " + run);
  }

  private JsonNode ok(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpResponse<String> response = send(request);
    assertThat(response.statusCode()).as("%s", response.body()).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return http.send(request.timeout(Duration.ofSeconds(30)).build(), BodyHandlers.ofString());
  }
}
