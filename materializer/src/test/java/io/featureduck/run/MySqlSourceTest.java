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
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each type of a real MariaDB table, through DuckDB, into the online table, value by value. */
final class MySqlSourceTest {
  private static final String TABLE =
      """
      CREATE TABLE `or"der's - ü` (
        `Customer` VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, `At` DATETIME(6), written TIMESTAMP(6) NULL DEFAULT '2026-01-02',
        f_tiny TINYINT, f_tinyu TINYINT UNSIGNED, f_flag TINYINT(1), f_number TINYINT(1),
        f_small SMALLINT, f_smallu SMALLINT UNSIGNED, f_medium MEDIUMINT, f_mediumu MEDIUMINT UNSIGNED,
        f_int INT, f_intu INT UNSIGNED, f_zerofill INT(5) ZEROFILL, f_big BIGINT, f_bigu BIGINT UNSIGNED,
        f_float FLOAT, f_double DOUBLE, f_decimal DECIMAL(12,2), f_whole DECIMAL(3,0),
        f_decimalu DECIMAL(5,2) UNSIGNED, f_wide DECIMAL(38,10), f_exact DECIMAL(65,30),
        f_char CHAR(5), f_varchar VARCHAR(50), f_binarytext VARCHAR(50) COLLATE utf8mb4_bin,
        f_latin VARCHAR(20) CHARACTER SET latin1, f_ucs VARCHAR(10) CHARACTER SET ucs2,
        f_tinytext TINYTEXT, f_text TEXT, f_mediumtext MEDIUMTEXT, f_longtext LONGTEXT,
        f_binary BINARY(3), f_varbinary VARBINARY(9), f_blob BLOB, f_longblob LONGBLOB,
        f_bit BIT(1), f_bits BIT(12), f_date DATE, f_datetime DATETIME, f_datetime6 DATETIME(6),
        f_stamp TIMESTAMP NULL, f_stamp6 TIMESTAMP(6) NULL, f_time TIME, f_time6 TIME(6), f_year YEAR,
        f_json JSON, f_enum ENUM('a', 'b''c', 'ü'), f_set SET('x', 'y', 'z'), f_uuid UUID,
        f_inet4 INET4, f_inet6 INET6) CHARACTER SET utf8mb4;
      SET time_zone = '+00:00';
      INSERT INTO `or"der's - ü` VALUES
        ('Zoë|\\\\🦆', '2026-01-02 03:04:05.678901', '2026-01-02', -128, 0, TRUE, -128, -32768, 0, -8388608, 0,
         -2147483648, 0, 42, -9223372036854775808, 0, 0.1, 2.2250738585072014e-308, -9999999999.99, -999,
         0, -1234567890123456789012345678.0123456789, -12345678901234567890.1234,
         'ab  ', 'Grüße, "it''s" \\\\ 🦆', 'Zoë ', 'é€', 'ü', 'tiny', REPEAT('x', 70), 'medium', 'long',
         X'00FF', X'00FF00', X'', X'00FF', b'0', b'100000000001', '1000-01-01', '1000-01-01 00:00:00',
         '2026-07-01 12:00:00.000001', '1970-01-01 00:00:01', '2026-07-01 12:00:00.000001', '-838:59:59',
         '-838:59:59.999999', 1901, '{"a": [1, null]}', 'b''c', 'x,z',
         '00112233-4455-6677-8899-aabbccddeeff', '10.0.0.1', '::1'),
        ('most', '2026-01-02', '2026-01-02', 127, 255, 2, 127, 32767, 65535, 8388607, 16777215,
         2147483647, 4294967295, 99999, 9223372036854775807, 18446744073709551615, 3.4028234663852886e38,
         1.7976931348623157e308, 9999999999.99, 999, 999.99, 9999999999999999999999999999.9999999999,
         99999999999999999999999999.9999, 'abcde', '', 'z', 'ÿ', '', '', '', '', '', X'FFFFFF', X'',
         X'FF', X'', b'1', b'111111111111', '9999-12-31', '9999-12-31 23:59:59',
         '1969-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', '838:59:59',
         '00:00:00.5', 2155, 'null', 'ü', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
         '255.255.255.255', 'ffff::');
      INSERT INTO `or"der's - ü` (`Customer`, `At`, f_year) VALUES ('nulls', '2026-01-02', 0);
      """;

  private static final String CURSOR = "\"cursor_field\": \"written\", \"incremental\": true,";

  @TempDir private Path directory = Path.of("");

  private String view =
      "{\"name\": \"newest\", \"entities\": [\"customer\"], \"source\": \"orders\"}";

  /**
   * @param exact whether there is a DECIMAL of more digits than DuckDB has, for which the rows come
   *     by a query in place of a scan
   */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void run_eachTypeOfAMariaDbTable_arrivesAsItWas(boolean exact) throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    TestPostgres.Database target = TestPostgres.newDatabase();
    String declared = makeTable(source, exact);

    Run run = run(source, target, CURSOR, declared);

    assertThat(run.error()).isEmpty();
    assertThat(run.rowsRead()).contains(3L);
    Map<String, String> first = row(target, "Zoë\\|\\\\🦆");
    assertThat(first.getOrDefault("f_exact", "none"))
        .isEqualTo(exact ? "-12345678901234567890.1234" : "none");
    assertThat(first)
        .containsAllEntriesOf(
            Map.ofEntries(
                Map.entry("f_tiny", "-128"),
                Map.entry("f_tinyu", "0"),
                Map.entry("f_flag", "t"),
                Map.entry("f_number", "-128"),
                Map.entry("f_small", "-32768"),
                Map.entry("f_smallu", "0"),
                Map.entry("f_medium", "-8388608"),
                Map.entry("f_mediumu", "0"),
                Map.entry("f_int", "-2147483648"),
                Map.entry("f_intu", "0"),
                Map.entry("f_zerofill", "42"),
                Map.entry("f_big", "-9223372036854775808"),
                Map.entry("f_bigu", "0"),
                Map.entry("f_float", "0.1"),
                Map.entry("f_double", "2.2250738585072014e-308"),
                Map.entry("f_decimal", "-9999999999.99"),
                Map.entry("f_whole", "-999"),
                Map.entry("f_decimalu", "0.00"),
                Map.entry("f_wide", "-1234567890123456789012345678.0123456789"),
                // A CHAR has no spaces at its end.
                Map.entry("f_char", "ab"),
                Map.entry("f_varchar", "Grüße, \"it's\" \\ 🦆"),
                Map.entry("f_binarytext", "Zoë "),
                Map.entry("f_latin", "é€"),
                Map.entry("f_ucs", "ü"),
                Map.entry("f_tinytext", "tiny"),
                Map.entry("f_text", "x".repeat(70)),
                Map.entry("f_mediumtext", "medium"),
                Map.entry("f_longtext", "long"),
                Map.entry("f_binary", "\\x00ff00"),
                Map.entry("f_varbinary", "\\x00ff00"),
                Map.entry("f_blob", "\\x"),
                Map.entry("f_longblob", "\\x00ff"),
                Map.entry("f_bit", "f"),
                Map.entry("f_bits", "\\x0801"),
                Map.entry("f_date", "1000-01-01")));
    assertThat(first)
        .containsAllEntriesOf(
            Map.ofEntries(
                // A DATETIME is read in the source's time zone, Berlin's; in 1000 the sun's there.
                Map.entry("f_datetime", "0999-12-31 23:06:32+00"),
                Map.entry("f_datetime6", "2026-07-01 10:00:00.000001+00"),
                // A TIMESTAMP is an instant.
                Map.entry("f_stamp", "1970-01-01 00:00:01+00"),
                Map.entry("f_stamp6", "2026-07-01 12:00:00.000001+00"),
                Map.entry("f_time", "-838:59:59"),
                Map.entry("f_time6", "-838:59:59.999999"),
                Map.entry("f_year", "1901"),
                Map.entry("f_json", "{\"a\": [1, null]}"),
                Map.entry("f_enum", "b'c"),
                Map.entry("f_set", "x,z"),
                Map.entry("f_uuid", "00112233-4455-6677-8899-aabbccddeeff"),
                Map.entry("f_inet4", "10.0.0.1"),
                Map.entry("f_inet6", "::1"),
                Map.entry("event_timestamp", "2026-01-02 02:04:05.678901+00")));
    assertThat(row(target, "most"))
        .containsAllEntriesOf(
            Map.ofEntries(
                Map.entry("f_tiny", "127"),
                Map.entry("f_tinyu", "255"),
                Map.entry("f_flag", "t"),
                Map.entry("f_number", "127"),
                Map.entry("f_small", "32767"),
                Map.entry("f_smallu", "65535"),
                Map.entry("f_medium", "8388607"),
                Map.entry("f_mediumu", "16777215"),
                Map.entry("f_int", "2147483647"),
                Map.entry("f_intu", "4294967295"),
                Map.entry("f_zerofill", "99999"),
                Map.entry("f_big", "9223372036854775807"),
                Map.entry("f_bigu", "18446744073709551615"),
                Map.entry("f_float", "3.4028235e+38"),
                Map.entry("f_double", "1.7976931348623157e+308"),
                Map.entry("f_decimal", "9999999999.99"),
                Map.entry("f_whole", "999"),
                Map.entry("f_decimalu", "999.99"),
                Map.entry("f_wide", "9999999999999999999999999999.9999999999"),
                Map.entry("f_char", "abcde"),
                Map.entry("f_varchar", ""),
                Map.entry("f_latin", "ÿ"),
                Map.entry("f_text", ""),
                Map.entry("f_binary", "\\xffffff"),
                Map.entry("f_blob", "\\xff"),
                Map.entry("f_bit", "t"),
                Map.entry("f_bits", "\\x0fff"),
                Map.entry("f_date", "9999-12-31"),
                Map.entry("f_datetime", "9999-12-31 22:59:59+00"),
                Map.entry("f_datetime6", "1969-12-31 22:59:59.999999+00"),
                Map.entry("f_stamp", "2038-01-19 03:14:07+00"),
                Map.entry("f_stamp6", "2038-01-19 03:14:07.999999+00"),
                Map.entry("f_time", "838:59:59"),
                Map.entry("f_time6", "00:00:00.5"),
                Map.entry("f_year", "2155"),
                Map.entry("f_json", "null"),
                Map.entry("f_enum", "ü"),
                Map.entry("f_set", ""),
                Map.entry("f_uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
                Map.entry("f_inet4", "255.255.255.255"),
                Map.entry("f_inet6", "ffff::")));
    assertThat(row(target, "nulls"))
        .containsEntry("f_year", "0")
        .containsOnlyKeys("entity_key", "event_timestamp", "updated_at", "f_year");
  }

  /** The server finds an increment's rows; a full run scans. Both must see the same values. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void run_incrementOfEachType_findsNothingDifferent(boolean exact) throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    TestPostgres.Database target = TestPostgres.newDatabase();
    String declared = makeTable(source, exact);
    Run full = run(source, target, CURSOR, declared);
    source.execute("UPDATE `or\"der's - ü` SET written = now(6)");

    Run increment = run(source, target, CURSOR, declared);

    assertThat(increment.error()).isEmpty();
    assertThat(full.kind()).isEqualTo(Run.Kind.FULL);
    assertThat(increment.kind()).isEqualTo(Run.Kind.INCREMENTAL);
    assertThat(increment.rowsRead()).contains(6L);
    assertThat(increment.rowsWritten()).contains(0L);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0000-00-00", "2026-00-10", "2026-05-00", "2026-02-31"})
  void run_dateThatThereIsNot_failsAndNamesTheColumn(String date) throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    source.execute(
        """
        SET sql_mode = 'ALLOW_INVALID_DATES';
        CREATE TABLE `or"der's - ü` (`Customer` TEXT, `At` DATETIME, born DATE NOT NULL);
        INSERT INTO `or"der's - ü` VALUES ('a', '2026-01-01', '%s'), ('b', '2026-01-01', '2024-02-29')
        """
            .formatted(date));

    Run run = run(source, TestPostgres.newDatabase(), "");

    assertThat(run.error().orElseThrow())
        .contains(
            "source orders: column 'born' is a date that there is not, such as 0000-00-00, in 1 rows");
  }

  /** The server's collation is case-insensitive and ignores spaces at the end. */
  @Test
  void run_textsThatTheServerTakesForEqual_areToldApart() throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    TestPostgres.Database target = TestPostgres.newDatabase();
    source.execute(
        """
        CREATE TABLE `or"der's - ü` (
          `Customer` VARCHAR(9), `At` DATETIME, v VARCHAR(9)) COLLATE utf8mb4_general_ci;
        INSERT INTO `or"der's - ü` VALUES ('a', '2026-01-01', 'x'), ('A', '2026-01-01', 'x'),
          ('a ', '2026-01-01', 'x'), ('ä', '2026-01-01', 'x'), ('a', '2026-01-01', 'X'), ('a', '2026-01-01', 'x ')
        """);
    view =
        """
        {"name": "newest", "entities": ["customer"], "source": "orders", "filters": ["v = 'x'"],
         "aggregations": [{"function": "count", "alias": "n"},
           {"function": "count_distinct", "column": "v", "alias": "kinds"},
           {"function": "max", "column": "v", "alias": "most"}]}
        """;

    Run run = run(source, target, "");

    assertThat(run.error()).isEmpty();
    assertThat(run.rowsWritten()).contains(4L);
    assertThat(row(target, "a"))
        .containsEntry("n", "1")
        .containsEntry("kinds", "1")
        .containsEntry("most", "x");
    assertThat(row(target, "a ")).containsEntry("n", "1");
  }

  @Test
  void sql_forPeople_hasTheAttachmentWithoutThePassword() throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    String declared = makeTable(source, false);
    FeatureStore definitions = definitions(source, TestPostgres.newDatabase(), CURSOR, declared);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());

    try (Materializer materializer = Materializer.open(definitions, store)) {
      assertThat(materializer.sql("newest", Optional.empty()))
          .startsWith("ATTACH 'host=127.0.0.1 port=" + source.port())
          .containsPattern("password=\\*\\*\\*' AS \"mysql_[0-9a-f]{8}\" \\(TYPE mysql\\);\nWITH")
          .doesNotContain(TestMariaDb.PASSWORD);
    }
  }

  /** Makes the table with its rows; returns the types to be declared. */
  private static String makeTable(TestMariaDb.Database source, boolean exact) throws Exception {
    source.execute(TABLE);
    if (!exact) {
      source.execute("ALTER TABLE `or\"der's - ü` DROP COLUMN f_exact");
    }
    return "\"f_number\": \"INT32\"" + (exact ? ", \"f_exact\": \"DECIMAL(30,4)\"" : "");
  }

  private Run run(TestMariaDb.Database source, TestPostgres.Database target, String declared)
      throws Exception {
    return run(source, target, "", declared);
  }

  private Run run(
      TestMariaDb.Database source, TestPostgres.Database target, String cursor, String declared)
      throws Exception {
    FeatureStore definitions = definitions(source, target, cursor, declared);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    try (Materializer materializer = Materializer.open(definitions, store)) {
      return materializer.run("newest", RunRequest.now());
    }
  }

  private FeatureStore definitions(
      TestMariaDb.Database source, TestPostgres.Database target, String cursor, String declared)
      throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s", "schema": "my store"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "Customer", "type": "STRING"}]}],
         "sources": [{"name": "orders", "source_type": "mysql", "connection_string": "%s",
           "table": "or\\"der's - ü", "timestamp_field": "At", %s
           "timezone": "Europe/Berlin", "columns": {%s}}],
         "views": [%s]}
        """
            .formatted(
                target.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                source.connectionString(),
                cursor,
                declared,
                view));
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
