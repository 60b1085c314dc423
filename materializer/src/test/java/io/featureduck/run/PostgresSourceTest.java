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
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each type of a real Postgres table, through DuckDB, into the online table, value by value. */
final class PostgresSourceTest {
  @TempDir private Path directory = Path.of("");

  /**
   * @param exact whether there is a NUMERIC without precision, for which the server casts and the
   *     rows come by a query in place of a scan
   */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void run_eachTypeOfAPostgresTable_arrivesAsItWas(boolean exact) throws Exception {
    TestPostgres.Database source = TestPostgres.newDatabase();
    TestPostgres.Database target = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE SCHEMA "My Shop";
        CREATE TYPE "My Shop".mood AS ENUM ('good', 'so là là');
        CREATE DOMAIN "My Shop".money2 AS NUMERIC(10,2);
        CREATE TABLE "My Shop"."or""der's" (
          "Customer" TEXT, "At" TIMESTAMP,
          f_bool BOOLEAN, f_smallint SMALLINT, f_int INTEGER, f_bigint BIGINT, f_real REAL,
          f_double DOUBLE PRECISION, f_exact NUMERIC, f_decimal NUMERIC(12,2), f_wide NUMERIC(38,10),
          f_text TEXT, f_varchar VARCHAR(20), f_uuid UUID, f_mood "My Shop".mood, f_time TIME,
          f_bytes BYTEA, f_date DATE, f_local TIMESTAMP, f_zoned TIMESTAMPTZ, f_json JSON,
          f_jsonb JSONB, f_ints INT[], f_texts TEXT[], f_decimals NUMERIC(5,1)[],
          f_money "My Shop".money2);
        INSERT INTO "My Shop"."or""der's" VALUES
          ('Zoë|\\🦆', '2026-01-02 03:04:05.678901', true, -32768, 2147483647, -9223372036854775808,
           0.1, 1e-300, 12345678901234567890.1234, -0.01, 1234567890123456789012345678.0123456789,
           'Grüße, "it''s" 🦆', 'x', '00112233-4455-6677-8899-aabbccddeeff', 'so là là',
           '12:34:56.789', '\\x00ff', '1969-12-31', '2026-07-01 12:00', '2026-07-01 12:00+02',
           '{"a": [1, null]}', '{"b": 1.50}', '{1,NULL,3}', '{a,NULL,"b c"}', '{1.5,-0.1}', 7.25),
          ('NaN', '2026-01-02', false, 32767, -2147483648, 9223372036854775807, 'NaN', '-Infinity',
           0, 9999999999.99, 0, '', NULL, NULL, 'good', NULL, '', '0001-01-01', '1969-12-31 23:59:59.999999',
           '1969-12-31 23:59:59.999999Z', 'null', '[]', '{}', '{}', NULL, NULL),
          ('nulls', '2026-01-02', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
        """);
    if (!exact) {
      source.execute("ALTER TABLE \"My Shop\".\"or\"\"der's\" DROP COLUMN f_exact");
    }
    FeatureStore definitions = definitions(source, target, exact);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();

    try (Materializer materializer = Materializer.open(definitions, store)) {
      Run run = materializer.run("newest", RunRequest.now());

      assertThat(run.error()).isEmpty();
      assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
    }
    Map<String, String> first = row(target, "Zoë\\|\\\\🦆");
    assertThat(first.getOrDefault("f_exact", "none"))
        .isEqualTo(exact ? "12345678901234567890.1234" : "none");
    assertThat(first)
        .containsAllEntriesOf(
            Map.ofEntries(
                Map.entry("f_bool", "t"),
                Map.entry("f_smallint", "-32768"),
                Map.entry("f_int", "2147483647"),
                Map.entry("f_bigint", "-9223372036854775808"),
                Map.entry("f_real", "0.1"),
                Map.entry("f_double", "1e-300"),
                Map.entry("f_decimal", "-0.01"),
                Map.entry("f_wide", "1234567890123456789012345678.0123456789"),
                Map.entry("f_text", "Grüße, \"it's\" 🦆"),
                Map.entry("f_varchar", "x"),
                Map.entry("f_uuid", "00112233-4455-6677-8899-aabbccddeeff"),
                Map.entry("f_mood", "so là là"),
                Map.entry("f_time", "12:34:56.789"),
                Map.entry("f_bytes", "\\x00ff"),
                Map.entry("f_date", "1969-12-31"),
                // The source's timezone is Berlin's.
                Map.entry("f_local", "2026-07-01 10:00:00+00"),
                Map.entry("f_zoned", "2026-07-01 10:00:00+00"),
                Map.entry("f_json", "{\"a\": [1, null]}"),
                Map.entry("f_jsonb", "{\"b\": 1.50}"),
                Map.entry("f_ints", "{1,NULL,3}"),
                Map.entry("f_texts", "{a,NULL,\"b c\"}"),
                Map.entry("f_decimals", "{1.5,-0.1}"),
                Map.entry("f_money", "7.25"),
                Map.entry("event_timestamp", "2026-01-02 02:04:05.678901+00")));
    assertThat(row(target, "NaN"))
        .containsAllEntriesOf(
            Map.ofEntries(
                Map.entry("f_smallint", "32767"),
                Map.entry("f_bigint", "9223372036854775807"),
                Map.entry("f_real", "NaN"),
                Map.entry("f_double", "-Infinity"),
                Map.entry("f_decimal", "9999999999.99"),
                Map.entry("f_text", ""),
                Map.entry("f_bytes", "\\x"),
                Map.entry("f_date", "0001-01-01"),
                Map.entry("f_local", "1969-12-31 22:59:59.999999+00"),
                Map.entry("f_zoned", "1969-12-31 23:59:59.999999+00"),
                Map.entry("f_json", "null"),
                Map.entry("f_jsonb", "[]"),
                Map.entry("f_ints", "{}")));
    assertThat(row(target, "nulls").keySet())
        .containsExactly("entity_key", "event_timestamp", "updated_at");
  }

  private FeatureStore definitions(
      TestPostgres.Database source, TestPostgres.Database target, boolean exact) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s", "schema": "my store"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "Customer", "type": "STRING"}]}],
         "sources": [{"name": "orders", "source_type": "postgres", "connection_string": "%s",
           "schema": "My Shop", "table": "or\\"der's", "timestamp_field": "At",
           "timezone": "Europe/Berlin", "columns": {%s}}],
         "views": [{"name": "newest", "entities": ["customer"], "source": "orders"}]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString(),
                exact ? "\"f_exact\": \"DECIMAL(30,4)\"" : ""));
    return ConfigReader.read(file, Map.of());
  }

  /** Returns the columns of a row that are not NULL, as text. */
  private static Map<String, String> row(TestPostgres.Database target, String key)
      throws Exception {
    Map<String, String> row = new TreeMap<>();
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement()) {
      int unused = statement.executeUpdate("SET TIME ZONE 'UTC'");
      try (ResultSet rows =
          statement.executeQuery(
              "SELECT * FROM \"my store\".online_newest WHERE entity_key = '" + key + "'")) {
        assertThat(rows.next()).as(key).isTrue();
        ResultSetMetaData columns = rows.getMetaData();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
          String value = rows.getString(i);
          if (value != null) {
            String ignored = row.put(columns.getColumnName(i), value);
          }
        }
      }
    }
    return row;
  }
}
