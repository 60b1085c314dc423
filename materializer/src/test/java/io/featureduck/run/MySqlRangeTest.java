package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Progress;
import io.featureduck.store.Run;
import io.featureduck.testing.SourceDatabase;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Increments over a MariaDB with many customers, by what its own server says: the statements in its
 * log, their plans, the rows it read by each index; and by what became of the online table's rows.
 */
final class MySqlRangeTest {
  private static final int CUSTOMERS = 20_000;
  private static final String FEATURES =
      "SELECT CAST(customer_id AS CHAR), concat_ws(' ', count(*), sum(amount), max(quantity)) FROM orders GROUP BY 1";
  private static final String ONLINE =
      "SELECT entity_key, format('%s %s %s', n, spent, most) FROM online_customers";
  private static final String VERSIONS =
      "SELECT entity_key, xmin || ' ' || updated_at FROM online_customers";

  /**
   * Ten customers: with new rows, with changed ones, with late ones (of long ago, and of a
   * transaction that was open for a while), and one whose row is only written again.
   */
  private static final String CHANGES =
      """
      INSERT INTO orders SELECT 10000000 + seq, seq, 3, 12.50, utc_timestamp(6) - INTERVAL 1 MINUTE, now(6)
      FROM seq_1_to_20000 WHERE seq IN (11, 222, 3333, 20000);
      UPDATE orders o JOIN (SELECT min(order_id) AS first FROM orders
          WHERE customer_id IN (44, 5555, 16666) GROUP BY customer_id) f ON o.order_id = f.first
        SET amount = amount + 1, updated_at = now(6);
      INSERT INTO orders VALUES (20000077, 77, 1, 0.25, '1997-01-05', now(6)),
        (20008888, 8888, 1, 0.25, utc_timestamp(6) - INTERVAL 1 HOUR, now(6) - INTERVAL 5 MINUTE);
      UPDATE orders SET updated_at = now(6) WHERE customer_id = 19999
      """;

  private static final Set<String> CHANGED =
      Set.of("11", "222", "3333", "20000", "44", "5555", "16666", "77", "8888");

  @TempDir private Path directory = Path.of("");

  private TestMariaDb.Database source = new TestMariaDb.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);

  @BeforeEach
  void fill() throws Exception {
    source = TestMariaDb.newDatabase();
    target = TestPostgres.newDatabase();
    // Some 58,000 orders, most customers with few and some with many.
    source.execute(
        """
        CREATE TABLE orders (order_id INT PRIMARY KEY, customer_id INT, quantity INT,
          amount DECIMAL(10,2), ordered_at DATETIME(6), updated_at TIMESTAMP(6) NULL,
          KEY by_customer (customer_id), KEY by_cursor (updated_at), KEY by_time (ordered_at));
        INSERT INTO orders
        SELECT c.seq * 100 + k.seq, c.seq, 1 + (c.seq * 7 + k.seq) %% 9,
          ((c.seq * 31 + k.seq * 17) %% 9000) / 100,
          '1997-01-01' + INTERVAL (c.seq * 13 + k.seq * 37) %% 540 DAY, '1998-07-01'
        FROM seq_1_to_%d c
        JOIN seq_1_to_22 k ON k.seq <= CASE WHEN c.seq %% 20 = 0 THEN 22 ELSE 1 + c.seq %% 4 - c.seq %% 2 END;
        ANALYZE TABLE orders
        """
            .formatted(CUSTOMERS));
    source.execute(
        "SET GLOBAL userstat = 1; SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1");
  }

  @AfterEach
  void stopLogging() throws Exception {
    source.execute(
        "SET GLOBAL userstat = 0; SET GLOBAL general_log = 0; SET GLOBAL log_output = 'FILE'");
  }

  private Materializer open() throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "mysql", "connection_string": "%s",
           "schema": "%s", "table": "orders", "timestamp_field": "ordered_at",
           "cursor_field": "updated_at", "incremental": true, "row_id": "order_id"}],
         "views": [{"name": "customers", "entities": ["customer"], "source": "orders",
           "aggregations": [{"function": "count", "alias": "n"},
             {"function": "sum", "column": "amount", "alias": "spent"},
             {"function": "max", "column": "quantity", "alias": "most"},
             {"function": "count", "alias": "recent", "windows": ["30d"]}]}]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString(),
                source.schema()));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    return Materializer.open(definitions, store);
  }

  @Test
  void run_tenCustomersChanged_asksForTheirRangeAndWritesWhatDiffers() throws Exception {
    try (Materializer materializer = open()) {
      assertThat(run(materializer, RunRequest.now()).rowsWritten()).contains((long) CUSTOMERS);
      source.execute(CHANGES);
      Map<String, String> before = map(target, VERSIONS);
      Map<String, Long> read = rowsRead();
      int logged = asked().size();

      Run run = run(materializer, RunRequest.now());

      assertThat(run.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(run.rowsWritten()).contains((long) CHANGED.size());
      assertThat(run.progress().map(Progress::rowsComputed)).contains(10L);
      assertThat(run.rowsRead().orElseThrow()).isLessThan(150);
      assertReadByIndexesAlone(read, rowsRead());
      List<String> asked = asked().subList(logged, asked().size());
      // How much was written since, and that; what left the window and what is due; their rows.
      assertThat(asked).as("what the source was asked").hasSize(5);
      for (String select : asked) {
        assertThat(indexOf(select)).as(select).isIn("by_customer", "by_cursor", "by_time");
      }
      assertThat(asked)
          .anySatisfy(select -> assertThat(select).contains("`updated_at` > "))
          .anySatisfy(select -> assertThat(select).contains("`customer_id` IN "));
      assertThat(differing(before, map(target, VERSIONS))).isEqualTo(CHANGED);
      assertThat(map(target, ONLINE)).isEqualTo(map(source, FEATURES));
      assertThat(map(target, "SELECT 'all', sum(recent_30d) FROM online_customers"))
          .containsEntry("all", "5");

      assertNothingIsWritten(
          materializer, new RunRequest(false, run.upperBound(), Optional.empty()));
      assertNothingIsWritten(
          materializer, new RunRequest(false, run.upperBound(), Optional.empty()));
      assertNothingIsWritten(materializer, RunRequest.now());
    }
  }

  private static Run run(Materializer materializer, RunRequest request) {
    Run run = materializer.run("customers", request);
    assertThat(run.error()).isEmpty();
    return run;
  }

  private void assertNothingIsWritten(Materializer materializer, RunRequest request)
      throws Exception {
    Map<String, String> before = map(target, VERSIONS);

    Run run = run(materializer, request);

    assertThat(run.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(run.rowsWritten()).contains(0L);
    assertThat(map(target, VERSIONS)).isEqualTo(before);
  }

  /** Returns how many rows the server ever read of the table, by index and all in all. */
  private Map<String, Long> rowsRead() throws SQLException {
    Map<String, Long> rows = new HashMap<>();
    map(
            source,
            """
            SELECT index_name, rows_read FROM information_schema.index_statistics
            WHERE table_schema = '%1$s' AND table_name = 'orders' UNION ALL
            SELECT 'all', rows_read FROM information_schema.table_statistics
            WHERE table_schema = '%1$s' AND table_name = 'orders'
            """
                .formatted(source.name()))
        .forEach((name, read) -> rows.put(name, Long.parseLong(read)));
    return rows;
  }

  private static void assertReadByIndexesAlone(Map<String, Long> before, Map<String, Long> after) {
    Map<String, Long> read = new HashMap<>(after);
    before.forEach((name, rows) -> read.merge(name, -rows, Long::sum));
    assertThat(read.getOrDefault("all", 0L)).as("rows read: %s", read).isBetween(20L, 200L);
    assertThat(read.getOrDefault("by_cursor", 0L) + read.getOrDefault("by_customer", 0L))
        .as("rows read: %s", read)
        .isGreaterThan(20);
  }

  /**
   * Returns the statements in the log that read the table; the test's own don't name its schema.
   */
  private List<String> asked() throws SQLException {
    List<String> asked = new ArrayList<>();
    try (Connection connection = source.connect();
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                """
                SELECT argument FROM mysql.general_log
                WHERE command_type IN ('Query', 'Execute') AND argument LIKE 'SELECT %%`%s`.`orders`%%'
                  AND argument NOT LIKE '%%general_log%%' ORDER BY event_time
                """
                    .formatted(source.name()))) {
      while (rows.next()) {
        boolean ignored = asked.add(rows.getString(1));
      }
    }
    return asked;
  }

  /** Returns the index that a statement's plan finds its rows by. */
  private String indexOf(String select) throws SQLException {
    try (Connection connection = source.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("EXPLAIN " + select)) {
      do {
        assertThat(rows.next()).as(select).isTrue();
        // What is counted is a table derived from it.
      } while (!"orders".equals(rows.getString("table")));
      assertThat(rows.getString("type")).as(select).isIn("range", "ref", "ref_or_null");
      return String.valueOf(rows.getString("key"));
    }
  }

  private static Set<String> differing(Map<String, String> before, Map<String, String> after) {
    Set<String> keys = new HashSet<>();
    assertThat(after.keySet()).isEqualTo(before.keySet());
    after.forEach((key, value) -> {
      if (!value.equals(before.get(key))) {
        boolean ignored = keys.add(key);
      }
    });
    return keys;
  }

  private static Map<String, String> map(SourceDatabase database, String select)
      throws SQLException {
    Map<String, String> map = new TreeMap<>();
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      while (rows.next()) {
        String ignored = map.put(rows.getString(1), rows.getString(2));
      }
    }
    return map;
  }
}
