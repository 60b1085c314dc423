package io.featureduck.dialect;

import static io.featureduck.definition.Aggregation.Function.APPROX_COUNT_DISTINCT;
import static io.featureduck.definition.Aggregation.Function.APPROX_PERCENTILE;
import static io.featureduck.definition.Aggregation.Function.AVG;
import static io.featureduck.definition.Aggregation.Function.COUNT;
import static io.featureduck.definition.Aggregation.Function.COUNT_DISTINCT;
import static io.featureduck.definition.Aggregation.Function.FIRST;
import static io.featureduck.definition.Aggregation.Function.LAST;
import static io.featureduck.definition.Aggregation.Function.LAST_N;
import static io.featureduck.definition.Aggregation.Function.MAX;
import static io.featureduck.definition.Aggregation.Function.MIN;
import static io.featureduck.definition.Aggregation.Function.STDDEV;
import static io.featureduck.definition.Aggregation.Function.SUM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Join;
import io.featureduck.definition.Source;
import io.featureduck.key.EntityKeyVectors;
import io.featureduck.plan.Views;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What plans compute on a real DuckDB, against values worked out by hand. */
final class PlanRunTest {
  private static final Instant AS_OF = Instant.parse("2024-06-30T00:00:00Z");

  /** id, customer, amount, whole, score, name, paid, at, written. Unsorted, on purpose. */
  private static final List<String> ORDERS =
      List.of(
          "3,1,3.25,7,0.5,c,true,2024-06-29 12:00:00,2024-06-29 12:00:01",
          "1,1,1.25,1,1.5,a,true,2024-06-01 00:00:00,2024-06-01 00:00:00",
          "2,1,2.00,,2.5,b,false,2024-06-23 00:00:00,2024-06-23 00:00:00",
          // Exactly at as_of: inside of every window. The row before is exactly 7 days old:
          // outside.
          "4,1,,9,,,,2024-06-30 00:00:00,2024-06-30 00:00:00",
          // After as_of by event time, then by cursor.
          "5,1,99.00,99,99,z,true,2024-06-30 00:00:01,2024-06-30 00:00:00",
          "6,1,99.00,99,99,z,true,2024-06-29 23:00:00,2024-06-30 00:00:01",
          // A row without cursor counts. It is this customer's only one, and before each window.
          "7,2,5.00,5,5.5,x,true,2024-01-01 00:00:00,",
          // Without key, without time.
          "8,,1.00,1,1.5,n,true,2024-06-01 00:00:00,2024-06-01 00:00:00",
          "9,3,1.00,1,1.5,n,true,,2024-06-01 00:00:00",
          // Known to us, but never with a row that passes a filter on paid.
          "10,4,1.00,1,1.5,n,false,2024-06-29 00:00:00,2024-06-29 00:00:00",
          "11,4,2.00,1,1.5,m,false,2024-06-29 00:00:00,2024-06-29 00:00:00");

  private static final String COLUMNS = "id,customer_id,amount,whole,score,name,paid,at,written";

  @TempDir Path directory;
  private DuckDbRunner duckdb;

  @SuppressWarnings("NullAway.Init") // set before each test
  PlanRunTest() {}

  @BeforeEach
  void open() throws SQLException {
    duckdb = new DuckDbRunner();
  }

  @AfterEach
  void close() throws SQLException {
    duckdb.close();
  }

  @ParameterizedTest
  @EnumSource(Source.Format.class)
  void run_eachAggregation_isAsWorkedOutByHand(Source.Format format) throws Exception {
    FeatureView view =
        Views.over("orders")
            .aggregate(COUNT, "", "rows")
            .aggregate(COUNT, "amount", "amounts")
            .aggregate(SUM, "amount", "amount_sum")
            .aggregate(SUM, "whole", "whole_sum")
            .aggregate(SUM, "score", "score_sum")
            .aggregate(AVG, "amount", "amount_avg")
            .aggregate(MIN, "amount", "amount_min")
            .aggregate(MAX, "name", "name_max")
            .aggregate(STDDEV, "amount", "amount_stddev")
            .aggregate(COUNT_DISTINCT, "name", "names")
            .aggregate(APPROX_COUNT_DISTINCT, "name", "names_roughly")
            .aggregate(FIRST, "name", "name_first")
            .aggregate(LAST, "name", "name_last")
            .aggregate(LAST_N, "amount", "amounts_last")
            .aggregate(APPROX_PERCENTILE, "amount", "amount_median")
            .aggregate(MIN, "paid", "paid_min")
            .aggregate(MAX, "at", "at_max")
            .view();

    Map<String, Map<String, String>> result = duckdb.run(view, AS_OF, orders(format));

    assertThat(result.keySet()).containsExactly("1", "2", "4");
    // amounts 1.25, 2.00, 3.25, NULL; stddev² = ((-11/12)² + (-2/12)² + (13/12)²) / 2 = 1.0208333
    assertThat(result.get("1"))
        .isEqualTo(
            Map.ofEntries(
                Map.entry("rows", "4"),
                Map.entry("amounts", "3"),
                Map.entry("amount_sum", "6.50"),
                Map.entry("whole_sum", "17"),
                Map.entry("score_sum", "4.5"),
                Map.entry("amount_avg", "2.1666666666666665"),
                Map.entry("amount_min", "1.25"),
                Map.entry("name_max", "c"),
                Map.entry("amount_stddev", "1.0103629710818451"),
                Map.entry("names", "3"),
                Map.entry("names_roughly", "3"),
                Map.entry("name_first", "a"),
                Map.entry("name_last", "NULL"),
                Map.entry("amounts_last", "[NULL, 3.25]"),
                Map.entry("amount_median", "2.0"),
                Map.entry("paid_min", "false"),
                Map.entry("at_max", "2024-06-30 00:00:00+00"),
                Map.entry("event_timestamp", "2024-06-30 00:00:00+00")));
    assertThat(result.get("2"))
        .containsEntry("rows", "1")
        .containsEntry("amount_stddev", "NULL")
        .containsEntry("event_timestamp", "2024-01-01 00:00:00+00");
    // Two rows of one instant: the order goes on by row_id.
    assertThat(result.get("4"))
        .containsEntry("name_last", "m")
        .containsEntry("name_first", "n")
        .containsEntry("amounts_last", "[2.00, 1.00]");
  }

  @ParameterizedTest
  @EnumSource(Source.Format.class)
  void run_windows_areOpenAtTheirStartAndClosedAtAsOf(Source.Format format) throws Exception {
    FeatureView view =
        Views.over("orders")
            .filter("paid OR paid IS NULL")
            .aggregate(COUNT, "", "rows", "7d", "24h", "1d", "2w", "86400s")
            .aggregate(SUM, "amount", "spent", "7d", "30d", "52w")
            .aggregate(AVG, "amount", "mean", "7d")
            .aggregate(STDDEV, "amount", "spread", "30d")
            .aggregate(MIN, "amount", "least", "7d")
            .aggregate(MAX, "amount", "most", "7d")
            .aggregate(COUNT_DISTINCT, "name", "names", "30d")
            .aggregate(APPROX_COUNT_DISTINCT, "name", "names_roughly", "30d")
            .aggregate(FIRST, "name", "first_name", "30d")
            .aggregate(LAST, "whole", "last_whole", "30d")
            .aggregate(LAST_N, "name", "last_names", "30d")
            .aggregate(APPROX_PERCENTILE, "amount", "median", "7d")
            .aggregate(COUNT, "", "large", "amount > 2", new String[] {"30d"})
            .view();

    Map<String, Map<String, String>> result = duckdb.run(view, AS_OF, orders(format));

    assertThat(result.keySet()).containsExactly("1", "2");
    assertThat(result.get("1"))
        .isEqualTo(
            Map.ofEntries(
                Map.entry("rows_7d", "2"),
                Map.entry("rows_24h", "2"),
                Map.entry("rows_1d", "2"),
                Map.entry("rows_2w", "2"),
                Map.entry("rows_86400s", "2"),
                Map.entry("spent_7d", "3.25"),
                Map.entry("spent_30d", "4.50"),
                Map.entry("spent_52w", "4.50"),
                Map.entry("mean_7d", "3.25"),
                Map.entry("spread_30d", "1.4142135623730951"),
                Map.entry("least_7d", "3.25"),
                Map.entry("most_7d", "3.25"),
                Map.entry("names_30d", "2"),
                Map.entry("names_roughly_30d", "2"),
                Map.entry("first_name_30d", "a"),
                Map.entry("last_whole_30d", "9"),
                Map.entry("last_names_30d", "[NULL, c]"),
                Map.entry("median_7d", "3.25"),
                Map.entry("large_30d", "1"),
                Map.entry("event_timestamp", "2024-06-30 00:00:00+00")));
    // In the view by its old row; its windows are empty: 0 for counts, NULL else.
    assertThat(result.get("2"))
        .isEqualTo(
            Map.ofEntries(
                Map.entry("rows_7d", "0"),
                Map.entry("rows_24h", "0"),
                Map.entry("rows_1d", "0"),
                Map.entry("rows_2w", "0"),
                Map.entry("rows_86400s", "0"),
                Map.entry("spent_7d", "NULL"),
                Map.entry("spent_30d", "NULL"),
                Map.entry("spent_52w", "5.00"),
                Map.entry("mean_7d", "NULL"),
                Map.entry("spread_30d", "NULL"),
                Map.entry("least_7d", "NULL"),
                Map.entry("most_7d", "NULL"),
                Map.entry("names_30d", "0"),
                Map.entry("names_roughly_30d", "0"),
                Map.entry("first_name_30d", "NULL"),
                Map.entry("last_whole_30d", "NULL"),
                Map.entry("last_names_30d", "NULL"),
                Map.entry("median_7d", "NULL"),
                Map.entry("large_30d", "0"),
                Map.entry("event_timestamp", "2024-01-01 00:00:00+00")));
  }

  @Test
  void run_windowBorder_isToTheMicrosecond() throws Exception {
    FeatureView view = Views.over("orders").aggregate(COUNT, "", "n", "1d").view();
    Source source =
        csv("orders", "customer_id,at", "1,2024-06-29 00:00:00", "2,2024-06-29 00:00:00.000001");

    assertThat(duckdb.run(view, AS_OF, source).get("1")).containsEntry("n_1d", "0");
    assertThat(duckdb.run(view, AS_OF, source).get("2")).containsEntry("n_1d", "1");
    assertThat(duckdb.run(view, AS_OF.minusNanos(1_000), source).get("1"))
        .containsEntry("n_1d", "1");
  }

  @ParameterizedTest
  @EnumSource(Source.Format.class)
  void rejected_eachReason_isCountedOnce(Source.Format format) throws Exception {
    FeatureView view = Views.over("orders").filter("paid").aggregate(COUNT, "", "n").view();

    assertThat(duckdb.rejected(view, AS_OF, orders(format))).containsExactly("11", "1", "1", "2");
  }

  @Test
  void run_projectionsOverAggregations_seeTheirTypedValues() throws Exception {
    FeatureView view =
        Views.over("orders")
            .aggregate(COUNT, "", "n")
            .aggregate(COUNT, "whole", "zero", "whole > 100", new String[0])
            .aggregate(SUM, "whole", "total")
            .project("total / n", "mean")
            .project("total / zero", "over_zero")
            .project("total % zero", "rest_of_zero")
            .project("total * 1.5", "more")
            .project("customer_id + 1", "next_customer")
            .view();

    assertThat(duckdb.run(view, AS_OF, orders(Source.Format.PARQUET)).get("1"))
        .containsEntry("mean", "4.25")
        .containsEntry("over_zero", "NULL")
        .containsEntry("rest_of_zero", "NULL")
        .containsEntry("more", "25.5")
        .containsEntry("next_customer", "2");
  }

  @Test
  void run_withoutAggregations_isTheNewestRow() throws Exception {
    FeatureView all = Views.over("orders").view();
    FeatureView some =
        Views.over("orders").project("amount * 2", "amount").project("name", "label").view();
    Source source = orders(Source.Format.PARQUET);

    assertThat(duckdb.run(all, AS_OF, source).get("4"))
        .containsExactly(
            Map.entry("id", "11"),
            Map.entry("amount", "2.00"),
            Map.entry("whole", "1"),
            Map.entry("score", "1.5"),
            Map.entry("name", "m"),
            Map.entry("paid", "false"),
            Map.entry("event_timestamp", "2024-06-29 00:00:00+00"));
    assertThat(duckdb.run(some, AS_OF, source).get("4"))
        .containsExactly(
            Map.entry("amount", "4.00"),
            Map.entry("label", "m"),
            Map.entry("event_timestamp", "2024-06-29 00:00:00+00"));
  }

  @Test
  void run_tiesWithoutRowId_goByAllColumns() throws Exception {
    FeatureView view =
        Views.over("orders").aggregate(LAST, "b", "b").aggregate(FIRST, "a", "a").view();
    String at = ",2024-01-01 00:00:00";
    Source source =
        csv("orders", "customer_id,a,b,at", "1,1,9" + at, "1,2,3" + at, "1,2,4" + at, "1,,5" + at);

    assertThat(duckdb.run(view, AS_OF, source).get("1"))
        .containsEntry("b", "4")
        .containsEntry("a", "NULL");
  }

  @Test
  void run_timesWithoutZone_areReadInTheSourcesTimezone() throws Exception {
    FeatureView view =
        Views.over("orders")
            .aggregate(COUNT, "", "n", "1h")
            .aggregate(MIN, "other", "other")
            .view();
    Source source =
        csv(
            "orders",
            "Europe/Berlin",
            Map.of(),
            "customer_id,at,other",
            "1,2024-06-30 01:30:00,2024-01-01 00:30:00",
            "2,2024-06-30 02:00:01,2024-01-01 00:30:00");

    // Berlin is 2 h ahead of UTC in June and 1 h in January.
    assertThat(duckdb.run(view, AS_OF, source))
        .isEqualTo(
            Map.of(
                "1",
                Map.of(
                    "n_1h", "1",
                    "other", "2023-12-31 23:30:00+00",
                    "event_timestamp", "2024-06-29 23:30:00+00")));
  }

  @Test
  void run_dateAsTimestampField_isMidnightInTheSourcesTimezone() throws Exception {
    FeatureView view = Views.over("orders").aggregate(COUNT, "", "n").view();
    Source source =
        csv(
            "orders",
            "America/New_York",
            Map.of(),
            "customer_id,at",
            "1,2024-06-29",
            "2,2024-06-30");

    assertThat(duckdb.run(view, AS_OF, source))
        .isEqualTo(Map.of("1", Map.of("n", "1", "event_timestamp", "2024-06-29 04:00:00+00")));
  }

  @Test
  void run_joins_takeTheNewestRowUpToAsOf() throws Exception {
    Source orders =
        csv(
            "orders",
            "customer_id,merchant,at",
            "1,10,2024-06-01 00:00:00",
            "2,20,2024-06-01 00:00:00",
            "3,,2024-06-01 00:00:00");
    Source merchants =
        csv(
            "merchants",
            "Id,country,at",
            "10,FR,2024-01-01 00:00:00",
            "10,DE,2024-06-29 00:00:00",
            "10,US,2024-07-01 00:00:00",
            ",XX,2024-06-29 00:00:00");
    Views left =
        Views.over("orders")
            .join("merchants", Join.Type.LEFT, "merchant", "id", "country")
            .project("merchants.country", "country");
    Views inner =
        Views.over("orders")
            .join("merchants", Join.Type.INNER, "merchant", "id")
            .filter("merchants.country = 'DE'")
            .aggregate(COUNT, "", "n");

    assertThat(duckdb.run(left.view(), AS_OF, orders, merchants))
        .hasSize(3)
        .hasEntrySatisfying("1", row -> assertThat(row).containsEntry("country", "DE"))
        .hasEntrySatisfying("2", row -> assertThat(row).containsEntry("country", "NULL"))
        .hasEntrySatisfying("3", row -> assertThat(row).containsEntry("country", "NULL"));
    assertThat(duckdb.run(inner.view(), AS_OF, orders, merchants)).containsOnlyKeys("1");
  }

  @Test
  void run_eachTypeOfParquet_comesOutAsTheFeaturesType() throws Exception {
    String path = directory.resolve("types.parquet").toString();
    duckdb.execute(
        """
        COPY (SELECT 1 AS customer_id, TIMESTAMP '2024-01-01 00:00:00' AS at,
          true AS bool, 1::TINYINT AS i8, 2::SMALLINT AS i16, 3::INTEGER AS i32, 4::BIGINT AS i64,
          255::UTINYINT AS u8, 65535::USMALLINT AS u16, 4294967295::UINTEGER AS u32,
          18446744073709551615::UBIGINT AS u64, 1.5::FLOAT AS f32, 'NaN'::DOUBLE AS f64,
          0.10::DECIMAL(12,2) AS exact, 'Grüße 😀' AS text, '\\xFF\\x00'::BLOB AS bytes,
          DATE '0800-12-25' AS day, TIMESTAMPTZ '2024-01-01 00:00:00.000001+02' AS zoned,
          TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS nanos, TIME '12:34:56' AS clock,
          '7c57b7b9-2cd1-4bb0-8b1c-2f4bf3b8c9b5'::UUID AS token, [1.5, NULL]::DOUBLE[] AS embedding,
          ['a', 'b'] AS words, '{"a": 1}'::JSON AS document, NULL::BIGINT AS nothing)
        TO '%s' (FORMAT parquet)
        """
            .formatted(path));

    Source source = Views.file("types", Source.Format.PARQUET, path, "at", "UTC");

    assertThat(duckdb.run(Views.over("types").view(), AS_OF, source).get("1"))
        .containsExactly(
            Map.entry("bool", "true"),
            Map.entry("i8", "1"),
            Map.entry("i16", "2"),
            Map.entry("i32", "3"),
            Map.entry("i64", "4"),
            Map.entry("u8", "255"),
            Map.entry("u16", "65535"),
            Map.entry("u32", "4294967295"),
            Map.entry("u64", "18446744073709551615"),
            Map.entry("f32", "1.5"),
            Map.entry("f64", "nan"),
            Map.entry("exact", "0.10"),
            Map.entry("text", "Grüße 😀"),
            Map.entry("bytes", "\\xFF\\x00"),
            Map.entry("day", "0800-12-25"),
            Map.entry("zoned", "2023-12-31 22:00:00.000001+00"),
            Map.entry("nanos", "2024-01-01 00:00:00.123456+00"),
            Map.entry("clock", "12:34:56"),
            Map.entry("token", "7c57b7b9-2cd1-4bb0-8b1c-2f4bf3b8c9b5"),
            Map.entry("embedding", "[1.5, NULL]"),
            Map.entry("words", "[a, b]"),
            Map.entry("document", "{\"a\": 1}"),
            Map.entry("nothing", "NULL"),
            Map.entry("event_timestamp", "2024-01-01 00:00:00+00"));
  }

  @Test
  void run_declaredTypesOfCsv_areReadFromTheTextItself() throws Exception {
    Source source =
        csv(
            "orders",
            "UTC",
            Map.of(
                "code", Primitive.STRING,
                "amount", new Decimal(38, 20),
                "seen", Primitive.TIMESTAMP,
                "flag", Primitive.BOOL),
            "customer_id,at,code,amount,seen,flag",
            "1,2024-01-01 00:00:00,00123,12345678901234567.12345678901234567890,2024-01-01,1");

    assertThat(duckdb.run(Views.over("orders").view(), AS_OF, source).get("1"))
        .containsEntry("code", "00123")
        .containsEntry("amount", "12345678901234567.12345678901234567890")
        .containsEntry("seen", "2024-01-01 00:00:00+00")
        .containsEntry("flag", "true");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '@',
      value = {
        // Literals and arithmetic
        "NULL::INT64; NULL",
        "TRUE; true",
        "'it''s \\ ü'; it's \\ ü",
        "1.50; 1.50",
        "-1e3; -1000.0",
        "DATE '2024-02-29'; 2024-02-29",
        "TIMESTAMP '2024-02-29 12:00:00.5+01'; 2024-02-29 11:00:00.5+00",
        "now(); 2024-06-30 00:00:00+00",
        "i + 1 * 2 - 3; 6",
        "(i + 1) * 2; 16",
        "i / 2; 3.5",
        "i / 0; NULL",
        "i / 0.0; NULL",
        "f / (f - f); NULL",
        "i % 4; 3",
        "-i % 4; -3",
        "i % 0; NULL",
        "d * 2; 24.68",
        "d + i; 19.34",
        "d - 0.005; 12.335",
        "-d; -12.34",
        "-(-i); 7",
        "i - (1 - 2); 8",
        "i - -1; 8",
        "small * 2147483647; 4294967294",
        "n + 1; NULL",
        // Conditions
        "i = 7; true",
        "i <> 7; false",
        "i < 7.5; true",
        "i <= f; false",
        "i > 6 AND d > 12; true",
        "i >= 8 OR s = 'Abc'; true",
        "NOT i = 7; false",
        "NOT (i = 7 AND d = 1); true",
        "n = 1 OR TRUE; true",
        "n = 1 AND FALSE; false",
        "n = 1; NULL",
        "n IS NULL; true",
        "n IS NOT NULL; false",
        "i IN (1, 7); true",
        "i NOT IN (1, 2); true",
        "i IN (1, NULL); NULL",
        "i BETWEEN 7 AND 8; true",
        "i NOT BETWEEN 7 AND 8; false",
        "s LIKE 'A_c'; true",
        "s LIKE 'a%'; false",
        "s NOT LIKE '%b%'; false",
        "CASE WHEN i > 7 THEN 'more' WHEN i = 7 THEN 'same' END; same",
        "CASE i WHEN 1 THEN 1 END; NULL",
        "CASE WHEN n > 1 THEN 1 ELSE 2.5 END; 2.5",
        "day < at; true",
        "day = TIMESTAMP '2024-02-29 00:00:00'; true",
        // Conversions
        "i::STRING; 7",
        "'12'::INT64 + 1; 13",
        "CAST(d AS FLOAT64); 12.34",
        "CAST(i AS DECIMAL(5,2)); 7.00",
        "d::INT32; 12",
        "'2024-01-31'::DATE; 2024-01-31",
        "day::TIMESTAMP; 2024-02-29 00:00:00+00",
        "at::DATE; 2024-05-15",
        "'true'::BOOL; true",
        "b::INT32; 1",
        // Functions
        "COALESCE(n, i); 7",
        "COALESCE(n, 0.5); 0.5",
        "NULLIF(i, 7); NULL",
        "NULLIF(i, 8); 7",
        "ABS(-d); 12.34",
        "ABS(-i); 7",
        "ROUND(d); 12",
        "ROUND(d, 1); 12.3",
        "ROUND(i); 7",
        "ROUND(f, 1); 2.4",
        "ROUND(i, -1); 10",
        "FLOOR(d); 12",
        "CEIL(d); 13",
        "FLOOR(f); 2.0",
        "CEIL(i); 7",
        "LN(EXP(2)); 2.0",
        "LN(0); NULL",
        "LN(-1); NULL",
        "SQRT(2.25); 1.5",
        "SQRT(-1); NULL",
        "POWER(2, 10); 1024.0",
        "LEAST(i, 3, n); 3",
        "GREATEST(i, d); 12.34",
        "LOWER(s); abc",
        "UPPER(s); ABC",
        "LENGTH('😀ü'); 2",
        "SUBSTR(s, 2); bc",
        "SUBSTR(s, 2, 1); b",
        "TRIM('  x '); x",
        "CONCAT(s, n::STRING, i, b, day); Abc7true2024-02-29",
        "REGEXP_MATCHES(s, 'b+'); true",
        "REGEXP_MATCHES(s, '^b'); false",
        // Times
        "DATE_TRUNC('month', at); 2024-05-01 00:00:00+00",
        "DATE_TRUNC('week', at); 2024-05-13 00:00:00+00",
        "DATE_TRUNC('hour', day); 2024-02-29 00:00:00+00",
        "DATE_DIFF('day', day, at); 76",
        "DATE_DIFF('month', day, at); 3",
        "DATE_DIFF('hour', at, at + INTERVAL '90' MINUTE); 1",
        "DATE_DIFF('week', DATE '2024-01-06', DATE '2024-01-08'); 1",
        "DATE_DIFF('week', DATE '2024-01-07', DATE '2024-01-06'); 0",
        "DATE_DIFF('week', DATE '1969-12-28', DATE '1969-12-29'); 1",
        "DATE_DIFF('week', DATE '2024-01-08', DATE '2024-01-07'); -1",
        "EXTRACT(year FROM at); 2024",
        "EXTRACT(quarter FROM at); 2",
        "EXTRACT(month FROM day); 2",
        "EXTRACT(week FROM DATE '2024-01-07'); 1",
        "EXTRACT(day FROM at); 15",
        "EXTRACT(hour FROM at); 10",
        "EXTRACT(minute FROM at); 20",
        "EXTRACT(second FROM at); 30",
        "EXTRACT(dow FROM DATE '2024-01-07'); 0",
        "EXTRACT(doy FROM DATE '2024-12-31'); 366",
        "EXTRACT(epoch FROM at); 1715768430",
        "EXTRACT(epoch FROM TIMESTAMP '1969-12-31 23:59:58.5'); -2",
        "at - INTERVAL '1' MONTH; 2024-04-15 10:20:30.123456+00",
        "day + INTERVAL '36' HOUR; 2024-03-01 12:00:00+00",
        "INTERVAL 1 WEEK + at; 2024-05-22 10:20:30.123456+00",
        "now() - INTERVAL '7 days'; 2024-06-23 00:00:00+00",
        "\"Weird Col\"; 9",
        "rows.i; 7"
      })
  void run_eachExpression_isAsWorkedOutByHand(String expression, String expected) throws Exception {
    Source source = expressionRow();
    FeatureView view = Views.over("rows").project(expression, "x").view();

    assertThat(duckdb.run(view, AS_OF, source).get("1")).containsEntry("x", expected);
  }

  @Test
  void run_sumBeyondItsType_failsAndNamesTheEntity() throws Exception {
    Source whole =
        csv(
            "orders",
            "UTC",
            Map.of("v", Primitive.INT64, "w", new Decimal(38, 0)),
            "customer_id,at,v,w",
            "7,2024-01-01 00:00:00,9223372036854775807,99999999999999999999999999999999999999",
            "7,2024-01-01 00:00:00,1,1",
            "8,2024-01-01 00:00:00,9223372036854775807,99999999999999999999999999999999999999");

    assertThatThrownBy(() ->
            duckdb.run(Views.over("orders").aggregate(SUM, "v", "total").view(), AS_OF, whole))
        .hasMessageContaining("value_out_of_range: total of entity 7");
    assertThatThrownBy(() ->
            duckdb.run(Views.over("orders").aggregate(SUM, "w", "total").view(), AS_OF, whole))
        .hasMessageContaining("value_out_of_range: total of entity 7");
    assertThat(
            duckdb.run(
                Views.over("orders")
                    .filter("customer_id = 8")
                    .aggregate(SUM, "v", "v")
                    .aggregate(SUM, "w", "w")
                    .view(),
                AS_OF,
                whole))
        .isEqualTo(
            Map.of(
                "8",
                Map.of(
                    "v", "9223372036854775807",
                    "w", "99999999999999999999999999999999999999",
                    "event_timestamp", "2024-01-01 00:00:00+00")));
  }

  static List<EntityKeyVectors.Vector> vectors() throws Exception {
    return EntityKeyVectors.read();
  }

  @ParameterizedTest
  @MethodSource("vectors")
  void run_entityKey_isAsTheEncoderMakesIt(EntityKeyVectors.Vector vector) throws Exception {
    List<String> columns = new ArrayList<>();
    Views newest = Views.over("t").project("1", "x");
    Views counted = Views.over("t").aggregate(COUNT, "", "x");
    for (int i = 0; i < vector.keys().size(); i++) {
      String name = vector.keys().get(i).name();
      FeatureType type = vector.keys().get(i).type();
      columns.add(
          "CAST('%s' AS %s) AS %s"
              .formatted(vector.values().get(i).replace("'", "''"), DuckDbTypes.name(type), name));
      newest.key(name, type);
      counted.key(name, type);
    }
    String path = directory.resolve("t.parquet").toString();
    duckdb.execute(
        "COPY (SELECT %s, TIMESTAMP '2024-01-01 00:00:00' AS at) TO '%s' (FORMAT parquet)"
            .formatted(String.join(", ", columns), path));
    Source source = Views.file("t", Source.Format.PARQUET, path, "at", "UTC");

    assertThat(duckdb.run(newest.view(), AS_OF, source)).containsOnlyKeys(vector.key());
    assertThat(duckdb.run(counted.view(), AS_OF, source)).containsOnlyKeys(vector.key());
  }

  @Test
  void run_sqlView_seesItsSourcesUpToAsOfUnderTheirNames() throws Exception {
    FeatureView view =
        Views.over("orders")
            .sql(
                """
                SELECT customer_id, max("at") AS at, sum(whole) AS whole,
                  list(name ORDER BY id) AS names
                FROM orders WHERE paid GROUP BY ALL -- a comment
                """)
            .view();

    assertThat(duckdb.run(view, AS_OF, orders(Source.Format.PARQUET)))
        .isEqualTo(
            Map.of(
                "1",
                Map.of(
                    "whole", "8",
                    "names", "[a, c]",
                    "event_timestamp", "2024-06-29 12:00:00+00"),
                "2",
                Map.of(
                    "whole", "5",
                    "names", "[x]",
                    "event_timestamp", "2024-01-01 00:00:00+00")));
  }

  private Source expressionRow() throws SQLException {
    String path = directory.resolve("rows.parquet").toString();
    duckdb.execute(
        """
        COPY (SELECT 1 AS customer_id, 7::BIGINT AS i, 2::INTEGER AS small, 12.34::DECIMAL(12,2) AS d,
          2.375::DOUBLE AS f, 'Abc' AS s, true AS b, DATE '2024-02-29' AS day, NULL::BIGINT AS n,
          9 AS "Weird Col", TIMESTAMPTZ '2024-05-15 10:20:30.123456+00' AS at)
        TO '%s' (FORMAT parquet)
        """
            .formatted(path));
    return Views.file("rows", Source.Format.PARQUET, path, "at", "UTC");
  }

  private Source csv(String name, String header, String... rows) throws Exception {
    return csv(name, "UTC", Map.of(), header, rows);
  }

  private Source csv(
      String name, String timezone, Map<String, FeatureType> types, String header, String... rows)
      throws Exception {
    Path file = directory.resolve(name + ".csv");
    Files.writeString(file, header + "\n" + String.join("\n", rows) + "\n");
    return Views.source(
        name,
        new Source.Files(Source.Format.CSV, file.toString()),
        "at",
        "at",
        timezone,
        Optional.empty(),
        types);
  }

  /** The orders in a file of the format; amounts are exact in each. */
  private Source orders(Source.Format format) throws Exception {
    Path file = directory.resolve("orders." + format.name());
    Map<String, FeatureType> types = Map.of("amount", new Decimal(12, 2));
    switch (format) {
      case CSV -> Files.writeString(file, COLUMNS + "\n" + String.join("\n", ORDERS) + "\n");
      case JSON -> Files.writeString(file, json());
      case PARQUET -> {
        Path csv = directory.resolve("orders.csv");
        Files.writeString(csv, COLUMNS + "\n" + String.join("\n", ORDERS) + "\n");
        duckdb.execute(
            "COPY (FROM read_csv('%s', types = {'amount': 'DECIMAL(12,2)'})) TO '%s' (FORMAT parquet)"
                .formatted(csv, file));
      }
    }
    return Views.source(
        "orders",
        new Source.Files(format, file.toString()),
        "at",
        "written",
        "UTC",
        Optional.of("id"),
        types);
  }

  private static String json() {
    List<String> names = List.of(COLUMNS.split(",", -1));
    StringBuilder lines = new StringBuilder();
    for (String row : ORDERS) {
      List<String> values = List.of(row.split(",", -1));
      List<String> members = new ArrayList<>();
      for (int i = 0; i < names.size(); i++) {
        String value = values.get(i);
        boolean quoted = List.of("name", "at", "written").contains(names.get(i));
        String json = value.isEmpty() ? "null" : quoted ? "\"" + value + "\"" : value;
        members.add("\"" + names.get(i) + "\":" + json);
      }
      lines.append("{").append(String.join(",", members)).append("}\n");
    }
    return lines.toString();
  }
}
