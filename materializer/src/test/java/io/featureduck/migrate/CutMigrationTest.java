package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.CuttingProxy;
import io.featureduck.testing.CuttingProxy.Cut;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The connections of a migration are cut at the first message to a database, at the second, and so
 * on, until a whole migration comes through; after each cut the old system writes on and the
 * migration is gone on with. However it was cut, no write is lost and nothing is left behind.
 */
class CutMigrationTest {
  private static final int MESSAGES_MAX = 1_000;

  private static final String NEW_ROWS =
      """
      SELECT 'a', entity_key, n, to_jsonb(s), updated_at FROM online_a
      UNION ALL SELECT 'b', entity_key, n, to_jsonb(s), updated_at FROM online_b ORDER BY 1, 2
      """;

  private final TestPostgres.Database old = TestPostgres.newDatabase();
  private final TestPostgres.Database store = TestPostgres.newDatabase();
  private final CuttingProxy toOld = new CuttingProxy(SourceServer.POSTGRES, old.port());
  private final CuttingProxy toStore = new CuttingProxy(SourceServer.POSTGRES, store.port());
  private int writes;

  CutMigrationTest() throws Exception {
    for (TestPostgres.Database database : List.of(old, store)) {
      OnlineStore.open(TestDefinitions.store(database, "public")).migrate();
    }
  }

  @AfterEach
  void close() throws Exception {
    toOld.close();
    toStore.close();
  }

  @ParameterizedTest
  @CsvSource({"BEFORE, 3, 23", "AFTER, 7, 23"})
  void run_cutAtSomeSteps_losesNothing(Cut cut, int first, int stride) throws Exception {
    cutAtEach(toStore, cut, true, first, stride);
    cutAtEach(toStore, cut, false, first, stride);
    cutAtEach(toOld, cut, false, first, stride);
  }

  /** Between the two commits of a switch, and around them. */
  @ParameterizedTest
  @CsvSource({"BEFORE", "AFTER"})
  void run_cutAtTheLastSteps_losesNothing(Cut cut) throws Exception {
    int messages = messages(toOld, false);
    for (int message = messages - 8; message <= messages; message++) {
      boolean unused = cutAt(toOld, cut, false, message);
    }
    messages = messages(toStore, false);
    for (int message = messages - 12; message <= messages; message++) {
      boolean unused = cutAt(toStore, cut, false, message);
    }
  }

  @ParameterizedTest
  @CsvSource({"BEFORE", "AFTER"})
  @Tag("slow")
  void run_cutAtEachStep_losesNothing(Cut cut) throws Exception {
    cutAtEach(toStore, cut, true, 1, 1);
    cutAtEach(toStore, cut, false, 1, 1);
    cutAtEach(toOld, cut, false, 1, 1);
  }

  private void cutAtEach(CuttingProxy proxy, Cut cut, boolean oneDatabase, int first, int stride)
      throws Exception {
    int message = first;
    while (cutAt(proxy, cut, oneDatabase, message)) {
      message += stride;
      assertThat(message).as("messages").isLessThan(MESSAGES_MAX);
    }
    assertThat(message).as("cuts").isGreaterThan(first);
  }

  /** Counts the messages of a migration that isn't cut. */
  private int messages(CuttingProxy proxy, boolean oneDatabase) throws Exception {
    reset(oneDatabase);
    proxy.cutAt(MESSAGES_MAX, Cut.BEFORE, 1);
    assertThat(run(request(oneDatabase)).state()).isEqualTo(MigrationReport.State.FINISHED);
    int ignored = proxy.heal();
    return proxy.counted();
  }

  /** Returns whether a migration was cut at that message; one that has fewer was not. */
  private boolean cutAt(CuttingProxy proxy, Cut cut, boolean oneDatabase, int message)
      throws Exception {
    reset(oneDatabase);
    proxy.cutAt(message, cut, 1);
    MigrationReport report;
    try {
      report = run(request(oneDatabase));
    } catch (FeatureException e) {
      assertThat(e.code())
          .as("cut at message %d: %s", message, e.getMessage())
          .isIn(ErrorCode.STORE_UNAVAILABLE, ErrorCode.SOURCE_UNAVAILABLE);
      write(oneDatabase);
      report = run(request(oneDatabase));
    }
    boolean wasCut = proxy.heal() == 0;
    String away = report.renamedTo().orElseThrow();
    TestPostgres.Database oldDatabase = oneDatabase ? store : old;
    assertThat(MigrationFixture.rows(store, NEW_ROWS))
        .as("cut %s message %d", cut, message)
        .isEqualTo(MigrationFixture.rows(oldDatabase, oldRows(away)));
    assertThat(strays(oldDatabase)).as("cut %s message %d", cut, message).isEmpty();
    assertThat(strays(store)).as("cut %s message %d", cut, message).isEmpty();
    assertThat(
            MigrationFixture.rows(
                store,
                "SELECT w.view, w.rows, r.status FROM featureduck_watermarks w JOIN featureduck_runs r USING (run_id) ORDER BY 1"))
        .isEqualTo(
            MigrationFixture.rows(
                oldDatabase,
                "SELECT feature_view, count(*), 'succeeded' FROM %s GROUP BY 1 ORDER BY 1"
                    .formatted(away)));
    return wasCut;
  }

  private static String oldRows(String table) {
    return "SELECT feature_view, entity_key, features -> 'n', features -> 's', updated_at FROM %s ORDER BY 1, 2"
        .formatted(table);
  }

  private static List<String> strays(TestPostgres.Database database) throws SQLException {
    return MigrationFixture.rows(
        database,
        """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
          AND (relname LIKE 'featureduck\\_migration\\_1%' OR relname LIKE 'featureduck\\_migration\\_queue%')
        UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT proname FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace AND proname LIKE '%note'
        """);
  }

  private MigrationReport run(MigrationRequest request) {
    MigrationProgress silent =
        new MigrationProgress() {
          @Override
          public void begins(Proposal proposal) {}

          @Override
          public void phase(String words) {}

          @Override
          public void copied(String view, long rows, long ofRows) {}
        };
    try (SingleTableMigration migration = SingleTableMigration.open(request, silent)) {
      return migration.run(MigrationFixture.inferring(), true, true);
    }
  }

  private MigrationRequest request(boolean oneDatabase) {
    return new MigrationRequest(
        TestDefinitions.store(url(toStore, store), "public"),
        oneDatabase
            ? Optional.empty()
            : Optional.of(TestDefinitions.store(url(toOld, old), "public")),
        "public",
        "online_features",
        OldColumns.of(Map.of()),
        4,
        "test");
  }

  private static String url(CuttingProxy proxy, TestPostgres.Database database) {
    return "postgresql://postgres@127.0.0.1:%d/%s".formatted(proxy.port(), database.name());
  }

  /** Has an old table with some rows, and a store without any. */
  private void reset(boolean oneDatabase) throws SQLException {
    for (TestPostgres.Database database : List.of(old, store)) {
      List<String> drops =
          MigrationFixture.rows(
              database,
              """
              SELECT format('DROP VIEW %I', relname) FROM pg_class
              WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
              UNION ALL SELECT format('DROP FUNCTION %I()', proname) FROM pg_proc
              WHERE pronamespace = 'public'::regnamespace
              UNION ALL SELECT format('DROP TABLE %I CASCADE', relname) FROM pg_class
              WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND (relname LIKE 'online%' OR relname LIKE 'featureduck\\_migration\\_1%')
              """);
      drops.addAll(
          List.of(
              "TRUNCATE featureduck_migrations, featureduck_migration_views, featureduck_views, featureduck_runs, featureduck_watermarks, featureduck_changes"));
      database.execute(String.join(";", drops));
    }
    (oneDatabase ? store : old)
        .execute(
            MigrationFixture.TABLE
                + """
                INSERT INTO online_features
                SELECT v, i::text, jsonb_build_object('n', i, 's', 'row ' || i), now(), now()
                FROM unnest(ARRAY['a', 'b']) v, generate_series(1, 10) i
                """);
  }

  /** The old system writes, as long as its table is there. */
  private void write(boolean oneDatabase) throws SQLException {
    writes++;
    try (Connection connection = (oneDatabase ? store : old).connect();
        Statement statement = connection.createStatement()) {
      boolean there;
      try (var rows =
          statement.executeQuery(
              "SELECT count(*) FROM pg_class WHERE oid = to_regclass('online_features') AND relkind = 'r'")) {
        there = rows.next() && rows.getInt(1) == 1;
      }
      if (there) {
        statement.execute(
            """
            UPDATE online_features SET features = jsonb_build_object('n', %1$d, 's', 'written'), updated_at = now()
            WHERE entity_key IN ('1', '9');
            DELETE FROM online_features WHERE feature_view = 'a' AND entity_key = '%2$d';
            INSERT INTO online_features VALUES ('b', 'x%1$d', '{"n": 0, "s": "new"}', now(), now())
            """
                .replace("'x%1$d'", "'1%1$d'")
                .formatted(writes, 2 + writes % 6));
      }
    }
  }
}
