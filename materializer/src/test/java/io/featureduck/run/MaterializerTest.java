package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.plan.Feature;
import io.featureduck.registry.ViewChange;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Progress;
import io.featureduck.store.Registrar;
import io.featureduck.store.Run;
import io.featureduck.store.RunStart;
import io.featureduck.store.ViewLock;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs: config, a real source, DuckDB, the online store. */
final class MaterializerTest {
  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);

  @BeforeEach
  void databases() throws Exception {
    source = TestPostgres.newDatabase();
    target = TestPostgres.newDatabase();
  }

  private FeatureStore definitions(String sources, String views) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "1GB",
           "retries": 1,
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [%s],
         "views": [%s]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                sources,
                views));
    return ConfigReader.read(file, Map.of());
  }

  private String orders() {
    return """
    {"name": "orders", "source_type": "postgres", "connection_string": "%s password=geheim",
     "schema": "public", "table": "orders", "timestamp_field": "ordered_at"}
    """
        .formatted(source.connectionString());
  }

  private static final String TOTALS =
      """
      {"name": "totals", "entities": ["customer"], "source": "orders",
       "aggregations": [{"function": "count", "alias": "n"},
         {"function": "sum", "column": "amount", "alias": "spent"}]}
      """;

  private static final String SLOW =
      """
      {"name": "slow", "entities": ["customer"], "source": "orders",
       "sql": "SELECT customer_id, max(ordered_at) AS ordered_at, count(*) AS n FROM orders, range(20000000000) GROUP BY customer_id"}
      """;

  private void fillOrders() throws SQLException {
    source.execute(
        """
        CREATE TABLE orders (order_id INT, customer_id INT, amount NUMERIC(10,2),
          ordered_at TIMESTAMPTZ);
        INSERT INTO orders VALUES (1, 1, 10.50, '2026-01-01 10:00Z'),
          (2, 1, 0.25, '2026-01-02 10:00Z'), (3, 2, 7, '2026-01-03 10:00Z'),
          (4, NULL, 1, '2026-01-03 10:00Z'), (5, 2, 1, NULL), (6, 2, 1, '2999-01-01Z')
        """);
  }

  private Materializer open(FeatureStore definitions) {
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    return Materializer.open(definitions, store);
  }

  private List<String> online(String sql) throws SQLException {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(String.valueOf(rows.getString(1)));
      }
      return found;
    }
  }

  @Test
  void run_postgresSource_writesRowsRunWatermarkAndEvents() throws Exception {
    fillOrders();
    FeatureStore definitions = definitions(orders(), TOTALS);
    List<RunEvent> runs = new CopyOnWriteArrayList<>();
    List<ChangeEvent> changes = new CopyOnWriteArrayList<>();
    try (Materializer materializer = open(definitions)) {
      materializer.listen(
          new RunListener() {
            @Override
            public void onRun(RunEvent event) {
              boolean ignored = runs.add(event);
            }

            @Override
            public void onChange(ChangeEvent event) {
              boolean ignored = changes.add(event);
            }
          });

      Run run = materializer.run("totals", RunRequest.now());

      assertThat(run.error()).isEmpty();
      assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
      assertThat(run.rowsRead()).contains(6L);
      assertThat(run.rowsWritten()).contains(2L);
      assertThat(run.engine()).isEqualTo("duckdb");
      Progress progress = run.progress().orElseThrow();
      assertThat(progress.stage()).isEqualTo("committing");
      assertThat(progress.stages())
          .extracting(Progress.StageTime::name, Progress.StageTime::rows)
          .containsExactly(
              tuple("waiting", 0L),
              tuple("planning", 0L),
              tuple("reading", 6L),
              tuple("computing", 0L),
              tuple("copying", 2L),
              tuple("writing", 2L),
              tuple("committing", 0L));
      assertThat(progress.sources())
          .containsExactly(
              new Progress.SourceRead(
                  "orders", Optional.empty(), run.upperBound(), Optional.of(6L), Optional.empty()));
      assertThat(progress.rowsComputed()).isEqualTo(2);
      // Two rows and what is around them.
      assertThat(progress.bytesWritten()).isBetween(50L, 500L);
      assertThat(progress.peakMemoryBytes()).isPositive();
      assertThat(progress.attempts()).isEqualTo(1);
    }
    assertThat(
            online("SELECT entity_key || ' ' || n || ' ' || spent FROM online_totals ORDER BY 1"))
        .containsExactly("1 2 10.75", "2 1 7.00");
    assertThat(
            online(
                "SELECT (event_timestamp AT TIME ZONE 'UTC')::text FROM online_totals ORDER BY entity_key"))
        .containsExactly("2026-01-02 10:00:00", "2026-01-03 10:00:00");
    assertThat(runs)
        .extracting(RunEvent::type)
        .contains(RunEvent.Type.STARTED, RunEvent.Type.SUCCEEDED);
    assertThat(runs.getLast().rejected())
        .isEqualTo(Map.of("null_join_key", 1L, "null_event_time", 1L, "after_as_of", 1L));
    assertThat(changes).singleElement().extracting(ChangeEvent::generation).isEqualTo(1L);
    LiveView live = OnlineStore.open(definitions.onlineStore()).liveViews().getFirst();
    assertThat(live.features()).extracting(Feature::name).containsExactly("n", "spent");
    assertThat(live.asOf()).isPresent();
  }

  @Test
  void run_changedRowsAndGoneEntity_areFollowed() throws Exception {
    fillOrders();
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      Run first = materializer.run("totals", RunRequest.now());
      source.execute(
          "DELETE FROM orders WHERE customer_id = 2; INSERT INTO orders VALUES (7, 3, 1.5, '2026-01-05Z')");

      Run second = materializer.run("totals", RunRequest.now());

      assertThat(first.rowsWritten()).contains(2L);
      assertThat(second.rowsWritten()).contains(2L);
    }
    assertThat(online("SELECT entity_key || ' ' || n FROM online_totals ORDER BY 1"))
        .containsExactly("1 2", "3 1");
    assertThat(online("SELECT keys::text FROM featureduck_changes WHERE generation = 2"))
        .containsExactly("[\"2\", \"3\"]");
  }

  @Test
  void takeUp_addedFeature_isNullUntilTheNextRunWhichIsFull() throws Exception {
    fillOrders();
    String more =
        TOTALS.replace(
            "\"alias\": \"n\"}",
            "\"alias\": \"n\"}, {\"function\": \"max\", \"column\": \"amount\", \"alias\": \"most\"}");
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      assertThat(materializer.run("totals", RunRequest.now()).rowsWritten()).contains(2L);
    }
    FeatureStore definitions = definitions(orders(), more);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = open(definitions)) {
      materializer.takeUp("totals");

      assertThat(store.liveView("totals").orElseThrow().features())
          .extracting(Feature::name)
          .containsExactly("n", "most", "spent");
      assertThat(store.registered("totals").live().orElseThrow().unfilled()).isTrue();
      assertThat(online("SELECT n, most FROM online_totals WHERE most IS NULL")).hasSize(2);

      Run run = materializer.run("totals", RunRequest.now());

      assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
      assertThat(run.kind()).isEqualTo(Run.Kind.FULL);
    }
    assertThat(store.registered("totals").live().orElseThrow().unfilled()).isFalse();
    assertThat(online("SELECT most FROM online_totals ORDER BY entity_key"))
        .containsExactly("10.50", "7.00");
  }

  /** Nobody can have applied what nobody wrote. */
  @ParameterizedTest
  @ValueSource(strings = {"", ", \"sql\": \"SELECT * FROM orders\""})
  void run_sourceOfAViewOfAllColumnsGetsOneMore_takesItUp(String sql) throws Exception {
    fillOrders();
    String view =
        "{\"name\": \"newest\", \"entities\": [\"customer\"], \"source\": \"orders\", \"ttl\": \"30000d\"%s}"
            .formatted(sql);
    FeatureStore definitions = definitions(orders(), view);
    FeatureStore shorter = definitions(orders(), view.replace("30000d", "20000d"));
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = open(definitions);
        Materializer other = open(shorter)) {
      assertThat(materializer.run("newest", RunRequest.now()).error()).isEmpty();
      try (Registrar registrar = store.registrar(Duration.ofSeconds(20))) {
        ViewChange change = other.plan(List.of(), false).changes().getFirst();
        assertThat(registrar.apply(change, "a test")).isEqualTo(Registrar.Applied.APPLIED);
      }
      source.execute("ALTER TABLE orders ADD COLUMN coupon INT; UPDATE orders SET coupon = 5");

      Run run = materializer.run("newest", RunRequest.now());

      assertThat(run.error()).isEmpty();
      assertThat(run.kind()).isEqualTo(Run.Kind.FULL);
      assertThat(materializer.run("newest", RunRequest.now()).error()).isEmpty();
    }
    assertThat(online("SELECT coupon FROM online_newest")).containsExactly("5", "5");
    LiveView live = store.liveView("newest").orElseThrow();
    assertThat(live.version()).isEqualTo(1);
    // What was applied stands.
    assertThat(live.ttl()).contains(Duration.ofDays(20_000));
  }

  @Test
  void run_sourceUnreachable_failsWithoutShowingThePassword() throws Exception {
    String away = orders().replace("port=" + source.port(), "port=1");
    try (Materializer materializer = open(definitions(away, TOTALS))) {
      Run run = materializer.run("totals", RunRequest.now());

      assertThat(run.status()).isEqualTo(Run.Status.FAILED);
      assertThat(run.errorCode()).contains("source_unavailable");
      assertThat(run.progress().orElseThrow().stage()).isEqualTo("planning");
      assertThat(run.error().orElseThrow()).contains("source orders: ").doesNotContain("geheim");
    }
  }

  @Test
  void run_columnIsNotThere_failsAndNamesTheNearest() throws Exception {
    fillOrders();
    String wrong = TOTALS.replace("\"amount\"", "\"amuont\"");
    try (Materializer materializer = open(definitions(orders(), wrong))) {
      Run run = materializer.run("totals", RunRequest.now());

      assertThat(run.errorCode()).contains("source_schema");
      assertThat(run.error().orElseThrow()).contains("/aggregations/1").contains("amount");
      assertThat(materializer.check("totals")).hasSize(1);
    }
  }

  @Test
  void run_unknownView_namesTheNearest() throws Exception {
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      assertThatThrownBy(() -> materializer.run("total", RunRequest.now()))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_VIEW))
          .hasMessageContaining("totals");
    }
  }

  @Test
  void run_asOf_leavesOutWhatCameLater() throws Exception {
    fillOrders();
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      Instant asOf = Instant.parse("2026-01-01T12:00:00Z");

      Run run =
          materializer.run("totals", new RunRequest(true, Optional.of(asOf), Optional.empty()));

      assertThat(run.upperBound()).contains(asOf);
    }
    assertThat(online("SELECT entity_key || ' ' || n FROM online_totals")).containsExactly("1 1");
  }

  @Test
  void run_inProgress_isRefusedAndCanBeCancelled() throws Exception {
    fillOrders();
    try (Materializer materializer = open(definitions(orders(), SLOW))) {
      ActiveRun active = materializer.begin("slow", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);

      assertThatThrownBy(() -> materializer.run("slow", RunRequest.now()))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> assertThat(e.code()).isEqualTo(ErrorCode.RUN_IN_PROGRESS));
      Run cancelled = materializer.cancel(active.runId());

      assertThat(cancelled.status()).isEqualTo(Run.Status.CANCELLED);
      assertThat(end.get(60, TimeUnit.SECONDS).status()).isEqualTo(Run.Status.CANCELLED);
      assertThat(materializer.cancel(active.runId())).isEqualTo(cancelled);
      assertThatThrownBy(() -> materializer.cancel(4_711))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_RUN))
          .hasMessage("there is no run 4711");
    }
    assertThat(online("SELECT count(*) FROM featureduck_watermarks")).containsExactly("0");
  }

  @Test
  void cancel_runOfAnotherProcess_endsItThere() throws Exception {
    fillOrders();
    FeatureStore definitions = definitions(orders(), SLOW);
    // Two materializers know nothing of each other, as two processes.
    try (Materializer there = open(definitions);
        Materializer here = open(definitions)) {
      ActiveRun active = there.begin("slow", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);

      Run cancelled = here.cancel(active.runId());

      assertThat(cancelled.status()).isEqualTo(Run.Status.CANCELLED);
      assertThat(cancelled.error()).contains("its cancellation was asked for");
      assertThat(end.get(60, TimeUnit.SECONDS)).isEqualTo(cancelled);
    }
  }

  @Test
  void cancel_runWhoseProcessIsGone_closesIt() throws Exception {
    FeatureStore definitions = definitions(orders(), TOTALS);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    try (Materializer materializer = open(definitions)) {
      long left;
      try (ViewLock lock = store.tryLock("totals").orElseThrow()) {
        left =
            lock.start(new RunStart(1, Run.Kind.FULL, "duckdb", Optional.empty(), "there"))
                .orElseThrow();
      }

      Run run = materializer.cancel(left);

      assertThat(run.status()).isEqualTo(Run.Status.CANCELLED);
      assertThat(run.error().orElseThrow())
          .startsWith("cancelled by ")
          .endsWith("nothing was heard any more of there");
    }
  }

  @Test
  void run_closedByAnotherProcess_endsAndLeavesTheRecordAsItIs() throws Exception {
    fillOrders();
    try (Materializer materializer = open(definitions(orders(), SLOW))) {
      ActiveRun active = materializer.begin("slow", RunRequest.now());
      List<RunEvent> events = new CopyOnWriteArrayList<>();
      materializer.listen(
          new RunListener() {
            @Override
            public void onRun(RunEvent event) {
              boolean ignored = events.add(event);
            }

            @Override
            public void onChange(ChangeEvent event) {}
          });
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      target.execute("UPDATE featureduck_runs SET status = 'failed', error = 'as the test wants'");

      assertThat(end.get(60, TimeUnit.SECONDS).error()).contains("as the test wants");
      assertThat(events.getLast().error().orElseThrow()).contains("another process has closed");
    }
  }

  @Test
  void run_storeConnectionBreaksWhileItWrites_isWrittenAgain() throws Exception {
    fillOrders();
    String many =
        """
        {"name": "many", "entities": ["customer"], "source": "orders",
         "sql": "SELECT i AS customer_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS ordered_at, sin(i) AS f FROM range(2000000) t(i)"}
        """;
    try (Materializer materializer = open(definitions(orders(), many))) {
      CompletableFuture<Run> end =
          CompletableFuture.supplyAsync(() -> materializer.run("many", RunRequest.now()));
      String terminate =
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY featureduck_run%'";
      while (!end.isDone() && online(terminate).isEmpty()) {
        Thread.onSpinWait();
      }

      Run run = end.get(120, TimeUnit.SECONDS);

      assertThat(run.error()).isEmpty();
      assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
      assertThat(run.rowsWritten()).contains(2_000_000L);
    }
    assertThat(online("SELECT count(*) FROM online_many")).containsExactly("2000000");
  }

  @Test
  void preview_oneEntity_computesAndWritesNothing() throws Exception {
    fillOrders();
    FeatureStore definitions = definitions(orders(), TOTALS);
    try (Materializer materializer = open(definitions)) {
      Preview preview = materializer.preview("totals", Optional.of("1"), Optional.empty());

      assertThat(preview.columns()).containsExactly("entity_key", "n", "spent", "event_timestamp");
      assertThat(preview.rows()).hasSize(1);
      assertThat(preview.rows().getFirst().subList(0, 3)).containsExactly("1", "2", "10.75");
    }
    assertThat(OnlineStore.open(definitions.onlineStore()).liveViews()).isEmpty();
  }

  @Test
  void sql_ofPostgresSource_scansItWithoutPassword() throws Exception {
    fillOrders();
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      assertThat(materializer.sql("totals", Optional.empty()))
          .contains("postgres_scan('")
          .contains("password=***")
          .doesNotContain("geheim");
    }
  }

  /** Who waits for the rows need not wait for what is cleared up behind them. */
  @Test
  void run_columnThatNoFeatureHas_isDroppedOnceTheEndIsTold() throws Exception {
    fillOrders();
    List<Long> columnsWhenTold = new CopyOnWriteArrayList<>();
    String odd =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'online_totals'::regclass AND attname = 'odd'";
    try (Materializer materializer = open(definitions(orders(), TOTALS))) {
      assertThat(materializer.run("totals", RunRequest.now()).error()).isEmpty();
      target.execute(
          "ALTER TABLE online_totals ADD COLUMN odd INT; UPDATE featureduck_history SET at = at - INTERVAL '3' SECOND");
      materializer.listen(
          new RunListener() {
            @Override
            public void onRun(RunEvent event) {
              if (event.type() == RunEvent.Type.SUCCEEDED) {
                columnsWhenTold.add(count());
              }
            }

            @Override
            public void onChange(ChangeEvent event) {
              columnsWhenTold.add(count());
            }

            private long count() {
              try {
                return Long.parseLong(online(odd).getFirst());
              } catch (SQLException e) {
                throw new IllegalStateException(e);
              }
            }
          });

      assertThat(materializer.run("totals", RunRequest.now()).error()).isEmpty();
    }
    assertThat(columnsWhenTold).containsExactly(1L, 1L);
    assertThat(online(odd)).containsExactly("0");
  }
}
