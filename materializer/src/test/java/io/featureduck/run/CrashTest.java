package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.SourceDatabase;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
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

/** A materializer that is killed leaves the store as it was before or after the run. */
/* Of the customers a few are in group 1, and some who come and go in group 2. Each change sets all of
 * group 1 to the next number, in which group 2 has the same number or is gone, by turns; and some
 * changes all of group 0 to another. So a mixture of two states is seen by any one statement.
 */
final class CrashTest {
  private static final int CUSTOMERS = 9_000;
  private static final int COMERS = 50;
  private static final long RUN_MILLIS = 1_200;
  private static final String STATE =
      """
      SELECT count(*) FILTER (WHERE spent <> most) AS torn,
        count(*) FILTER (WHERE team = 0) AS rest, count(DISTINCT spent) FILTER (WHERE team = 0) AS rests,
        count(*) FILTER (WHERE team = 1) AS few, count(DISTINCT spent) FILTER (WHERE team = 1) AS fews,
        max(spent) FILTER (WHERE team = 1) % 2 AS turn, count(*) FILTER (WHERE team = 2) AS comers,
        count(*) FILTER (WHERE team = 2 AND spent <> (SELECT max(spent) FROM online_totals WHERE team = 1)) AS strangers
      FROM online_totals
      """;

  @TempDir private Path directory = Path.of("");

  @Test
  void run_killedAtRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight() throws Exception {
    crash(SourceServer.POSTGRES, 10);
  }

  @Test
  void run_overMariaDbKilledAtRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight()
      throws Exception {
    crash(SourceServer.MARIADB, 5);
  }

  @Test
  @Tag("slow")
  void run_killedAtManyRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight() throws Exception {
    crash(SourceServer.POSTGRES, 500);
  }

  @Test
  @Tag("slow")
  void run_overMariaDbKilledAtManyRandomMoments_readersSeeWholeStatesAndTheNextRunIsRight()
      throws Exception {
    crash(SourceServer.MARIADB, 100);
  }

  private void crash(SourceServer server, int crashes) throws Exception {
    SourceDatabase source = server.newDatabase();
    TestPostgres.Database target = TestPostgres.newDatabase();
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
        assertThat(strayTables(target)).as("seed %d, crash %d", seed, i).isEmpty();
        assertThat(reader).as("seed %d, crash %d", seed, i).isNotCompletedExceptionally();
      }
      done.set(true);
      reader.get(30, TimeUnit.SECONDS);

      assertThat(reads.get()).isPositive();
      Run next = runOnceTheLockIsFree(materializer);
      assertThat(next.error()).isEmpty();
      assertThat(next.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(sum(target, "SELECT sum(spent) FROM online_totals"))
          .isEqualTo(sum(source, "SELECT sum(amount) FROM orders WHERE amount >= 0"));
      assertThat(
              sum(
                  target,
                  "SELECT rows - (SELECT count(*) FROM online_totals) FROM featureduck_watermarks"))
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
      assertThat(sum(target, "SELECT max(generation) - count(*) FROM featureduck_changes"))
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

  private Path config(SourceDatabase source, TestPostgres.Database target) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "%s", "connection_string": "%s",
           "schema": "%s", "table": "orders", "timestamp_field": "ordered_at",
           "cursor_field": "updated_at", "incremental": true, "allowed_lateness": "30s"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders",
           "filters": ["amount >= 0"],
           "aggregations": [{"function": "max", "column": "team", "alias": "team"},
             {"function": "sum", "column": "amount", "alias": "spent"},
             {"function": "max", "column": "amount", "alias": "most"}]}]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.sourceType(),
                source.connectionString(),
                source.schema()));
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

  private static void readUntil(
      TestPostgres.Database target, AtomicBoolean done, AtomicLong reads) {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      while (!done.get()) {
        try (ResultSet rows = statement.executeQuery(STATE)) {
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

  private static List<String> strayTables(TestPostgres.Database target) throws SQLException {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT coalesce(string_agg(relname, ', '), '') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'online_totals' AND (relname NOT LIKE 'featureduck\\_%' OR relname LIKE 'featureduck\\_run\\_%')")) {
      assertThat(rows.next()).isTrue();
      return rows.getString(1).isEmpty() ? List.of() : List.of(rows.getString(1));
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
