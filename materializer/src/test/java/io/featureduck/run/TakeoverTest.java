package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestStore;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A materializer that stands still, or loses its lock, in mid-run: another one may take the view
 * over, the first one's rows are never written over the other's, and nothing is lost or doubled.
 * The first one is a process that is stopped and continued; the other is this test.
 */
@Execution(ExecutionMode.CONCURRENT)
@Timeout(180)
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_TYPED", "MYSQL_TYPED"})
final class TakeoverTest {
  private static final int CUSTOMERS = 150_000;

  private static final String READING = "SELECT 1 FROM featureduck_runs WHERE status = 'running'";

  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private final TestStore target;
  private Path config = Path.of("config.json");
  private FeatureStore definitions;
  private OnlineStore store;
  private Materializer other;
  private final ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread::new);
  private final AtomicBoolean done = new AtomicBoolean();
  private Process process;
  private BufferedReader answers;
  private BufferedWriter orders;

  TakeoverTest(TestStore.Form form) throws Exception {
    this.target = form.create();
  }

  /** Rows are to be written, and none has come yet: DuckDB computes. */
  private String computing() {
    return switch (target.form().type()) {
      case POSTGRES ->
          "SELECT 1 FROM pg_stat_progress_copy WHERE datname = current_database() AND tuples_processed = 0";
      // Who asks for the row that the fence holds is refused at once.
      case MYSQL -> "SELECT 1 FROM featureduck_watermarks WHERE run_id < 0 FOR UPDATE NOWAIT";
    };
  }

  private String copying() {
    return switch (target.form().type()) {
      case POSTGRES ->
          "SELECT 1 FROM pg_stat_progress_copy WHERE datname = current_database() AND tuples_processed > 5000";
      case MYSQL ->
          "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = database() AND INFO LIKE 'INSERT INTO stage%'";
    };
  }

  /** All rows are with the store, and their transaction is not committed. */
  private String committing() {
    return switch (target.form().type()) {
      case POSTGRES ->
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LOCK TABLE online_totals%'";
      case MYSQL ->
          "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = database() AND INFO LIKE 'UPDATE difference%'";
    };
  }

  @BeforeEach
  void start() throws Exception {
    source = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE orders (customer_id INT, amount BIGINT, ordered_at TIMESTAMPTZ);
        INSERT INTO orders SELECT i, 0, '2026-01-01Z' FROM generate_series(1, %d) i
        """
            .formatted(CUSTOMERS));
    config = config();
    definitions = ConfigReader.read(config, Map.of());
    store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    other = Materializer.open(definitions, store);
    process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "-XX:TieredStopAtLevel=1",
                    "-Duser.timezone=UTC",
                    "-Djava.io.tmpdir=" + config.getParent(),
                    "-cp",
                    System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path")),
                    SteeredMaterializer.class.getName(),
                    config.toString()))
            .redirectErrorStream(true)
            .start();
    answers = process.inputReader(StandardCharsets.UTF_8);
    orders = process.outputWriter(StandardCharsets.UTF_8);
    assertThat(answer()).isEqualTo("ready");
    runThere();
    assertThat(answer()).endsWith(" succeeded -");
  }

  @AfterEach
  void end() throws Exception {
    done.set(true);
    other.close();
    assertThat(process.destroyForcibly().waitFor(10, TimeUnit.SECONDS)).isTrue();
  }

  private Path config() throws IOException {
    Path file = directory.resolve("config.json");
    return Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": %s,
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "run_lease": "3s", "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "schema": "public", "table": "orders", "timestamp_field": "ordered_at"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders",
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"},
             {"function": "max", "column": "amount", "alias": "most"}]}]}
        """
            .formatted(
                target.json(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString()));
  }

  private void runThere() throws IOException {
    orders.write("totals\n");
    orders.flush();
  }

  /** Returns what the process says next, apart from what it logs. */
  private String answer() throws Exception {
    return threads.submit(this::nextAnswer).get(40, TimeUnit.SECONDS);
  }

  private String nextAnswer() throws IOException {
    StringBuilder log = new StringBuilder();
    for (String line = answers.readLine(); line != null; line = answers.readLine()) {
      if (line.startsWith("> ")) {
        return line.substring(2);
      }
      log.append(line).append('\n');
    }
    throw new AssertionError("the process ended:\n" + log);
  }

  private void signal(String name) throws Exception {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    assertThat(kill.waitFor()).isZero();
  }

  @Test
  void run_stoppedWhileItReads_isTakenOver() throws Exception {
    stopAndTakeOver(READING);
  }

  @Test
  void run_stoppedWhileItComputes_isTakenOver() throws Exception {
    stopAndTakeOver(computing());
  }

  @Test
  void run_stoppedInTheMidstOfTheCopy_isTakenOver() throws Exception {
    stopAndTakeOver(copying());
  }

  @Test
  void run_stoppedBeforeTheCommit_isTakenOver() throws Exception {
    // Who reads the table keeps its swap waiting, and with it the transaction that wrote all rows.
    try (Connection reader = target.connect();
        Statement statement = reader.createStatement()) {
      reader.setAutoCommit(false);
      boolean read = statement.execute("SELECT 1 FROM online_totals LIMIT 1");
      assertThat(read).isTrue();
      changeAndRunThere();
      await(committing());
      signal("STOP");
    }
    long first = runId();
    takeOver(first);
  }

  @Test
  @Tag("slow")
  void run_stoppedAtRandomMoments_isTakenOverOrSucceeds() throws Exception {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int i = 0; i < 20; i++) {
      changeAndRunThere();
      await(READING);
      assertThat(process.waitFor(random.nextLong(1_500), TimeUnit.MILLISECONDS)).isFalse();
      signal("STOP");
      long first = store.runs(Optional.of("totals"), 1).getFirst().runId();
      Run taken = runHere();
      assertThat(taken.status()).as("seed %d, stop %d", seed, i).isEqualTo(Run.Status.SUCCEEDED);
      signal("CONT");
      assertThat(answer()).as("seed %d, stop %d", seed, i).startsWith(first + " ");
      assertWholeAndRight();
    }
  }

  @Test
  void run_lockConnectionIsCut_isWrittenAllTheSame() throws Exception {
    changeAndRunThere();
    await(copying());
    long first = runId();
    cutLock();

    assertThat(answer()).isEqualTo(first + " succeeded -");
    assertWholeAndRight();
  }

  @Test
  void run_lockConnectionIsCutAndAnotherTakesOver_isStoppedByTheFence() throws Exception {
    for (String moment : List.of(READING, computing(), copying())) {
      changeAndRunThere();
      await(moment);
      long first = runId();
      cutLock();
      Run taken = runHere();

      assertThat(taken.status()).isEqualTo(Run.Status.SUCCEEDED);
      assertThat(answer()).isIn(first + " failed internal", first + " failed locked");
      Run ended = store.run(first).orElseThrow();
      assertThat(ended.error().orElseThrow()).contains("gone, or has lost its connection");
      assertWholeAndRight();
      runThere();
      assertThat(answer()).endsWith(" succeeded -");
    }
  }

  private void stopAndTakeOver(String moment) throws Exception {
    changeAndRunThere();
    await(moment);
    signal("STOP");
    takeOver(runId());
  }

  /** What follows once the process stands still in the midst of {@code first}. */
  private void takeOver(long first) throws Exception {
    Future<?> reader = threads.submit(this::readUntilDone);

    Run taken = runHere();

    assertThat(taken.error()).isEmpty();
    assertThat(taken.status()).isEqualTo(Run.Status.SUCCEEDED);
    assertWholeAndRight();
    Run before = store.run(first).orElseThrow();
    assertThat(before.status()).isEqualTo(Run.Status.FAILED);
    assertThat(before.errorCode()).contains("locked");
    assertThat(before.error().orElseThrow()).contains("taken over by " + taken.host());
    source.execute("UPDATE orders SET amount = amount + 1 WHERE customer_id % 7 = 3");

    signal("CONT");

    assertThat(answer()).isEqualTo(first + " failed locked");
    assertThat(store.run(first)).contains(before);
    assertThat(target.number("SELECT max(run_id) FROM featureduck_watermarks"))
        .isEqualTo(taken.runId());
    runThere();
    assertThat(answer()).endsWith(" succeeded -");
    done.set(true);
    assertThat(reader.get(30, TimeUnit.SECONDS)).isNull();
    assertWholeAndRight();
    assertThat(target.number("SELECT count(*) FROM featureduck_runs WHERE status = 'running'"))
        .isZero();
  }

  private void changeAndRunThere() throws Exception {
    source.execute("UPDATE orders SET amount = amount + 1");
    runThere();
  }

  private Run runHere() {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      try {
        return other.run("totals", RunRequest.now());
      } catch (FeatureException e) {
        assertThat(e.code()).isEqualTo(ErrorCode.RUN_IN_PROGRESS);
        assertThat(System.nanoTime()).as("nobody may run the view").isLessThan(end);
      }
    }
  }

  private long runId() {
    Run newest = store.runs(Optional.of("totals"), 1).getFirst();
    assertThat(newest.status()).isEqualTo(Run.Status.RUNNING);
    return newest.runId();
  }

  private void cutLock() throws SQLException {
    switch (target.form().type()) {
      case POSTGRES ->
          assertThat(
                  target.query(
                      """
                      SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
                      WHERE l.locktype = 'advisory' AND l.database =
                        (SELECT oid FROM pg_database WHERE datname = current_database())
                      """))
              .containsExactly("t");
      case MYSQL -> {
        // And the heartbeat's, which is opened anew.
        for (String session :
            target.query(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = database() AND ID <> connection_id()")) {
          killIfThere(session);
        }
      }
    }
  }

  private void killIfThere(String session) throws SQLException {
    try {
      target.execute("KILL " + session);
    } catch (SQLException e) {
      assertThat(e.getErrorCode()).as("no such session").isEqualTo(1094);
    }
  }

  private void await(String moment) throws SQLException {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (System.nanoTime() < end) {
        try (ResultSet rows = statement.executeQuery(moment)) {
          if (rows.next()) {
            return;
          }
        } catch (SQLException e) {
          assertThat(e.getErrorCode()).as("a lock that is held").isEqualTo(1205);
          return;
        }
      }
      throw new AssertionError("the moment never came: " + moment);
    }
  }

  /** Whoever reads sees every customer, and each one's row whole. */
  private void readUntilDone() {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      while (!done.get()) {
        try (ResultSet rows =
            statement.executeQuery(
                "SELECT count(*), count(CASE WHEN spent <> most THEN 1 END) FROM online_totals")) {
          assertThat(rows.next()).isTrue();
          assertThat(rows.getLong(1)).isEqualTo(CUSTOMERS);
          assertThat(rows.getLong(2)).isZero();
        }
      }
    } catch (SQLException e) {
      throw new IllegalStateException("a reader got an error", e);
    }
  }

  private void assertWholeAndRight() throws SQLException {
    assertThat(target.number("SELECT sum(spent) FROM online_totals")).isEqualTo(sourceSum());
    assertThat(target.number("SELECT count(*) FROM online_totals")).isEqualTo(CUSTOMERS);
    assertThat(target.number("SELECT max(generation) - count(*) FROM featureduck_changes"))
        .isZero();
    assertThat(target.tables()).containsExactly("online_totals");
  }

  private long sourceSum() throws SQLException {
    try (Connection connection = source.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT sum(amount) FROM orders")) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(1);
    }
  }
}
