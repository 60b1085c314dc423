package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.registry.ViewChange;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Registrar;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Which ticks are run. The clock is the test's; when runs began, which the database notes, is put
 * where a test wants it.
 */
final class ScheduledViewTest {
  private static final Schedule BATCH = Schedule.parse("*/5 * * * *", ZoneOffset.UTC);
  private static final Schedule FULL = Schedule.parse("0 * * * *", ZoneOffset.UTC);

  @TempDir private Path directory = Path.of("");

  private final Instant now = Instant.now();
  private final Instant batchTick = BATCH.last(now).orElseThrow();
  private final Instant fullTick = FULL.last(now).orElseThrow();
  private TestPostgres.Database database = new TestPostgres.Database("none", 0);
  private FeatureStore definitions;
  private OnlineStore store;
  private Materializer materializer;

  @BeforeEach
  void open() throws Exception {
    Files.writeString(
        directory.resolve("orders.csv"),
        "customer_id,amount,ordered_at\n1,2.5,2026-01-01T00:00:00Z\n");
    database = TestPostgres.newDatabase();
    use("\"batch_schedule\": \"*/5 * * * *\"");
  }

  private void use(String schedules) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "csv", "path": "orders.csv",
           "timestamp_field": "ordered_at"}],
         "views": [{"name": "totals", "entities": ["customer"], "source": "orders", %s,
           "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"}]}]}
        """
            .formatted(
                database.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                schedules));
    definitions = ConfigReader.read(file, Map.of());
    store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
  }

  private void useBoth() throws Exception {
    materializer.close();
    use("\"batch_schedule\": \"*/5 * * * *\", \"full_refresh_schedule\": \"0 * * * *\"");
  }

  @AfterEach
  void close() {
    materializer.close();
  }

  private ScheduledView view(Instant start) {
    return new ScheduledView(definitions.view("totals").orElseThrow(), start);
  }

  /** Notes a run that began so long after an instant. */
  private void began(Instant instant, Duration after, String kind, String status) throws Exception {
    database.execute(
        """
        INSERT INTO featureduck_runs (view, version, kind, status, engine, host, started_at)
        VALUES ('totals', 1, '%s', '%s', 'duckdb', 'elsewhere', '%s')
        """
            .formatted(kind, status, instant.plus(after)));
  }

  private void settle() {
    view(now).settle(materializer, now);
  }

  /** Returns the ticks that were run, the latest first. */
  private List<Instant> ticks() {
    return store.runs(Optional.empty(), 100).stream()
        .flatMap(run -> run.scheduledAt().stream())
        .toList();
  }

  @Test
  void settle_missedManyTicks_runsTheLatestOnce() throws Exception {
    began(batchTick, Duration.ofHours(-3), "full", "succeeded");

    ScheduledView view = view(now);
    view.settle(materializer, now);
    view.settle(materializer, now);
    settle();

    assertThat(ticks()).containsExactly(batchTick);
    assertThat(store.runs(Optional.empty(), 1).getFirst().status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(view.isOpen(now)).isFalse();
  }

  @Test
  void settle_neverRun_leavesOldTicksToPreparation() {
    settle();

    assertThat(store.runs(Optional.empty(), 10)).isEmpty();
  }

  @Test
  void settle_neverRunAndATickCame_runsIt() {
    ScheduledView view = view(now);
    Instant later = BATCH.next(now).orElseThrow();

    assertThat(view.next(now)).contains(later);
    view.settle(materializer, later);

    assertThat(ticks()).containsExactly(later);
  }

  @Test
  void settle_runThatBeganAfterTheTickSucceeded_isSatisfied() throws Exception {
    began(batchTick, Duration.ZERO, "incremental", "succeeded");

    settle();

    assertThat(ticks()).isEmpty();
  }

  @Test
  void settle_runThatBeganAfterTheTickFailed_isRun() throws Exception {
    began(batchTick, Duration.ofMillis(1), "full", "failed");

    settle();

    assertThat(ticks()).containsExactly(batchTick);
  }

  @Test
  void settle_itsOwnRunFailed_isNotRunAgain() throws Exception {
    began(batchTick, Duration.ofHours(-3), "full", "succeeded");
    Files.delete(directory.resolve("orders.csv"));

    settle();
    settle();

    assertThat(ticks()).containsExactly(batchTick);
    assertThat(store.runs(Optional.empty(), 1).getFirst().status()).isEqualTo(Run.Status.FAILED);
  }

  /** The process that had the tick is gone; so is the next one, and then it is enough. */
  @Test
  void settle_itsOwnRunWasLeftBehind_isRunAgainOnce() throws Exception {
    leaveBehind();

    settle();

    assertThat(ticks()).containsExactly(batchTick);
    assertThat(runs()).containsExactly("succeeded", "failed");
    leaveBehind();

    settle();

    assertThat(ticks()).containsExactly(batchTick);
    assertThat(runs()).containsExactly("failed", "failed");
  }

  private void leaveBehind() throws Exception {
    database.execute(
        """
        DELETE FROM featureduck_watermarks;
        DELETE FROM featureduck_runs WHERE status = 'succeeded';
        INSERT INTO featureduck_runs (view, version, kind, status, engine, host, started_at, scheduled_at, heartbeat_at)
        VALUES ('totals', 1, 'full', 'running', 'duckdb', 'elsewhere', '%1$s', '%1$s', '2026-01-01Z')
        """
            .formatted(batchTick));
  }

  private List<String> runs() {
    return store.runs(Optional.empty(), 100).stream().map(run -> run.status().id()).toList();
  }

  @Test
  void settle_itsOwnRunWasStoppedWithItsProcess_isRunAgain() throws Exception {
    ActiveRun run =
        materializer.begin(
            "totals", new RunRequest(false, Optional.empty(), Optional.of(batchTick)));
    run.stop();
    assertThat(run.finish().status()).isEqualTo(Run.Status.CANCELLED);
    assertThat(ticks()).isEmpty();

    settle();

    assertThat(ticks()).containsExactly(batchTick);
  }

  @Test
  void finish_versionAppliedSinceItBegan_isComputedByTheRunThatHasTheTick() throws Exception {
    assertThat(materializer.run("totals", RunRequest.now()).error()).isEmpty();
    materializer.close();
    use("\"batch_schedule\": \"*/5 * * * *\", \"filters\": [\"amount > 0\"]");
    ActiveRun run =
        materializer.begin(
            "totals", new RunRequest(false, Optional.empty(), Optional.of(batchTick)));
    try (Registrar registrar = store.registrar(Duration.ofSeconds(20))) {
      ViewChange change = materializer.plan(List.of(), false).changes().getFirst();
      assertThat(registrar.apply(change, "a test")).isEqualTo(Registrar.Applied.APPLIED);
    }

    Run ended = run.finish();

    assertThat(ended.error()).isEmpty();
    assertThat(ended.version()).isEqualTo(2);
    assertThat(store.liveView("totals").orElseThrow().version()).isEqualTo(2);
    assertThat(ticks()).containsExactly(batchTick);
  }

  @Test
  void settle_bothSchedulesOpen_runsOneFullRunForBoth() throws Exception {
    useBoth();
    began(fullTick, Duration.ofHours(-3), "full", "succeeded");

    settle();
    settle();

    assertThat(ticks()).containsExactly(fullTick);
    assertThat(store.runs(Optional.empty(), 1).getFirst().kind()).isEqualTo(Run.Kind.FULL);
  }

  @Test
  void settle_fullRunForBothFailed_isNotFollowedByAnother() throws Exception {
    useBoth();
    began(fullTick, Duration.ofHours(-3), "full", "succeeded");
    Files.delete(directory.resolve("orders.csv"));

    settle();
    settle();

    assertThat(ticks()).containsExactly(fullTick);
  }

  @Test
  void settle_fullTickAndIncrementsSince_isRun() throws Exception {
    useBoth();
    began(batchTick, Duration.ofMillis(1), "incremental", "succeeded");

    settle();

    assertThat(ticks()).containsExactly(fullTick);
  }

  @Test
  void settle_paused_waitsAndRunsOnceWhenResumed() throws Exception {
    began(batchTick, Duration.ofHours(-3), "full", "succeeded");
    assertThat(store.pause("totals", "a test").by()).isEqualTo("a test");
    ScheduledView view = view(now);

    view.settle(materializer, now);
    assertThat(ticks()).isEmpty();
    assertThat(view.isOpen(now)).isTrue();
    Instant later = BATCH.next(now).orElseThrow();
    view.settle(materializer, later);
    assertThat(ticks()).isEmpty();
    assertThat(store.resume("totals")).isPresent();
    view.settle(materializer, later);
    view.settle(materializer, later);

    assertThat(ticks()).containsExactly(later);
  }

  @Test
  void settle_runThatBeganBeforeTheTickGoesOn_waitsForItsEnd() throws Exception {
    began(batchTick, Duration.ofMillis(-1), "full", "running");
    ScheduledView view = view(now);

    view.settle(materializer, now);
    assertThat(ticks()).isEmpty();
    database.execute("UPDATE featureduck_runs SET status = 'succeeded'");
    view.settle(materializer, now);
    view.settle(materializer, now);

    assertThat(ticks()).containsExactly(batchTick);
  }

  @Test
  void settle_lockIsTaken_triesAgain() throws Exception {
    began(batchTick, Duration.ofHours(-3), "full", "succeeded");
    ScheduledView view = view(now);
    try (var held = store.tryLock("totals").orElseThrow()) {
      view.settle(materializer, now);
      assertThat(held.isHeld()).isTrue();
    }
    assertThat(ticks()).isEmpty();

    view.settle(materializer, now);

    assertThat(ticks()).containsExactly(batchTick);
  }

  @Test
  void settle_severalProcesses_runEachTickOnce() throws Exception {
    began(batchTick, Duration.ofHours(-3), "full", "succeeded");
    List<ScheduledView> views = List.of(view(now), view(now), view(now));
    Executor threads = task -> Thread.ofPlatform().start(task);
    Instant tick = batchTick;
    for (int i = 0; i < 5; i++) {
      Instant at = tick;
      List<CompletableFuture<Void>> ends =
          views.stream()
              .map(view -> CompletableFuture.runAsync(() -> view.settle(materializer, at), threads))
              .toList();
      for (CompletableFuture<Void> end : ends) {
        assertThat(end.get(30, TimeUnit.SECONDS)).isNull();
      }
      assertThat(ticks()).hasSize(i + 1).doesNotHaveDuplicates().startsWith(at);
      tick = BATCH.next(tick).orElseThrow();
    }
  }
}
