package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.SourceDatabase;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestStore;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A materializer that is killed leaves the store as it was before or after the run. */
/* Of the customers a few are in group 1, and some who come and go in group 2. Each change sets all of
 * group 1 to the next number, in which group 2 has the same number or is gone, by turns; and some
 * changes all of group 0 to another. So a mixture of two states is seen by any one statement.
 */
final class CrashTest {
  private static final int CUSTOMERS = 9_000;
  private static final int COMERS = 50;
  private static final long RUN_MILLIS = 1_200;
  @TempDir private Path directory = Path.of("");

  @ParameterizedTest
  @EnumSource(TestStore.Form.class)
  void run_killedAtRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight(TestStore.Form form)
      throws Exception {
    crash(SourceServer.POSTGRES, form, form == TestStore.Form.POSTGRES_TYPED ? 10 : 3);
  }

  @Test
  void run_overMariaDbKilledAtRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight()
      throws Exception {
    crash(SourceServer.MARIADB, TestStore.Form.POSTGRES_TYPED, 5);
  }

  @ParameterizedTest
  @EnumSource(TestStore.Form.class)
  @Tag("slow")
  void run_killedAtManyRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight(TestStore.Form form)
      throws Exception {
    crash(SourceServer.POSTGRES, form, form == TestStore.Form.POSTGRES_TYPED ? 500 : 100);
  }

  @Test
  @Tag("slow")
  void run_overMariaDbKilledAtManyRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight()
      throws Exception {
    crash(SourceServer.MARIADB, TestStore.Form.POSTGRES_TYPED, 100);
  }

  private static String state(TestStore target) {
    String rows =
        "(SELECT %s AS team, %s AS spent, %s AS most FROM online_totals)"
            .formatted(target.whole("team"), target.whole("spent"), target.whole("most"));
    return """
    SELECT count(CASE WHEN spent <> most THEN 1 END) AS torn,
      count(CASE WHEN team = 0 THEN 1 END) AS rest,
      count(DISTINCT CASE WHEN team = 0 THEN spent END) AS rests,
      count(CASE WHEN team = 1 THEN 1 END) AS few,
      count(DISTINCT CASE WHEN team = 1 THEN spent END) AS fews,
      mod(max(CASE WHEN team = 1 THEN spent END), 2) AS turn,
      count(CASE WHEN team = 2 THEN 1 END) AS comers,
      count(CASE WHEN team = 2
        AND spent <> (SELECT max(spent) FROM %1$s o WHERE team = 1) THEN 1 END) AS strangers
    FROM %1$s t
    """
        .formatted(rows);
  }

  private void crash(SourceServer server, TestStore.Form form, int crashes) throws Exception {
    SourceDatabase source = server.newDatabase();
    TestStore target = form.create();
    source.execute(orders(server));
    Path config = config(source, target);
    FeatureStore definitions = ConfigReader.read(config, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (Materializer materializer = Materializer.open(definitions, store)) {
      assertThat(materializer.run("totals", RunRequest.now()).status())
          .isEqualTo(Run.Status.SUCCEEDED);
      AtomicBoolean done = new AtomicBoolean();
      AtomicLong reads = new AtomicLong();
      CompletableFuture<Void> reader =
          CompletableFuture.runAsync(() -> readUntil(target, done, reads));

      for (int i = 0; i < crashes; i++) {
        killAfter(random.nextLong(RUN_MILLIS), config, source);
        assertThat(target.tables())
            .as("seed %d, crash %d", seed, i)
            .containsExactly("online_totals");
        assertThat(reader).as("seed %d, crash %d", seed, i).isNotCompletedExceptionally();
      }
      done.set(true);
      reader.get(30, TimeUnit.SECONDS);

      assertThat(reads.get()).isPositive();
      Run next = runOnceTheLockIsFree(materializer);
      assertThat(next.error()).isEmpty();
      assertThat(next.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(
              target.number("SELECT sum(%s) FROM online_totals".formatted(target.whole("spent"))))
          .isEqualTo(sum(source, "SELECT sum(amount) FROM orders WHERE amount >= 0"));
      assertThat(
              target.number(
                  "SELECT \"rows\" - (SELECT count(*) FROM online_totals) FROM featureduck_watermarks"))
          .isZero();
      Run anew =
          materializer.run("totals", new RunRequest(true, Optional.empty(), Optional.empty()));
      assertThat(anew.rowsWritten()).as("what a full run finds to be otherwise").contains(0L);
      List<Run> runs = store.runs(Optional.empty(), 100_000);
      assertThat(runs).extracting(Run::status).doesNotContain(Run.Status.RUNNING);
      assertThat(runs)
          .filteredOn(run -> run.status() == Run.Status.SUCCEEDED)
          .extracting(Run::kind)
          .contains(Run.Kind.FULL, Run.Kind.INCREMENTAL);
      assertThat(target.number("SELECT max(generation) - count(*) FROM featureduck_changes"))
          .isZero();
    }
  }

  private static String orders(SourceServer server) {
    return switch (server) {
      case POSTGRES ->
          """
          CREATE TABLE orders (customer_id INT PRIMARY KEY, team INT, amount BIGINT,
            ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
          CREATE INDEX ON orders (updated_at);
          INSERT INTO orders SELECT i, (i %% 50 = 7)::int, 0, '2026-01-01Z', '2026-01-01Z'
          FROM generate_series(1, %1$d) i;
          INSERT INTO orders SELECT 1000000 + i, 2, 0, '2026-01-01Z', '2026-01-01Z'
          FROM generate_series(1, %2$d) i
          """
              .formatted(CUSTOMERS, COMERS);
      case MARIADB ->
          """
          CREATE TABLE orders (customer_id INT PRIMARY KEY, team INT, amount BIGINT,
            ordered_at TIMESTAMP(6), updated_at TIMESTAMP(6), KEY (updated_at));
          INSERT INTO orders SELECT seq, seq %% 50 = 7, 0, '2026-01-01', '2026-01-01'
          FROM seq_1_to_%1$d;
          INSERT INTO orders SELECT 1000000 + seq, 2, 0, '2026-01-01', '2026-01-01'
          FROM seq_1_to_%2$d
          """
              .formatted(CUSTOMERS, COMERS);
    };
  }

  private Path config(SourceDatabase source, TestStore target) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": %s,
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "%s", "connection_string": "%s",
           "schema": "%s", "table": "orders", "timestamp_field": "ordered_at",
           "cursor_field": "updated_at", "incremental": true, "allowed_lateness": "30s"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders", "storage": "%s",
           "filters": ["amount >= 0"],
           "aggregations": [{"function": "max", "column": "team", "alias": "team"},
             {"function": "sum", "column": "amount", "alias": "spent"},
             {"function": "max", "column": "amount", "alias": "most"}]}]}
        """
            .formatted(
                target.json(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.sourceType(),
                source.connectionString(),
                source.schema(),
                target.form().storage().id()));
    return file;
  }

  private static void killAfter(long millis, Path config, SourceDatabase source) throws Exception {
    String classes =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    // DuckDB unpacks its library there, 60 MB that a process that is killed leaves behind.
    Path unpacked = Files.createDirectories(config.resolveSibling("unpacked"));
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "-XX:TieredStopAtLevel=1",
                    "-Duser.timezone=UTC",
                    "-Djava.io.tmpdir=" + unpacked,
                    "-cp",
                    classes,
                    CrashingMaterializer.class.getName(),
                    config.toString(),
                    source.server().name(),
                    source.address()))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      // After its first run, so that the moment lies within one of the next.
      String line = out.readLine();
      while (line != null && !line.equals("SUCCEEDED")) {
        line = out.readLine();
      }
      assertThat(line).isEqualTo("SUCCEEDED");
      boolean ignored = process.waitFor(millis, TimeUnit.MILLISECONDS);
    } finally {
      assertThat(process.destroyForcibly().waitFor(10, TimeUnit.SECONDS)).isTrue();
      try (DirectoryStream<Path> files = Files.newDirectoryStream(unpacked)) {
        for (Path file : files) {
          Files.delete(file);
        }
      }
    }
  }

  private static void readUntil(TestStore target, AtomicBoolean done, AtomicLong reads) {
    String state = state(target);
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      while (!done.get()) {
        try (ResultSet rows = statement.executeQuery(state)) {
          assertThat(rows.next()).isTrue();
          assertThat(rows.getLong("torn")).isZero();
          assertThat(rows.getLong("rest")).isEqualTo(CUSTOMERS - CUSTOMERS / 50);
          assertThat(rows.getLong("rests")).isOne();
          assertThat(rows.getLong("few")).isEqualTo(CUSTOMERS / 50);
          assertThat(rows.getLong("fews")).isOne();
          assertThat(rows.getLong("comers")).isEqualTo(rows.getLong("turn") == 0 ? COMERS : 0);
          assertThat(rows.getLong("strangers")).isZero();
        }
        long ignored = reads.incrementAndGet();
      }
    } catch (SQLException e) {
      throw new IllegalStateException("a reader got an error", e);
    }
  }

  private static Run runOnceTheLockIsFree(Materializer materializer) throws Exception {
    // The killed process' session ends on its own within moments.
    for (int i = 0; ; i++) {
      try {
        return materializer.run("totals", RunRequest.now());
      } catch (io.featureduck.error.FeatureException e) {
        if (i == 100) {
          throw e;
        }
        TimeUnit.MILLISECONDS.sleep(100);
      }
    }
  }

  private static long sum(SourceDatabase database, String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(1);
    }
  }
}
