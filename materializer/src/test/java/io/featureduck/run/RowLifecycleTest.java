package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.event.Addresses;
import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.registry.ViewChange;
import io.featureduck.store.Erasure;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Registrar;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestStore;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** How rows come to an end: by the age of their events, and by request, over real runs. */
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_TYPED", "MYSQL_TYPED"})
final class RowLifecycleTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private final TestStore target;
  private FeatureStore definitions;
  private OnlineStore store;
  private Materializer materializer;
  private final Map<String, Long> rejected = new ConcurrentHashMap<>();

  RowLifecycleTest(TestStore.Form form) throws Exception {
    target = form.create();
  }

  @BeforeEach
  void open() throws Exception {
    makeSource();
    definitions = definitions("5d");
    store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = materializer();
  }

  private void makeSource() throws Exception {
    source = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE orders (order_id INT PRIMARY KEY, customer_id INT, amount BIGINT, status TEXT,
          ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
        INSERT INTO orders SELECT i, i, i, 'paid', '2026-01-01Z'::timestamptz + i * interval '1 day',
          '2026-01-01Z'::timestamptz + i * interval '1 day' FROM generate_series(1, 30) i
        """);
  }

  private FeatureStore definitions(String ttl) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "postgresql://nobody@localhost/none"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "freshness_interval": "1s", "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "table": "orders", "timestamp_field": "ordered_at", "cursor_field": "updated_at",
           "incremental": true, "row_id": "order_id"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders", "ttl": "%s",
           "filters": ["status = 'paid'"],
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"}]},
          {"name": "written", "entities": ["customer"], "source": "orders",
           "sql": "SELECT customer_id, ordered_at, amount FROM orders WHERE status = 'paid'"}]}
        """
            .formatted(
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString(),
                ttl));
    FeatureStore read = ConfigReader.read(file, Map.of());
    return new FeatureStore(
        read.project(),
        read.server(),
        target.settings(),
        read.materializer(),
        read.entities(),
        read.sources(),
        read.views(),
        read.services());
  }

  private Materializer materializer() {
    Materializer opened = Materializer.open(definitions, store);
    opened.listen(
        new RunListener() {
          @Override
          public void onRun(RunEvent event) {
            if (event.type() == RunEvent.Type.SUCCEEDED) {
              rejected.clear();
              rejected.putAll(event.rejected());
            }
          }

          @Override
          public void onChange(ChangeEvent event) {
            // Not looked at.
          }
        });
    return opened;
  }

  @AfterEach
  void close() {
    materializer.close();
  }

  private Run run(boolean full, String asOf) {
    Run run =
        materializer.run(
            "totals", new RunRequest(full, Optional.of(Instant.parse(asOf)), Optional.empty()));
    assertThat(run.error()).isEmpty();
    return run;
  }

  private List<Integer> online() throws SQLException {
    return target.query("SELECT entity_key FROM online_totals").stream()
        .map(Integer::valueOf)
        .sorted()
        .toList();
  }

  private void erase(String key) {
    Erasure erased =
        store.erase("totals", List.of(key), Erasure.Origin.COMMAND, "a test", PATIENCE);
    assertThat(erased.pending()).isFalse();
  }

  @Test
  void run_full_leavesOutRowsThatExpiredLongAgo() throws Exception {
    Run first = run(true, "2026-01-31T12:00:00Z");

    // Events of January 22 and later are younger than ten days.
    assertThat(online()).containsExactly(21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    assertThat(first.rowsWritten()).contains(10L);
    assertThat(rejected).containsEntry("expired", 20L);

    Run second = run(true, "2026-02-02T12:00:00Z");

    assertThat(second.rowsWritten()).contains(2L);
    assertThat(online()).hasSize(8);
  }

  @Test
  void run_incrementTouchesARowThatExpiredLongAgo_deletesIt() throws Exception {
    Run first = run(true, "2026-01-31T12:00:00Z");
    source.execute(
        """
        UPDATE orders SET amount = 7, updated_at = '2026-02-05 11:59Z' WHERE order_id IN (3, 22, 30)
        """);

    Run second = run(false, "2026-02-05T12:00:00Z");

    assertThat(first.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(rejected).containsEntry("expired", 2L);
    assertThat(second.rowsWritten()).contains(2L);
    // 21 and 23 to 25 are as old, and the purge's.
    assertThat(online()).containsExactly(21, 23, 24, 25, 26, 27, 28, 29, 30);
  }

  @Test
  void run_ttlBecameLonger_readsEverythingOnce() throws Exception {
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    materializer.close();
    definitions = definitions("10d");
    materializer = materializer();
    assertThat(store.statuses().getFirst().rows()).isEqualTo(10);

    Run second = run(false, "2026-01-31T12:01:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(online()).hasSize(20);
    assertThat(run(false, "2026-01-31T12:02:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
  }

  /** Applies a ttl by a process of its own; the materializer's config keeps the one that it has. */
  private void apply(String ttl) throws Exception {
    try (Materializer other = Materializer.open(definitions(ttl), store);
        Registrar registrar = store.registrar(PATIENCE)) {
      for (ViewChange change : other.plan(List.of(), false).changes()) {
        assertThat(registrar.apply(change, "a test")).isEqualTo(Registrar.Applied.APPLIED);
      }
    }
  }

  @Test
  void run_longerTtlWasAppliedElsewhere_readsEverythingOnce() throws Exception {
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    apply("10d");

    assertThat(run(false, "2026-01-31T12:01:00Z").kind()).isEqualTo(Run.Kind.FULL);

    assertThat(online()).hasSize(20);
    assertThat(run(false, "2026-01-31T12:02:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
  }

  @Test
  void run_shorterTtlWasAppliedElsewhere_staysIncremental() throws Exception {
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    apply("2d");

    assertThat(run(false, "2026-01-31T12:01:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(run(false, "2026-01-31T12:02:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
  }

  private void runNow(boolean full) {
    Run run = materializer.run("totals", new RunRequest(full, Optional.empty(), Optional.empty()));
    assertThat(run.error()).isEmpty();
    assertThat(run.kind()).isEqualTo(full ? Run.Kind.FULL : Run.Kind.INCREMENTAL);
  }

  /** Customers 40 and 41 have an order of a moment ago, and are in the view. */
  private void runWithTwoOfToday() throws Exception {
    source.execute(
        "INSERT INTO orders SELECT i, i, 1, 'paid', now(), now() FROM generate_series(40, 41) i");
    runNow(true);
    assertThat(online()).containsExactly(40, 41);
  }

  private void touch(int order, String set) throws SQLException {
    source.execute(
        "UPDATE orders SET %s, updated_at = now() WHERE order_id = %d".formatted(set, order));
  }

  private List<String> tombstones() throws SQLException {
    return target.query("SELECT entity_key FROM featureduck_tombstones ORDER BY entity_key");
  }

  @Test
  void run_erasedEntity_staysAwayUntilTheSourceHasItNoMore() throws Exception {
    runWithTwoOfToday();
    erase("40");
    assertThat(online()).containsExactly(41);
    touch(40, "amount = 7");
    runNow(false);
    runNow(true);
    assertThat(online()).containsExactly(41);

    source.execute("UPDATE orders SET customer_id = 41, updated_at = now() WHERE order_id = 40");
    runNow(true);
    assertThat(tombstones()).isEmpty();
    touch(40, "customer_id = 40");
    runNow(false);

    assertThat(online()).containsExactly(40, 41);
  }

  @Test
  void run_erasedEntityIsFilteredOutForAWhile_staysAway() throws Exception {
    runWithTwoOfToday();
    erase("40");
    touch(40, "status = 'open'");
    runNow(false);
    runNow(true);
    assertThat(tombstones()).containsExactly("40");
    touch(40, "status = 'paid'");
    runNow(false);
    runNow(true);
    assertThat(online()).containsExactly(41);

    source.execute("DELETE FROM orders WHERE order_id = 40");
    runNow(true);

    assertThat(tombstones()).isEmpty();
  }

  @Test
  void run_erasedEntityHasARowOfTomorrowAlone_staysAway() throws Exception {
    runWithTwoOfToday();
    erase("40");
    touch(40, "ordered_at = now() + interval '1 day'");
    runNow(false);
    runNow(true);
    assertThat(tombstones()).containsExactly("40");
    touch(40, "ordered_at = now()");
    runNow(false);

    assertThat(online()).containsExactly(41);
  }

  @Test
  void run_erasedEntityThatTheSqlOfAViewLeavesOut_staysUntilTheSourceHasItNoMore()
      throws Exception {
    assertThat(materializer.run("written", RunRequest.now()).error()).isEmpty();
    assertThat(
            store
                .erase("written", List.of("30"), Erasure.Origin.COMMAND, "a test", PATIENCE)
                .rows())
        .isEqualTo(1);
    touch(30, "status = 'open'");
    assertThat(materializer.run("written", RunRequest.now()).error()).isEmpty();
    assertThat(tombstones()).containsExactly("30");
    source.execute("DELETE FROM orders WHERE order_id = 30");

    assertThat(materializer.run("written", RunRequest.now()).error()).isEmpty();

    assertThat(tombstones()).isEmpty();
  }

  @Test
  void run_asOfBeforeTheErasedEntitysFirstEvent_doesNotRelease() throws Exception {
    runWithTwoOfToday();
    erase("40");
    source.execute("DELETE FROM orders WHERE order_id = 40");

    Run ignored = run(true, "2026-01-10T00:00:00Z");

    assertThat(tombstones()).containsExactly("40");
    runNow(true);
    assertThat(tombstones()).isEmpty();
  }

  @Test
  void run_fullAfterTheSourceLostEntities_takesThemAway() throws Exception {
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    source.execute("DELETE FROM orders WHERE order_id = 25");

    assertThat(run(true, "2026-01-31T12:01:00Z").rowsWritten()).contains(1L);

    assertThat(online()).hasSize(9).doesNotContain(25);
  }

  @Test
  void run_erasedEntityWhoseRowIsTooOld_staysAwayOnceItHasANewOne() throws Exception {
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    erase("3");

    // Its row is left out for its age; the source has it all the same.
    ignored = run(true, "2026-01-31T12:01:00Z");
    source.execute("UPDATE orders SET updated_at = '2026-01-31 12:01:30Z' WHERE order_id = 3");
    assertThat(run(false, "2026-01-31T12:02:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
    source.execute(
        "INSERT INTO orders VALUES (31, 3, 5, 'paid', '2026-01-31 12:02:30Z', '2026-01-31 12:02:30Z')");
    assertThat(run(false, "2026-01-31T12:03:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);

    assertThat(online()).hasSize(10).doesNotContain(3);
  }

  /** What a killed process left, and what time made old, is seen to without anybody asking. */
  @Test
  void upkeep_erasureLeftHalfDoneAndRowsTooOld_areDealtWith() throws Exception {
    source.execute(
        "INSERT INTO orders VALUES (31, 31, 1, 'paid', now(), now()), (32, 32, 1, 'paid', now(), now())");
    Run ignored = run(true, "2026-01-31T12:00:00Z");
    Run now = materializer.run("totals", RunRequest.now());
    assertThat(now.error()).isEmpty();
    target.execute(
        """
        INSERT INTO featureduck_erasures (view, entities, keys_hash, origin, requested_by)
          VALUES ('totals', 1, '', 'command', 'a test');
        INSERT INTO featureduck_tombstones (view, entity_key, erasure_id, pending)
          SELECT 'totals', '31', max(id), true FROM featureduck_erasures
        """);
    assertThat(now.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(online()).hasSize(12).contains(21, 31, 32);
    Vertx vertx = Vertx.vertx();
    try {
      BlockingQueue<JsonObject> removed = new LinkedBlockingQueue<>();
      var consumer =
          vertx
              .eventBus()
              .<JsonObject>consumer(
                  Addresses.ROWS,
                  message -> {
                    boolean added = removed.add(message.body());
                    assertThat(added).isTrue();
                  });
      assertThat(consumer.address()).isEqualTo(Addresses.ROWS);
      String id =
          MaterializerVerticle.deploy(vertx, definitions, store, materializer)
              .await(20, TimeUnit.SECONDS);
      assertThat(id).isNotEmpty();

      assertThat(next(removed, "purged")).isEqualTo(10);
      assertThat(next(removed, "erased")).isEqualTo(1);

      assertThat(online()).containsExactly(32);
      assertThat(store.statuses().getFirst().rows()).isEqualTo(1);
      assertThat(store.unfinishedErasures(Duration.ZERO)).isEmpty();
    } finally {
      assertThat(vertx.close().map(true).await(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  private static long next(BlockingQueue<JsonObject> records, String type)
      throws InterruptedException {
    while (true) {
      JsonObject record = records.poll(30, TimeUnit.SECONDS);
      assertThat(record).as("rows that were %s", type).isNotNull();
      if (record != null && type.equals(record.getString("type"))) {
        return record.getLong("rows");
      }
    }
  }
}
