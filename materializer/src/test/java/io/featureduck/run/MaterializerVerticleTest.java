package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.event.Addresses;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MaterializerVerticleTest {
  @TempDir private Path directory = Path.of("");

  private final Vertx vertx = Vertx.vertx();

  private TestPostgres.Database database = new TestPostgres.Database("none", 0);

  @BeforeEach
  void data() throws Exception {
    database = TestPostgres.newDatabase();
    Files.writeString(
        directory.resolve("orders.csv"),
        "customer_id,amount,ordered_at\n1,2.5,2026-01-01T00:00:00Z\n2,1,2026-01-02T00:00:00Z\n");
  }

  @AfterEach
  void close() throws Exception {
    assertThat(vertx.close().map(true).await(10, TimeUnit.SECONDS)).isTrue();
  }

  private FeatureStore definitions(String schedule) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "csv", "path": "orders.csv",
           "timestamp_field": "ordered_at"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders"%s,
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"}]}]}
        """
            .formatted(
                database.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                schedule));
    return ConfigReader.read(file, Map.of());
  }

  private BlockingQueue<JsonObject> listen(String address) {
    BlockingQueue<JsonObject> records = new LinkedBlockingQueue<>();
    var consumer =
        vertx
            .eventBus()
            .<JsonObject>consumer(
                address,
                message -> {
                  boolean ignored = records.add(message.body());
                });
    assertThat(consumer.address()).isEqualTo(address);
    return records;
  }

  private static JsonObject next(BlockingQueue<JsonObject> records, String type)
      throws InterruptedException {
    while (true) {
      JsonObject record = records.poll(30, TimeUnit.SECONDS);
      assertThat(record).as("a record of type " + type).isNotNull();
      if (record != null && type.equals(record.getString("type"))) {
        return record;
      }
    }
  }

  @Test
  void materialize_requested_repliesWithRunAndTellsItsEnd() throws Exception {
    FeatureStore definitions = definitions("");
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    BlockingQueue<JsonObject> runs = listen(Addresses.RUNS);
    BlockingQueue<JsonObject> changes = listen(Addresses.CHANGES);
    try (Materializer materializer = Materializer.open(definitions, store)) {
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(10, TimeUnit.SECONDS);

      JsonObject reply =
          vertx
              .eventBus()
              .<JsonObject>request(
                  Addresses.MATERIALIZE, new JsonObject().put("view", "totals").put("full", true))
              .await(30, TimeUnit.SECONDS)
              .body();

      JsonObject end = next(runs, "succeeded");
      assertThat(end.getLong("run_id")).isEqualTo(reply.getLong("run_id"));
      assertThat(end.getLong("rows_written")).isEqualTo(2);
      JsonObject change = next(changes, "changed");
      assertThat(change.getLong("generation")).isEqualTo(1);
      assertThat(change.getValue("keys")).isNull();
      assertThat(vertx.undeploy(id).map(true).await(20, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(store.runs(Optional.empty(), 10))
        .singleElement()
        .extracting(Run::status)
        .isEqualTo(Run.Status.SUCCEEDED);
  }

  @Test
  void materialize_unknownView_failsWithTheCode() throws Exception {
    FeatureStore definitions = definitions("");
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    try (Materializer materializer = Materializer.open(definitions, store)) {
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(10, TimeUnit.SECONDS);

      assertThat(id).isNotEmpty();
      assertThatThrownBy(() ->
              vertx
                  .eventBus()
                  .<JsonObject>request(Addresses.MATERIALIZE, new JsonObject().put("view", "total"))
                  .await(30, TimeUnit.SECONDS))
          .hasMessageContaining("unknown_view: unknown view 'total'");
    }
  }

  @Test
  void freshness_beforeAnyRun_isTold() throws Exception {
    FeatureStore definitions =
        definitions(", \"freshness\": {\"warn\": \"1d\", \"error\": \"2d\"}");
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    BlockingQueue<JsonObject> freshness = listen(Addresses.FRESHNESS);
    try (Materializer materializer = Materializer.open(definitions, store)) {
      materializer.takeUp("totals");
      assertThat(store.liveView("totals").orElseThrow().asOf()).isEmpty();
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(10, TimeUnit.SECONDS);

      assertThat(id).isNotEmpty();
      assertThat(next(freshness, "freshness").getString("state")).isEqualTo("never");
      assertThat(materializer.run("totals", RunRequest.now()).status())
          .isEqualTo(Run.Status.SUCCEEDED);
      JsonObject record = next(freshness, "freshness");
      while (record.getString("state").equals("never")) {
        record = next(freshness, "freshness");
      }
      assertThat(record.getString("state")).isEqualTo("stale");
      assertThat(record.getLong("rows")).isEqualTo(2);
      assertThat(record.getDouble("event_age_seconds")).isGreaterThan(86_400);
      assertThat(record.getDouble("run_age_seconds")).isLessThan(60);
    }
  }

  @Test
  void schedule_missedAndThenDue_runsOnceForEach() throws Exception {
    FeatureStore definitions = definitions(", \"batch_schedule\": \"*/5 * * * *\"");
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    AtomicReference<Instant> now = new AtomicReference<>(Instant.now());
    Schedule schedule = Schedule.parse("*/5 * * * *", ZoneOffset.UTC);
    Instant missed = schedule.last(now.get()).orElseThrow();
    Instant due = schedule.next(now.get()).orElseThrow();
    BlockingQueue<JsonObject> runs = listen(Addresses.RUNS);
    try (Materializer materializer = Materializer.open(definitions, store, now::get)) {
      assertThat(materializer.run("totals", RunRequest.now()).status())
          .isEqualTo(Run.Status.SUCCEEDED);
      database.execute("UPDATE featureduck_runs SET started_at = started_at - INTERVAL '1 day'");
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(10, TimeUnit.SECONDS);
      assertThat(next(runs, "succeeded").getLong("run_id")).isEqualTo(2);

      now.set(due);

      assertThat(next(runs, "succeeded").getLong("run_id")).isEqualTo(3);
      assertThat(vertx.undeploy(id).map(true).await(20, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(store.runs(Optional.empty(), 10))
        .extracting(Run::scheduledAt)
        .containsExactly(Optional.of(due), Optional.of(missed), Optional.empty());
  }
}
