package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.JoinKey;
import io.featureduck.key.EntityKey;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Old keys, what they become, and that this is what our encoder makes of their values. */
class KeySqlTest {
  private static Session session = open();

  private static Session open() {
    try {
      return Session.ofStore(TestDefinitions.store(TestPostgres.newDatabase(), "public"));
    } catch (java.sql.SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @AfterAll
  static void close() {
    session.close();
  }

  /** Values stand one after the other, apart by a blank. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "INT64; ``; 42; 42",
        "INT64; ``; -9223372036854775808; -9223372036854775808",
        "INT32; ``; 0; 0",
        "STRING; ``; user:7; user:7",
        "STRING; ``; a|b\\c; a|b\\c",
        "STRING; ``; 007; 007",
        "BOOL; ``; false; false",
        "DATE; ``; 2024-02-29; 2024-02-29",
        "STRING INT64; :; a:7; a 7",
        "STRING INT64; ::; a:b::7; a:b 7",
        "STRING STRING; :; a|b:c\\d; a|b c\\d",
        "STRING STRING; ``; a|b; a b",
        "INT64 STRING DATE; |; 1|x|2024-01-31; 1 x 2024-01-31"
      })
  void key_oldKeyThatFits_isWhatTheEncoderMakesOfItsValues(
      String types, String separator, String old, String values) {
    KeySql sql = sql(types, separator);

    assertThat(ask(sql.fits("k"), old)).isEqualTo("true");
    List<String> parts = Arrays.asList(values.split(" "));
    assertThat(ask(sql.key("k"), old)).isEqualTo(EntityKey.encode(keys(types), parts));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "INT64; ``; 007",
        "INT64; ``; +7",
        "INT64; ``; -0",
        "INT64; ``; 9223372036854775808",
        "INT64; ``; ` 7`",
        "INT64; ``; `7\n`",
        "INT64; ``; ``",
        "INT64; ``; 1.0",
        "INT32; ``; 2147483648",
        "BOOL; ``; TRUE",
        "DATE; ``; 2023-02-29",
        "STRING INT64; :; a",
        "STRING INT64; :; a:b:7",
        "STRING INT64; :; a:007",
        "STRING STRING; ``; a\\|b|c"
      })
  void fits_oldKeyThatIsWrittenOtherwise_isRefused(String types, String separator, String old) {
    assertThat(ask(sql(types, separator).fits("k"), old)).isEqualTo("false");
  }

  private static KeySql sql(String types, String separator) {
    return new KeySql(keys(types), Optional.of(separator).filter(text -> !text.isEmpty()));
  }

  private static List<JoinKey> keys(String types) {
    List<JoinKey> keys = new ArrayList<>();
    for (String type : types.split(" ", -1)) {
      keys.add(new JoinKey("k" + keys.size(), Primitive.valueOf(type)));
    }
    return keys;
  }

  private static String ask(String expression, String old) {
    return session
        .first(
            "SELECT (%s)::text FROM (SELECT ?::text AS k) t".formatted(expression),
            row -> row.getString(1),
            old)
        .orElseThrow();
  }
}
