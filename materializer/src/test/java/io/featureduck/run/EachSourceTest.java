package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Each aggregation, with and without window, and each kind of expression, from each kind of source
 * into the online table: the same rows in each, and the same values out of it.
 */
final class EachSourceTest {
  private static final Instant AS_OF = Instant.parse("2024-06-30T00:00:00Z");

  /** The second row of customer 1 is exactly 7 days old, the fourth exactly at as_of. */
  private static final String ROWS =
      """
      (1, 1.25, 'añb', true, '2024-06-01', 1, 1.5, '2024-06-01 00:00:00'),
      (1, 2.00, 'b"c', false, '2024-06-23', NULL, 2.5, '2024-06-23 00:00:00'),
      (1, 3.25, '🦆', true, '2024-06-29', 7, 0.5, '2024-06-29 12:00:00'),
      (1, NULL, NULL, NULL, NULL, 9, NULL, '2024-06-30 00:00:00'),
      (2, 5.00, 'x', true, '2024-01-01', 5, 5.5, '2024-01-01 00:00:00'),
      (3, 1.00, 'filtered', true, '2024-06-01', 1, 1, '2024-06-01 00:00:00'),
      (NULL, 1.50, 'no key', true, '2024-06-01', 1, 1, '2024-06-01 00:00:00')
      """;

  private static final String COLUMNS =
      """
      ("Customer Nr" BIGINT, "Amount ($)" NUMERIC(10,2), "näme" TEXT, paid BOOLEAN, day DATE,
       whole INT, "select" DOUBLE PRECISION, "at" TIMESTAMP)
      """;

  private static final String VIEW =
      """
      {"name": "everything", "entities": ["customer"], "source": "orders",
       "filters": ["\\"Amount ($)\\" <> 1.00 OR \\"Amount ($)\\" IS NULL"],
       "aggregations": [
        {"function": "count", "alias": "n"},
        {"function": "count", "alias": "n", "windows": ["7d", "30d"]},
        {"function": "count", "alias": "paid_n", "filter": "paid"},
        {"function": "sum", "column": "Amount ($)", "alias": "total"},
        {"function": "sum", "column": "Amount ($)", "alias": "total", "windows": ["7d"]},
        {"function": "sum", "column": "whole", "alias": "wholes"},
        {"function": "sum", "expression": "\\"select\\" * 2", "alias": "scores"},
        {"function": "avg", "column": "Amount ($)", "alias": "mean"},
        {"function": "avg", "column": "Amount ($)", "alias": "mean", "windows": ["7d"]},
        {"function": "min", "column": "paid", "alias": "least"},
        {"function": "min", "column": "Amount ($)", "alias": "least", "windows": ["7d"]},
        {"function": "max", "column": "näme", "alias": "most"},
        {"function": "max", "column": "day", "alias": "most", "windows": ["7d"]},
        {"function": "stddev", "column": "Amount ($)", "alias": "spread"},
        {"function": "stddev", "column": "Amount ($)", "alias": "spread", "windows": ["7d"]},
        {"function": "count_distinct", "column": "näme", "alias": "names"},
        {"function": "count_distinct", "column": "näme", "alias": "names", "windows": ["7d"]},
        {"function": "approx_count_distinct", "column": "näme", "alias": "about"},
        {"function": "approx_count_distinct", "column": "näme", "alias": "about", "windows": ["7d"]},
        {"function": "first", "column": "näme", "alias": "oldest"},
        {"function": "first", "column": "näme", "alias": "oldest", "windows": ["7d"]},
        {"function": "last", "column": "näme", "alias": "newest"},
        {"function": "last", "column": "whole", "alias": "newest", "windows": ["7d"]},
        {"function": "last_n", "column": "Amount ($)", "n": 2, "alias": "recent"},
        {"function": "last_n", "column": "Amount ($)", "n": 9, "alias": "recent", "windows": ["7d"]},
        {"function": "approx_percentile", "column": "Amount ($)", "percentile": 0.5, "alias": "median"},
        {"function": "approx_percentile", "column": "Amount ($)", "percentile": 0.5, "alias": "median", "windows": ["7d"]}],
       "projections": [
        {"expression": "total / n", "alias": "x_divided"},
        {"expression": "total_7d / n_7d", "alias": "x_over_zero"},
        {"expression": "total % 2 - 1 + n * 2", "alias": "x_arithmetic"},
        {"expression": "CASE WHEN total > 6 THEN 'größer' ELSE 'small' END", "alias": "x_case"},
        {"expression": "\\"Customer Nr\\" + 1", "alias": "x_key"},
        {"expression": "total BETWEEN 1 AND 10 AND oldest LIKE 'a%' AND n IN (4, 5) AND NOT newest IS NOT NULL", "alias": "x_condition"},
        {"expression": "COALESCE(newest, 'none')", "alias": "x_coalesce"},
        {"expression": "UPPER(SUBSTR(oldest, 1, 2))", "alias": "x_text"},
        {"expression": "REGEXP_MATCHES(oldest, 'ñ')", "alias": "x_pattern"},
        {"expression": "DATE_DIFF('day', most_7d, now())", "alias": "x_days"},
        {"expression": "EXTRACT(year FROM most_7d)", "alias": "x_year"},
        {"expression": "DATE_TRUNC('month', now()) - INTERVAL '1' DAY", "alias": "x_time"},
        {"expression": "CAST(total AS FLOAT64)", "alias": "x_float"},
        {"expression": "ROUND(SQRT(POWER(n, 2)))::INT32", "alias": "x_round"},
        {"expression": "GREATEST(LEAST(n, 3), 2)", "alias": "x_greatest"}]}
      """;

  @TempDir private Path directory = Path.of("");

  @ParameterizedTest
  @ValueSource(strings = {"postgres", "mysql", "parquet", "csv", "json"})
  void run_eachAggregationAndExpression_isAsWorkedOutByHand(String kind) throws Exception {
    TestPostgres.Database target = TestPostgres.newDatabase();
    FeatureStore definitions = definitions(kind, target);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();

    try (Materializer materializer = Materializer.open(definitions, store)) {
      Run run =
          materializer.run(
              "everything", new RunRequest(true, Optional.of(AS_OF), Optional.empty()));

      assertThat(run.error()).isEmpty();
      assertThat(run.rowsRead()).contains(7L);
      assertThat(run.rowsWritten()).contains(2L);
    }
    assertThat(row(target, "1"))
        .isEqualTo(
            Map.ofEntries(
                Map.entry("entity_key", "1"),
                Map.entry("event_timestamp", "2024-06-30 00:00:00+00"),
                Map.entry("n", "4"),
                Map.entry("n_7d", "2"),
                Map.entry("n_30d", "4"),
                Map.entry("paid_n", "2"),
                Map.entry("total", "6.50"),
                Map.entry("total_7d", "3.25"),
                Map.entry("wholes", "17"),
                Map.entry("scores", "9"),
                Map.entry("mean", "2.1666666666666665"),
                Map.entry("mean_7d", "3.25"),
                Map.entry("least", "f"),
                Map.entry("least_7d", "3.25"),
                Map.entry("most", "🦆"),
                Map.entry("most_7d", "2024-06-29"),
                // The square root of ((11/12)² + (2/12)² + (13/12)²) / 2.
                Map.entry("spread", "1.0103629710818451"),
                Map.entry("names", "3"),
                Map.entry("names_7d", "1"),
                Map.entry("about", "3"),
                Map.entry("about_7d", "1"),
                Map.entry("oldest", "añb"),
                Map.entry("oldest_7d", "🦆"),
                Map.entry("newest_7d", "9"),
                Map.entry("recent", "{NULL,3.25}"),
                Map.entry("recent_7d", "{NULL,3.25}"),
                Map.entry("median", "2"),
                Map.entry("median_7d", "3.25"),
                Map.entry("x_divided", "1.625"),
                Map.entry("x_over_zero", "1.625"),
                Map.entry("x_arithmetic", "7.50"),
                Map.entry("x_case", "größer"),
                Map.entry("x_key", "2"),
                Map.entry("x_condition", "t"),
                Map.entry("x_coalesce", "none"),
                Map.entry("x_text", "AÑ"),
                Map.entry("x_pattern", "t"),
                Map.entry("x_days", "1"),
                Map.entry("x_year", "2024"),
                Map.entry("x_time", "2024-05-31 00:00:00+00"),
                Map.entry("x_float", "6.5"),
                Map.entry("x_round", "4"),
                Map.entry("x_greatest", "3")));
    assertThat(row(target, "2"))
        .containsEntry("n_7d", "0")
        .containsEntry("names_7d", "0")
        .containsEntry("about_7d", "0")
        .containsEntry("recent", "{5.00}")
        .containsEntry("x_case", "small")
        .containsEntry("event_timestamp", "2024-01-01 00:00:00+00")
        .doesNotContainKeys(
            "total_7d",
            "mean_7d",
            "least_7d",
            "most_7d",
            "spread",
            "spread_7d",
            "oldest_7d",
            "newest_7d",
            "recent_7d",
            "median_7d",
            "x_over_zero",
            "x_days");
  }

  private FeatureStore definitions(String kind, TestPostgres.Database target) throws Exception {
    String place;
    if (kind.equals("postgres")) {
      TestPostgres.Database source = TestPostgres.newDatabase();
      source.execute(
          "CREATE SCHEMA \"Weird Schema\"; CREATE TABLE \"Weird Schema\".\"or\"\"ders\" %s; INSERT INTO \"Weird Schema\".\"or\"\"ders\" VALUES %s"
              .formatted(COLUMNS, ROWS));
      place =
          "\"connection_string\": \"%s\", \"schema\": \"Weird Schema\", \"table\": \"or\\\"ders\""
              .formatted(source.connectionString());
    } else if (kind.equals("mysql")) {
      TestMariaDb.Database source = TestMariaDb.newDatabase();
      source.execute(
          "CREATE DATABASE `Weird Schema` CHARACTER SET utf8mb4; CREATE TABLE `Weird Schema`.`or\"ders` %s; INSERT INTO `Weird Schema`.`or\"ders` VALUES %s"
              .formatted(COLUMNS.replace('"', '`').replace("TIMESTAMP", "DATETIME"), ROWS));
      place =
          "\"connection_string\": \"%s\", \"schema\": \"Weird Schema\", \"table\": \"or\\\"ders\""
              .formatted(source.connectionString());
    } else {
      Path file = directory.resolve("or'ders " + kind);
      try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
          Statement statement = connection.createStatement()) {
        boolean ignored =
            statement.execute(
                "CREATE TABLE orders %s; INSERT INTO orders VALUES %s; COPY orders TO '%s' (FORMAT %s)"
                    .formatted(COLUMNS, ROWS, file.toString().replace("'", "''"), kind));
      }
      String declared =
          kind.equals("parquet") ? "" : ", \"columns\": {\"Amount ($)\": \"DECIMAL(10,2)\"}";
      place = "\"path\": \"%s\"%s".formatted(file.getFileName(), declared);
    }
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "Customer Nr", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "%s", %s, "timestamp_field": "at"}],
         "views": [%s]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                kind,
                place,
                VIEW));
    return ConfigReader.read(file, Map.of());
  }

  /** Returns the values that aren't NULL as Postgres writes them, but for when it was written. */
  private static Map<String, String> row(TestPostgres.Database target, String key)
      throws Exception {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("SET TIME ZONE 'UTC'");
      try (ResultSet rows =
          statement.executeQuery(
              "SELECT * FROM online_everything WHERE entity_key = '" + key + "'")) {
        assertThat(rows.next()).isTrue();
        Map<String, String> values = new TreeMap<>();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
          String name = rows.getMetaData().getColumnName(i);
          String value = rows.getString(i);
          if (value != null && !name.equals("updated_at")) {
            String unused = values.put(name, value);
          }
        }
        return values;
      }
    }
  }
}
