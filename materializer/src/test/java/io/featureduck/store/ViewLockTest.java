package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestProxy;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The promises of the write transaction, each of which a test tries to break, in each store. */
@ParameterizedClass
@EnumSource(TestStore.Form.class)
final class ViewLockTest extends StoreWriting {
  ViewLockTest(TestStore.Form form) throws Exception {
    super(form);
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
    assertThat(online()).isEqualTo(scores(3));
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
    assertThat(database.tables()).containsExactly("online_v");
    assertThat(database.query("SELECT \"keys\" FROM featureduck_changes")).containsExactly("null");
  }

  @Test
  void write_sameRowsAgain_writesNothing() throws Exception {
    RunCommit.Written first = run(scores(3));
    List<String> before = database.query("SELECT updated_at FROM online_v o ORDER BY entity_key");

    RunCommit.Written again = run(scores(3));

    assertThat(first.generation()).isEqualTo(1);
    assertThat(again).isEqualTo(new RunCommit.Written(3, 0, 2, Optional.of(List.of())));
    assertThat(database.query("SELECT updated_at FROM online_v o ORDER BY entity_key"))
        .isEqualTo(before);
  }

  @Test
  void write_fewChanged_updatesInPlaceWhereFeaturesDiffer() throws Exception {
    RunCommit.Written first = run(scores(100));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01'");
    Map<String, Double> next = scores(100);
    assertThat(next.remove("k1")).isEqualTo(1);
    next.put("k2", 7.5);
    next.put("k3", 3 + 1e-13);
    next.put("new", 1.0);

    RunCommit.Written second = run(next);

    assertThat(first.rowsWritten()).isEqualTo(100);
    assertThat(second)
        .isEqualTo(new RunCommit.Written(100, 3, 2, Optional.of(List.of("k1", "k2", "new"))));
    assertThat(keys("updated_at > '2001-01-01'")).containsExactly("k2", "new");
    assertThat(online()).containsEntry("k2", 7.5).doesNotContainKey("k1").hasSize(100);
    assertThat(database.query("SELECT \"keys\" FROM featureduck_changes WHERE generation = 2"))
        .extracting(keys -> keys.replace(" ", ""))
        .containsExactly("[\"k1\",\"k2\",\"new\"]");
  }

  @Test
  void write_newerEventOfSameFeatures_keepsUpdatedAt() throws Exception {
    RunCommit.Written first = run(scores(3));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01'");

    RunCommit.Written second = run(rows(scores(3), EVENT.plusSeconds(5)));

    assertThat(first.rowsWritten()).isEqualTo(3);
    assertThat(second.rowsWritten()).isEqualTo(3);
    assertThat(keys("updated_at < '2001-01-01'")).hasSize(3);
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
    if (form == TestStore.Form.MYSQL_TYPED) {
      // Others are refused there.
      values = Arrays.stream(values).filter(Double::isFinite).toArray();
    }
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
      RunCommit other = withRun(commit);
      RunCommit.Written second = stale.write(other, rows(scores(4), EVENT), new Cancellation());

      assertThatThrownBy(() -> stale.write(commit, rows(scores(9), EVENT), new Cancellation()))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED));
      assertThat(first.generation()).isEqualTo(1);
      assertThat(second.generation()).isEqualTo(2);
    }
    assertThat(online()).hasSize(4);
    assertThat(store.liveView("v").orElseThrow().generation()).isEqualTo(2);
  }

  private RunCommit withRun(RunCommit commit) throws SQLException {
    database.execute(
        "INSERT INTO featureduck_runs (view, version, kind, status, engine, host) VALUES ('v', 1, 'full', 'running', 'test', 'there')");
    long run = database.number("SELECT max(run_id) FROM featureduck_runs");
    return new RunCommit(
        run,
        commit.live(),
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
    assertThat(online()).hasSize(1);
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
  void tryLock_silentSessionOfAnotherUser_saysWhoMayEndIt() throws Exception {
    String user = "other";
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      assertThat(prepare(lock).runId()).isPositive();
      database.execute(
          switch (form.type()) {
            case POSTGRES ->
                """
                UPDATE featureduck_runs SET heartbeat_at = clock_timestamp() - INTERVAL '1 hour';
                DROP ROLE IF EXISTS other;
                CREATE ROLE other LOGIN;
                GRANT SELECT ON ALL TABLES IN SCHEMA public TO other
                """;
            case MYSQL ->
                """
                UPDATE featureduck_runs SET heartbeat_at = utc_timestamp(6) - INTERVAL 1 HOUR;
                CREATE USER IF NOT EXISTS other@'%%' IDENTIFIED BY '%s';
                GRANT SELECT ON %s.* TO other@'%%'
                """
                    .formatted(TestMariaDb.PASSWORD, database.name());
          });
      OnlineStore other = OnlineStore.open(database.settingsOf(user));

      assertThatThrownBy(() -> other.tryLock("v", Duration.ofSeconds(15)))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED))
          .hasMessageMatching(
              switch (form.type()) {
                case POSTGRES ->
                    "view v: .* no sign of life for 3600 s, .*session \\d+ of role postgres .*pg_signal_backend";
                // Of another user's session it isn't told whose it is.
                case MYSQL ->
                    "view v: .* no sign of life for 3600 s, .*session \\d+ of user \\w+ .*CONNECTION ADMIN.*";
              });
      assertThat(lock.basis(1)).isEmpty();
    }
    database.execute(
        switch (form.type()) {
          case POSTGRES -> "DROP OWNED BY other; DROP ROLE other";
          case MYSQL -> "DROP USER other@'%'";
        });
  }

  @Test
  void takeAgain_formerSessionLivesOn_endsItAndTakesTheLock() throws Exception {
    try (TestProxy proxy = new TestProxy(database.port());
        ViewLock lock =
            OnlineStore.open(database.behind(proxy.port()).settings()).tryLock("v").orElseThrow()) {
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
      int held = statement.executeUpdate("UPDATE featureduck_watermarks SET \"rows\" = \"rows\"");
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
  void beat_whileItsRunIsWritten_isNotedAtOnce() throws Exception {
    try (ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat = store.heartbeat()) {
      RunCommit commit = prepare(lock);
      Rows beating =
          everything(out -> {
            database.execute("UPDATE featureduck_runs SET heartbeat_at = '2000-01-01'");
            assertThat(heartbeat.beat(commit.runId(), new RunProgress().now(), 5))
                .isEqualTo(RunHeartbeat.Answer.GO_ON);
            assertThat(
                    database.number(
                        "SELECT count(*) FROM featureduck_runs WHERE heartbeat_at > '2001-01-01'"))
                .isEqualTo(1);
            return rows(scores(3), EVENT).writeTo(out);
          });

      assertThat(lock.write(commit, beating, new Cancellation()).rows()).isEqualTo(3);
    }
  }

  @Test
  void beat_itsConnectionBreaks_failsOnceAndGoesOn() throws Exception {
    try (TestProxy proxy = new TestProxy(database.port());
        ViewLock lock = store.tryLock("v").orElseThrow();
        RunHeartbeat heartbeat =
            OnlineStore.open(database.behind(proxy.port()).settings()).heartbeat()) {
      long run = prepare(lock).runId();
      Progress progress = new RunProgress().now();
      assertThat(heartbeat.beat(run, progress, 0)).isEqualTo(RunHeartbeat.Answer.GO_ON);
      proxy.cut();

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
        everything(out -> {
          long ignored = rows(scores(50_000), EVENT).writeTo(out);
          throw new FeatureException(ErrorCode.SOURCE_UNAVAILABLE, "gone");
        });

    assertThatThrownBy(() -> run(broken)).hasMessage("gone");

    assertThat(first.generation()).isEqualTo(1);
    assertThat(online()).isEqualTo(scores(3));
    assertThat(store.liveView("v").orElseThrow().generation()).isEqualTo(1);
    assertThat(database.tables()).containsExactly("online_v");
  }

  @Test
  void write_entityTwice_isRefusedByName() throws Exception {
    Rows twice =
        everything(out -> {
          long first = rows(scores(2), EVENT).writeTo(out);
          return first + rows(scores(1), EVENT).writeTo(out);
        });

    assertThatThrownBy(() -> run(twice))
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("more than one row for an entity")
        .hasMessageContaining("k0");
    assertThat(store.liveView("v").orElseThrow().asOf()).isEmpty();
  }

  @Test
  void write_connectionGone_isKnownAsSuch() throws Exception {
    try (TestProxy proxy = new TestProxy(database.port());
        ViewLock lock =
            OnlineStore.open(database.behind(proxy.port()).settings()).tryLock("v").orElseThrow()) {
      Rows cutting =
          everything(out -> {
            long count = rows(scores(1), EVENT).writeTo(out);
            proxy.cut();
            return count + rows(scores(100_000), EVENT).writeTo(out);
          });
      RunCommit commit = prepare(lock);

      assertThatThrownBy(() -> lock.write(commit, cutting, new Cancellation()))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.mayPass()).as("%s", e).isTrue());
    }

    assertThat(store.liveView("v").orElseThrow().asOf()).isEmpty();
    assertThat(run(scores(2)).rows()).isEqualTo(2);
    assertThat(online()).isEqualTo(scores(2));
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
      boolean ignored =
          statement.execute(
              switch (form.type()) {
                case POSTGRES -> "SELECT 1";
                case MYSQL -> "START TRANSACTION WITH CONSISTENT SNAPSHOT";
              });

      RunCommit.Written second = run(next);

      try (ResultSet found = statement.executeQuery("SELECT count(*) FROM online_v")) {
        assertThat(found.next()).isTrue();
        assertThat(found.getLong(1)).isEqualTo(5_000);
      }
      assertThat(first.generation() + second.generation()).isEqualTo(3);
    }
    assertThat(online()).containsEntry("k7", -8.0);
  }

  @Test
  void write_muchChanged_keepsUpdatedAtOfTheRest() throws Exception {
    RunCommit.Written first = run(scores(5_000));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01'");
    Map<String, Double> next = scores(5_000);
    next.replaceAll((key, score) -> score >= 2_000 ? -score : score);

    RunCommit.Written second = run(next);

    assertThat(first.rowsWritten()).isEqualTo(5_000);
    assertThat(second.rowsWritten()).isEqualTo(3_000);
    assertThat(keys("updated_at = '2000-01-01'")).hasSize(2_000);
    assertThat(online()).containsExactlyInAnyOrderEntriesOf(next);
    assertThat(database.tables()).containsExactly("online_v");
    assertThat(spill).isEmptyDirectory();
  }

  @Test
  void write_increment_replacesItsEntitiesAndDeletesThoseGone() throws Exception {
    RunCommit.Written first = run(scores(1_000));
    database.execute("UPDATE online_v SET updated_at = '2000-01-01'");
    Rows touched =
        everything(out -> {
          long count =
              rows(Map.of("k3", 3.5, "k4", 4.0, "new", 1.0), EVENT.plusSeconds(9)).writeTo(out);
          for (String gone : List.of("k5", "never")) {
            out.startRow(3);
            out.putText(RowWriter.utf8(gone));
            out.putNull();
            out.putNull();
          }
          return count + 2;
        });

    RunCommit.Written second;
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      assertThat(lock.hasTable(store.liveView("v").orElseThrow(), SCORE)).isTrue();
      second = lock.write(prepare(lock, Run.Kind.INCREMENTAL, SCORE), touched, new Cancellation());
    }

    assertThat(first.rowsWritten()).isEqualTo(1_000);
    assertThat(second)
        .isEqualTo(new RunCommit.Written(5, 4, 2, Optional.of(List.of("k3", "k4", "k5", "new"))));
    Map<String, Double> expected = scores(1_000);
    assertThat(expected.remove("k5")).isEqualTo(5);
    expected.put("k3", 3.5);
    expected.put("new", 1.0);
    assertThat(online()).containsExactlyInAnyOrderEntriesOf(expected);
    assertThat(keys("updated_at > '2000-01-01'")).containsExactly("k3", "new");
    ViewStatus status = store.statuses().getFirst();
    assertThat(status.rows()).isEqualTo(1_000);
    assertThat(status.eventMin()).contains(EVENT);
    assertThat(status.eventMax()).contains(EVENT.plusSeconds(9));
  }

  @Test
  void write_newestRowIsGone_asksTheTableForItsTimes() throws Exception {
    RunCommit.Written first = run(rows(Map.of("a", 1.0), EVENT));
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      Rows comer = rows(Map.of("b", 2.0), EVENT.plusSeconds(60));
      RunCommit.Written second =
          lock.write(prepare(lock, Run.Kind.INCREMENTAL, SCORE), comer, new Cancellation());
      assertThat(store.statuses().getFirst().eventMax()).contains(EVENT.plusSeconds(60));
      Rows goer =
          everything(out -> {
            out.startRow(3);
            out.putText(RowWriter.utf8("b"));
            out.putNull();
            out.putNull();
            return 1;
          });

      RunCommit.Written third =
          lock.write(prepare(lock, Run.Kind.INCREMENTAL, SCORE), goer, new Cancellation());

      assertThat(first.generation() + second.generation() + third.generation()).isEqualTo(6);
    }
    assertThat(store.statuses().getFirst().eventMax()).contains(EVENT);
    assertThat(store.statuses().getFirst().rows()).isEqualTo(1);
  }

  @Test
  void write_addedFeature_isNullUntilItsRowsAreWritten() throws Exception {
    RunCommit.Written first = run(scores(3));
    List<Feature> more = List.of(new Feature("orders", Primitive.INT64), SCORE.getFirst());
    String orders = "SELECT %s FROM online_v".formatted(database.whole("orders"));
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      RunCommit failing = prepare(lock, Run.Kind.FULL, more);
      assertThat(failing.live().features()).isEqualTo(more);
      assertThat(lock.hasTable(failing.live(), more)).isTrue();
      assertThat(database.query(orders)).containsExactly("null", "null", "null");
      Rows broken =
          everything(out -> {
            throw new FeatureException(ErrorCode.SOURCE_UNAVAILABLE, "gone");
          });
      assertThatThrownBy(() -> lock.write(failing, broken, new Cancellation())).hasMessage("gone");
      assertThat(online()).isEqualTo(scores(3));
      // What was prepared for rows that never came is no reason to take an increment's.
      assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();
      Rows withOrders =
          everything(out -> {
            out.startRow(4);
            out.putText(RowWriter.utf8("k0"));
            out.putLong(42);
            out.putDouble(0);
            out.putTimestamp(EVENT.toEpochMilli() * 1_000);
            return 1;
          });

      RunCommit.Written second =
          lock.write(prepare(lock, Run.Kind.FULL, more), withOrders, new Cancellation());

      assertThat(first.rows() + second.rows()).isEqualTo(4);
    }
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isFalse();
    assertThat(store.liveView("v").orElseThrow().features()).isEqualTo(more);
    assertThat(database.query(orders)).containsExactly("42");
    assertThat(online()).isEqualTo(Map.of("k0", 0.0));
  }

  @Test
  void write_textsThatDifferInSpaceOrCase_areWritten() throws Exception {
    List<Feature> names = List.of(new Feature("name", Primitive.STRING));
    for (String name : List.of("a", "a ", "A", "ä", "a\u0308", "", "\\N", "it's \"é\"\t\n\\")) {
      Rows rows =
          everything(out -> {
            out.startRow(3);
            out.putText(RowWriter.utf8("k"));
            out.putText(RowWriter.utf8(name));
            out.putTimestamp(0);
            return 1;
          });
      for (long written = 1; written >= 0; written--) {
        try (ViewLock lock = store.tryLock("v").orElseThrow()) {
          RunCommit commit = prepare(lock, Run.Kind.FULL, names);
          assertThat(lock.write(commit, rows, new Cancellation()).rowsWritten())
              .as("'%s'", name)
              .isEqualTo(written);
        }
      }
      assertThat(database.query("SELECT %s FROM online_v".formatted(database.text("name"))))
          .containsExactly(name);
    }
  }

  @Test
  void write_cancelledWhileItWrites_endsAndKeepsNothing() throws Exception {
    RunCommit.Written first = run(scores(3));
    Cancellation cancellation = new Cancellation();
    Rows cancelling =
        everything(out -> {
          long count = rows(scores(10), EVENT).writeTo(out);
          cancellation.cancel(ErrorCode.CANCELLED, "cancelled by the test");
          return count;
        });
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      RunCommit commit = prepare(lock);

      assertThatThrownBy(() -> lock.write(commit, cancelling, cancellation))
          .isInstanceOf(FeatureException.class)
          .hasMessage("cancelled by the test");
    }
    assertThat(first.rows()).isEqualTo(3);
    assertThat(online()).isEqualTo(scores(3));
    assertThat(run(scores(4)).rows()).isEqualTo(4);
  }
}
