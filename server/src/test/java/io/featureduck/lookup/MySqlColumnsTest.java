package io.featureduck.lookup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.LiveView;
import io.featureduck.testing.TestMariaDb;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MySqlColumnsTest extends FeatureTableContract {
  private static final MariaDbRows ROWS = MariaDbRows.of(Storage.TYPED);

  @Override
  StoredRows rows() {
    return ROWS;
  }

  static Stream<Case> values() {
    return FeatureTableContract.values().filter(given -> isKept(given.value()));
  }

  @Override
  boolean holds(Object value) {
    return isKept(value);
  }

  private static boolean isKept(Object value) {
    return !(value instanceof Double d && !Double.isFinite(d))
        && !(value instanceof Float f && !Float.isFinite(f));
  }

  private static long status(String name) throws SQLException {
    try (Connection connection = ROWS.database().connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SHOW GLOBAL STATUS LIKE '" + name + "'")) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(2);
    }
  }

  private static List<String> keys(int count) {
    List<String> keys = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      keys.add("k" + i);
    }
    return keys;
  }

  private LiveView numbers(int count) throws SQLException {
    LiveView view = view(feature("n", "INT64"));
    rows().create(view);
    ROWS.database()
        .execute(
            "INSERT INTO online_users SELECT concat('k', seq), seq, NULL, now() FROM seq_0_to_%d; ANALYZE TABLE online_users"
                .formatted(count - 1));
    return view;
  }

  @Test
  void fetch_listsOfAllLengths_takeFewStatements() throws Exception {
    FeatureTable table = table(numbers(200));
    assertThat(fetch(table, "k0")).hasSize(1);
    long before = status("Com_stmt_prepare");

    for (int length = 1; length <= 128; length++) {
      assertThat(fetch(table, keys(length))).doesNotContain(FeatureRow.MISSING);
    }

    // Of 4, 16, 64 and 128 keys.
    assertThat(status("Com_stmt_prepare") - before).isEqualTo(4);
  }

  @Test
  void fetch_someOfManyRows_readsNoOthers() throws Exception {
    FeatureTable table =
        table(numbers(20_000), ROWS.settings("duck", proxy().port(), "", PATIENT, 100_000));
    assertThat(table.keysMax()).isEqualTo(999);
    for (int length : new int[] {1, 3, 128, 999}) {
      long scanned = status("Handler_read_rnd_next");
      long read = status("Handler_read_key");

      assertThat(fetch(table, keys(length))).doesNotContain(FeatureRow.MISSING);

      assertThat(status("Handler_read_key") - read).isEqualTo(length);
      // What asking for the status scans.
      assertThat(status("Handler_read_rnd_next") - scanned).isLessThan(5_000);
    }
  }

  @Test
  void fetch_serverThatStartsSessionsOtherwise_readsWhatIsThere() throws Exception {
    LiveView view = view(feature("s", "STRING"));
    rows().create(view);
    put(view, "k", "é🦆");
    // Users with more rights than to read have none of it.
    ROWS.database()
        .execute(
            "CREATE OR REPLACE USER reader@'%%' IDENTIFIED BY '%s'; GRANT SELECT ON %s.* TO reader@'%%';"
                    .formatted(TestMariaDb.PASSWORD, ROWS.database().name())
                + "SET GLOBAL init_connect = 'SET autocommit = 0, character_set_results = latin1, sql_mode = \"ANSI\"'");
    try {
      FeatureTable table = table(view, "reader", "");
      assertThat(json(fetch(table, "k").getFirst())).isEqualTo(answer("{\"s\":\"é🦆\"}"));

      ROWS.database().execute("UPDATE online_users SET s = 'new'");

      // Not out of a snapshot of the first lookup; and the table may be replaced at once.
      assertThat(json(fetch(table, "k").getFirst())).isEqualTo(answer("{\"s\":\"new\"}"));
      ROWS.database().execute("SET lock_wait_timeout = 1; RENAME TABLE online_users TO other");
      ROWS.database().execute("DROP TABLE other");
    } finally {
      ROWS.database().execute("SET GLOBAL init_connect = ''");
    }
  }

  private FeatureTable table(LiveView view, String user, String parameters)
      throws TimeoutException {
    return table(view, ROWS.settings(user, proxy().port(), parameters, PATIENT, 128));
  }

  @Test
  void fetch_userWhoMustEncrypt_isServedWithSslModeAlone() throws Exception {
    LiveView view = numbers(1);
    ROWS.database()
        .execute(
            "CREATE OR REPLACE USER careful@'%%' IDENTIFIED BY '%s' REQUIRE SSL; GRANT SELECT ON %s.* TO careful@'%%'"
                .formatted(TestMariaDb.PASSWORD, ROWS.database().name()));

    assertThat(fetch(table(view, "careful", "?ssl-mode=required"), "k0")).hasSize(1);
    String verified = "?ssl-mode=verify_ca&ssl-ca=" + TestMariaDb.certificate().file();
    assertThat(fetch(table(view, "careful", verified), "k0")).hasSize(1);
    assertFails(fetching(table(view, "careful", ""), List.of("k0")), ErrorCode.STORE_UNAVAILABLE);
  }

  @Test
  void fetch_wrongPassword_saysWhatTheServerSaid() throws Exception {
    LiveView view = numbers(1);

    assertThatThrownBy(() -> fetch(table(view, "nobody", ""), "k0"))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
              assertThat(e).hasMessageContaining("error 1045").hasMessageContaining("28000");
            });
  }

  @Test
  void fetch_columnThatIsNotThereYet_isUnavailable() throws Exception {
    rows().create(view(feature("n", "INT64")));

    assertThatThrownBy(() -> fetch(table(view(feature("more", "INT64"))), "k"))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e).hasMessageContaining("error 1054"));
  }

  @Test
  void fetch_columnRetypedUnderALoad_neverFails() throws Exception {
    LiveView view = numbers(200);
    FeatureTable table = table(view);
    for (int round = 0; round < 6; round++) {
      ROWS.database()
          .execute(
              """
              CREATE TABLE shadow (entity_key VARBINARY(2048) PRIMARY KEY, n %s, event_timestamp DATETIME(6), updated_at DATETIME(6) NOT NULL);
              INSERT INTO shadow SELECT * FROM online_users;
              RENAME TABLE online_users TO old, shadow TO online_users;
              DROP TABLE old
              """
                  .formatted(round % 2 == 0 ? "INT" : "BIGINT"));
      List<FeatureRow> found = fetch(table, keys(100));
      for (int i = 0; i < 100; i++) {
        assertThat(json(found.get(i))).startsWith("{\"n\":%d}".formatted(i));
      }
    }
  }
}
