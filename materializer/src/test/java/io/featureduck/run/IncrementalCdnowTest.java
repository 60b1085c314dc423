package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Increments over a source of the size and shape of the CDNOW sample, by what its own server says:
 * the statements in its log, their plans, its counts of scans; and what the store's server says of
 * the rows of the online table.
 */
final class IncrementalCdnowTest {
  private static final int CUSTOMERS = 23_570;
  private static final String MARK = "@@@";
  private static final Pattern COPY =
      Pattern.compile("(?:statement|execute [^:]*): COPY \\((.*)\\) TO STDOUT", Pattern.DOTALL);
  private static final String SEQUENTIAL_SCANS =
      "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'orders'";
  private static final String INDEX_SCANS =
      "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE relname = 'orders'";
  private static final String WRITES =
      "SELECT n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del FROM pg_stat_user_tables WHERE relname = 'online_customers'";
  private static final String FEATURES =
      "SELECT customer_id::text, format('%s %s %s', count(*), sum(amount), max(quantity)) FROM orders GROUP BY 1";
  private static final String ONLINE =
      "SELECT entity_key, format('%s %s %s', n, spent, most) FROM online_customers";
  private static final String VERSIONS =
      "SELECT entity_key, xmin || ' ' || updated_at FROM online_customers";

  @TempDir private static Path directory = Path.of("");

  private static EmbeddedPostgres server;
  private static TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private static TestPostgres.Database target = new TestPostgres.Database("none", 0);
  private static Materializer materializer;

  /** The changed customers: with new, changed and late rows, and with a row only written again. */
  private static final String CHANGES =
      """
      INSERT INTO orders SELECT 1000000 + c, c, 3, 12.50, now() - INTERVAL '1 minute', now()
      FROM unnest(ARRAY[11, 222, 3333, 23570]) c;
      UPDATE orders SET amount = amount + 1, updated_at = now()
      WHERE order_id IN (SELECT min(order_id) FROM orders WHERE customer_id IN (44, 5555, 16666) GROUP BY customer_id);
      INSERT INTO orders SELECT 2000000 + c, c, 1, 0.25, '1997-01-05Z', now() FROM unnest(ARRAY[77, 8888]) c;
      UPDATE orders SET updated_at = now() WHERE customer_id = 19999
      """;

  private static final Set<String> CHANGED =
      Set.of("11", "222", "3333", "23570", "44", "5555", "16666", "77", "8888");

  @BeforeAll
  static void fill() throws Exception {
    server =
        EmbeddedPostgres.builder()
            .setServerConfig("fsync", "off")
            .setServerConfig("autovacuum", "off")
            .setServerConfig("logging_collector", "on")
            .setServerConfig("log_filename", "statements.log")
            .setServerConfig("log_line_prefix", MARK)
            .setServerConfig("log_statement", "all")
            .start();
    source = new TestPostgres.Database("postgres", server.getPort());
    target = TestPostgres.newDatabase();
    // Some 69,000 orders, most customers with few and some with many, as there.
    source.execute(
        """
        CREATE TABLE orders (order_id INT PRIMARY KEY, customer_id INT, quantity INT,
          amount NUMERIC(10,2), ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
        INSERT INTO orders
        SELECT row_number() OVER (), c, 1 + (c * 7 + k) %% 9, ((c * 31 + k * 17) %% 9000) / 100.0,
          TIMESTAMPTZ '1997-01-01Z' + ((c * 13 + k * 37) %% 540) * INTERVAL '1 day',
          TIMESTAMPTZ '1998-07-01Z'
        FROM generate_series(1, %d) c, generate_series(1, CASE WHEN c %% 20 = 0 THEN 22 ELSE 1 + c %% 4 - c %% 2 END) k;
        CREATE INDEX ON orders (customer_id);
        CREATE INDEX ON orders (updated_at);
        CREATE INDEX ON orders (ordered_at)
        """
            .formatted(CUSTOMERS));
    source.execute("VACUUM ANALYZE orders");
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "schema": "public", "table": "orders", "timestamp_field": "ordered_at",
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
                source.connectionString()));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
    assertThat(materializer.run("customers", RunRequest.now()).rowsWritten())
        .contains((long) CUSTOMERS);
  }

  @AfterAll
  static void stop() throws Exception {
    materializer.close();
    server.close();
  }

  @Test
  void run_tenCustomersChanged_asksForTheirRangeAndWritesWhatDiffers() throws Exception {
    source.execute(CHANGES);
    Map<String, String> before = map(target, VERSIONS);
    String sequential = text(source, SEQUENTIAL_SCANS);
    String index = text(source, INDEX_SCANS);
    int logged = log().size();

    Run run = materializer.run("customers", RunRequest.now());

    assertThat(run.error()).isEmpty();
    assertThat(run.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(run.rowsWritten()).contains((long) CHANGED.size());
    assertThat(run.rowsRead().orElseThrow()).isLessThan(150);
    List<String> asked = asked(log(), logged);
    assertThat(asked).as("what the source was asked").hasSizeBetween(3, 5);
    for (String select : asked) {
      assertThat(explain(select))
          .as(select)
          .doesNotContain("Seq Scan")
          .containsAnyOf("Index Scan", "Bitmap Index Scan", "Index Only Scan");
    }
    assertThat(asked)
        .anySatisfy(select -> assertThat(select).contains("\"updated_at\" > "))
        .anySatisfy(select -> assertThat(select).contains("\"customer_id\" IN "));
    assertIndexesAlone(sequential, index);
    assertThat(differing(before, map(target, VERSIONS))).isEqualTo(CHANGED);
    assertThat(map(target, ONLINE)).isEqualTo(map(source, FEATURES));
    assertThat(text(target, "SELECT sum(recent_30d) FROM online_customers")).isEqualTo("4");

    assertNothingIsWritten(RunRequest.now());
    assertNothingIsWritten(new RunRequest(false, run.upperBound(), Optional.empty()));
    assertNothingIsWritten(new RunRequest(false, run.upperBound(), Optional.empty()));
  }

  private static void assertNothingIsWritten(RunRequest request) throws Exception {
    Map<String, String> before = map(target, VERSIONS);
    String writes = text(target, WRITES);

    Run run = materializer.run("customers", request);

    assertThat(run.error()).isEmpty();
    assertThat(run.rowsWritten()).contains(0L);
    assertThat(map(target, VERSIONS)).isEqualTo(before);
    assertThat(text(target, WRITES)).isEqualTo(writes);
  }

  /** Sessions tell of their scans when they end, some time after their client has gone. */
  private static void assertIndexesAlone(String sequential, String index) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    String sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while (!text(source, sessions).equals("0")) {
      assertThat(System.nanoTime()).as("a session does not end").isLessThan(end);
      Thread.onSpinWait();
    }
    assertThat(text(source, SEQUENTIAL_SCANS)).as("sequential scans").isEqualTo(sequential);
    assertThat(Long.parseLong(text(source, INDEX_SCANS)))
        .as("index scans")
        .isGreaterThan(Long.parseLong(index));
  }

  /** Returns what the log has of reads of the table, from an entry on. */
  private static List<String> asked(List<String> log, int from) {
    List<String> asked = new ArrayList<>();
    for (String entry : log.subList(from, log.size())) {
      Matcher copy = COPY.matcher(entry);
      if (copy.find() && copy.group(1).contains("\"public\".\"orders\"")) {
        asked.add(copy.group(1));
      }
    }
    return asked;
  }

  private static List<String> log() throws SQLException {
    return List.of(text(source, "SELECT pg_read_file(pg_current_logfile())").split(MARK));
  }

  private static String explain(String select) throws SQLException {
    StringBuilder plan = new StringBuilder();
    try (Connection connection = source.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("EXPLAIN " + select)) {
      while (rows.next()) {
        plan.append(rows.getString(1)).append('\n');
      }
    }
    return plan.toString();
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

  private static Map<String, String> map(TestPostgres.Database database, String select)
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

  private static String text(TestPostgres.Database database, String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      assertThat(rows.next()).isTrue();
      return rows.getString(1);
    }
  }
}
