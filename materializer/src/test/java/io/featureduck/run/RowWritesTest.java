package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Postgres itself counts of the rows that runs write. */
final class RowWritesTest {
  private static final int CUSTOMERS = 10_000;
  private static final int CHANGED = CUSTOMERS / 100;

  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database database = new TestPostgres.Database("none", 0);
  private Materializer materializer;

  @BeforeEach
  void materialize() throws Exception {
    database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (customer_id INT PRIMARY KEY, amount BIGINT, updated_at TIMESTAMPTZ);
        CREATE INDEX ON orders (updated_at);
        INSERT INTO orders SELECT i, i, '2026-01-01Z' FROM generate_series(1, %d) i
        """
            .formatted(CUSTOMERS));
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "table": "orders", "timestamp_field": "updated_at", "incremental": true}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders",
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"}]}]}
        """
            .formatted(
                database.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                database.connectionString()));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
    Run ignored = run(true);
    // So that what the tests count isn't vacuumed away meanwhile.
    database.execute("ALTER TABLE online_totals SET (autovacuum_enabled = off)");
  }

  @AfterEach
  void close() {
    materializer.close();
  }

  @Test
  void run_hundredthOfTheRowsChanged_writesThoseInPlace() throws Exception {
    database.execute(
        "UPDATE orders SET amount = -amount, updated_at = now() WHERE customer_id % 100 = 7");

    Run run = run(false);

    assertThat(run.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(run.rowsWritten()).contains((long) CHANGED);
    // All of them beside their old versions, so that the key's index was not written to.
    awaitCounts(
        "%d updated, %d of them in place, 0 deleted, %d dead".formatted(CHANGED, CHANGED, CHANGED));
    // Reading pages clears them of old versions.
    assertThat(updatedSinceTheFirst()).isEqualTo(CHANGED);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void run_nothingChanged_writesNothing(boolean full) throws Exception {
    Run run = run(full);

    assertThat(run.rowsWritten()).contains(0L);
    assertThat(updatedSinceTheFirst()).isZero();
    awaitCounts("0 updated, 0 of them in place, 0 deleted, 0 dead");
  }

  /** Rows that were touched and came out the same. */
  @Test
  void run_rowsWrittenAnewAndTheSame_writesNoFeatures() throws Exception {
    database.execute("UPDATE orders SET amount = amount WHERE customer_id % 100 = 7");

    assertThat(run(true).rowsWritten()).contains(0L);

    awaitCounts("0 updated, 0 of them in place, 0 deleted, 0 dead");
  }

  private Run run(boolean full) {
    Run run = materializer.run("totals", new RunRequest(full, Optional.empty(), Optional.empty()));
    assertThat(run.error()).isEmpty();
    return run;
  }

  private long updatedSinceTheFirst() throws SQLException {
    return Long.parseLong(
        text(
            """
            SELECT count(*) FROM online_totals WHERE updated_at >
              (SELECT finished_at FROM featureduck_runs ORDER BY run_id LIMIT 1)
            """));
  }

  /** A session's counts are known once it has ended, or a moment later. */
  private void awaitCounts(String expected) throws Exception {
    String select =
        """
        SELECT format('%s updated, %s of them in place, %s deleted, %s dead',
          n_tup_upd, n_tup_hot_upd, n_tup_del, n_dead_tup)
        FROM pg_stat_user_tables WHERE relname = 'online_totals'
        """;
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    String counts = text(select);
    while (!counts.equals(expected) && System.nanoTime() < end) {
      counts = text(select);
    }
    assertThat(counts).isEqualTo(expected);
  }

  private String text(String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      assertThat(rows.next()).isTrue();
      return rows.getString(1);
    }
  }
}
