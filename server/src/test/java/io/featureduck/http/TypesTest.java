package io.featureduck.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Each type of a feature, from its column to the JSON that is sent. */
class TypesTest {
  private static final List<String[]> KEY = List.<String[]>of(new String[] {"id", "STRING"});

  private static final List<String[]> FEATURES =
      List.of(
          new String[] {"a_bool", "BOOL", "BOOLEAN"},
          new String[] {"an_int32", "INT32", "INTEGER"},
          new String[] {"an_int64", "INT64", "BIGINT"},
          new String[] {"a_float32", "FLOAT32", "REAL"},
          new String[] {"a_float64", "FLOAT64", "DOUBLE PRECISION"},
          new String[] {"a_decimal", "DECIMAL(38,4)", "NUMERIC(38,4)"},
          new String[] {"a_string", "STRING", "TEXT"},
          new String[] {"some_bytes", "BYTES", "BYTEA"},
          new String[] {"a_date", "DATE", "DATE"},
          new String[] {"a_timestamp", "TIMESTAMP", "TIMESTAMPTZ"},
          new String[] {"some_json", "JSON", "JSONB"},
          new String[] {"floats", "ARRAY<FLOAT32>", "REAL[]"},
          new String[] {"decimals", "ARRAY<DECIMAL(5,2)>", "NUMERIC(5,2)[]"},
          new String[] {"strings", "ARRAY<STRING>", "TEXT[]"},
          new String[] {"timestamps", "ARRAY<TIMESTAMP>", "TIMESTAMPTZ[]"},
          new String[] {"longs", "ARRAY<INT64>", "BIGINT[]"},
          new String[] {"dates", "ARRAY<DATE>", "DATE[]"},
          new String[] {"bools", "ARRAY<BOOL>", "BOOLEAN[]"},
          new String[] {"jsons", "ARRAY<JSON>", "JSONB[]"},
          new String[] {"blobs", "ARRAY<BYTES>", "BYTEA[]"});

  @Test
  void get_eachType_isWrittenAsTheContractHasIt() throws Exception {
    try (ServedStore served = new ServedStore()) {
      ServedStore ignored = served.view("types", KEY, FEATURES, "").start();
      served
          .database()
          .execute(
              """
              INSERT INTO online_types VALUES
              ('full', true, -2147483648, 9223372036854775807, 0.1, 1e300,
               1234567890123456789012345678901234.5000, E'q"b\\\\\\n\\u0001é🦆', '\\x00ff10', '0001-02-03',
               '2026-11-23T10:00:00.120Z', '{"big": 12345678901234567890.123, "a": [null, "é"]}',
               '{1.5,NaN,NULL,-Infinity}', '{1.50,NULL}', '{"a,b",NULL,"\\"x\\""}',
               '{"2026-11-23 10:00:00.000001+02"}', '{-9223372036854775808}', '{2024-02-29}', '{t,f,NULL}',
               ARRAY['{"a": 1}', 'null']::jsonb[], ARRAY['\\x00'::bytea], NULL, now()),
              ('null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, now()),
              ('odd', false, 0, -9223372036854775808, 'Infinity', '-0', 0, '', '', '9999-12-31', '9999-12-31T23:59:59.999999Z',
               'null', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL, now())
              """);

      assertThat(served.get("/features/types/full").body())
          .contains(
              "\"features\":{\"a_bool\":true,\"an_int32\":-2147483648,\"an_int64\":9223372036854775807,"
                  + "\"a_float32\":0.1,\"a_float64\":1.0E300,"
                  + "\"a_decimal\":1234567890123456789012345678901234.5000,"
                  + "\"a_string\":\"q\\\"b\\\\\\n\\u0001é🦆\",\"some_bytes\":\"AP8Q\",\"a_date\":\"0001-02-03\","
                  + "\"a_timestamp\":\"2026-11-23T10:00:00.120Z\","
                  + "\"some_json\":{\"a\": [null, \"é\"], \"big\": 12345678901234567890.123},"
                  + "\"floats\":[1.5,\"NaN\",null,\"-Infinity\"],\"decimals\":[1.50,null],"
                  + "\"strings\":[\"a,b\",null,\"\\\"x\\\"\"],\"timestamps\":[\"2026-11-23T08:00:00.000001Z\"],"
                  + "\"longs\":[-9223372036854775808],\"dates\":[\"2024-02-29\"],\"bools\":[true,false,null],"
                  + "\"jsons\":[{\"a\": 1},null],\"blobs\":[\"AA==\"]},\"event_timestamp\":null");
      assertThat(served.get("/features/types/null").json().path("features").valueStream())
          .hasSize(FEATURES.size())
          .allMatch(value -> value.isNull());
      assertThat(served.get("/features/types/odd").body())
          .contains(
              "\"an_int64\":-9223372036854775808,\"a_float32\":\"Infinity\",\"a_float64\":-0.0,\"a_decimal\":0.0000,"
                  + "\"a_string\":\"\",\"some_bytes\":\"\",\"a_date\":\"9999-12-31\","
                  + "\"a_timestamp\":\"9999-12-31T23:59:59.999999Z\",\"some_json\":null,\"floats\":[]");
      assertThat(served.get("/features/types/full?features=some_json,a_bool,strings").body())
          .contains(
              "\"features\":{\"some_json\":{\"a\": [null, \"é\"], \"big\": 12345678901234567890.123},\"a_bool\":true,\"strings\":[\"a,b\",null,\"\\\"x\\\"\"]},\"event");
    }
  }
}
