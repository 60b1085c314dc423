package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.CuttingProxy;
import io.featureduck.testing.CuttingProxy.Cut;
import io.featureduck.testing.SourceDatabase;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection of a run is cut between each pair of its steps: at the first statement, at the
 * second, and so on, until a run comes through. The store is then as before or after the run.
 */
final class CutConnectionTest {
  private static final Logger LOG = LoggerFactory.getLogger(CutConnectionTest.class);

  private static final int CUSTOMERS = 12;
  private static final int MESSAGES_MAX = 400;
  private static final String ONLINE =
      "SELECT string_agg(format('%s %s %s', entity_key, spent, most), E'\\n' ORDER BY entity_key) FROM online_totals";
  private static final String TOTALS =
      "(SELECT customer_id, sum(amount) AS spent, max(amount) AS most FROM orders WHERE amount >= 0 GROUP BY customer_id) o";
  private static final String AT_WORK =
      "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'featureduck' AND (state <> 'idle' OR xact_start IS NOT NULL))"
          + " + (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database())";
  private static final String STRAY =
      "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'online_totals' AND (relname NOT LIKE 'featureduck\\_%' OR relname LIKE 'featureduck\\_run\\_%')";

  /** Has a MySQL client send what the proxy can read. */
  private static final String READABLE = " ssl_mode=disabled compression=disabled";

  @TempDir private Path directory = Path.of("");

  private SourceDatabase source = new TestPostgres.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);
  private Optional<CuttingProxy> madeToSource = Optional.empty();
  private CuttingProxy toTarget;
  private int round;

  @BeforeEach
  void databases() throws Exception {
    target = TestPostgres.newDatabase();
    toTarget = new CuttingProxy(SourceServer.POSTGRES, target.port());
  }

  private CuttingProxy toSource() {
    return madeToSource.orElseThrow();
  }

  private void makeSource(SourceServer server) throws Exception {
    source = server.newDatabase();
    madeToSource = Optional.of(new CuttingProxy(server, source.port()));
    source.execute(
        switch (server) {
          case POSTGRES ->
              """
              CREATE TABLE orders (customer_id INT, amount BIGINT, ordered_at TIMESTAMPTZ,
                updated_at TIMESTAMPTZ);
              CREATE INDEX ON orders (updated_at);
              INSERT INTO orders SELECT i, 0, '2026-01-01Z', '2026-01-01Z' FROM generate_series(1, %d) i
              """
                  .formatted(CUSTOMERS);
          case MARIADB ->
              """
              CREATE TABLE orders (customer_id INT, amount BIGINT, ordered_at TIMESTAMP(6),
                updated_at TIMESTAMP(6), KEY (updated_at));
              INSERT INTO orders SELECT seq, 0, '2026-01-01', '2026-01-01' FROM seq_1_to_%d
              """
                  .formatted(CUSTOMERS);
        });
  }

  @AfterEach
  void close() throws Exception {
    toSource().close();
    toTarget.close();
  }

  @ParameterizedTest
  @CsvSource({"true, BEFORE", "false, AFTER"})
  void run_storeIsCutAtEachStep_leavesItBeforeOrAfter(boolean full, Cut cut) throws Exception {
    makeSource(SourceServer.POSTGRES);
    try (Materializer materializer = open(0, "")) {
      cutAtEach(materializer, toTarget, full, cut, 1, 1);
    }
  }

  @ParameterizedTest
  @CsvSource({"true, AFTER", "false, BEFORE"})
  void run_sourceIsCutAtEachStep_leavesTheStoreBeforeOrAfter(boolean full, Cut cut)
      throws Exception {
    makeSource(SourceServer.POSTGRES);
    try (Materializer materializer = open(0, "")) {
      cutAtEach(materializer, toSource(), full, cut, 1, 1);
    }
  }

  @ParameterizedTest
  @CsvSource("false, BEFORE")
  void run_mariaDbIsCutAtEachStep_leavesTheStoreBeforeOrAfter(boolean full, Cut cut)
      throws Exception {
    makeSource(SourceServer.MARIADB);
    try (Materializer materializer = open(0, READABLE)) {
      cutAtEach(materializer, toSource(), full, cut, 1, 1);
    }
  }

  @ParameterizedTest
  @CsvSource("false, AFTER")
  void run_mariaDbIsCutOnce_succeedsBySecondAttempt(boolean full, Cut cut) throws Exception {
    makeSource(SourceServer.MARIADB);
    try (Materializer materializer = open(1, READABLE)) {
      cutAtEach(materializer, toSource(), full, cut, 1, 7);
    }
  }

  /**
   * Over TLS, which the client takes if it can, a connection that is gone is told in other words.
   */
  @ParameterizedTest
  @CsvSource({
    "true, BEFORE, 1, false",
    "true, AFTER, 1, false",
    "true, FROZEN, 1, false",
    "true, WITHIN, 1, false",
    "false, BEFORE, 1, false",
    "false, AFTER, 1, false",
    "false, FROZEN, 1, false",
    "false, WITHIN, 1, false",
    "true, BEFORE, 1, true",
    "true, AFTER, 1, true",
    "true, WITHIN, 1, true",
    "false, BEFORE, 1, true",
    "false, AFTER, 1, true",
    "false, WITHIN, 1, true",
    "true, AFTER, 2, false",
    "false, BEFORE, 2, false"
  })
  @Tag("slow")
  void run_mariaDbIsCutAtEachStep_succeedsBySecondAttemptOrLeavesTheStoreAsItWas(
      boolean full, Cut cut, int times, boolean overTls) throws Exception {
    makeSource(SourceServer.MARIADB);
    try (Materializer materializer = open(1, overTls ? " ssl_mode=required" : READABLE)) {
      cutAtEach(materializer, toSource(), full, cut, times, 1);
    }
  }

  @ParameterizedTest
  @CsvSource({"true, AFTER", "false, BEFORE"})
  void run_storeIsCutOnce_succeedsBySecondAttempt(boolean full, Cut cut) throws Exception {
    makeSource(SourceServer.POSTGRES);
    try (Materializer materializer = open(2, "")) {
      cutAtEach(materializer, toTarget, full, cut, 1, 7);
    }
  }

  @ParameterizedTest
  @CsvSource("false, AFTER")
  void run_storeIsCutInEachAttempt_leavesItBeforeOrAfter(boolean full, Cut cut) throws Exception {
    makeSource(SourceServer.POSTGRES);
    try (Materializer materializer = open(1, "")) {
      cutAtEach(materializer, toTarget, full, cut, 2, 9);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "true, BEFORE, 1",
    "true, AFTER, 1",
    "true, FROZEN, 1",
    "true, WITHIN, 1",
    "false, BEFORE, 1",
    "false, AFTER, 1",
    "false, FROZEN, 1",
    "false, WITHIN, 1",
    "true, AFTER, 2",
    "false, AFTER, 2",
    "false, BEFORE, 2"
  })
  @Tag("slow")
  void run_eitherIsCutAtEachStep_leavesTheStoreBeforeOrAfter(boolean full, Cut cut, int times)
      throws Exception {
    makeSource(SourceServer.POSTGRES);
    try (Materializer materializer = open(1, "")) {
      cutAtEach(materializer, toTarget, full, cut, times, 1);
      cutAtEach(materializer, toSource(), full, cut, times, 1);
    }
  }

  private void cutAtEach(
      Materializer materializer, CuttingProxy proxy, boolean full, Cut cut, int times, int stride)
      throws Exception {
    assertThat(materializer.run("totals", RunRequest.now()).error()).isEmpty();
    boolean retried = materializer.definitions().materializer().retries() >= times;
    int succeeded = 0;
    for (int message = 1; ; message += stride) {
      assertThat(message).as("no run came through").isLessThan(MESSAGES_MAX);
      String what = "%s at message %d, full %s, %d times".formatted(cut, message, full, times);
      change();
      String before = text(target, ONLINE);
      long generation = number(target, "SELECT max(generation) FROM featureduck_changes");
      proxy.cutAt(message, cut, times);

      Optional<Run> run = run(materializer, full);

      LOG.info("{}: {} {}", what, run.map(Run::status), run.flatMap(Run::error));
      boolean whole = proxy.heal() == times;
      await(what);
      String after = text(source, expected());
      String online = text(target, ONLINE);
      long now = number(target, "SELECT max(generation) FROM featureduck_changes");
      assertThat(online).as(what).isIn(before, after);
      assertThat(now).as(what).isEqualTo(generation + (online.equals(after) ? 1 : 0));
      assertThat(number(target, "SELECT count(*) FROM featureduck_changes")).isEqualTo(now);
      assertThat(text(target, STRAY)).as(what).isEmpty();
      if (run.isPresent() && run.get().status() == Run.Status.SUCCEEDED) {
        assertThat(online).as(what).isEqualTo(after);
        succeeded++;
      } else if (run.isPresent()) {
        assertThat(retried).as("%s: %s", what, run.get().error()).isFalse();
      }

      Run next = materializer.run("totals", RunRequest.now());

      assertThat(next.error()).as(what).isEmpty();
      assertThat(next.kind()).as(what).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(text(target, ONLINE)).as(what).isEqualTo(after);
      if (whole) {
        assertThat(run.map(Run::kind)).contains(full ? Run.Kind.FULL : Run.Kind.INCREMENTAL);
        LOG.info("{}: came through; {} of the runs before succeeded", what, succeeded - 1);
        return;
      }
    }
  }

  /** Returns the SELECT of what the online table is to be. */
  private String expected() {
    return switch (source.server()) {
      case POSTGRES ->
          "SELECT string_agg(format('%s %s %s', customer_id::text, spent, most), E'\\n' ORDER BY customer_id::text COLLATE \"C\") FROM "
              + TOTALS;
      case MARIADB ->
          "SELECT group_concat(concat_ws(' ', customer_id, spent, most) ORDER BY CAST(customer_id AS BINARY) SEPARATOR '\n') FROM "
              + TOTALS;
    };
  }

  /** Every round some customers change, one comes or goes, and one is new. */
  private void change() throws SQLException {
    round++;
    String clock =
        switch (source.server()) {
          case POSTGRES -> "clock_timestamp()";
          case MARIADB -> "sysdate(6)";
        };
    source.execute(
        """
        UPDATE orders SET amount = %1$d, updated_at = %2$s WHERE customer_id < 4;
        UPDATE orders SET amount = %1$d * CASE WHEN amount < 0 THEN 1 ELSE -1 END,
          updated_at = %2$s WHERE customer_id = 5;
        INSERT INTO orders VALUES (100 + %1$d, 1, '2026-01-02', %2$s)
        """
            .formatted(round, clock));
  }

  /** Returns the run as it ended, or empty where it could not even be noted. */
  private static Optional<Run> run(Materializer materializer, boolean full) {
    try {
      return Optional.of(
          materializer.run("totals", new RunRequest(full, Optional.empty(), Optional.empty())));
    } catch (FeatureException e) {
      assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
      return Optional.empty();
    }
  }

  /** Waits for the sessions that were cut to end. */
  private void await(String what) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (number(target, AT_WORK) > 0) {
      assertThat(System.nanoTime()).as("%s: a session does not end", what).isLessThan(end);
      Thread.onSpinWait();
    }
  }

  private static long number(SourceDatabase database, String select) throws SQLException {
    return Long.parseLong(text(database, select));
  }

  private static String text(SourceDatabase database, String select) throws SQLException {
    List<String> texts = new ArrayList<>();
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      while (rows.next()) {
        String value = rows.getString(1);
        texts.add(value == null ? "" : value);
      }
    }
    return texts.getFirst();
  }

  /**
   * @param more what is added to the source's address
   */
  private Materializer open(int retries, String more) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "retries": %d, "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "%s", "connection_string": "%s",
           "schema": "%s", "table": "orders", "timestamp_field": "ordered_at",
           "cursor_field": "updated_at", "incremental": true, "allowed_lateness": "0s"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders",
           "filters": ["amount >= 0"],
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"},
             {"function": "max", "column": "amount", "alias": "most"}]}]}
        """
            .formatted(
                target.behind(toTarget.port()).url(),
                retries,
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.sourceType(),
                source.behind(toSource().port()).connectionString() + more,
                source.schema()));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    return Materializer.open(definitions, store);
  }
}
