package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sources that hold what is hard to keep, or aren't what their definition says. */
final class AwkwardSourceTest {
  private static final String NEWEST =
      """
      {"name": "v", "entities": ["customer"], "source": "src"}
      """;

  @TempDir private Path directory = Path.of("");

  private TestPostgres.Database source = new TestPostgres.Database("none", 0);
  private TestPostgres.Database target = new TestPostgres.Database("none", 0);

  @BeforeEach
  void databases() throws Exception {
    source = TestPostgres.newDatabase();
    target = TestPostgres.newDatabase();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "NUMERIC(10,2); 'NaN'; column 'v' is NaN in 1 rows",
        "NUMERIC(10,2)[]; '{1,NaN}'; column 'v' is NaN in 1 rows",
        "TIMESTAMPTZ; 'infinity'; entity 'a', feature v: an infinite TIMESTAMP",
        "TIMESTAMP; '-infinity'; entity 'a', feature v: an infinite TIMESTAMP",
        "DATE; 'infinity'; entity 'a', feature v: an infinite DATE",
        "DATE; '-infinity'; entity 'a', feature v: an infinite DATE",
        "DATE[]; '{infinity}'; entity 'a', feature v: an infinite DATE",
        "JSON; '\"\\u0000\"'; entity 'a', feature v: JSON with U+0000"
      })
  void run_valueThatTheStoreCannotShow_isRefusedByName(String type, String value, String message)
      throws Exception {
    table(type, value);

    Run run = run(postgres("t"), NEWEST);

    assertThat(run.errorCode()).contains("value_out_of_range");
    assertThat(run.error().orElseThrow()).contains(message);
  }

  @Test
  void run_typesThatAreNoneOfOurs_areAllRefusedByName() throws Exception {
    List<String> types =
        List.of("money", "interval", "point", "inet", "bit(3)", "xml", "tsvector", "int4range");
    table("INT", "7");
    for (int i = 0; i < types.size(); i++) {
      source.execute("ALTER TABLE t ADD c" + i + " " + types.get(i));
    }

    Run run = run(postgres("t"), NEWEST);

    assertThat(run.errorCode()).contains("source_schema");
    for (int i = 0; i < types.size(); i++) {
      assertThat(run.error().orElseThrow())
          .contains("column 'c%d' is of type %s".formatted(i, types.get(i)));
    }
  }

  @Test
  void run_declaredNumericOutOfItsRange_isRefused() throws Exception {
    table("NUMERIC", "1e20");
    String declared =
        postgres("t").replace("\"table\"", "\"columns\": {\"v\": \"DECIMAL(12,2)\"}, \"table\"");

    assertThat(run(declared, NEWEST).errorCode()).contains("value_out_of_range");
    source.execute("UPDATE t SET v = 'NaN'");
    assertThat(run(declared, NEWEST).error().orElseThrow()).contains("column 'v' is NaN in 1 rows");
    source.execute("UPDATE t SET v = 1.5");
    assertThat(run(declared, NEWEST).status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(online("SELECT v FROM online_v")).containsExactly("1.50");
  }

  @Test
  void run_sumBeyondItsType_namesFeatureAndEntity() throws Exception {
    table("BIGINT", "9223372036854775807");
    source.execute("INSERT INTO t VALUES ('a', '2026-01-01Z', 1)");

    assertThat(run(postgres("t"), sum("v")).error())
        .contains("s of entity a: the number doesn't fit the feature's type");
  }

  @Test
  void run_columnsInAnotherCase_areFound() throws Exception {
    source.execute(
        """
        CREATE TABLE t ("Customer_ID" TEXT, "At" TIMESTAMP, "V" INT);
        INSERT INTO t VALUES ('a', '2026-01-01', 4), (NULL, '2026-01-01', 5)
        """);

    Run run = run(postgres("t"), NEWEST);

    assertThat(run.error()).isEmpty();
    assertThat(run.rowsRead()).contains(2L);
    assertThat(online("SELECT \"V\" FROM online_v")).containsExactly("4");
  }

  @Test
  void run_columnsThatDifferInCaseOnly_areNotTakenForEachOther() throws Exception {
    source.execute(
        """
        CREATE TABLE t (customer_id TEXT, at TIMESTAMPTZ, "V" INT, v INT, w INT);
        INSERT INTO t VALUES ('a', '2026-01-01Z', 4, 5, 6)
        """);

    Run run = run(postgres("t"), sum("v"));

    assertThat(run.errorCode()).contains("source_schema");
    assertThat(run.error().orElseThrow()).contains("column 'v'").contains("'V'");
    assertThat(run(postgres("t"), sum("w")).status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(online("SELECT s FROM online_v")).containsExactly("6");
  }

  @ParameterizedTest
  @CsvSource({"UTC, 12", "Z, 12", "+02:00, 10", "Europe/Berlin, 11", "'', 12"})
  void run_timesOfFilesWithoutZone_areReadInTheSourcesTimezone(String zone, int hour)
      throws Exception {
    Files.writeString(directory.resolve("t.csv"), "customer_id,at,v\na,2026-01-01 12:00:00,1\n");
    String timezone = zone.isEmpty() ? "" : ", \"timezone\": \"" + zone + "\"";

    Run run =
        run(
            """
            {"name": "src", "source_type": "csv", "path": "t.csv", "timestamp_field": "at"%s}
            """
                .formatted(timezone),
            NEWEST);

    assertThat(run.error()).isEmpty();
    assertThat(online("SELECT extract(hour FROM event_timestamp AT TIME ZONE 'UTC') FROM online_v"))
        .containsExactly(String.valueOf(hour));
  }

  @Test
  void run_textWithZeroInAFile_isRefusedByName() throws Exception {
    Files.writeString(
        directory.resolve("t.json"),
        "{\"customer_id\": \"a\", \"at\": \"2026-01-01T00:00:00\", \"v\": \"x\\u0000y\"}\n");

    Run run =
        run(
            """
            {"name": "src", "source_type": "json", "path": "t.json", "timestamp_field": "at"}
            """,
            NEWEST);

    assertThat(run.errorCode()).contains("value_out_of_range");
    assertThat(run.error().orElseThrow()).contains("entity 'a', feature v: text with U+0000");
  }

  @Test
  void run_fileThatIsNotThere_isNamed() throws Exception {
    Run run =
        run(
            """
            {"name": "src", "source_type": "csv", "path": "go'ne.csv", "timestamp_field": "at"}
            """,
            NEWEST);

    assertThat(run.errorCode()).contains("source_unavailable");
    assertThat(run.error().orElseThrow())
        .startsWith("source src: IO Error: No files found that match the pattern")
        .contains("go'ne.csv");
  }

  @Test
  void run_emptyTableThenOnlyRejectedRows_givesNoRow() throws Exception {
    source.execute("CREATE TABLE t (customer_id TEXT, at TIMESTAMPTZ, v INT)");

    assertThat(run(postgres("t"), NEWEST).rowsRead()).contains(0L);
    source.execute(
        "INSERT INTO t VALUES (NULL, now(), 1), ('a', NULL, 1), ('b', '2999-01-01', 1), ('c', 'infinity', 1)");
    Run run = run(postgres("t"), NEWEST);

    assertThat(run.rowsRead()).contains(4L);
    assertThat(run.rowsWritten()).contains(0L);
    assertThat(online("SELECT count(*) FROM online_v")).containsExactly("0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"view_of_t", "materialized_t", "parts"})
  void run_viewMaterializedViewOrPartitions_areReadAsTables(String name) throws Exception {
    table("INT", "7");
    source.execute(
        """
        CREATE VIEW view_of_t AS SELECT * FROM t;
        CREATE MATERIALIZED VIEW materialized_t AS SELECT * FROM t;
        CREATE TABLE parts (LIKE t) PARTITION BY LIST (customer_id);
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
        INSERT INTO parts SELECT * FROM t
        """);

    assertThat(run(postgres(name), NEWEST).error()).isEmpty();
    assertThat(online("SELECT v FROM online_v")).containsExactly("7");
  }

  @Test
  void run_keysWithSeparators_areEscapedAndLongOnesRefused() throws Exception {
    table("INT", "7");
    source.execute(
        "INSERT INTO t VALUES ('', now(), 1), ('|', now(), 2), ('a|b\\c', now(), 3), (repeat('é', 1024), now(), 4)");

    assertThat(run(postgres("t"), NEWEST).error()).isEmpty();
    assertThat(online("SELECT entity_key FROM online_v WHERE length(entity_key) < 10 ORDER BY v"))
        .containsExactly("", "\\|", "a\\|b\\\\c", "a");
    source.execute("INSERT INTO t VALUES (repeat('é', 1025), now(), 1)");
    assertThat(run(postgres("t"), NEWEST).error().orElseThrow())
        .contains("2050 bytes of UTF-8, more than 2048");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "`SELECT 1) AS q; DROP TABLE x; SELECT * FROM (SELECT 1`; at character 9",
        "DROP TABLE x; expected one SELECT",
        "`SELECT 1; SELECT 2`; found 2",
        "SELEC 1; at character 1",
        "SELECT nothing FROM src; nothing"
      })
  void run_sqlThatIsNoSelectOfItsOwn_isRefused(String sql, String message) throws Exception {
    table("INT", "7");

    Run run =
        run(
            postgres("t"),
            """
            {"name": "v", "entities": ["customer"], "source": "src", "sql": "%s"}
            """
                .formatted(sql));

    assertThat(run.errorCode()).contains("source_schema");
    assertThat(run.error().orElseThrow()).contains(message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "password=ge\\\\ heim bogus=1",
        "password='ge heim' bogus=1",
        "password='ge\\\\'heim' bogus=1",
        "password=g&heim bogus=1",
        "password=g'heim bogus=1"
      })
  void run_connectionThatFails_neverShowsItsPassword(String password) throws Exception {
    Run run = run(postgres("t").replace("dbname=", password + " dbname="), NEWEST);

    assertThat(run.errorCode()).contains("source_unavailable");
    assertThat(run.error().orElseThrow()).contains("source src: ").doesNotContain("heim");
  }

  @Test
  void run_addressWithAnUnencodedPassword_isRefusedWithoutIt() throws Exception {
    String address =
        """
        {"name": "src", "source_type": "postgres", "table": "t", "timestamp_field": "at",
         "connection_string": "postgresql://postgres:%s@127.0.0.1:%d/%s"}
        """;
    table("INT", "7");

    for (String password : List.of("ge/heim", "ge%zzheim", "ge@heim")) {
      Run run = run(address.formatted(password, source.port(), source.name()), NEWEST);
      assertThat(run.error().orElseThrow()).contains("percent-encoded").doesNotContain("heim");
    }
    String encoded = address.formatted("ge%2Fheim%20x", source.port(), source.name());
    assertThat(run(encoded, NEWEST).error()).isEmpty();
  }

  @Test
  void run_failingView_leavesTheOthersAlone() throws Exception {
    table("INT", "7");
    FeatureStore definitions =
        definitions(postgres("t"), sum("w").replace("\"v\"", "\"broken\"") + "," + NEWEST);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();

    try (Materializer materializer = Materializer.open(definitions, store)) {
      assertThat(materializer.run("broken", RunRequest.now()).error().orElseThrow())
          .contains("/aggregations/0")
          .contains("did you mean 'v'");
      assertThat(materializer.run("v", RunRequest.now()).status()).isEqualTo(Run.Status.SUCCEEDED);
    }
    assertThat(online("SELECT v FROM online_v")).containsExactly("7");
  }

  @Test
  void run_longerThanItsTimeout_fails() throws Exception {
    table("INT", "7");
    FeatureStore definitions =
        definitions(
            postgres("t"),
            """
            {"name": "v", "entities": ["customer"], "source": "src",
             "sql": "SELECT customer_id, max(\\"at\\") AS \\"at\\", count(*) AS n FROM src, range(20000000000) GROUP BY ALL"}
            """,
            target.url(),
            "\"run_timeout\": \"1s\",");
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();

    try (Materializer materializer = Materializer.open(definitions, store)) {
      Run run = materializer.run("v", RunRequest.now());

      assertThat(run.status()).isEqualTo(Run.Status.FAILED);
      assertThat(run.errorCode()).contains("deadline_exceeded");
      assertThat(run.error().orElseThrow()).contains("not done within PT1S");
    }
    assertThat(online("SELECT to_regclass('online_v')::text")).containsExactly("null");
  }

  @Test
  void run_storeThatCannotBeReached_saysSo() throws Exception {
    FeatureStore definitions =
        definitions(postgres("t"), NEWEST, "postgresql://u@127.0.0.1:1/d", "");

    assertThatThrownBy(() -> OnlineStore.open(definitions.onlineStore()).migrate())
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("127.0.0.1:1/d")
        .hasMessageContaining("can't be reached");
  }

  @Test
  void run_stateDirectoryThatCannotBeMade_saysSo() throws Exception {
    table("INT", "7");
    Files.writeString(directory.resolve("state"), "in the way");

    Run run = run(postgres("t"), NEWEST);

    assertThat(run.errorCode()).contains("invalid_config");
    assertThat(run.error().orElseThrow()).contains("materializer.state_directory");
  }

  private static String sum(String column) {
    return """
    {"name": "v", "entities": ["customer"], "source": "src",
     "aggregations": [{"function": "sum", "column": "%s", "alias": "s"}]}
    """
        .formatted(column);
  }

  private void table(String type, String value) throws Exception {
    source.execute(
        "CREATE TABLE t (customer_id TEXT, at TIMESTAMPTZ, v %s); INSERT INTO t VALUES ('a', '2026-01-01Z', %s)"
            .formatted(type, value));
  }

  private String postgres(String table) {
    return """
    {"name": "src", "source_type": "postgres", "connection_string": "%s",
     "table": "%s", "timestamp_field": "at"}
    """
        .formatted(source.connectionString(), table);
  }

  private Run run(String sources, String view) throws Exception {
    FeatureStore definitions = definitions(sources, view);
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    try (Materializer materializer = Materializer.open(definitions, store)) {
      return materializer.run("v", RunRequest.now());
    }
  }

  private FeatureStore definitions(String sources, String views) throws Exception {
    return definitions(sources, views, target.url(), "");
  }

  private FeatureStore definitions(String sources, String views, String store, String materializer)
      throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {%s "state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "STRING"}]}],
         "sources": [%s],
         "views": [%s]}
        """
            .formatted(
                store,
                materializer,
                TestDefinitions.materializer(directory).extensionDirectory(),
                sources,
                views));
    return ConfigReader.read(file, Map.of());
  }

  private List<String> online(String sql) throws Exception {
    try (Connection connection = target.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(Optional.ofNullable(rows.getString(1)).orElse("null"));
      }
      return found;
    }
  }
}
