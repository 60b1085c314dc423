package io.featureduck.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.Basis;
import io.featureduck.store.Cancellation;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Retention;
import io.featureduck.store.Run;
import io.featureduck.store.RunCommit;
import io.featureduck.store.RunProgress;
import io.featureduck.store.RunStart;
import io.featureduck.store.ViewLock;
import io.featureduck.store.Watermark;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Values from DuckDB's results to the store's tables, one by one. */
final class ComputedRowsTest {
  private static final JsonMapper JSON = new JsonMapper();

  @TempDir private Path directory = Path.of("");

  private TestStore database;
  private OnlineStore store;

  @BeforeEach
  void openTyped() throws Exception {
    open(TestStore.Form.POSTGRES_TYPED);
  }

  private void open(TestStore.Form form) throws Exception {
    database = form.create();
    store = OnlineStore.open(database.settings());
    store.migrate();
  }

  private DuckDb duckDb() {
    return new DuckDb(
        TestDefinitions.materializer(directory), new Extensions(directory.resolve("extensions")));
  }

  private RunCommit.Written write(String sql, List<Feature> features) {
    FeatureView view =
        TestDefinitions.view(
            "v", "orders", "{\"storage\":\"%s\"}".formatted(database.form().storage().id()));
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        DuckDbSession session = duckDb().open(new Cancellation())) {
      LiveView live = store.register(view, features, "test");
      long run =
          lock.start(new RunStart(1, Run.Kind.FULL, "duckdb", Optional.empty(), "here"))
              .orElseThrow();
      return lock.write(
          new RunCommit(
              run,
              live,
              features,
              Run.Kind.FULL,
              lock.basis(1).map(Basis::runId),
              Optional.empty(),
              1,
              Instant.EPOCH,
              List.of(new Watermark("orders", Instant.EPOCH, "hash")),
              new RunProgress(),
              session.folder()),
          new ComputedRows(session, "v", sql, features, new RunProgress(), Retention.everything()),
          new Cancellation());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BOOL | true, false | true, false",
        "INT32 | -2147483648, 2147483647, 0 | -2147483648, 2147483647, 0",
        "INT64 | -9223372036854775808, 9223372036854775807 | -9223372036854775808, 9223372036854775807",
        "FLOAT32 | 0.1, 'NaN'::FLOAT, '-inf'::FLOAT, 3.4028235e38 | 0.1, NaN, -Infinity, 3.4028235e+38",
        "FLOAT64 | 0.1, 'NaN'::DOUBLE, 'inf'::DOUBLE, 5e-324 | 0.1, NaN, Infinity, 5e-324",
        "DECIMAL(9,3) | 0.001, -123456.789, 0, 100000 | 0.001, -123456.789, 0.000, 100000.000",
        "DECIMAL(18,0) | 999999999999999999, -10000, 1 | 999999999999999999, -10000, 1",
        "DECIMAL(4,4) | 0.1, 0.0001, -0.9999 | 0.1000, 0.0001, -0.9999",
        "DECIMAL(5,1) | 0.1, 1000.1, 9999.9, 10 | 0.1, 1000.1, 9999.9, 10.0",
        "DECIMAL(38,2) | 123456789012345678901234567890123456.78, -0.01, 10000 | 123456789012345678901234567890123456.78, -0.01, 10000.00",
        "DECIMAL(38,10) | 9999999999999999999999999999.9999999999, 0.0000000001 | 9999999999999999999999999999.9999999999, 0.0000000001",
        "STRING | 'Grüße 🦆', '', 'it''s', concat('a', chr(1), 'b') | Grüße 🦆, , it's, a\u0001b",
        "BYTES | '\\xDE\\xAD\\x00'::BLOB, ''::BLOB | \\xdead00, \\x",
        "DATE | DATE '1970-01-01', DATE '2026-02-28', DATE '0001-01-01' | 1970-01-01, 2026-02-28, 0001-01-01",
        "TIMESTAMP | TIMESTAMPTZ '2026-11-23 10:00:00.683543Z', TIMESTAMPTZ '1969-12-31 23:59:59.999999Z', TIMESTAMPTZ '2026-11-23 10:00:00+05:30' | 2026-11-23 10:00:00.683543+00, 1969-12-31 23:59:59.999999+00, 2026-11-23 04:30:00+00",
        "JSON | '{\"a\": [1, null, \"\\u00e9\\\\u0000\"]}'::JSON, 'null'::JSON | {\"a\": [1; null; \"é\\\\u0000\"]}, null",
        "ARRAY<INT64> | [1, NULL, 3], []::BIGINT[] | {1;NULL;3}, {}",
        "ARRAY<FLOAT32> | [0.5, -1]::FLOAT[] | {0.5;-1}",
        "ARRAY<STRING> | ['a', NULL, 'b c', '🦆'] | {a;NULL;\"b c\";🦆}",
        "ARRAY<BOOL> | [true, false] | {t;f}",
        "ARRAY<DECIMAL(12,2)> | [1.50, -0.01]::DECIMAL(12,2)[] | {1.50;-0.01}",
        "ARRAY<DATE> | [DATE '2026-02-28', NULL] | {2026-02-28;NULL}",
        "ARRAY<TIMESTAMP> | [TIMESTAMPTZ '2026-11-23 10:00:00.5Z'] | {\"2026-11-23 10:00:00.5+00\"}",
        "ARRAY<BYTES> | ['\\xDE\\xAD'::BLOB] | {\"\\\\xdead\"}",
        "ARRAY<JSON> | ['{\"a\": 1}'::JSON] | {\"{\\\"a\\\": 1}\"}"
      })
  void writeTo_eachType_arrivesAsItWas(String type, String values, String expected)
      throws Exception {
    RunCommit.Written written = write(type, values);

    assertThat(written.rows()).isEqualTo(split(expected).size() + 1);
    List<String> wanted = new ArrayList<>(split(expected));
    wanted.add("null");
    assertThat(database.query("SELECT f::text FROM online_v ORDER BY entity_key::int"))
        .isEqualTo(wanted);
  }

  private RunCommit.Written write(String type, String values) {
    String sql =
        """
        SELECT i::VARCHAR AS entity_key, v%s AS f, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS event_timestamp
        FROM (SELECT unnest(range(100)) AS i, unnest([%s, NULL]) AS v) WHERE i IS NOT NULL
          AND i <= len([%s])
        """
            .formatted(cast(type), values, values);
    return write(sql, List.of(new Feature("f", FeatureType.parse(type).orElseThrow())));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BOOL | true, false | [true, false]",
        "INT32 | -2147483648, 2147483647, 0 | [-2147483648, 2147483647, 0]",
        "INT64 | -9223372036854775808, 9223372036854775807 | [-9223372036854775808, 9223372036854775807]",
        "FLOAT32 | 0.1, 'NaN'::FLOAT, '-inf'::FLOAT, 3.4028235e38, '-0.0'::FLOAT | [0.1, ~NaN~, ~-Infinity~, 3.4028235e38, ~-0.0~]",
        "FLOAT64 | 0.1, 'NaN'::DOUBLE, 'inf'::DOUBLE, 5e-324, 1.7976931348623157e308, '-0.0'::DOUBLE, 100 | [0.1, ~NaN~, ~Infinity~, 5e-324, 1.7976931348623157e308, ~-0.0~, 100.0]",
        "DECIMAL(9,3) | 0.001, -123456.789, 0, 100000 | [~0.001~, ~-123456.789~, ~0.000~, ~100000.000~]",
        "DECIMAL(38,10) | 9999999999999999999999999999.9999999999, 0.0000000001 | [~9999999999999999999999999999.9999999999~, ~0.0000000001~]",
        "STRING | 'Grüße 🦆', '', 'it''s \"so\"', concat('a', chr(1), chr(10), chr(9), '\\') | [~Grüße 🦆~, ~~, ~it's \\\"so\\\"~, ~a\\u0001\\n\\t\\\\~]",
        "BYTES | '\\xDE\\xAD\\x00'::BLOB, ''::BLOB | [~3q0A~, ~~]",
        "DATE | DATE '1970-01-01', DATE '2026-02-28', DATE '0001-01-01' | [~1970-01-01~, ~2026-02-28~, ~0001-01-01~]",
        "TIMESTAMP | TIMESTAMPTZ '2026-11-23 10:00:00.683543Z', TIMESTAMPTZ '1969-12-31 23:59:59.999Z', TIMESTAMPTZ '2026-11-23 10:00:00+05:30' | [~2026-11-23T10:00:00.683543Z~, ~1969-12-31T23:59:59.999Z~, ~2026-11-23T04:30:00Z~]",
        "JSON | '{\"a\": [1, null, \"\\u00e9\\\\u0000\"]}'::JSON, 'null'::JSON, '7'::JSON | [{~a~: [1, null, ~é\\\\u0000~]}, null, 7]",
        "ARRAY<INT64> | [1, NULL, 3], []::BIGINT[] | [[1, null, 3], []]",
        "ARRAY<FLOAT32> | ['0.5'::FLOAT, 'NaN'::FLOAT] | [[0.5, ~NaN~]]",
        "ARRAY<STRING> | ['a', NULL, 'b c', '🦆'] | [[~a~, null, ~b c~, ~🦆~]]",
        "ARRAY<DECIMAL(12,2)> | [1.50, -0.01]::DECIMAL(12,2)[] | [[~1.50~, ~-0.01~]]",
        "ARRAY<TIMESTAMP> | [TIMESTAMPTZ '2026-11-23 10:00:00.5Z', NULL] | [[~2026-11-23T10:00:00.500Z~, null]]",
        "ARRAY<BYTES> | ['\\xDE\\xAD'::BLOB] | [[~3q0=~]]",
        "ARRAY<JSON> | ['{\"a\": 1}'::JSON] | [[{~a~: 1}]]"
      })
  void writeTo_eachTypeAsJson_isTheSameInBothDatabases(String type, String values, String expected)
      throws Exception {
    for (TestStore.Form form : List.of(TestStore.Form.POSTGRES_JSONB, TestStore.Form.MYSQL_JSON)) {
      open(form);
      List<JsonNode> wanted = new ArrayList<>();
      JSON.readTree(expected.replace('~', '"')).forEach(wanted::add);
      wanted.add(JSON.nullNode());

      RunCommit.Written written = write(type, values);

      assertThat(written.rows()).isEqualTo(wanted.size());
      List<String> found =
          database.query(
              "SELECT features FROM online_v ORDER BY CAST(entity_key AS %s)"
                  .formatted(form == TestStore.Form.MYSQL_JSON ? "UNSIGNED" : "INTEGER"));
      for (int i = 0; i < wanted.size(); i++) {
        JsonNode row = JSON.readTree(found.get(i));
        assertThat(row.propertyNames()).as("%s %s", form, row).containsExactly("f");
        assertThat(sameValue(row.get("f"), wanted.get(i)))
            .as("%s: %s, wanted %s", form, row, wanted.get(i))
            .isTrue();
      }
      // Whatever the value, the same again is no change.
      assertThat(write(type, values).rowsWritten()).isZero();
    }
  }

  /** Tells whether two values are the same; a number may be written out in digits. */
  private static boolean sameValue(JsonNode one, JsonNode other) {
    return (one.isNumber() && other.isNumber())
        ? one.decimalValue().compareTo(other.decimalValue()) == 0
        : one.equals(other);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BOOL | true, false | 1, 0",
        "INT32 | -2147483648, 2147483647, 0 | -2147483648, 2147483647, 0",
        "INT64 | -9223372036854775808, 9223372036854775807 | -9223372036854775808, 9223372036854775807",
        "FLOAT32 | 0.1, 3.4028235e38, 1.17549435e-38, 16777217 | 0.10000000149011612, 3.4028234663852886e38, 1.1754943508222875e-38, 16777216",
        "FLOAT64 | 0.1, 5e-324, 1.7976931348623157e308, 0.1::DOUBLE + 0.2 | 0.1, 5e-324, 1.7976931348623157e308, 0.30000000000000004",
        "DECIMAL(9,3) | 0.001, -123456.789, 0, 100000 | 0.001, -123456.789, 0.000, 100000.000",
        "DECIMAL(38,2) | 123456789012345678901234567890123456.78, -0.01, 10000 | 123456789012345678901234567890123456.78, -0.01, 10000.00",
        "DECIMAL(38,38) | '0.12345678901234567890123456789012345678' | 0.12345678901234567890123456789012345678",
        "STRING | 'Grüße 🦆', '', 'it''s', 'a ', concat('a', chr(1), 'b') | Grüße 🦆, , it's, a , a\u0001b",
        "BYTES | '\\xDE\\xAD\\x00'::BLOB, ''::BLOB, '\\x01'::BLOB | DEAD00, , 01",
        "DATE | DATE '1970-01-01', DATE '2026-02-28', DATE '0001-01-01', DATE '9999-12-31' | 1970-01-01, 2026-02-28, 0001-01-01, 9999-12-31",
        "TIMESTAMP | TIMESTAMPTZ '2026-11-23 10:00:00.683543Z', TIMESTAMPTZ '1969-12-31 23:59:59.999999Z', TIMESTAMPTZ '2026-11-23 10:00:00+05:30' | 2026-11-23 10:00:00.683543, 1969-12-31 23:59:59.999999, 2026-11-23 04:30:00.000000",
        "JSON | '{\"a\": 1}'::JSON, 'null'::JSON | {\"a\": 1}, null",
        "ARRAY<INT64> | [1, NULL, 3], []::BIGINT[] | [1;null;3], []",
        "ARRAY<FLOAT32> | ['0.5'::FLOAT, 'inf'::FLOAT] | [0.5;\"Infinity\"]",
        "ARRAY<STRING> | ['a', NULL, '🦆'] | [\"a\";null;\"🦆\"]",
        "ARRAY<DECIMAL(12,2)> | [1.50, -0.01]::DECIMAL(12,2)[] | [\"1.50\";\"-0.01\"]"
      })
  void writeTo_eachTypeInMySql_arrivesAsItWas(String type, String values, String expected)
      throws Exception {
    open(TestStore.Form.MYSQL_TYPED);
    List<String> wanted = new ArrayList<>(split(expected));
    wanted.add("null");

    RunCommit.Written written = write(type, values);

    assertThat(written.rows()).isEqualTo(wanted.size());
    String read =
        switch (type) {
          // Text shows six digits of a FLOAT.
          case "FLOAT32" -> "CAST(f AS DOUBLE)";
          case "BYTES" -> "HEX(f)";
          case "BOOL" -> "f + 0";
          default -> "f";
        };
    assertThat(
            database.query(
                "SELECT %s FROM online_v ORDER BY CAST(entity_key AS UNSIGNED)".formatted(read)))
        .isEqualTo(wanted);
    assertThat(write(type, values).rowsWritten()).isZero();
  }

  @Test
  void writeTo_notANumberInMySql_isRefusedByNameOfRow() throws Exception {
    open(TestStore.Form.MYSQL_TYPED);

    assertThatThrownBy(() ->
            write(
                "SELECT 'a|7' AS entity_key, 'NaN'::DOUBLE AS score, now() AS event_timestamp",
                List.of(new Feature("score", FeatureType.Primitive.FLOAT64))))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.VALUE_OUT_OF_RANGE))
        .hasMessage(
            "view v, entity 'a|7', feature score: NaN, which no column of MySQL can keep: give the view \"storage\": \"jsonb\", which can");
  }

  @ParameterizedTest
  @EnumSource(TestStore.Form.class)
  void writeTo_featuresOfAnyName_areKeptAndCompared(TestStore.Form form) throws Exception {
    open(form);
    List<Feature> features =
        List.of(
            new Feature("Größe \"m\"", FeatureType.Primitive.FLOAT64),
            new Feature("a.b", FeatureType.Primitive.FLOAT64),
            new Feature("it's", FeatureType.Primitive.FLOAT32),
            new Feature("back\\slash", FeatureType.Primitive.FLOAT64),
            new Feature("rows", FeatureType.Primitive.STRING),
            new Feature("$[0]?", FeatureType.Primitive.FLOAT64));
    String sql =
        """
        SELECT i::VARCHAR AS entity_key, %1$s::DOUBLE AS "Größe ""m\"\"\", %1$s::DOUBLE AS "a.b",
          0.1::FLOAT AS "it's", NULL::DOUBLE AS "back\\slash", 'x' AS "rows",
          %1$s::DOUBLE AS "$[0]?", now() AS event_timestamp
        FROM range(3) t(i)
        """;
    String stable = sql.replace("now()", "TIMESTAMPTZ '2026-01-01 00:00:00Z'");

    assertThat(write(stable.formatted("(0.1 + i)"), features).rowsWritten()).isEqualTo(3);
    assertThat(write(stable.formatted("(0.1 + i + 1e-15)"), features).rowsWritten()).isZero();
    assertThat(write(stable.formatted("(0.1 + i + 1e-9)"), features).rowsWritten()).isEqualTo(3);
  }

  private static String cast(String type) {
    return switch (type) {
      case "BOOL", "BYTES", "JSON", "DATE", "STRING" -> "";
      case "INT32" -> "::INTEGER";
      case "INT64" -> "::BIGINT";
      case "FLOAT32" -> "::FLOAT";
      case "FLOAT64" -> "::DOUBLE";
      case "TIMESTAMP" -> "::TIMESTAMPTZ";
      default -> type.startsWith("DECIMAL") ? "::" + type : "";
    };
  }

  private static List<String> split(String list) {
    List<String> parts = new ArrayList<>();
    for (String part : list.split(", ", -1)) {
      parts.add(part.replace("; ", ", ").replace(";", ","));
    }
    return parts;
  }

  @Test
  void writeTo_eventTimeIsNull_isKept() throws Exception {
    RunCommit.Written written =
        write("SELECT 'a' AS entity_key, NULL::TIMESTAMPTZ AS event_timestamp", List.of());

    assertThat(written.rows()).isEqualTo(1);
    assertThat(database.query("SELECT event_timestamp FROM online_v")).containsExactly("null");
  }

  @Test
  void writeTo_textWithZero_isRefusedByNameOfRow() {
    assertThatThrownBy(() ->
            write(
                "SELECT 'a|7' AS entity_key, 'x' || chr(0) AS name, now() AS event_timestamp",
                List.of(new Feature("name", FeatureType.Primitive.STRING))))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.VALUE_OUT_OF_RANGE))
        .hasMessageContaining("view v, entity 'a|7', feature name: text with U+0000");
  }

  @Test
  void writeTo_jsonWithEscapedZero_isRefusedByNameOfRow() {
    assertThatThrownBy(() ->
            write(
                "SELECT 'a' AS entity_key, '{\"x\": \"\\u0000\"}'::JSON AS j, now() AS event_timestamp",
                List.of(new Feature("j", FeatureType.Primitive.JSON))))
        .hasMessageContaining("entity 'a', feature j: JSON with U+0000");
  }

  @Test
  void writeTo_keyTooLong_isRefused() {
    assertThatThrownBy(() ->
            write("SELECT repeat('ä', 1025) AS entity_key, now() AS event_timestamp", List.of()))
        .hasMessageContaining("its key has 2050 bytes of UTF-8, more than 2048");
  }

  @Test
  void writeTo_computationFails_isOurs() {
    assertThatThrownBy(() -> write("SELECT * FROM read_parquet('/nowhere/*.parquet')", List.of()))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_UNAVAILABLE))
        .hasMessageContaining("/nowhere/*.parquet");
  }

  /** The keys of its query are those of entities. */
  @Test
  void failure_ofAnExtensionsQuery_doesNotRepeatIt() {
    SQLException failed =
        new SQLException(
            "IO Error: Failed to execute query \"SELECT * FROM o WHERE k IN ('\"ann@shop\": ', 'bob@shop')\": no connection to the server");
    MaterializerSettings settings = TestDefinitions.materializer(directory);
    DuckDb duckDb = new DuckDb(settings, new Extensions(settings.extensionDirectory()));
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      FeatureException failure = session.failure("reading", failed);

      assertThat(failure.getMessage())
          .doesNotContain("shop")
          .contains("no connection to the server");
      assertThat(failure.mayPass()).isTrue();
    }
  }

  @Test
  void mask_connectionStrings_hidesPasswordsOnly() {
    assertThat(
            DuckDbSession.mask(
                "Unable to connect to \"host=h password=geheim dbname=d\" or \"password='ge heim' user=u\" or postgresql://u:geheim@h/d?x=1"))
        .isEqualTo(
            "Unable to connect to \"host=h password=*** dbname=d\" or \"password=*** user=u\" or postgresql://u:***@h/d?x=1");
    assertThat(DuckDbSession.mask("at \"password=ge\\ he'im&x\\\\y user=u\": no"))
        .isEqualTo("at \"password=*** user=u\": no");
  }
}
