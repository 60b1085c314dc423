package io.featureduck.main;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.http.Serving;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestStore;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What clients see while features come and go by 'apply': nothing but the features. */
@Timeout(120)
class ApplyUnderLoadTest {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int ENTITIES = 1_000;
  private static final int CLIENTS = 4;
  private static final int REQUESTS_PER_SECOND = 500;

  /** How long each step is watched: servers have taken it up, and the next one is another. */
  private static final long WATCH_NANOS = SECONDS.toNanos(2) / 5;

  @TempDir private Path directory;
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final AtomicLong requests = new AtomicLong();
  private final Queue<String> failures = new ConcurrentLinkedQueue<>();
  private volatile boolean done;

  private Path config() {
    return directory.resolve("config.json");
  }

  private void configure(TestStore store, TestPostgres.Database source, String... features)
      throws IOException {
    List<String> aggregations = new ArrayList<>();
    for (String feature : features) {
      aggregations.add(
          "{\"function\": \"max\", \"column\": \"n\", \"alias\": \"%s\"}".formatted(feature));
    }
    Path ignored =
        Files.writeString(
            config(),
            """
            {
              "project": "load",
              "server": {"host": "127.0.0.1", "port": 0},
              "online_store": %s,
              "materializer": {"state_directory": "state", "threads": 1},
              "entities": [{"name": "thing", "join_keys": [{"name": "id", "type": "INT64"}]}],
              "sources": [
                {"name": "things", "source_type": "postgres", "connection_string": "%s",
                 "schema": "public", "table": "things", "timestamp_field": "at"}],
              "views": [
                {"name": "things", "entities": ["thing"], "source": "things",
                 "aggregations": [%s], "cache": {"max_age": "0s"}}]
            }
            """
                .formatted(
                    store.json(), source.connectionString(), String.join(", ", aggregations)));
  }

  @ParameterizedTest
  @EnumSource(
      value = TestStore.Form.class,
      names = {"POSTGRES_TYPED", "MYSQL_TYPED"})
  void apply_columnsComeAndGo_noRequestFails(TestStore.Form form) throws Exception {
    TestStore store = form.create();
    TestPostgres.Database source = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE things (id BIGINT, n BIGINT, at TIMESTAMPTZ);
        INSERT INTO things SELECT i, i, now() - interval '1 day' FROM generate_series(1, %d) i
        """
            .formatted(ENTITIES));
    configure(store, source, "kept", "gone");
    CommandOutcome.of(config(), "materialize").assertSuccess();
    Vertx vertx = Vertx.vertx();
    try {
      FeatureStore definitions = ConfigReader.read(config(), Map.of());
      Serving serving =
          Serving.start(
                  vertx,
                  definitions,
                  OnlineStore.open(definitions.onlineStore()),
                  new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
                  2)
              .await(20, SECONDS);
      URI server = URI.create("http://127.0.0.1:" + serving.port());
      // The first requests wait for classes to be loaded.
      for (int i = 1; i <= 20; i++) {
        assertThat(ask(server, i, i % 2 == 0)).isEmpty();
      }
      List<Thread> clients = startClients(server);
      long start = System.nanoTime();

      configure(store, source, "come", "kept", "gone");
      apply();
      assertTakenUp(server, "{\"come\":null,\"kept\":7,\"gone\":7}");
      CommandOutcome.of(config(), "materialize").assertSuccess();
      assertTakenUp(server, "{\"come\":7,\"kept\":7,\"gone\":7}");
      configure(store, source, "kept", "later");
      apply();
      assertTakenUp(server, "{\"kept\":7,\"later\":null}");
      dropLaterAtOnce(store);
      assertTakenUp(server, "{\"kept\":7}");

      done = true;
      double seconds = (System.nanoTime() - start) / 1e9;
      for (Thread client : clients) {
        assertThat(client.join(Duration.ofSeconds(20))).isTrue();
      }
      System.out.printf(
          "%s: %d requests in %.1f s while columns came and went%n", form, requests.get(), seconds);
      assertThat(failures).isEmpty();
      assertThat(requests.get()).isGreaterThan(100);
      assertThat(
              store.query(
                  "SELECT column_name FROM information_schema.columns WHERE table_schema = '%s' AND table_name = 'online_things'"
                      .formatted(store.settings().schema())))
          .containsExactlyInAnyOrder("entity_key", "kept", "event_timestamp", "updated_at");
    } finally {
      done = true;
      assertThat(vertx.close().await(20, SECONDS)).isNull();
    }
  }

  private void apply() {
    CommandOutcome.of(config(), "apply", "--yes").assertSuccess();
  }

  /** Drops a column with its feature, before the server can know of it. */
  private static void dropLaterAtOnce(TestStore store) throws SQLException {
    store.execute(
        switch (store.form().type()) {
          case POSTGRES ->
              """
              BEGIN;
              UPDATE featureduck_views SET hash = 'without', definition = definition #- '{features,1}';
              ALTER TABLE online_things DROP COLUMN later;
              COMMIT
              """;
          case MYSQL ->
              """
              UPDATE featureduck_views SET hash = 'without',
                definition = JSON_REMOVE(definition, '$.features[1]');
              ALTER TABLE online_things DROP COLUMN later
              """;
        });
  }

  /** Sees the server answer so within two seconds of an apply, and lets the clients go on. */
  private void assertTakenUp(URI server, String features) throws Exception {
    long end = System.nanoTime() + SECONDS.toNanos(2);
    String found = features(server);
    while (!found.equals(features)) {
      assertThat(System.nanoTime()).as("still %s", found).isLessThan(end);
      found = features(server);
    }
    LockSupport.parkNanos(WATCH_NANOS);
  }

  private String features(URI server) throws Exception {
    return JSON.readTree(get(server, 7).body()).path("features").toString();
  }

  private List<Thread> startClients(URI server) {
    List<Thread> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      int number = i;
      clients.add(Thread.ofPlatform().daemon().start(() -> load(server, number)));
    }
    return clients;
  }

  /** Asks at even distances, and makes up for what was late. */
  private void load(URI server, int client) {
    SplittableRandom random = new SplittableRandom(client);
    long next = System.nanoTime();
    while (!done) {
      String failure = ask(server, random.nextInt(1, ENTITIES + 1), random.nextInt(4) == 0);
      requests.incrementAndGet();
      if (!failure.isEmpty()) {
        failures.add(failure);
      }
      next += SECONDS.toNanos(1) * CLIENTS / REQUESTS_PER_SECOND;
      LockSupport.parkNanos(next - System.nanoTime());
    }
  }

  /** Asks for a row, alone or with others; returns what is wrong about the answer, if anything. */
  private String ask(URI server, int entity, boolean batch) {
    try {
      HttpResponse<String> response = batch ? getBatch(server, entity) : get(server, entity);
      if (response.statusCode() != 200) {
        return response.statusCode() + " " + response.body();
      }
      JsonNode answer = JSON.readTree(response.body());
      JsonNode row = batch ? answer.path("results").get(0) : answer;
      return row.path("features").path("kept").asInt() == entity && !row.has("stale")
          ? ""
          : response.body();
    } catch (IOException | InterruptedException e) {
      return e.toString();
    }
  }

  private HttpResponse<String> get(URI server, int entity)
      throws IOException, InterruptedException {
    return http.send(
        HttpRequest.newBuilder(server.resolve("/features/things/" + entity))
            .timeout(Duration.ofSeconds(10))
            .build(),
        BodyHandlers.ofString());
  }

  private HttpResponse<String> getBatch(URI server, int entity)
      throws IOException, InterruptedException {
    return http.send(
        HttpRequest.newBuilder(server.resolve("/features/things/batch"))
            .timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString("{\"entities\": [%d, 1, 2, 3]}".formatted(entity)))
            .build(),
        BodyHandlers.ofString());
  }
}
