package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.migrate.MigrationReport.State;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The last steps of a migration, and what is left of the old table after them. */
@Timeout(60)
class SwitchOverTest {
  private static final String TEN_ROWS =
      MigrationFixture.TABLE
          + """
          INSERT INTO online_features
          SELECT 'v', i::text, jsonb_build_object('n', i), '2026-01-01Z', '2026-01-02Z'
          FROM generate_series(1, 10) i;
          """;

  /** Has the store committed, and the old database not: its table is followed still. */
  private static MigrationFixture switched() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    String renamedTo = fixture.run(true).renamedTo().orElseThrow();
    fixture.old().execute("ALTER TABLE %s RENAME TO online_features".formatted(renamedTo));
    fixture.store().execute("UPDATE featureduck_migrations SET state = 'switched'");
    String token = fixture.storeRows("SELECT token FROM featureduck_migrations").getFirst();
    try (Session old = Session.ofOldTable(TestDefinitions.store(fixture.old(), "public"))) {
      OldTable table =
          OldTable.inspect(old, "public", "online_features", fixture.request().columns());
      old.begin();
      assertThat(new ChangeQueue(table, token).create(old)).isTrue();
      old.commit();
    }
    return fixture;
  }

  @Test
  void complete_manyRowsWrittenSinceTheCut_areTakenOver() throws SQLException {
    MigrationFixture fixture = switched();
    fixture.store().execute("INSERT INTO featureduck_tombstones VALUES ('v', '3', 1, false)");
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features
            SELECT 'v', i::text, jsonb_build_object('n', i), '2026-02-01Z', now()
            FROM generate_series(11, 25000) i;
            DELETE FROM online_features WHERE entity_key = '1'
            """);

    MigrationReport report =
        fixture.run(fixture.request(10_000), MigrationFixture.inferring(), true);

    assertThat(report.state()).isEqualTo(State.FINISHED);
    assertThat(fixture.storeRows("SELECT count(*), min(n), sum(n) FROM online_v"))
        .containsExactly("24998 2 " + (25_000L * 25_001 / 2 - 1 - 3));
    assertThat(fixture.storeRows("SELECT rows, event_min, event_max FROM featureduck_watermarks"))
        .containsExactly("24998 2026-01-01 00:00:00+00 2026-02-01 00:00:00+00");
    assertThat(report.views().getFirst().rows()).isEqualTo(24_998);
    assertThat(fixture.objects())
        .contains("relation " + report.renamedTo().orElseThrow())
        .noneMatch(object -> object.startsWith("trigger") || object.contains("queue"));
  }

  @Test
  void complete_oldTableTruncated_takesWhatIsThereNow() throws SQLException {
    MigrationFixture fixture = switched();
    fixture
        .old()
        .execute(
            "TRUNCATE online_features; INSERT INTO online_features VALUES ('v', '7', '{\"n\": -7}')");

    assertThat(fixture.run(true).state()).isEqualTo(State.FINISHED);

    assertThat(fixture.storeRows("SELECT entity_key, n FROM online_v")).containsExactly("7 -7");
    assertThat(fixture.storeRows("SELECT rows FROM featureduck_watermarks")).containsExactly("1");
  }

  @Test
  void complete_viewWrittenByARunSince_leavesItAsItIs() throws SQLException {
    MigrationFixture fixture = switched();
    fixture
        .store()
        .execute(
            """
            WITH later AS (
              INSERT INTO featureduck_runs (view, version, kind, status, engine, started_at, host)
              VALUES ('v', 1, 'full', 'succeeded', 'test', now(), 'test') RETURNING run_id)
            UPDATE featureduck_watermarks w SET run_id = later.run_id FROM later
            """);
    fixture.old().execute("DELETE FROM online_features");

    assertThat(fixture.run(true).state()).isEqualTo(State.FINISHED);

    assertThat(fixture.storeRows("SELECT count(*) FROM online_v")).containsExactly("10");
  }

  @Test
  void complete_oldSideDoneAndTableMadeAnew_isFinished() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(true).state()).isEqualTo(State.FINISHED);
    fixture.store().execute("UPDATE featureduck_migrations SET state = 'switched'");
    fixture.old().execute("CREATE TABLE IF NOT EXISTS online_features (feature_view TEXT)");

    assertThat(fixture.run(true).state()).isEqualTo(State.FINISHED);

    assertThat(fixture.storeRows("SELECT state FROM featureduck_migrations"))
        .containsExactly("finished");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void finish_writersThatReadFirst_neitherFailNorKeepItFromSwitching(boolean oneDatabase)
      throws Exception {
    MigrationFixture fixture =
        oneDatabase ? MigrationFixture.inOneDatabase() : MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(State.FOLLOWING);
    List<CompletableFuture<Integer>> writers =
        IntStream.range(1, 4).mapToObj(key -> writing(fixture.old(), key)).toList();
    while (fixture
        .oldRows("SELECT 1 FROM featureduck_migration_queue HAVING count(DISTINCT entity_key) = 3")
        .isEmpty()) {
      Thread.onSpinWait();
    }

    MigrationReport report =
        fixture.run(fixture.request(1_000), MigrationFixture.inferring(), true);

    assertThat(report.state()).isEqualTo(State.FINISHED);
    for (CompletableFuture<Integer> writer : writers) {
      assertThat(writer.get(30, TimeUnit.SECONDS)).as("writes").isPositive();
    }
    assertThat(fixture.storeRows("SELECT entity_key, n FROM online_v ORDER BY 1"))
        .isEqualTo(
            fixture.oldRows(
                "SELECT entity_key, features ->> 'n' FROM %s ORDER BY entity_key COLLATE \"C\""
                    .formatted(report.renamedTo().orElseThrow())));
  }

  /** Writes in a thread of its own: the common pool has few. */
  private static CompletableFuture<Integer> writing(TestPostgres.Database database, int key) {
    CompletableFuture<Integer> writes = new CompletableFuture<>();
    Thread ignored =
        Thread.startVirtualThread(() -> {
          try {
            boolean unused = writes.complete(readAndWrite(database, key));
          } catch (IllegalStateException e) {
            boolean unused = writes.completeExceptionally(e);
          }
        });
    return writes;
  }

  /** Counts up in a row, in transactions that lock it late, until it can't be written any more. */
  private static int readAndWrite(TestPostgres.Database database, int key) {
    int writes = 0;
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      while (true) {
        boolean ignored =
            statement.execute(
                "SELECT features FROM online_features WHERE entity_key = '%d'%s"
                    .formatted(key, writes % 2 == 0 ? " FOR UPDATE" : ""));
        LockSupport.parkNanos(1_000_000);
        try {
          ignored =
              statement.execute(
                  "UPDATE online_features SET features = '{\"n\": %d}' WHERE entity_key = '%d'"
                      .formatted(writes, key));
          connection.commit();
        } catch (SQLException e) {
          // A view, or no table.
          if (List.of("55000", "42P01").contains(e.getSQLState())) {
            return writes;
          }
          throw e;
        }
        writes++;
      }
    } catch (SQLException e) {
      if (e.getSQLState().equals("42P01")) {
        return writes;
      }
      throw new IllegalStateException("a writer failed after %d writes".formatted(writes), e);
    }
  }

  @Test
  void finish_entitiesThatWereErased_areNotTakenOver() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(State.FOLLOWING);
    fixture
        .store()
        .execute(
            """
            INSERT INTO featureduck_tombstones VALUES ('v', '3', 1, false), ('v', '4', 1, true), ('w', '5', 1, true);
            UPDATE online_features SET features = '{"n": 0}' WHERE entity_key IN ('4', '6')
            """);

    MigrationReport report = fixture.run(true);

    assertThat(report.views().getFirst().rows()).isEqualTo(8);
    assertThat(fixture.storeRows("SELECT entity_key FROM online_v ORDER BY length(entity_key), 1"))
        .containsExactly("1", "2", "5", "6", "7", "8", "9", "10");
    assertThat(fixture.storeRows("SELECT count(*) FROM online_features")).containsExactly("8");
    assertThat(
            fixture.storeRows(
                "SELECT w.rows, r.rows_read, r.rows_written FROM featureduck_watermarks w JOIN featureduck_runs r USING (run_id)"))
        .containsExactly("8 10 8");
  }

  @Test
  void report_whatWasMadeForTheOldTable_isNamed() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture
        .old()
        .execute(
            TEN_ROWS
                + """
                CREATE VIEW numbers AS SELECT features -> 'n' FROM online_features;
                CREATE FUNCTION many() RETURNS bigint RETURN (SELECT count(*) FROM online_features);
                CREATE TABLE other (view TEXT, key TEXT, FOREIGN KEY (view, key) REFERENCES online_features);
                CREATE PUBLICATION rows_of_all FOR TABLE online_features
                """);
    List<String> dependents =
        List.of(
            "constraint other_view_key_fkey on table other",
            "function many()",
            "publication of table %s in publication rows_of_all",
            "view numbers");

    MigrationReport before = fixture.run(false);
    MigrationReport after = fixture.run(true);

    assertThat(before.dependents())
        .isEqualTo(dependents.stream().map(text -> text.formatted("online_features")).toList());
    assertThat(after.dependents())
        .isEqualTo(
            dependents.stream()
                .map(text -> text.formatted(after.renamedTo().orElseThrow()))
                .toList());
  }

  @Test
  void finish_featureNamesThatEndAQuotation_areNamesOnly() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inOneDatabase();
    fixture
        .old()
        .execute(
            MigrationFixture.TABLE
                + """
                CREATE TABLE kept ();
                INSERT INTO online_features VALUES
                  ('v', '1', jsonb_build_object('a$rows$; DROP TABLE kept; --', 1, 'b''\\', 2))
                """);
    String read = "SELECT feature_view, entity_key, features FROM online_features";
    List<String> before = fixture.oldRows(read);

    assertThat(fixture.run(true).noReadersView()).isEmpty();

    assertThat(fixture.oldRows(read)).isEqualTo(before);
    assertThat(fixture.objects()).contains("relation kept");
  }

  @Test
  void abort_oldTableRenamed_takesItsTriggersAway() throws SQLException {
    MigrationFixture fixture = MigrationFixture.inTwoDatabases();
    fixture.old().execute(TEN_ROWS);
    assertThat(fixture.run(false).state()).isEqualTo(State.FOLLOWING);
    fixture.old().execute("ALTER TABLE online_features RENAME TO elsewhere");

    assertThat(fixture.abort().state()).isEqualTo(State.ABORTED);

    fixture.old().execute("DELETE FROM elsewhere");
    assertThat(fixture.objects())
        .noneMatch(object -> object.startsWith("trigger") || object.startsWith("function"))
        .noneMatch(object -> object.contains("queue"));
  }
}
