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
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an incremental run reads, computes and writes, one thing at a time. */
final class IncrementalRunTest {
  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);
  private final List<Materializer> opened = new ArrayList<>();

  @BeforeEach
  void databases() throws Exception {
    source = TestPostgres.newDatabase();
    target = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE orders (order_id INT PRIMARY KEY, customer_id INT, shop TEXT,
          amount NUMERIC(10,2), status TEXT, ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
        INSERT INTO orders SELECT i, i % 10, 'shop ' || i % 3, i, 'paid',
          '2026-01-01Z'::timestamptz + i * interval '1 hour',
          '2026-01-01Z'::timestamptz + i * interval '1 hour' FROM generate_series(1, 100) i;
        CREATE TABLE shops (name TEXT, country TEXT, at TIMESTAMPTZ);
        INSERT INTO shops VALUES ('shop 0', 'DE', '2025-01-01Z'), ('shop 1', 'FR', '2025-01-01Z')
        """);
  }

  @AfterEach
  void close() {
    opened.forEach(Materializer::close);
  }

  private static final String TOTALS =
      """
      {"name": "totals", "entities": ["customer"], "source": "orders",
       "filters": ["status = 'paid'"],
       "aggregations": [{"function": "count", "alias": "n"},
         {"function": "sum", "column": "amount", "alias": "spent", "windows": ["1d", "30d"]}]}
      """;

  private static final String BY_COUNTRY =
      """
      {"name": "totals", "entities": ["customer"], "source": "orders",
       "joins": [{"source": "shops", "type": "left", "on": [{"left": "shop", "right": "name"}]}],
       "aggregations": [{"function": "count", "alias": "german", "filter": "shops.country = 'DE'"}]}
      """;

  private Materializer open(String view) throws Exception {
    return open(view, "INT64");
  }

  private Materializer open(String view, String keyType) throws Exception {
    return open(view, keyType, "\"table\": \"orders\"");
  }

  private Materializer open(String view, String keyType, String table) throws Exception {
    return open(view, keyType, table, "\"timestamp_field\": \"at\", \"incremental\": true");
  }

  private Materializer open(String view, String keyType, String table, String shops)
      throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%1$s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "1GB",
           "extension_directory": "%2$s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "%5$s"}]}],
         "sources": [
           {"name": "orders", "source_type": "postgres", "connection_string": "%3$s",
            %6$s, "timestamp_field": "ordered_at", "cursor_field": "updated_at",
            "incremental": true, "row_id": "order_id"},
           {"name": "order_files", "source_type": "csv", "path": "orders/*.csv",
            "timestamp_field": "ordered_at", "cursor_field": "updated_at", "incremental": true,
            "columns": {"amount": "DECIMAL(10,2)"}},
           {"name": "shops", "source_type": "postgres", "connection_string": "%3$s",
            "table": "shops", %7$s}],
         "views": [%4$s]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString(),
                view,
                keyType,
                table,
                shops));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    Materializer materializer = Materializer.open(definitions, store);
    boolean ignored = opened.add(materializer);
    return materializer;
  }

  private static Run run(Materializer materializer, String asOf) {
    Run run =
        materializer.run(
            "totals", new RunRequest(false, Optional.of(Instant.parse(asOf)), Optional.empty()));
    assertThat(run.error()).isEmpty();
    return run;
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
  void run_newRow_writesItsEntityAlone() throws Exception {
    Materializer materializer = open(TOTALS);
    Run first = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "INSERT INTO orders VALUES (101, 3, 'shop 1', 5, 'paid', '2026-01-02Z', '2026-01-10 00:01Z')");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(first.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.lowerBound()).contains(Instant.parse("2026-01-09T23:50:00Z"));
    assertThat(second.upperBound()).contains(Instant.parse("2026-01-10T00:02:00Z"));
    assertThat(second.rowsWritten()).contains(1L);
    assertThat(second.rowsRead()).contains(12L);
    assertThat(online("SELECT n FROM online_totals WHERE entity_key = '3'")).containsExactly("11");
    assertThat(
            online(
                "SELECT entity_key FROM online_totals WHERE updated_at = (SELECT max(updated_at) FROM online_totals)"))
        .containsExactly("3");
  }

  @Test
  void run_nothingNew_writesNothing() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(0L);
    assertThat(online("SELECT rows FROM featureduck_watermarks")).containsExactly("10");
  }

  @Test
  void run_windowSlides_entityWhoseRowsLeftIsComputedAgain() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2026-01-05T04:30:00Z");

    Run second = run(materializer, "2026-01-06T04:30:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(online("SELECT count(*) FROM online_totals WHERE spent_1d IS NULL"))
        .containsExactly("10");
  }

  @Test
  void run_lastRowOfAnEntityLeavesTheFilter_deletesIt() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "UPDATE orders SET status = 'refunded', updated_at = '2026-01-10 00:01Z' WHERE customer_id = 4");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.rowsWritten()).contains(1L);
    assertThat(online("SELECT count(*) FROM online_totals")).containsExactly("9");
    assertThat(online("SELECT rows FROM featureduck_watermarks")).containsExactly("9");
  }

  @Test
  void run_joinedRowChanges_touchesWhoeverIsJoined() throws Exception {
    Materializer materializer = open(BY_COUNTRY);
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute("INSERT INTO shops VALUES ('shop 1', 'DE', '2026-01-10 00:01Z')");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(online("SELECT sum(german) FROM online_totals")).containsExactly("67");
    assertThat(online("SELECT count(*) FROM featureduck_watermarks")).containsExactly("2");
  }

  @Test
  void run_earlierInstantThanTheLast_isFull() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");

    assertThat(run(materializer, "2026-01-03T00:00:00Z").kind()).isEqualTo(Run.Kind.FULL);
    assertThat(online("SELECT sum(n) FROM online_totals")).containsExactly("48");
  }

  @Test
  void run_keysThatTheServerTakesForEqual_countsEachRowOnce() throws Exception {
    // More than one statement asks for, and 'a1' equals 'A1' to the server.
    source.execute(
        """
        CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        ALTER TABLE orders DROP COLUMN customer_id, ADD COLUMN customer_id TEXT COLLATE any_case;
        TRUNCATE orders;
        INSERT INTO orders (order_id, customer_id, status, amount, ordered_at, updated_at)
          SELECT i, chr(CASE WHEN i % 2 = 0 THEN 65 ELSE 97 END) || i / 2, 'paid', 1,
            '2026-01-09Z', '2026-01-09Z' FROM generate_series(1, 100000) i
        """);
    Materializer materializer = open(TOTALS, "STRING");
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "UPDATE orders SET amount = 2, updated_at = '2026-01-10 00:01Z' WHERE order_id <= 24000");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(24_000L);
    assertThat(
            online(
                "SELECT n || ' ' || spent_30d || ' ' || count(*) FROM online_totals GROUP BY n, spent_30d ORDER BY 1"))
        .containsExactly("1 1.00 76000", "1 2.00 24000");
  }

  @Test
  void run_fileAddedBetweenRuns_isReadForItsEntitiesAlone() throws Exception {
    Path files = Files.createDirectories(directory.resolve("orders"));
    Files.writeString(
        files.resolve("1.csv"),
        """
        customer_id,status,amount,ordered_at,updated_at
        1,paid,5,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z
        2,paid,7,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z
        """);
    Materializer materializer = open(TOTALS.replace("orders", "order_files"));
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    Files.writeString(
        files.resolve("2.csv"),
        """
        customer_id,status,amount,ordered_at,updated_at
        2,paid,1,2026-01-10T00:01:00Z,2026-01-10T00:01:00Z
        """);

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(1L);
    // The new row as what changed and as what is due, then both rows of its customer.
    assertThat(second.rowsRead()).contains(4L);
    assertThat(online("SELECT n FROM online_totals ORDER BY entity_key")).containsExactly("1", "2");
  }

  @Test
  void run_filesOfDays_findsRowsAddedLaterOnTheDayOfTheLastRun() throws Exception {
    Path files = Files.createDirectories(directory.resolve("orders"));
    Files.writeString(
        files.resolve("1.csv"),
        """
        customer_id,status,amount,ordered_at,updated_at
        1,paid,5,2026-01-01,2026-01-01
        2,paid,7,2026-01-01,2026-01-01
        """);
    Materializer materializer = open(TOTALS.replace("orders", "order_files"));
    Run ignored = run(materializer, "2026-01-10T10:00:00Z");
    Files.writeString(
        files.resolve("2.csv"),
        """
        customer_id,status,amount,ordered_at,updated_at
        2,paid,1,2026-01-10,2026-01-10
        """);

    Run second = run(materializer, "2026-01-10T12:00:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(online("SELECT n FROM online_totals ORDER BY entity_key")).containsExactly("1", "2");
  }

  /** It is touched before any filter; a full run never makes a key of it. */
  @Test
  void run_filteredRowWhoseKeyIsTooLong_harmsNobody() throws Exception {
    source.execute("ALTER TABLE orders ALTER customer_id TYPE TEXT");
    Materializer materializer = open(TOTALS, "STRING");
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        """
        INSERT INTO orders VALUES
          (101, repeat('x', 3000), 'shop 1', 5, 'open', '2026-01-10 00:01Z', '2026-01-10 00:01Z'),
          (102, '3', 'shop 1', 5, 'paid', '2026-01-10 00:01Z', '2026-01-10 00:01Z')
        """);

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(1L);
  }

  @Test
  void run_keysAreDaysBeyondTheUsual_findsThem() throws Exception {
    source.execute(
        """
        ALTER TABLE orders DROP customer_id;
        ALTER TABLE orders ADD customer_id DATE;
        UPDATE orders SET customer_id =
          (ARRAY['infinity', '10000-01-01', '0044-03-15 BC', '2026-01-01'])[1 + order_id % 4]::date
        """);
    Materializer materializer = open(TOTALS, "DATE");
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "UPDATE orders SET amount = 0, updated_at = '2026-01-10 00:01Z' WHERE order_id <= 4");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(4L);
    assertThat(online("SELECT n FROM online_totals")).containsOnly("25");
  }

  @Test
  void run_backslashMeansMoreToTheServer_findsKeysOfAnyCharacters() throws Exception {
    source.execute(
        """
        ALTER TABLE orders ALTER customer_id TYPE TEXT;
        UPDATE orders SET customer_id =
          (ARRAY[E'\\\\\\') OR true --', E'a\\\\', '''', 'b'])[1 + order_id % 4]
        """);
    source.execute(
        "ALTER DATABASE %s SET standard_conforming_strings = off".formatted(source.name()));
    Materializer materializer = open(TOTALS, "STRING");
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "UPDATE orders SET amount = 0, updated_at = '2026-01-10 00:01Z' WHERE order_id <= 3");

    Run second = run(materializer, "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(second.rowsWritten()).contains(3L);
  }

  @Test
  void run_joinedSourceIsStaticNoMore_isFull() throws Exception {
    String isStatic = "\"timestamp_field\": \"at\", \"static\": true";
    String orders = "\"table\": \"orders\"";
    Run ignored = run(open(BY_COUNTRY, "INT64", orders, isStatic), "2026-01-10T00:00:00Z");
    source.execute("UPDATE shops SET country = 'DE', at = '2026-01-09Z'");
    Run second = run(open(BY_COUNTRY, "INT64", orders, isStatic), "2026-01-10T00:02:00Z");
    assertThat(second.kind()).isEqualTo(Run.Kind.INCREMENTAL);

    Run third = run(open(BY_COUNTRY), "2026-01-10T00:04:00Z");

    assertThat(third.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(third.progress().orElseThrow().whyFull().orElseThrow())
        .contains("source 'shops' is not the one that was read before");
  }

  @Test
  void run_sourceIsAnotherOne_isFull() throws Exception {
    Run ignored = run(open(TOTALS), "2026-01-10T00:00:00Z");
    source.execute("CREATE TABLE more AS SELECT * FROM orders WHERE customer_id < 3");

    Run second = run(open(TOTALS, "INT64", "\"table\": \"more\""), "2026-01-10T00:02:00Z");

    assertThat(second.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(online("SELECT count(*) FROM online_totals")).containsExactly("3");
  }

  @Test
  void run_instantAheadOfTheSourcesClock_losesNothingWrittenMeanwhile() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2999-01-01T00:00:00Z");

    assertThat(online("SELECT watermark < now() + interval '1 minute' FROM featureduck_watermarks"))
        .containsExactly("t");
    source.execute("INSERT INTO orders VALUES (101, 3, 'shop 1', 5, 'paid', now(), now())");
    assertThat(run(materializer, "2999-01-02T00:00:00Z").kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(online("SELECT n FROM online_totals WHERE entity_key = '3'")).containsExactly("11");
  }

  @Test
  void run_changedNumberIsNone_failsAndNamesTheColumn() throws Exception {
    Materializer materializer = open(TOTALS);
    Run ignored = run(materializer, "2026-01-10T00:00:00Z");
    source.execute(
        "UPDATE orders SET amount = 'NaN', updated_at = '2026-01-10 00:01Z' WHERE order_id = 3");

    Run second =
        materializer.run(
            "totals",
            new RunRequest(
                false, Optional.of(Instant.parse("2026-01-10T00:02:00Z")), Optional.empty()));

    assertThat(second.errorCode()).contains("value_out_of_range");
    assertThat(second.error().orElseThrow()).contains("'amount' is NaN in 1 rows");
  }
}
