package io.featureduck.store;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.testing.TestProxy;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The promises of the write transaction, each of which a test tries to break. */
final class ViewLockTest {
  private static final Instant EVENT = Instant.parse("2026-11-23T10:00:00Z");
  private static final Instant AS_OF = Instant.parse("2026-11-24T00:00:00Z");
  private static final List<Feature> SCORE = List.of(new Feature("score", Primitive.FLOAT64));
  private static final FeatureView VIEW = TestDefinitions.view("v", "orders", "{}");

  @TempDir private Path spill = Path.of("");

  private TestPostgres.Database database = new TestPostgres.Database("none", 0);
  private OnlineStore store = OnlineStore.open(TestDefinitions.store(database, "public"));

  @BeforeEach
  void migrate() throws Exception {
    database = TestPostgres.newDatabase();
    store = OnlineStore.open(TestDefinitions.store(database, "public"));
    store.migrate();
  }

  private static Rows rows(Map<String, Double> scores, Instant event) {
    return out -> {
      for (Map.Entry<String, Double> row : scores.entrySet()) {
        out.startRow(3);
        out.putText(RowWriter.utf8(row.getKey()));
        out.putDouble(row.getValue());
        out.putTimestamp(event.toEpochMilli() * 1_000);
      }
      return scores.size();
    };
  }

  private static Map<String, Double> scores(int count) {
    Map<String, Double> scores = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      scores.put("k" + i, (double) i);
    }
    return scores;
  }

  private RunCommit.Written run(Map<String, Double> scores) {
    return run(rows(scores, EVENT));
  }

  private RunCommit.Written run(Rows rows) {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      return lock.write(prepare(lock), rows, new Cancellation());
    }
  }

  private RunCommit prepare(ViewLock lock) {
    LiveView live = store.register(VIEW, SCORE, "test");
    long run =
        lock.start(new RunStart(1, Run.Kind.FULL, "test", Optional.empty(), "here")).orElseThrow();
    return new RunCommit(
        run,
        live,
        VIEW,
        SCORE,
        Run.Kind.FULL,
        lock.basis(1).map(Basis::runId),
        Optional.empty(),
        11,
        AS_OF,
        List.of(new Watermark("orders", AS_OF, "hash")),
        new RunProgress(),
        spill);
  }

  private List<String> query(String sql) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(String.valueOf(rows.getString(1)));
      }
      return found;
    }
  }

  private List<String> tables() throws SQLException {
    return query(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND (relname LIKE 'online%' OR relname LIKE 'featureduck_run\\_%' OR relname = 'stage') ORDER BY 1");
  }

  @Test
  void close_lockOfALiveConnection_isFreeAtOnce() {
    for (int i = 0; i < 200; i++) {
      Optional<ViewLock> lock = store.tryLock("v");

      assertThat(lock).as("attempt %d", i).isPresent();
      lock.orElseThrow().close();
    }
  }

  @Test
  void write_firstRun_fillsTableWatermarkRunAndChange() throws Exception {
    RunCommit.Written written = run(scores(3));

    assertThat(written).isEqualTo(new RunCommit.Written(3, 3, 1, Optional.empty()));
    assertThat(query("SELECT entity_key || '=' || score FROM online_v ORDER BY 1"))
        .containsExactly("k0=0", "k1=1", "k2=2");
    ViewStatus status = store.statuses().getFirst();
    assertThat(status.asOf()).contains(AS_OF);
    assertThat(status.rows()).isEqualTo(3);
    assertThat(status.eventMax()).contains(EVENT);
    assertThat(status.view().generation()).isEqualTo(1);
    assertThat(status.lastSuccess()).isPresent();
    Run run = store.runs(Optional.of("v"), 1).getFirst();
    assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(run.rowsRead()).contains(11L);
    assertThat(run.upperBound()).contains(AS_OF);
    assertThat(status.lastRun()).contains(run);
    assertThat(tables()).containsExactly("online_v");
    assertThat(query("SELECT keys::text FROM featureduck_changes")).containsExactly("null");
  }

  @Test
  void write_sameRowsAgain_writesNothing() throws Exception {
    RunCommit.Written first = run(scores(3));
    List<String> before = query("SELECT ctid || ' ' || o FROM online_v o ORDER BY 1");

    RunCommit.Written again = run(scores(3));

    assertThat(first.generation()).isEqualTo(1);
    assertThat(again).isEqualTo(new RunCommit.Written(3, 0, 2, Optional.of(List.of())));
    assertThat(query("SELECT ctid || ' ' || o FROM online_v o ORDER BY 1")).isEqualTo(before);
  }

  @Test
  void write_fewChanged_updatesInPlaceWhereFeaturesDiffer() throws Exception {
    RunCommit.Written first = run(scores(100));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01Z'");
    List<String> table = query("SELECT 'online_v'::regclass::oid");
    Map<String, Double> next = scores(100);
    assertThat(next.remove("k1")).isEqualTo(1);
    next.put("k2", 7.5);
    next.put("k3", 3 + 1e-13);
    next.put("new", 1.0);

    RunCommit.Written second = run(next);

    assertThat(first.rowsWritten()).isEqualTo(100);
    assertThat(second)
        .isEqualTo(new RunCommit.Written(100, 3, 2, Optional.of(List.of("k1", "k2", "new"))));
    assertThat(query("SELECT 'online_v'::regclass::oid")).isEqualTo(table);
    assertThat(query("SELECT entity_key FROM online_v WHERE updated_at > '2001-01-01Z' ORDER BY 1"))
        .containsExactly("k2", "new");
    assertThat(query("SELECT score FROM online_v WHERE entity_key = 'k2'")).containsExactly("7.5");
    assertThat(query("SELECT keys::text FROM featureduck_changes WHERE generation = 2"))
        .containsExactly("[\"k1\", \"k2\", \"new\"]");
  }

  @Test
  void write_muchChanged_replacesTableAndKeepsUpdatedAtOfTheRest() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01Z'");
    database.execute("CREATE ROLE reader_of_v; GRANT SELECT ON online_v TO reader_of_v");
    List<String> table = query("SELECT 'online_v'::regclass::oid");
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> score >= 2_000 ? -score : score);

    RunCommit.Written second = run(next);

    assertThat(first.rowsWritten()).isEqualTo(5_000);
    assertThat(second.rowsWritten()).isEqualTo(3_000);
    assertThat(query("SELECT 'online_v'::regclass::oid")).isNotEqualTo(table);
    assertThat(query("SELECT count(*) FROM online_v WHERE updated_at = '2000-01-01Z'"))
        .containsExactly("2000");
    assertThat(query("SELECT sum(score) FROM online_v WHERE score < 0"))
        .containsExactly(String.valueOf(-(4_999 * 5_000 - 1_999 * 2_000) / 2));
    assertThat(query("SELECT has_table_privilege('reader_of_v', 'online_v', 'SELECT')"))
        .containsExactly("t");
    assertThat(tables()).containsExactly("online_v");
    assertThat(spill).isEmptyDirectory();
  }

  @Test
  void write_newerEventOfSameFeatures_keepsUpdatedAt() throws Exception {
    RunCommit.Written first = run(scores(3));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01Z'");

    RunCommit.Written second = run(rows(scores(3), EVENT.plusSeconds(5)));

    assertThat(first.rowsWritten()).isEqualTo(3);
    assertThat(second.rowsWritten()).isEqualTo(3);
    assertThat(query("SELECT DISTINCT updated_at FROM online_v WHERE updated_at < '2001-01-01Z'"))
        .hasSize(1);
    assertThat(store.statuses().getFirst().eventMax()).contains(EVENT.plusSeconds(5));
  }

  @Test
  void write_floatsAtTheEndsOfTheirRange_areCompared() throws Exception {
    double[] values = {
      0.0,
      Double.MIN_VALUE,
      Double.MAX_VALUE,
      -Double.MAX_VALUE,
      Double.NaN,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      1e-300
    };
    Map<String, Double> before = new LinkedHashMap<>();
    Map<String, Double> after = new LinkedHashMap<>();
    int different = 0;
    for (double a : values) {
      for (double b : values) {
        before.put(a + " " + b, a);
        after.put(a + " " + b, b);
        different += Double.compare(a, b) == 0 ? 0 : 1;
      }
    }
    RunCommit.Written first = run(before);

    RunCommit.Written second = run(after);

    assertThat(first.rows()).isEqualTo(before.size());
    assertThat(second.rowsWritten()).isEqualTo(different);
  }

  @Test
  void write_basisIsOfOlderRun_failsAndKeepsNothing() throws Exception {
    RunCommit.Written first = run(scores(3));
    try (ViewLock stale = store.tryLock("v").orElseThrow()) {
      RunCommit commit = prepare(stale);
      // The stale one loses its lock with its session's, and doesn't notice.
      database.execute("SELECT pg_advisory_unlock_all()");
      RunCommit other = withRun(commit);
      RunCommit.Written second = stale.write(other, rows(scores(4), EVENT), new Cancellation());

      assertThatThrownBy(() -> stale.write(commit, rows(scores(9), EVENT), new Cancellation()))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED));
      assertThat(first.generation()).isEqualTo(1);
      assertThat(second.generation()).isEqualTo(2);
    }
    assertThat(query("SELECT count(*) FROM online_v")).containsExactly("4");
    assertThat(store.liveView("v").orElseThrow().generation()).isEqualTo(2);
  }

  private RunCommit withRun(RunCommit commit) throws SQLException {
    String run =
        query(
                "INSERT INTO featureduck_runs (view, version, kind, status, engine, host) VALUES ('v', 1, 'full', 'running', 'test', 'there') RETURNING run_id")
            .getFirst();
    return new RunCommit(
        Long.parseLong(run),
        commit.live(),
        commit.definition(),
        commit.features(),
        commit.kind(),
        commit.basis(),
        commit.lowerBound(),
        commit.rowsRead(),
        commit.asOf(),
        commit.watermarks(),
        commit.progress(),
        commit.spillDirectory());
  }

  @Test
  void write_twoFirstRunsAtOnce_oneSucceeds() throws Exception {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      RunCommit one = prepare(lock);
      RunCommit two = withRun(one);
      RunCommit.Written written = lock.write(one, rows(scores(1), EVENT), new Cancellation());

      assertThatThrownBy(() -> lock.write(two, rows(scores(2), EVENT), new Cancellation()))
          .isInstanceOf(FeatureException.class);
      assertThat(written.rows()).isEqualTo(1);
    }
    assertThat(query("SELECT count(*) FROM online_v")).containsExactly("1");
  }

  @Test
  void tryLock_takenElsewhere_isEmpty() {
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      assertThat(lock.basis(1)).isEmpty();
      assertThat(store.tryLock("v")).isEmpty();
      try (ViewLock other = store.tryLock("w").orElseThrow()) {
        assertThat(other.basis(1)).isEmpty();
      }
    }
    try (ViewLock again = store.tryLock("v").orElseThrow()) {
      assertThat(again.basis(1)).isEmpty();
    }
  }

  @Test
  void start_runLeftBehind_isClosedAsFailed() {
    long left;
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      left = prepare(lock).runId();
    }

    RunCommit.Written next = run(scores(1));

    assertThat(next.rows()).isEqualTo(1);
    Run orphan = store.run(left).orElseThrow();
    assertThat(orphan.status()).isEqualTo(Run.Status.FAILED);
    assertThat(orphan.errorCode()).contains("internal");
    assertThat(orphan.error())
        .contains("the process that ran it is gone, or has lost its connection: here");
  }

  @Test
  void tryLock_holderGivesSignsOfLife_isEmpty() throws Exception {
    Duration lease = Duration.ofSeconds(1);
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat = store.heartbeat()) {
      long run = prepare(lock).runId();
      Instant end = Instant.now().plusSeconds(3);

      while (Instant.now().isBefore(end)) {
        assertThat(heartbeat.beat(run, new RunProgress().now(), 0))
            .isEqualTo(RunHeartbeat.Answer.GO_ON);
        assertThat(store.tryLock("v", lease)).isEmpty();
      }
      assertThat(lock.basis(1)).isEmpty();
    }
  }

  @Test
  void tryLock_holderSilentForTheLease_isTakenFromIt() throws Exception {
    Map<String, Double> scores = scores(3);
    try (ViewLock stale = store.tryLock("v").orElseThrow()) {
      RunCommit left = prepare(stale);
      try (ViewLock taken = takeOver("v", Duration.ofSeconds(1))) {
        RunCommit next = prepare(taken);

        assertThatThrownBy(() -> stale.write(left, rows(scores, EVENT), new Cancellation()))
            .isInstanceOfSatisfying(FeatureException.class, e -> assertThat(e.mayPass()).isTrue());
        assertThat(taken.write(next, rows(scores, EVENT), new Cancellation()).rows()).isEqualTo(3);
      }

      Run orphan = store.run(left.runId()).orElseThrow();
      assertThat(orphan.status()).isEqualTo(Run.Status.FAILED);
      assertThat(orphan.errorCode()).contains("locked");
      assertThat(orphan.error().orElseThrow())
          .matches("taken over by here after \\d+ s without a sign of life of here");
    }
  }

  @Test
  void tryLock_silentHolderWithoutARun_isTakenFromIt() throws Exception {
    try (ViewLock stale = store.tryLock("v").orElseThrow();
        ViewLock taken = takeOver("v", Duration.ofSeconds(1))) {
      assertThat(taken.basis(1)).isEmpty();
      assertThatThrownBy(() -> stale.basis(1)).isInstanceOf(FeatureException.class);
    }
  }

  /** Takes the lock from its holder, once that was silent for long enough. */
  private ViewLock takeOver(String view, Duration lease) {
    Instant end = Instant.now().plusSeconds(20);
    while (Instant.now().isBefore(end)) {
      Optional<ViewLock> taken = store.tryLock(view, lease);
      if (taken.isPresent()) {
        return taken.get();
      }
    }
    throw new AssertionError("the lock could not be taken over");
  }

  @Test
  void tryLock_silentSessionOfAnotherRole_saysWhoMayEndIt() throws Exception {
    String role = "other_" + database.name();
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      assertThat(prepare(lock).runId()).isPositive();
      database.execute(
          """
          UPDATE featureduck_runs SET heartbeat_at = clock_timestamp() - INTERVAL '1 hour';
          CREATE ROLE %1$s LOGIN;
          GRANT SELECT ON ALL TABLES IN SCHEMA public TO %1$s
          """
              .formatted(role));
      OnlineStore other =
          OnlineStore.open(
              TestDefinitions.store(database.url().replace("postgres@", role + "@"), "public"));

      assertThatThrownBy(() -> other.tryLock("v", Duration.ofSeconds(15)))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED))
          .hasMessageMatching(
              "view v: .* no sign of life for 3600 s, .*session \\d+ of role postgres .*pg_signal_backend");
      assertThat(lock.basis(1)).isEmpty();
    }
  }

  @Test
  void takeAgain_formerSessionLivesOn_endsItAndTakesTheLock() throws Exception {
    try (TestProxy proxy = new TestProxy(database.port());
        ViewLock lock =
            OnlineStore.open(
                    TestDefinitions.store(
                        new TestPostgres.Database(database.name(), proxy.port()), "public"))
                .tryLock("v")
                .orElseThrow()) {
      RunCommit commit = prepare(lock);
      proxy.abandon();
      assertThatThrownBy(() -> lock.basis(1)).isInstanceOf(FeatureException.class);
      assertThat(store.tryLock("v")).isEmpty();

      try (ViewLock again = lock.takeAgain().orElseThrow()) {
        assertThat(again.write(commit, rows(scores(1), EVENT), new Cancellation()).rows())
            .isEqualTo(1);
      }
    }
  }

  @Test
  void write_watermarkHeldByAnotherSession_failsWithinABound() throws Exception {
    RunCommit.Written first = run(scores(3));
    assertThat(first.rows()).isEqualTo(3);
    try (Connection holder = database.connect();
        Statement statement = holder.createStatement()) {
      holder.setAutoCommit(false);
      int held = statement.executeUpdate("UPDATE featureduck_watermarks SET rows = rows");
      assertThat(held).isEqualTo(1);

      assertThatThrownBy(() -> run(scores(4)))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED))
          .hasMessageContaining("did not end within 5 s");
    }
    assertThat(run(scores(4)).rows()).isEqualTo(4);
  }

  @Test
  void beat_asOthersWant_tellsWhatTheRunIsToDo() throws Exception {
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat = store.heartbeat()) {
      RunCommit commit = prepare(lock);
      long run = commit.runId();
      RunProgress progress = new RunProgress();
      progress.attempt();
      progress.enter(RunStage.READING);

      assertThat(heartbeat.beat(run, progress.now(), 7)).isEqualTo(RunHeartbeat.Answer.GO_ON);
      Run noted = store.run(run).orElseThrow();
      assertThat(noted.progress().orElseThrow().stage()).isEqualTo("reading");
      assertThat(noted.rowsRead()).contains(7L);
      database.execute("UPDATE featureduck_runs SET cancel_requested = true");
      assertThat(heartbeat.beat(run, progress.now(), 7)).isEqualTo(RunHeartbeat.Answer.CANCEL);
      database.execute("UPDATE featureduck_runs SET status = 'failed'");
      assertThat(heartbeat.beat(run, progress.now(), 7)).isEqualTo(RunHeartbeat.Answer.TAKEN_OVER);
      database.execute("UPDATE featureduck_runs SET status = 'succeeded', progress = '{}'");
      assertThat(heartbeat.beat(run, progress.now(), 7)).isEqualTo(RunHeartbeat.Answer.GO_ON);
      assertThat(store.run(run).orElseThrow().progress()).isEmpty();
    }
  }

  @Test
  void beat_runIsBeingCommitted_doesNotWaitForIt() throws Exception {
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat = store.heartbeat();
        Connection holder = database.connect();
        Statement statement = holder.createStatement()) {
      long run = prepare(lock).runId();
      holder.setAutoCommit(false);
      int held = statement.executeUpdate("UPDATE featureduck_runs SET status = 'succeeded'");
      assertThat(held).isEqualTo(1);

      assertThat(heartbeat.beat(run, new RunProgress().now(), 0))
          .isEqualTo(RunHeartbeat.Answer.GO_ON);
    }
  }

  @Test
  void beat_itsSessionIsEnded_failsOnceAndGoesOn() throws Exception {
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat = store.heartbeat()) {
      long run = prepare(lock).runId();
      Progress progress = new RunProgress().now();
      assertThat(heartbeat.beat(run, progress, 0)).isEqualTo(RunHeartbeat.Answer.GO_ON);
      List<String> ended =
          query(
              "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT status, cancel_requested%'");
      assertThat(ended).containsExactly("t");

      assertThatThrownBy(() -> heartbeat.beat(run, progress, 0))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE));
      assertThat(heartbeat.beat(run, progress, 0)).isEqualTo(RunHeartbeat.Answer.GO_ON);
    }
  }

  @Test
  void start_tickOfAnotherRun_isEmpty() {
    RunStart tick = new RunStart(1, Run.Kind.FULL, "test", Optional.of(AS_OF), "here");
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      long run = lock.start(tick).orElseThrow();
      store.fail(
          run,
          Run.Status.FAILED,
          new FeatureException(ErrorCode.INTERNAL, "no"),
          Optional.empty(),
          new RunProgress().now());

      assertThat(lock.start(tick)).isEmpty();
    }
  }

  @Test
  void write_rowsFailHalfWay_leavesTheStoreAsItWas() throws Exception {
    RunCommit.Written first = run(scores(3));
    Rows broken =
        out -> {
          long ignored = rows(scores(50_000), EVENT).writeTo(out);
          throw new FeatureException(ErrorCode.SOURCE_UNAVAILABLE, "gone");
        };

    assertThatThrownBy(() -> run(broken)).hasMessage("gone");

    assertThat(first.generation()).isEqualTo(1);
    assertThat(query("SELECT count(*) FROM online_v")).containsExactly("3");
    assertThat(store.liveView("v").orElseThrow().generation()).isEqualTo(1);
    assertThat(tables()).containsExactly("online_v");
  }

  @Test
  void write_entityTwice_isRefusedByName() throws Exception {
    Rows twice =
        out -> {
          long first = rows(scores(2), EVENT).writeTo(out);
          return first + rows(scores(1), EVENT).writeTo(out);
        };

    assertThatThrownBy(() -> run(twice))
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("more than one row for an entity")
        .hasMessageContaining("k0");
    assertThat(tables()).isEmpty();
  }

  @Test
  void write_connectionGone_isKnownAsSuch() throws Exception {
    Rows killing =
        out -> {
          long count = rows(scores(1), EVENT).writeTo(out);
          database.execute(
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'featureduck' AND datname = current_database()");
          return count + rows(scores(100_000), EVENT).writeTo(out);
        };

    assertThatThrownBy(() -> run(killing))
        .isInstanceOfSatisfying(FeatureException.class, e -> assertThat(e.mayPass()).isTrue());

    assertThat(tables()).isEmpty();
    assertThat(run(scores(2)).rows()).isEqualTo(2);
  }

  @Test
  void write_longReader_delaysTheSwapAndNotOtherReaders() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> -score - 1);
    CountDownLatch computed = new CountDownLatch(1);
    Rows signalling =
        out -> {
          long count = rows(next, EVENT).writeTo(out);
          computed.countDown();
          return count;
        };

    CompletableFuture<RunCommit.Written> swap;
    long slowest = 0;
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement();
        Connection other = database.connect();
        Statement lookup = other.createStatement()) {
      reader.setAutoCommit(false);
      try (ResultSet held = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(held.next()).isTrue();
      }
      swap = CompletableFuture.supplyAsync(() -> run(signalling));
      assertThat(computed.await(30, SECONDS)).isTrue();
      long end = System.nanoTime() + SECONDS.toNanos(2);
      while (System.nanoTime() < end) {
        long start = System.nanoTime();
        try (ResultSet found =
            lookup.executeQuery("SELECT score FROM online_v WHERE entity_key = 'k7'")) {
          assertThat(found.next()).isTrue();
          assertThat(found.getDouble(1)).isEqualTo(7);
        }
        slowest = Math.max(slowest, System.nanoTime() - start);
      }
      assertThat(swap).isNotDone();
      reader.commit();
    }

    assertThat(swap.get(30, SECONDS).rowsWritten()).isEqualTo(5_000);
    assertThat(first.rowsWritten()).isEqualTo(5_000);
    assertThat(slowest).isLessThan(SECONDS.toNanos(1));
    assertThat(query("SELECT score FROM online_v WHERE entity_key = 'k7'")).containsExactly("-8");
  }

  @Test
  void write_readerWithOlderSnapshot_neverFindsTheTableEmpty() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> -score - 1);
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement()) {
      reader.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      reader.setAutoCommit(false);
      try (ResultSet snapshot = statement.executeQuery("SELECT 1")) {
        assertThat(snapshot.next()).isTrue();
      }

      RunCommit.Written second = run(next);

      try (ResultSet found = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(found.next()).isTrue();
        assertThat(found.getLong(1)).isEqualTo(5_000);
      }
      assertThat(first.generation() + second.generation()).isEqualTo(3);
    }
  }

  @Test
  void write_cancelledWhileSwapWaits_endsAtOnce() throws Exception {
    RunCommit.Written first = run(scores(1));
    database.execute("ALTER TABLE online_v ADD COLUMN odd INT");
    Cancellation cancellation = new Cancellation();
    try (Connection reader = database.connect();
        Statement statement = reader.createStatement()) {
      reader.setAutoCommit(false);
      try (ResultSet held = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(held.next()).isTrue();
      }
      Rows cancelling =
          out -> {
            long count = rows(scores(1), EVENT).writeTo(out);
            CompletableFuture<Void> ignored =
                CompletableFuture.runAsync(
                    () -> cancellation.cancel(ErrorCode.CANCELLED, "cancelled by the test"));
            return count;
          };
      try (ViewLock lock = store.tryLock("v").orElseThrow()) {
        assertThatThrownBy(() -> lock.write(prepare(lock), cancelling, cancellation))
            .isInstanceOf(FeatureException.class)
            .hasMessage("cancelled by the test");
      }
    }
    assertThat(first.rows()).isEqualTo(1);
  }
}
