package io.featureduck.lookup;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.LiveView;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a table with one object of all features promises besides. */
abstract class ObjectTableContract extends FeatureTableContract {
  /** Changes the object of a row of {@code online_users}, as nobody should. */
  abstract void overwrite(String key, String features) throws Exception;

  @Test
  void fetch_featureAddedAfterTheRow_isNull() throws Exception {
    LiveView before = view(feature("b", "INT64"));
    rows().create(before);
    put(before, "old", 1L);
    LiveView after = view(feature("a", "STRING"), feature("b", "INT64"), feature("c", "BOOL"));
    put(after, "new", "x", 2L, true);

    List<FeatureRow> found = fetch(table(after), "old", "new", "old");

    assertThat(json(found.get(0))).isEqualTo(answer("{\"a\":null,\"b\":1,\"c\":null}"));
    assertThat(json(found.get(1))).isEqualTo(answer("{\"a\":\"x\",\"b\":2,\"c\":true}"));
    assertThat(json(found.get(2))).isEqualTo(json(found.get(0)));
  }

  @Test
  void fetch_nameThatNoColumnMayHave_isRead() throws Exception {
    String name = "🦆\n" + "x".repeat(100);
    LiveView view = view(feature(name, "INT64"), feature("n", "INT64"));
    rows().create(view);
    put(view, "k", 1L, 2L);

    assertThat(json(fetch(table(view), "k").getFirst()))
        .isEqualTo(answer("{\"%s\":1,\"n\":2}".formatted(name.replace("\n", "\\n"))));
  }

  @Test
  void fetch_namesNobodyAsksFor_areSkipped() throws Exception {
    LiveView written =
        view(
            feature("gone", "JSON"),
            feature("b", "INT64"),
            feature("also", "ARRAY<STRING>"),
            feature("zz", "FLOAT64"));
    rows().create(written);
    put(written, "k", new StoredRows.Json("{\"b\": [{\"b\": 7}]}"), 1L, List.of("b", "]"), 2.5);

    assertThat(
            json(
                fetch(table(view(feature("zz", "FLOAT64"), feature("b", "INT64"))), "k")
                    .getFirst()))
        .isEqualTo(answer("{\"zz\":2.5,\"b\":1}"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "FLOAT64; 1e2; 100.0",
        "FLOAT64; 1E+308; 1.0E308",
        "FLOAT64; 0.1000; 0.1",
        "FLOAT64; 5; 5.0",
        "FLOAT64; 0.30000000000000004; 0.30000000000000004",
        "FLOAT32; 1e-3; 0.001",
        "FLOAT32; 0.10000000149011612; 0.1",
        "STRING; `\"\\u00e9\\ud83e\\udd86\\/\"`; `\"é🦆/\"`",
        "TIMESTAMP; \"2026-01-01T00:00:00.1Z\"; \"2026-01-01T00:00:00.100Z\"",
        "TIMESTAMP; \"2026-01-01T00:00:00Z\"; \"2026-01-01T00:00:00Z\"",
        "ARRAY<INT64>; [ 1 ,2, null ]; `[1,2,null]`"
      })
  void fetch_otherNotation_isTheSameValue(String type, String written, String json)
      throws Exception {
    LiveView view = view(feature("f", type));
    rows().create(view);
    put(view, "k", (Object) null);
    overwrite("k", "{ \"f\" :  %s }".formatted(written));

    assertThat(json(fetch(table(view), "k").getFirst()))
        .isEqualTo(answer("{\"f\":%s}".formatted(json)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "INT64; `{\"f\": \"1\"}`",
        "INT64; `{\"f\": 1.5}`",
        "INT64; `{\"f\": 9223372036854775808}`",
        "INT32; `{\"f\": 2147483648}`",
        "STRING; `{\"f\": 1}`",
        "BOOL; `{\"f\": 0}`",
        "FLOAT64; `{\"f\": \"many\"}`",
        "DECIMAL(5,2); `{\"f\": 1.50}`",
        "DECIMAL(5,2); `{\"f\": \"1,50\"}`",
        "DECIMAL(5,2); `{\"f\": \"01.50\"}`",
        "BYTES; `{\"f\": \"=AA=\"}`",
        "DATE; `{\"f\": \"yesterday\"}`",
        "TIMESTAMP; `{\"f\": \"2026-01-01 00:00:00\"}`",
        "ARRAY<INT64>; `{\"f\": 1}`",
        "ARRAY<INT64>; `{\"f\": [[1]]}`",
        "INT64; `[]`",
        "INT64; `\"f\"`"
      })
  void fetch_editedRow_failsAlone(String type, String features) throws Exception {
    LiveView view = view(feature("f", type), feature("n", "INT64"));
    rows().create(view);
    put(view, "good", null, 1L);
    put(view, "bad", null, 2L);
    overwrite("bad", features);
    FeatureTable table = table(view);

    List<FeatureRow> found = fetch(table, "good", "bad", "none", "bad");

    assertThat(json(found.get(0))).isEqualTo(answer("{\"f\":null,\"n\":1}"));
    assertThat(found.get(2)).isSameAs(FeatureRow.MISSING);
    assertUnreadable(found.get(1));
    assertUnreadable(found.get(3));
    assertUnreadable(fetch(table, "bad").getFirst());
    assertThat(json(fetch(table, "good").getFirst())).isEqualTo(json(found.get(0)));
  }

  private static void assertUnreadable(FeatureRow row) {
    assertThat(row.failure())
        .isInstanceOfSatisfying(
            FeatureException.class,
            failure -> assertThat(failure.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE))
        .hasMessageContaining("can't be read")
        .hasMessageContaining("expected");
  }
}
