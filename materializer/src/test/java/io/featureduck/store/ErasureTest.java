package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestStore;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What is erased is gone at once and stays away, whatever a run is about meanwhile. */
@ParameterizedClass
@EnumSource(TestStore.Form.class)
final class ErasureTest extends StoreWriting {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final ExecutorService threads = Executors.newCachedThreadPool();

  ErasureTest(TestStore.Form form) throws Exception {
    super(form);
  }

  @AfterEach
  void end() {
    assertThat(threads.shutdownNow()).isEmpty();
  }

  private Erasure erase(String... keys) {
    return erase(PATIENCE, keys);
  }

  private Erasure erase(Duration patience, String... keys) {
    return store.erase("v", List.of(keys), Erasure.Origin.COMMAND, "a test", patience);
  }

  /**
   * Rows of a run that had read the tombstones before it read its source, which has those rows
   * alone.
   */
  private Rows knowing(Map<String, Double> scores, KnownErasures known, Run.Kind kind) {
    return knowing(scores, known, kind, keys -> Set.of());
  }

  private Rows knowing(
      Map<String, Double> scores,
      KnownErasures known,
      Run.Kind kind,
      Retention.SourceEntities source) {
    return withRetention(scores, Retention.of(kind, Optional.empty(), AS_OF, known, source));
  }

  private static Rows withRetention(Map<String, Double> scores, Retention retention) {
    return new GivenRows(
        retention,
        out -> {
          for (Map.Entry<String, Double> row : scores.entrySet()) {
            out.startRow(3);
            out.putText(RowWriter.utf8(row.getKey()));
            if (row.getValue().isNaN()) {
              // Gone.
              out.putNull();
              out.putNull();
            } else {
              out.putDouble(row.getValue());
              out.putTimestamp(EVENT.toEpochMilli() * 1_000);
            }
          }
          return scores.size();
        });
  }

  /** A run as materializers do it: what is erased is read first, then the source. */
  private RunCommit.Written runKnowing(Map<String, Double> scores, Run.Kind kind) {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      KnownErasures known = lock.erasures();
      return lock.write(
          prepare(lock, kind, SCORE), knowing(scores, known, kind), new Cancellation());
    }
  }

  private List<String> tombstones() throws SQLException {
    return database.query("SELECT entity_key FROM featureduck_tombstones ORDER BY entity_key");
  }

  private String newestKeys() throws SQLException {
    return database
        .query("SELECT \"keys\" FROM featureduck_changes ORDER BY generation DESC LIMIT 1")
        .getFirst()
        .replace(" ", "");
  }

  private static Map<String, Double> without(Map<String, Double> scores, String... keys) {
    Map<String, Double> rest = new LinkedHashMap<>(scores);
    rest.keySet().removeAll(List.of(keys));
    return rest;
  }

  @Test
  void erase_entity_isGoneFromAllVersionsAndTold() throws Exception {
    RunCommit.Written first = run(scores(5));
    assertThat(first.generation()).isEqualTo(1);
    database.execute(
        """
        INSERT INTO featureduck_views (view, version, definition, hash, live, created_by)
          SELECT view, 2, definition, hash, false, 'test' FROM featureduck_views;
        CREATE TABLE online_v__v2 AS SELECT * FROM online_v
        """);

    Erasure erased = erase("k1", "k3", "k1");

    assertThat(erased).isEqualTo(new Erasure(erased.id(), 2, 4, false, 2));
    assertThat(online().keySet()).containsExactly("k0", "k2", "k4");
    assertThat(database.number("SELECT count(*) FROM online_v__v2")).isEqualTo(3);
    assertThat(
            database.query(
                "SELECT \"keys\" FROM featureduck_changes WHERE run_id IS NULL ORDER BY version"))
        .extracting(keys -> keys.replace(" ", ""))
        .containsExactly("[\"k1\",\"k3\"]", "[\"k1\",\"k3\"]");
    assertThat(store.statuses().getFirst().rows()).isEqualTo(3);
    assertThat(
            database.query(
                "SELECT concat(view, ' ', entities, ' ', keys_hash, ' ', origin, ' ', requested_by, ' ', rows_deleted) FROM featureduck_erasures WHERE finished_at >= requested_at"))
        .containsExactly(
            "v 2 %s command a test 4".formatted(ErasureRecords.hash(List.of("k3", "k1"))));
  }

  @Test
  void hash_ofKeys_isWhatAShellMakesOfThem() {
    // printf '42\n' | sha256sum
    assertThat(ErasureRecords.hash(List.of("42")))
        .isEqualTo("084c799cd551dd1d8d5c5f9a5d593b2e931f5e36122ee5c793c1d08a19839cc0");
  }

  @Test
  void erase_entityWithoutARow_isKeptAwayAllTheSame() throws Exception {
    assertThat(run(scores(2)).rows()).isEqualTo(2);

    Erasure erased = erase("k7");

    assertThat(erased.rows()).isZero();
    assertThat(erased.pending()).isFalse();
    assertThat(runKnowing(scores(9), Run.Kind.FULL).rows()).isEqualTo(8);
    assertThat(online()).isEqualTo(without(scores(9), "k7"));
  }

  @Test
  void erase_viewThatIsNotRegistered_isUnknown() throws Exception {
    assertThatThrownBy(() -> erase("k1"))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNKNOWN_VIEW));
    assertThat(tombstones()).isEmpty();
  }

  @Test
  void erase_awkwardKeys_areTakenByTheByte() throws Exception {
    List<String> keys =
        List.of("", "a", "a ", "a  ", "A", "ä", "a\\|b|c\\\\", "x'\"y", "🦆", "%", "tab\t");
    Map<String, Double> scores = new LinkedHashMap<>();
    keys.forEach(key -> scores.put(key, 1.0));
    assertThat(run(rows(scores, EVENT)).rows()).isEqualTo(keys.size());

    for (String key : keys) {
      assertThat(erase(key).rows()).as("'%s'", key).isEqualTo(1);
    }

    assertThat(online()).isEmpty();
    assertThat(runKnowing(scores, Run.Kind.FULL).rows()).isZero();
  }

  @Test
  void erase_byARoleThatMayOnlyRead_saysSo() throws Exception {
    assertThat(run(scores(2)).rows()).isEqualTo(2);
    String user = "looker";
    database.execute(
        switch (form.type()) {
          case POSTGRES ->
              "DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker";
          case MYSQL ->
              "CREATE USER IF NOT EXISTS looker@'%%' IDENTIFIED BY '%s'; GRANT SELECT ON %s.* TO looker@'%%'"
                  .formatted(TestMariaDb.PASSWORD, database.name());
        });
    try {
      OnlineStore reader = OnlineStore.open(database.settingsOf(user));

      assertThatThrownBy(
              () -> reader.erase("v", List.of("k1"), Erasure.Origin.HTTP, "it", PATIENCE))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.READ_ONLY))
          .hasMessageContaining("may only read");
    } finally {
      database.execute(
          switch (form.type()) {
            case POSTGRES -> "DROP OWNED BY looker; DROP ROLE looker";
            case MYSQL -> "DROP USER looker@'%'";
          });
    }
    assertThat(online()).hasSize(2);
  }

  @Test
  void erase_manyEntities_goInPages() throws Exception {
    Map<String, Double> scores = scores(4_500);
    assertThat(run(scores).rows()).isEqualTo(4_500);
    List<String> keys = scores.keySet().stream().skip(1_500).toList();

    Erasure erased = store.erase("v", keys, Erasure.Origin.COMMAND, "a test", PATIENCE);

    assertThat(erased.rows()).isEqualTo(3_000);
    assertThat(online()).hasSize(1_500);
    assertThat(database.number("SELECT count(*) FROM featureduck_changes WHERE run_id IS NULL"))
        .isEqualTo(3);
    assertThat(runKnowing(scores, Run.Kind.FULL))
        .isEqualTo(new RunCommit.Written(1_500, 0, 5, Optional.of(List.of())));
  }

  @Test
  void write_tombstones_countWhatIsWrittenAlone() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1").rows()).isEqualTo(1);
    Map<String, Double> next = scores(5);
    next.put("k1", 7.0);
    next.put("k2", 9.0);

    RunCommit.Written written = runKnowing(next, Run.Kind.FULL);

    assertThat(written).isEqualTo(new RunCommit.Written(4, 1, 3, Optional.of(List.of("k2"))));
    assertThat(store.statuses().getFirst().rows()).isEqualTo(4);
    assertThat(database.number("SELECT rows_removed FROM featureduck_views")).isZero();
    assertThat(tombstones()).containsExactly("k1");
  }

  @Test
  void write_incrementOfAnErasedEntity_leavesItAway() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1").rows()).isEqualTo(1);

    RunCommit.Written written = runKnowing(Map.of("k1", 7.0, "k2", 9.0), Run.Kind.INCREMENTAL);

    assertThat(written.rowsWritten()).isEqualTo(1);
    assertThat(written.changedKeys()).contains(List.of("k2"));
    assertThat(online().keySet()).containsExactly("k0", "k2", "k3", "k4");
    assertThat(store.statuses().getFirst().rows()).isEqualTo(4);
    assertThat(tombstones()).containsExactly("k1");
  }

  @Test
  void write_sourceHasItNoMore_releasesAndServesItAgainOnceItIsBack() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1", "k2").rows()).isEqualTo(2);

    assertThat(runKnowing(without(scores(5), "k1"), Run.Kind.FULL).rows()).isEqualTo(3);
    assertThat(tombstones()).containsExactly("k2");
    assertThat(runKnowing(scores(5), Run.Kind.FULL).rows()).isEqualTo(4);

    assertThat(online().keySet()).containsExactly("k0", "k1", "k3", "k4");
  }

  /** Whom an increment touches has a row in the source, whatever keeps it out of the view. */
  @Test
  void write_incrementFindsItGone_doesNotRelease() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1", "k2").rows()).isEqualTo(2);

    RunCommit.Written written =
        runKnowing(Map.of("k1", Double.NaN, "k3", 8.0), Run.Kind.INCREMENTAL);

    assertThat(written.changedKeys()).contains(List.of("k3"));
    assertThat(tombstones()).containsExactly("k1", "k2");
    assertThat(runKnowing(Map.of("k1", 4.0), Run.Kind.INCREMENTAL).rowsWritten()).isZero();
    assertThat(online().keySet()).containsExactly("k0", "k3", "k4");
  }

  @Test
  void write_erasedAgainAfterTheSourceWasRead_doesNotRelease() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1").rows()).isEqualTo(1);
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      KnownErasures known = lock.erasures();
      RunCommit commit = prepare(lock);
      // By now the source may have it again, and someone wants it away.
      assertThat(erase("k1").rows()).isZero();

      RunCommit.Written written =
          lock.write(
              commit, knowing(without(scores(5), "k1"), known, Run.Kind.FULL), new Cancellation());

      assertThat(written.rows()).isEqualTo(4);
    }
    assertThat(tombstones()).containsExactly("k1");
  }

  @Test
  void write_sourceHasItThoughNoRowOfIt_doesNotRelease() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1", "k2").rows()).isEqualTo(2);
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      List<Set<String>> asked = new ArrayList<>();
      Rows rows =
          knowing(
              without(scores(5), "k1", "k2"),
              lock.erasures(),
              Run.Kind.FULL,
              keys -> {
                boolean ignored = asked.add(keys);
                return Set.of("k1");
              });

      RunCommit.Written written = lock.write(prepare(lock), rows, new Cancellation());

      assertThat(asked).containsExactly(Set.of("k1", "k2"));

      assertThat(written.rows()).isEqualTo(3);
    }
    assertThat(tombstones()).containsExactly("k1");
  }

  @Test
  void write_anotherVersionIsPending_doesNotRelease() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    assertThat(erase("k1").rows()).isEqualTo(1);
    database.execute(
        """
        INSERT INTO featureduck_views (view, version, definition, hash, live, pending, created_by)
          SELECT view, 2, definition, hash, false, true, 'test' FROM featureduck_views
        """);

    assertThat(runKnowing(without(scores(5), "k1"), Run.Kind.FULL).rows()).isEqualTo(4);
    assertThat(tombstones()).containsExactly("k1");

    database.execute("UPDATE featureduck_views SET pending = false WHERE version = 2");
    assertThat(runKnowing(without(scores(5), "k1"), Run.Kind.FULL).rows()).isEqualTo(4);
    assertThat(tombstones()).isEmpty();
  }

  @Test
  void write_leftHalfDone_runLeavesItAwayAndIsNotReleased() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    leaveHalfDone("k1");
    assertThat(online()).containsKey("k1");

    RunCommit.Written written = runKnowing(scores(5), Run.Kind.FULL);

    assertThat(written).isEqualTo(new RunCommit.Written(4, 1, 2, Optional.of(List.of("k1"))));
    assertThat(online()).doesNotContainKey("k1");
    // Tables of other versions may still have it.
    assertThat(runKnowing(without(scores(5), "k1"), Run.Kind.FULL).rows()).isEqualTo(4);
    assertThat(tombstones()).containsExactly("k1");
    assertThat(store.unfinishedErasures(Duration.ZERO)).containsExactly("v");
    assertThat(store.finishErasures("v")).isZero();
    assertThat(store.unfinishedErasures(Duration.ZERO)).isEmpty();
    assertThat(runKnowing(without(scores(5), "k1"), Run.Kind.FULL).rows()).isEqualTo(4);
    assertThat(tombstones()).isEmpty();
  }

  /** As a process that was killed between the two transactions. */
  private void leaveHalfDone(String key) throws SQLException {
    database.execute(
        """
        INSERT INTO featureduck_erasures (view, entities, keys_hash, origin, requested_by)
          VALUES ('v', 1, '', 'command', 'a test');
        INSERT INTO featureduck_tombstones (view, entity_key, erasure_id, pending)
          SELECT 'v', '%s', max(id), true FROM featureduck_erasures
        """
            .formatted(key));
  }

  @Test
  void finishErasures_leftHalfDone_doesTheRest() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    leaveHalfDone("k1");
    assertThat(store.unfinishedErasures(Duration.ofHours(1))).isEmpty();

    assertThat(store.finishErasures("v")).isEqualTo(1);

    assertThat(online()).doesNotContainKey("k1");
    assertThat(newestKeys()).isEqualTo("[\"k1\"]");
    assertThat(
            database.number(
                "SELECT rows_deleted FROM featureduck_erasures WHERE finished_at IS NOT NULL"))
        .isEqualTo(1);
  }

  @Test
  void erase_againAfterItWasLeftHalfDone_doesTheRest() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    leaveHalfDone("k1");

    assertThat(erase("k2").rows()).isEqualTo(2);

    assertThat(online().keySet()).containsExactly("k0", "k3", "k4");
    assertThat(
            database.number(
                "SELECT count(*) FROM featureduck_erasures WHERE finished_at IS NOT NULL"))
        .isEqualTo(2);
  }

  @Test
  void erase_byManyAtOnce_eachIsDone() throws Exception {
    assertThat(run(scores(40)).rows()).isEqualTo(40);
    List<Future<Erasure>> erasing = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      String own = "k" + i;
      erasing.add(threads.submit(() -> erase(own, "k10", "k11")));
    }
    long rows = 0;
    for (Future<Erasure> erasure : erasing) {
      rows += erasure.get(40, TimeUnit.SECONDS).rows();
    }

    assertThat(rows).isEqualTo(8);
    assertThat(online()).hasSize(32);
    assertThat(store.statuses().getFirst().rows()).isEqualTo(32);
    assertThat(
            database.number("SELECT count(*) FROM featureduck_erasures WHERE finished_at IS NULL"))
        .isZero();
    assertThat(database.number("SELECT sum(rows_deleted) FROM featureduck_erasures")).isEqualTo(8);
    assertThat(database.number("SELECT max(generation) - count(*) FROM featureduck_changes"))
        .isZero();
  }

  /** Rows that do something when half of them have been sent. */
  private static Rows interrupted(Rows rows, Runnable interruption) {
    return everything(out -> {
      long count = rows.writeTo(out);
      interruption.run();
      return count;
    });
  }

  @Test
  void write_erasedWhileAFirstRunCopies_isNeverServed() throws Exception {
    RunCommit.Written written =
        run(interrupted(rows(scores(5), EVENT), () -> assertThat(erase("k1").rows()).isZero()));

    assertThat(written.rows()).isEqualTo(4);
    assertThat(written.rowsWritten()).isEqualTo(4);
    assertThat(online()).isEqualTo(without(scores(5), "k1"));
    assertThat(store.statuses().getFirst().rows()).isEqualTo(4);
  }

  @Test
  void write_erasedWhileALargeRefreshCopies_isGone() throws Exception {
    assertThat(run(scores(3_000)).rows()).isEqualTo(3_000);
    Map<String, Double> next = new LinkedHashMap<>();
    scores(3_000).forEach((key, score) -> next.put(key, score + 1));

    RunCommit.Written written =
        run(interrupted(rows(next, EVENT), () -> assertThat(erase("k1").rows()).isEqualTo(1)));

    assertThat(written.rows()).isEqualTo(2_999);
    assertThat(written.rowsWritten()).isEqualTo(2_999);
    assertThat(online()).isEqualTo(without(next, "k1"));
    assertThat(store.statuses().getFirst().rows()).isEqualTo(2_999);
  }

  @Test
  void write_erasedWhileAnIncrementCopies_isGone() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      RunCommit commit = prepare(lock, Run.Kind.INCREMENTAL, SCORE);
      Rows rows = rows(Map.of("k1", 8.0, "k2", 9.0, "new", 1.0), EVENT);

      RunCommit.Written written =
          lock.write(
              commit,
              interrupted(rows, () -> assertThat(erase("k1", "new").rows()).isEqualTo(1)),
              new Cancellation());

      assertThat(written.rowsWritten()).isEqualTo(1);
      assertThat(written.changedKeys()).contains(List.of("k2"));
    }
    assertThat(online().keySet()).containsExactly("k0", "k2", "k3", "k4");
    assertThat(store.statuses().getFirst().rows()).isEqualTo(4);
  }

  /**
   * The run has compared its rows and waits for the row of {@code held}, which someone has locked;
   * then entities are erased, of which it holds some.
   */
  @Test
  void write_erasedWhileRowsAreWritten_isGoneWithTheCommit() throws Exception {
    assertThat(run(scores(8)).rows()).isEqualTo(8);
    Map<String, Double> next = scores(8);
    next.put("k1", 5.0);
    next.put("k7", 5.0);
    next.put("new", 1.0);
    Erasure erased;
    Future<RunCommit.Written> writing;
    try (Connection holder = database.connect();
        Statement statement = holder.createStatement()) {
      holder.setAutoCommit(false);
      boolean ignored =
          statement.execute("SELECT 1 FROM online_v WHERE entity_key = 'k7' FOR UPDATE");
      writing = threads.submit(() -> run(rows(next, EVENT)));
      awaitWaiting("UPDATE difference");

      // Changed, unchanged and new.
      erased = erase(Duration.ZERO, "k1", "k2", "new");

      holder.rollback();
    }
    RunCommit.Written written = writing.get(30, TimeUnit.SECONDS);
    assertThat(online()).isEqualTo(without(next, "k1", "k2", "new"));
    assertThat(written.rows()).isEqualTo(6);
    // What the erasure deleted by itself it has told by itself.
    assertThat(written.changedKeys())
        .contains(erased.pending() ? List.of("k1", "k2", "k7") : List.of("k7"));
    assertThat(written.rowsWritten()).isEqualTo(erased.pending() ? 3 : 1);
    assertThat(store.finishErasures("v")).isZero();
    assertThat(store.statuses().getFirst().rows()).isEqualTo(6);
    assertThat(runKnowing(next, Run.Kind.FULL).rowsWritten()).isZero();
  }

  /** It has taken the entity out of its rows by then, and may not hold its tombstone. */
  @Test
  void erase_againWhileARunWrites_waitsForNothing() throws Exception {
    assertThat(run(scores(8)).rows()).isEqualTo(8);
    assertThat(erase("k1").rows()).isEqualTo(1);
    Map<String, Double> next = scores(8);
    next.put("k7", 5.0);
    Future<RunCommit.Written> writing;
    try (Connection holder = database.connect();
        Statement statement = holder.createStatement()) {
      holder.setAutoCommit(false);
      boolean ignored =
          statement.execute("SELECT 1 FROM online_v WHERE entity_key = 'k7' FOR UPDATE");
      writing = threads.submit(() -> runKnowing(next, Run.Kind.FULL));
      awaitWaiting("UPDATE difference");

      assertThat(erase(Duration.ZERO, "k1").pending()).isFalse();

      holder.rollback();
    }
    assertThat(writing.get(30, TimeUnit.SECONDS).changedKeys()).contains(List.of("k7"));
    assertThat(online()).isEqualTo(without(next, "k1"));
    assertThat(tombstones()).containsExactly("k1");
  }

  /**
   * @param statement how that begins which waits, as far as MySQL can't tell
   */
  private void awaitWaiting(String statement) throws SQLException {
    String waiting =
        switch (form.type()) {
          case POSTGRES ->
              "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
          case MYSQL ->
              "SELECT count(*) FROM information_schema.PROCESSLIST WHERE DB = database() AND INFO LIKE '%s%%'"
                  .formatted(statement);
        };
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (database.number(waiting) == 0) {
      assertThat(System.nanoTime()).as("nobody waits").isLessThan(end);
    }
  }

  /** The run has the view's rows locked, and waits before the last of its statements. */
  @Test
  void erase_runIsAboutToCommit_isDoneAfterIt() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    Map<String, Double> next = scores(5);
    next.put("k1", 7.0);
    Future<Erasure> erasing;
    Future<RunCommit.Written> writing;
    try (Connection holder = database.connect()) {
      holder.setAutoCommit(false);
      writing =
          threads.submit(() -> run(interrupted(rows(next, EVENT), () -> lockRunningRuns(holder))));
      awaitWaiting("UPDATE featureduck_runs SET status");
      assertThatThrownBy(() -> erase(Duration.ZERO, "k1"))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED));
      assertThat(tombstones()).isEmpty();
      erasing = threads.submit(() -> erase("k1", "k2"));
      holder.rollback();
    }

    assertThat(writing.get(30, TimeUnit.SECONDS).rows()).isEqualTo(5);
    assertThat(erasing.get(30, TimeUnit.SECONDS).rows()).isEqualTo(2);
    assertThat(online()).isEqualTo(without(next, "k1", "k2"));
    assertThat(newestKeys()).isEqualTo("[\"k1\",\"k2\"]");
    assertThat(store.statuses().getFirst().rows()).isEqualTo(3);
  }

  private void lockRunningRuns(Connection holder) {
    String lock =
        switch (form.type()) {
          // Watermarks refer to the run.
          case POSTGRES -> "FOR NO KEY UPDATE";
          case MYSQL -> "FOR UPDATE";
        };
    try (Statement statement = holder.createStatement()) {
      boolean ignored =
          statement.execute("SELECT 1 FROM featureduck_runs WHERE status = 'running' " + lock);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void purge_oldRows_goPageByPage() throws Exception {
    Map<String, Double> scores = scores(2_500);
    assertThat(run(scores).rows()).isEqualTo(2_500);
    database.execute(
        "UPDATE online_v SET event_timestamp = '2026-01-01' WHERE entity_key LIKE 'k2%'");
    database.execute("UPDATE featureduck_watermarks SET event_min = '2026-01-01'");
    long old = scores.keySet().stream().filter(key -> key.startsWith("k2")).count();
    Instant oldest = Instant.parse("2026-02-01T00:00:00Z");
    Purge purge = store.purge(store.liveView("v").orElseThrow(), oldest);

    List<Purge.Page> pages = Stream.generate(purge::next).limit(3).toList();

    assertThat(pages)
        .extracting(Purge.Page::outcome)
        .containsExactly(Purge.Outcome.MORE, Purge.Outcome.MORE, Purge.Outcome.DONE);
    assertThat(pages.stream().mapToLong(Purge.Page::rows).sum()).isEqualTo(old);
    assertThat(keys("entity_key LIKE 'k2%'")).isEmpty();
    ViewStatus status = store.statuses().getFirst();
    assertThat(status.rows()).isEqualTo(2_500 - old);
    assertThat(status.eventMin()).contains(EVENT);
    assertThat(newestKeys()).contains("\"k2\"");
  }

  /** Between the comparison of a run and its writing, no row may go. */
  @Test
  void purge_whileARunWrites_givesWay() throws Exception {
    assertThat(run(scores(5)).rows()).isEqualTo(5);
    Instant oldest = EVENT.plusSeconds(1);
    Purge purge = store.purge(store.liveView("v").orElseThrow(), oldest);
    Rows newer = rows(scores(5), EVENT.plusSeconds(10));

    RunCommit.Written written =
        run(
            interrupted(
                newer,
                () ->
                    assertThat(purge.next())
                        .isEqualTo(new Purge.Page(Purge.Outcome.GIVES_WAY, 0))));

    assertThat(written.rows()).isEqualTo(5);
    assertThat(purge.next()).isEqualTo(new Purge.Page(Purge.Outcome.DONE, 0));
    assertThat(online()).hasSize(5);
  }

  @Test
  void purge_rowsThatARunMadeNewerMeanwhile_stay() throws Exception {
    assertThat(run(scores(1_500)).rows()).isEqualTo(1_500);
    database.execute("UPDATE online_v SET event_timestamp = '2026-01-01'");
    database.execute("UPDATE featureduck_watermarks SET event_min = '2026-01-01'");
    Instant oldest = Instant.parse("2026-02-01T00:00:00Z");
    Purge purge = store.purge(store.liveView("v").orElseThrow(), oldest);
    assertThat(purge.next()).isEqualTo(new Purge.Page(Purge.Outcome.MORE, 1_000));
    assertThat(run(scores(1_500)).rows()).isEqualTo(1_500);

    assertThat(purge.next()).isEqualTo(new Purge.Page(Purge.Outcome.DONE, 0));

    assertThat(online()).hasSize(1_500);
    assertThat(store.statuses().getFirst().eventMin().orElseThrow()).isAfterOrEqualTo(oldest);
  }
}
