package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What is noted of views, runs and pauses, in both databases. */
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_TYPED", "MYSQL_TYPED"})
final class BookkeepingTest extends StoreWriting {
  private static final Duration LEASE = Duration.ofSeconds(15);

  BookkeepingTest(TestStore.Form form) throws Exception {
    super(form);
  }

  @Test
  void migrate_again_changesNothing() {
    LiveView live = store.register(view, SCORE, "test");

    store.migrate();

    assertThat(store.liveViews()).containsExactly(live);
  }

  @Test
  void migrate_schemaOfNewerVersion_isRefused() throws Exception {
    database.execute(
        """
        INSERT INTO featureduck_schema_history
        SELECT 9999, '99', 'from the future', 'SQL', 'V99__future.sql', 1, 'duck', %s, 1, true
        """
            .formatted(
                switch (form.type()) {
                  case POSTGRES -> "now()";
                  case MYSQL -> "utc_timestamp()";
                }));

    assertThatThrownBy(store::migrate)
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE))
        .hasMessageContaining("schema version 99");
  }

  @Test
  void register_changedSettingAndAddedFeature_areAppliedInPlace() {
    LiveView first = store.register(view, SCORE, "test");
    LiveView second =
        store.register(
            TestDefinitions.view("v", "orders", view.json().replace("}", ",\"ttl\":\"30d\"}")),
            List.of(new Feature("n", Primitive.INT64), SCORE.getFirst()),
            "test");

    assertThat(first.ttl()).isEmpty();
    assertThat(first.storage()).isEqualTo(form.storage());
    assertThat(second.ttl()).contains(Duration.ofDays(30));
    assertThat(second.features()).extracting(Feature::name).containsExactly("n", "score");
    assertThat(store.liveView("v")).contains(second);
    assertThat(store.liveView("w")).isEmpty();
  }

  @Test
  void register_otherStorage_isRefused() {
    LiveView live = store.register(view, SCORE, "test");

    assertThatThrownBy(() ->
            store.register(
                TestDefinitions.view("v", "orders", "{\"storage\":\"jsonb\"}"), SCORE, "test"))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
        .hasMessageContaining("storage: there \"typed\", here \"jsonb\"");
    // What is not said is the same as what was.
    assertThat(store.register(TestDefinitions.view("v", "orders", "{}"), SCORE, "test").features())
        .isEqualTo(live.features());
  }

  @Test
  void views_secondLiveVersion_isRefusedByTheDatabase() throws Exception {
    LiveView live = store.register(view, SCORE, "test");
    String second =
        "INSERT INTO featureduck_views (view, version, definition, hash, live, created_by) SELECT view, version + 1, definition, hash, %s, created_by FROM featureduck_views WHERE version = %d";

    assertThatThrownBy(() -> database.execute(second.formatted("true", 1)))
        .isInstanceOf(SQLException.class);
    database.execute(second.formatted("false", 1));
    database.execute(second.formatted("false", 2));
    assertThat(store.liveViews()).containsExactly(live);
  }

  @Test
  void pause_twiceThenResume_keepsTheFirst() {
    Pause first = store.pause("v", "me");
    Pause second = store.pause("v", "you");

    assertThat(second).isEqualTo(first);
    assertThat(first.at()).isBetween(Instant.now().minusSeconds(60), Instant.now().plusSeconds(60));
    assertThat(store.pauses()).containsOnlyKeys("v");
    assertThat(store.resume("v")).contains(first);
    assertThat(store.resume("v")).isEmpty();
    assertThat(store.pauses()).isEmpty();
  }

  @Test
  void ticks_runsOfEachKind_tellWhichAreDone() throws Exception {
    Instant tick = Instant.parse("2026-11-24T10:00:00.5Z");
    assertThat(store.ticks("v", Optional.of(tick), Optional.of(tick), LEASE))
        .isEqualTo(new TickState(false, false, false, false, false));
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      long run =
          lock.start(new RunStart(1, Run.Kind.INCREMENTAL, "test", Optional.of(tick), "here"))
              .orElseThrow();
      assertThat(store.ticks("v", Optional.of(tick), Optional.empty(), LEASE))
          .isEqualTo(new TickState(false, true, true, true, false));
      Instant now = Instant.now();
      assertThat(store.ticks("v", Optional.of(now.plusSeconds(60)), Optional.empty(), LEASE))
          .isEqualTo(new TickState(false, true, true, false, false));
      database.execute(
          "UPDATE featureduck_runs SET heartbeat_at = '2026-01-01 00:00:00', status = 'failed'");
      Pause pause = store.pause("v", "me");
      assertThat(store.ticks("v", Optional.of(tick), Optional.of(tick), LEASE))
          .isEqualTo(new TickState(true, true, false, true, true));
      database.execute("UPDATE featureduck_runs SET scheduled_at = NULL, kind = 'full'");
      assertThat(store.ticks("v", Optional.of(tick), Optional.of(tick), LEASE))
          .isEqualTo(new TickState(true, true, false, false, false));
      database.execute("UPDATE featureduck_runs SET status = 'succeeded'");
      assertThat(store.ticks("v", Optional.of(tick), Optional.of(tick), LEASE))
          .isEqualTo(new TickState(true, true, false, true, true));
      assertThat(pause.by()).isEqualTo("me");
      assertThat(store.run(run).orElseThrow().kind()).isEqualTo(Run.Kind.FULL);
    }
  }

  @Test
  void runs_startedCancelledAndFailed_areNoted() {
    Instant asOf = Instant.parse("2026-11-24T10:00:00.123456Z");
    long run;
    try (ViewLock lock = store.tryLock("v").orElseThrow()) {
      run =
          lock.start(new RunStart(1, Run.Kind.FULL, "test", Optional.of(asOf), "here"))
              .orElseThrow();
      assertThat(lock.run(run)).isEqualTo(store.run(run));
    }
    assertThat(store.requestCancel(run)).isTrue();
    assertThat(store.requestCancel(run)).isTrue();

    RunProgress progress = new RunProgress();
    progress.enter(RunStage.READING);
    String why = "gone: 'é' \"quoted\" \\ 🦆 " + "x".repeat(70_000);
    store.fail(
        run,
        Run.Status.FAILED,
        new FeatureException(ErrorCode.SOURCE_UNAVAILABLE, why),
        Optional.of(asOf),
        progress.now());

    Run noted = store.runs(Optional.of("v"), 10).getFirst();
    assertThat(noted.status()).isEqualTo(Run.Status.FAILED);
    assertThat(noted.scheduledAt()).contains(asOf);
    assertThat(noted.upperBound()).contains(asOf);
    assertThat(noted.error()).contains(why);
    assertThat(noted.rowsRead()).isEmpty();
    assertThat(noted.startedAt())
        .isBetween(Instant.now().minusSeconds(60), Instant.now().plusSeconds(60));
    assertThat(noted.progress().orElseThrow().stage()).isEqualTo("reading");
    assertThat(store.requestCancel(run)).isFalse();
    assertThat(store.runs(Optional.of("w"), 10)).isEmpty();
    assertThat(store.runs(Optional.empty(), 10)).containsExactly(noted);
  }

  @Test
  void createFeatureTable_twice_leavesOneThatIsNotServed() throws Exception {
    LiveView live = store.register(view, SCORE, "test");

    store.createFeatureTable(live, SCORE);
    store.createFeatureTable(live, SCORE);

    assertThat(online()).isEmpty();
    assertThat(store.liveView("v").orElseThrow().asOf()).isEmpty();
    assertThat(run(scores(2)).rows()).isEqualTo(2);
    assertThat(online()).isEqualTo(scores(2));
  }

  @Test
  void open_unreachableOrBadUrl_saysSoWithoutThePassword() {
    OnlineStore away = OnlineStore.open(database.behind(1).settings());

    assertThatThrownBy(away::migrate)
        .isInstanceOfSatisfying(FeatureException.class, e -> assertThat(e.mayPass()).isTrue())
        .hasMessageContaining("127.0.0.1:1/" + database.name() + " can't be reached");
    assertThatThrownBy(() -> OnlineStore.open(database.settingsOf("u:geheim")))
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("online_store.password")
        .hasMessageNotContaining("geheim");
  }
}
