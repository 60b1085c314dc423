package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.type.FeatureType;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each type with values that are ones, nearly ones and none, asked of a real Postgres. */
class ValueSqlTest {
  private static Session session = open();

  private static Session open() {
    try {
      return Session.ofStore(TestDefinitions.store(TestPostgres.newDatabase(), "public"));
    } catch (java.sql.SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @BeforeAll
  static void connect() {
    assertThat(session.number("SELECT 1")).isEqualTo(1);
  }

  @AfterAll
  static void close() {
    session.close();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BOOL | true | true",
        "INT32 | 2147483647 | 2147483647",
        "INT32 | -2147483648 | -2147483648",
        "INT64 | 0 | 0",
        "INT64 | 1.0 | 1",
        "INT64 | 1e3 | 1000",
        "INT64 | 9223372036854775807 | 9223372036854775807",
        "INT64 | -9223372036854775808 | -9223372036854775808",
        "FLOAT64 | 0.1 | 0.1",
        "FLOAT64 | 12.50 | 12.5",
        "FLOAT64 | 0.30000000000000004 | 0.30000000000000004",
        "FLOAT64 | 1.5e308 | 1.5e+308",
        "FLOAT64 | 0 | 0",
        "FLOAT64 | 9007199254740992 | 9.007199254740992e+15",
        "FLOAT64 | \"NaN\" | NaN",
        "FLOAT64 | \"-Infinity\" | -Infinity",
        "FLOAT32 | 0.5 | 0.5",
        "FLOAT32 | 0.1 | 0.1",
        "DECIMAL(5,2) | 123.45 | 123.45",
        "DECIMAL(5,2) | -999.99 | -999.99",
        "DECIMAL(38,0) | 99999999999999999999999999999999999999 | 99999999999999999999999999999999999999",
        "STRING | \"a'b\\\\c\\\"d\" | a'b\\c\"d",
        "STRING | \"\" | ``",
        "STRING | \"\\u20ac\" | €",
        "BYTES | \"AAECAw==\" | \\x00010203",
        "BYTES | \"\" | \\x",
        "DATE | \"2024-02-29\" | 2024-02-29",
        "JSON | {\"a\": [1, null]} | {\"a\": [1, null]}",
        "JSON | \"text\" | \"text\"",
        "ARRAY<INT64> | [1, null, 3] | {1,NULL,3}",
        "ARRAY<INT64> | [] | {}",
        "ARRAY<FLOAT64> | [0.1, 2] | {0.1,2}",
        "ARRAY<STRING> | [\"a,b\", \"{}\", null] | {\"a,b\",\"{}\",NULL}",
        "ARRAY<BOOL> | [true, false] | {t,f}",
        "ARRAY<BYTES> | [\"AA==\", null] | {\"\\\\x00\",NULL}",
        "ARRAY<DECIMAL(4,1)> | [1.5, 100] | {1.5,100.0}",
        "ARRAY<JSON> | [{\"a\": 1}, 2] | {\"{\\\"a\\\": 1}\",2}"
      })
  void exact_valueOfTheType_isHeldAsItIs(String type, String json, String expected) {
    assertThat(ask(ValueSql.exact(type(type), "v"), json)).isEqualTo("true");
    assertThat(ask(ValueSql.fits(type(type), "v"), json)).isEqualTo("true");
    assertThat(value(type, json)).isEqualTo(expected);
    assertThat(ask("(" + back(type) + ") = v", json)).isEqualTo("true");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "FLOAT64 | 0.12345678901234567890 | 0.12345678901234568",
        "FLOAT64 | 9007199254740993 | 9.007199254740992e+15",
        "FLOAT32 | 0.123456789 | 0.12345679",
        "FLOAT32 | 16777217 | 1.6777216e+07",
        "STRING | 1.50 | 1.50",
        "STRING | true | true",
        "BYTES | \"AB==\" | \\x00",
        "TIMESTAMP | \"2024-01-31T10:00:00Z\" | 2024-01-31 10:00:00+00",
        "TIMESTAMP | \"2024-01-31 10:00:00.123456789+02:00\" | 2024-01-31 08:00:00.123457+00",
        "TIMESTAMP | \"2024-01-31T10:00\" | 2024-01-31 10:00:00+00",
        "TIMESTAMP | \"2024-01-31\" | 2024-01-31 00:00:00+00",
        "TIMESTAMP | \"2024-01-31T23:59:59-1130\" | 2024-02-01 11:29:59+00",
        "ARRAY<FLOAT64> | [0.12345678901234567890] | {0.12345678901234568}",
        "ARRAY<STRING> | [\"a\", 1] | {a,1}"
      })
  void fits_valueThatIsConverted_isNotExact(String type, String json, String expected) {
    assertThat(ask(ValueSql.exact(type(type), "v"), json)).isEqualTo("false");
    assertThat(ask(ValueSql.fits(type(type), "v"), json)).isEqualTo("true");
    assertThat(value(type, json)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "BOOL | 1",
        "BOOL | \"true\"",
        "INT32 | 2147483648",
        "INT64 | 1.5",
        "INT64 | 9223372036854775808",
        "INT64 | \"1\"",
        "INT64 | true",
        "INT64 | [1]",
        "FLOAT64 | 1e400",
        "FLOAT64 | 1e-400",
        "FLOAT64 | \"nan\"",
        "FLOAT64 | \"1.5\"",
        "FLOAT32 | 1e39",
        "DECIMAL(5,2) | 1000",
        "DECIMAL(5,2) | 0.001",
        "DECIMAL(5,2) | \"NaN\"",
        "STRING | [\"a\"]",
        "STRING | {}",
        "BYTES | \"AAECAw=\"",
        "BYTES | \"AA==AA==\"",
        "BYTES | \"A===\"",
        "BYTES | 1",
        "DATE | \"2024-02-30\"",
        "DATE | \"2023-02-29\"",
        "DATE | \"2024-13-01\"",
        "DATE | \"0000-01-01\"",
        "DATE | \"today\"",
        "DATE | \"2024-1-1\"",
        "DATE | \"2024-01-01T00:00:00Z\"",
        "TIMESTAMP | \"now\"",
        "TIMESTAMP | \"infinity\"",
        "TIMESTAMP | \"2024-02-30T10:00:00Z\"",
        "TIMESTAMP | \"2024-01-31T24:00:00Z\"",
        "TIMESTAMP | \"2024-01-31T10:00:60Z\"",
        "TIMESTAMP | \"Wed, 31 Jan 2024 10:00:00 GMT\"",
        "TIMESTAMP | 1706695200",
        "ARRAY<INT64> | 1",
        "ARRAY<INT64> | {\"0\": 1}",
        "ARRAY<INT64> | [1, \"2\"]",
        "ARRAY<STRING> | [[\"a\"]]"
      })
  void fits_valueOfAnother_isRefusedWithoutAnError(String type, String json) {
    assertThat(ask(ValueSql.fits(type(type), "v"), json)).isEqualTo("false");
    assertThat(ask(ValueSql.exact(type(type), "v"), json)).isEqualTo("false");
  }

  @Test
  void isDateText_leapDays_areOfTheCalendar() {
    assertThat(ask(ValueSql.isDateText("v #>> '{}'"), "\"2000-02-29\"")).isEqualTo("true");
    assertThat(ask(ValueSql.isDateText("v #>> '{}'"), "\"1900-02-29\"")).isEqualTo("false");
  }

  private static FeatureType type(String text) {
    return FeatureType.parse(text).orElseThrow();
  }

  private static String value(String type, String json) {
    return ask(ValueSql.value(type(type), "v"), json);
  }

  /** Returns the SQL of a value that was stored and is read as JSON again. */
  private static String back(String type) {
    return "SELECT %s FROM (SELECT %s AS stored) s"
        .formatted(ValueSql.json(type(type), "stored"), ValueSql.value(type(type), "v"));
  }

  private static String ask(String expression, String json) {
    List<String> answers =
        session.list(
            "SELECT (%s)::text FROM (SELECT ?::jsonb AS v OFFSET 0) t".formatted(expression),
            row -> row.getString(1),
            json);
    return answers.getFirst();
  }
}
