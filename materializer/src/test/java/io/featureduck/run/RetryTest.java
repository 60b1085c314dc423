package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Progress;
import io.featureduck.store.Run;
import io.featureduck.store.RunStage;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestProxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What passes is tried again within the run, what doesn't is not. With real servers that do so. */
@Timeout(60)
final class RetryTest {
  private static final int ROWS = 200_000;

  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);
  private TestProxy toSource;
  private TestProxy toTarget;

  @BeforeEach
  void databases() throws Exception {
    source = TestPostgres.newDatabase();
    target = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE orders (customer_id INT, amount NUMERIC(10,2), ordered_at TIMESTAMPTZ);
        INSERT INTO orders SELECT i, 1, '2026-01-01Z' FROM generate_series(1, %d) i
        """
            .formatted(ROWS));
    toSource = new TestProxy(source.port());
    toTarget = new TestProxy(target.port());
  }

  @AfterEach
  void close() throws Exception {
    toSource.close();
    toTarget.close();
  }

  private Materializer open(String user) throws Exception {
    return open(user, "amount", 3);
  }

  private Materializer open(String user, String column, int retries) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "retries": %d, "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "schema": "public", "table": "orders", "timestamp_field": "ordered_at"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders",
           "aggregations": [{"function": "sum", "column": "%s", "alias": "spent"}]}]}
        """
            .formatted(
                new TestPostgres.Database(target.name(), toTarget.port()).url(),
                retries,
                TestDefinitions.materializer(directory).extensionDirectory(),
                new TestPostgres.Database(source.name(), toSource.port())
                    .connectionString()
                    .replace("user=postgres", "user=" + user),
                column));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    return Materializer.open(definitions, store);
  }

  private static Run run(Materializer materializer) {
    return materializer.run("totals", RunRequest.now());
  }

  private static void await(ActiveRun run, Predicate<Progress> moment) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!moment.test(run.progress().now())) {
      assertThat(System.nanoTime()).as("the moment never came").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  private static void awaitPauseAfter(ActiveRun run, int attempts) {
    await(run, now -> now.attempts() == attempts && now.stage().equals(RunStage.WAITING.id()));
  }

  private void assertWritten(Run run, int attempts) throws SQLException {
    assertThat(run.error()).isEmpty();
    assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(attempts(run)).isEqualTo(attempts);
    assertThat(number(target, "SELECT count(*) FROM online_totals")).isEqualTo(ROWS);
    assertThat(number(target, "SELECT max(generation) FROM featureduck_changes")).isEqualTo(1);
  }

  private static int attempts(Run run) {
    return run.progress().orElseThrow().attempts();
  }

  private static long number(TestPostgres.Database database, String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(1);
    }
  }

  @Test
  void run_sourceRefusesConnectionsForAWhile_succeeds() throws Exception {
    try (Materializer materializer = open("postgres")) {
      toSource.refuse(2);

      assertWritten(run(materializer), 3);
    }
  }

  @Test
  void run_sourceStaysAway_failsAfterTheLastRetry() throws Exception {
    try (Materializer materializer = open("postgres", "amount", 1)) {
      toSource.close();

      Run run = run(materializer);

      assertThat(run.status()).isEqualTo(Run.Status.FAILED);
      assertThat(run.errorCode()).contains("source_unavailable");
      assertThat(attempts(run)).isEqualTo(2);
    }
  }

  @Test
  void run_sourceConnectionIsCutWhileItIsRead_isReadAgain() throws Exception {
    try (Materializer materializer = open("postgres")) {
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      await(active, now -> now.stage().equals(RunStage.COMPUTING.id()));
      toSource.cut();

      assertWritten(end.get(30, TimeUnit.SECONDS), 2);
    }
  }

  @Test
  void run_sourceSessionIsTerminated_isReadAgain() throws Exception {
    try (Materializer materializer = open("postgres");
        Connection holder = source.connect();
        Statement statement = holder.createStatement()) {
      holder.setAutoCommit(false);
      boolean ignored = statement.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE");
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      // It reads, and waits for the lock: its session is in a statement for sure.
      String terminate =
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (number(source, terminate) == 0) {
        assertThat(System.nanoTime()).as("the run never read").isLessThan(deadline);
      }
      holder.rollback();

      assertWritten(end.get(30, TimeUnit.SECONDS), 2);
    }
  }

  @Test
  void run_sourceHasTooManyConnections_succeedsOnceThereIsRoom() throws Exception {
    String role = "crowded_" + source.name();
    source.execute(
        "CREATE ROLE %1$s LOGIN CONNECTION LIMIT 0; GRANT SELECT ON orders TO %1$s"
            .formatted(role));
    try (Materializer materializer = open(role)) {
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      awaitPauseAfter(active, 1);
      source.execute("ALTER ROLE " + role + " CONNECTION LIMIT -1");

      assertWritten(end.get(30, TimeUnit.SECONDS), 2);
    }
  }

  @Test
  void run_storeIsAwayForAWhile_succeeds() throws Exception {
    try (Materializer materializer = open("postgres")) {
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      toTarget.refuse(1);
      toTarget.cut();

      Run run = active.finish();

      assertWritten(run, attempts(run));
      assertThat(attempts(run)).isBetween(2, 3);
    }
  }

  @Test
  void run_storeConnectionIsAbandonedInTheCopy_takesItsLockBack() throws Exception {
    try (Materializer materializer = open("postgres")) {
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      await(active, now -> now.stage().equals(RunStage.COPYING.id()));
      // The server doesn't hear of it: its session goes on to hold the lock and the watermark.
      toTarget.abandon();

      assertWritten(end.get(30, TimeUnit.SECONDS), 2);
    }
  }

  @Test
  void run_deadlockInTheStore_isWrittenAgain() throws Exception {
    try (Materializer materializer = open("postgres");
        Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      assertWritten(run(materializer), 1);
      source.execute("UPDATE orders SET amount = 2 WHERE customer_id = 7");
      connection.setAutoCommit(false);
      // It will not be the victim: it waits for longer before it looks for a deadlock.
      boolean ignored = statement.execute("SET deadlock_timeout = '20s'");
      int locked =
          statement.executeUpdate("UPDATE online_totals SET spent = spent WHERE entity_key = '7'");
      assertThat(locked).isEqualTo(1);
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      await(active, now -> now.stage().equals(RunStage.WRITING.id()));

      locked = statement.executeUpdate("UPDATE featureduck_watermarks SET rows = rows");
      connection.rollback();

      assertThat(locked).isEqualTo(1);
      Run run = end.get(30, TimeUnit.SECONDS);
      assertThat(run.error()).isEmpty();
      assertThat(run.rowsWritten()).contains(1L);
      assertThat(attempts(run)).isEqualTo(2);
    }
  }

  @Test
  void run_cancelledInThePauseBeforeARetry_endsAtOnce() throws Exception {
    try (Materializer materializer = open("postgres")) {
      toSource.close();
      ActiveRun active = materializer.begin("totals", RunRequest.now());
      CompletableFuture<Run> end = CompletableFuture.supplyAsync(active::finish);
      awaitPauseAfter(active, 3);
      long start = System.nanoTime();

      Run cancelled = materializer.cancel(active.runId());

      assertThat(cancelled.status()).isEqualTo(Run.Status.CANCELLED);
      assertThat(end.get(30, TimeUnit.SECONDS)).isEqualTo(cancelled);
      // The pause would have been of 4 s at least.
      assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(3));
    }
  }

  @Test
  void run_wrongPassword_isNotTriedAgain() throws Exception {
    String role = "guarded_" + source.name();
    source.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'right'");
    demandPassword(role);
    try (Materializer materializer = open(role + " password=wrong")) {
      assertFailedAtOnce(run(materializer), "source_unavailable", "password authentication failed");
    }
  }

  /** Has the server ask a role for its password: the others may come in without. */
  private void demandPassword(String role) throws Exception {
    String file;
    try (Connection connection = source.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SHOW hba_file")) {
      assertThat(rows.next()).isTrue();
      file = rows.getString(1);
    }
    String rules = Files.readString(Path.of(file));
    Files.writeString(
        Path.of(file), "host all %s 127.0.0.1/32 scram-sha-256\n%s".formatted(role, rules));
    source.execute("SELECT pg_reload_conf()");
    awaitRefusal(role);
  }

  private void awaitRefusal(String role) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (System.nanoTime() < end) {
      try (Connection ignored =
          DriverManager.getConnection(
              "jdbc:postgresql://127.0.0.1:%d/%s?user=%s&password=wrong"
                  .formatted(source.port(), source.name(), role))) {
        Thread.onSpinWait();
      } catch (SQLException e) {
        assertThat(e.getSQLState()).isEqualTo("28P01");
        return;
      }
    }
    throw new AssertionError("the server doesn't ask for a password");
  }

  @Test
  void run_unknownRole_isNotTriedAgain() throws Exception {
    try (Materializer materializer = open("nobody")) {
      assertFailedAtOnce(run(materializer), "source_unavailable", "nobody");
    }
  }

  @Test
  void run_permissionDenied_isNotTriedAgain() throws Exception {
    String role = "stranger_" + source.name();
    source.execute("CREATE ROLE " + role + " LOGIN");
    try (Materializer materializer = open(role)) {
      assertFailedAtOnce(run(materializer), "source_unavailable", "permission denied");
    }
  }

  @Test
  void run_tableIsNotThere_isNotTriedAgain() throws Exception {
    source.execute("ALTER TABLE orders RENAME TO bills");
    try (Materializer materializer = open("postgres")) {
      assertFailedAtOnce(run(materializer), "source_schema", "public.orders");
    }
  }

  @Test
  void run_columnIsNotThere_isNotTriedAgain() throws Exception {
    try (Materializer materializer = open("postgres", "price", 3)) {
      assertFailedAtOnce(run(materializer), "source_schema", "price");
    }
  }

  @Test
  void run_valueOutOfRange_isNotTriedAgain() throws Exception {
    source.execute("INSERT INTO orders VALUES (1, 'NaN', '2026-01-01Z')");
    try (Materializer materializer = open("postgres")) {
      assertFailedAtOnce(run(materializer), "value_out_of_range", "NaN");
    }
  }

  @Test
  void run_storeRefusesAStatement_isNotTriedAgain() throws Exception {
    try (Materializer materializer = open("postgres")) {
      target.execute("CREATE VIEW online_totals AS SELECT 1 AS one");

      assertFailedAtOnce(run(materializer), "store_unavailable", "refused a statement");
    }
  }

  private static void assertFailedAtOnce(Run run, String code, String words) {
    assertThat(run.status()).isEqualTo(Run.Status.FAILED);
    assertThat(run.errorCode()).contains(code);
    assertThat(run.error().orElseThrow()).contains(words);
    assertThat(attempts(run)).isEqualTo(1);
  }
}
