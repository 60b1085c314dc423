package io.featureduck.lookup;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.http.ServedStore;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.pgclient.PgException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The coalescer over a table whose answers the test gives, so that a query can be held. */
class LookupsTest {
  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final LookupMetrics metrics = new LookupMetrics();
  private final AtomicLong nanos = new AtomicLong(1);
  private final FeatureCache cache = new FeatureCache(1 << 20, Duration.ofMinutes(5), nanos::get);
  private final ServedView view = view("users", Duration.ofSeconds(30));
  private final HeldTable table = new HeldTable();
  private Future<Boolean> outdated = Future.succeededFuture(false);

  @AfterEach
  void close() throws Exception {
    assertThat(vertx.close().await(10, SECONDS)).isNull();
  }

  private ServedView view(String name, Duration maxAge) {
    return new ServedView(
        new LiveView(
            name,
            1,
            List.of(new JoinKey("id", Primitive.STRING)),
            List.of(new Feature("n", Primitive.INT64)),
            Optional.empty(),
            Optional.empty(),
            Storage.TYPED,
            maxAge,
            "{}",
            Optional.of(Instant.EPOCH),
            1),
        metrics.view(name, 1));
  }

  /** Queries that were sent and wait for the test; confined to the event loop. */
  private static final class HeldTable implements FeatureTable {
    final List<List<String>> asked = new ArrayList<>();
    final List<Promise<List<FeatureRow>>> held = new ArrayList<>();
    int keysMax = Integer.MAX_VALUE;

    @Override
    public Future<List<FeatureRow>> fetch(List<String> entities) {
      Promise<List<FeatureRow>> promise = Promise.promise();
      asked.add(List.copyOf(entities));
      held.add(promise);
      return promise.future();
    }

    @Override
    public int keysMax() {
      return keysMax;
    }

    void answer(int query, FeatureRow row) {
      held.get(query).complete(asked.get(query).stream().map(entity -> row).toList());
    }

    void fail(int query, ErrorCode code) {
      held.get(query).fail(new FeatureException(code, "as the test wants it"));
    }

    /** Has the store say that a column of the query is not there. */
    void refuse(int query) {
      held.get(query)
          .fail(
              new FeatureException(
                  ErrorCode.STORE_UNAVAILABLE,
                  "as the test wants it",
                  new PgException("no such column", "ERROR", "42703", "")));
    }
  }

  private static FeatureRow row(String value) {
    byte[] json = "{\"n\":%s}".formatted(value).getBytes(StandardCharsets.UTF_8);
    return new FeatureRow(json, new int[] {json.length - 1}, FeatureRow.NO_EVENT);
  }

  private Lookups lookups(int waitingMax, Duration timeout) {
    OnlineStoreSettings settings =
        new OnlineStoreSettings(
            OnlineStoreSettings.Type.POSTGRES,
            "postgresql://127.0.0.1/x",
            Optional.empty(),
            "public",
            Duration.ofSeconds(1),
            1,
            2,
            128,
            waitingMax);
    return new Lookups(
        context, served -> table, served -> outdated, cache, settings, timeout, metrics);
  }

  private Lookups lookups() {
    return lookups(10_000, Duration.ofSeconds(2));
  }

  /** Runs on the event loop, and after the tick's queries were sent. */
  private <T> T onLoop(Supplier<T> work) throws TimeoutException {
    Promise<T> promise = Promise.promise();
    context.runOnContext(nothing -> {
      T result = work.get();
      context.runOnContext(later -> promise.complete(result));
    });
    return promise.future().await(10, SECONDS);
  }

  private void onLoop(Runnable work) throws TimeoutException {
    Boolean done =
        onLoop(() -> {
          work.run();
          return true;
        });
    assertThat(done).isTrue();
  }

  private static ErrorCode code(Future<Reading> failed) {
    return ((FeatureException) failed.cause()).code();
  }

  @Test
  void read_manyInOneTick_travelTogetherAndOnce() throws Exception {
    Lookups lookups = lookups();

    List<Future<Reading>> readings =
        onLoop(() -> {
          List<Future<Reading>> asked = new ArrayList<>();
          for (int i = 0; i < 300; i++) {
            asked.add(lookups.read(view, Integer.toString(i % 150)));
          }
          return asked;
        });

    assertThat(table.asked).extracting(List::size).containsExactly(128, 22);
    onLoop(() -> table.answer(0, row("1")));
    onLoop(() -> table.answer(1, FeatureRow.MISSING));
    assertThat(readings).allMatch(Future::succeeded);
    assertThat(readings.get(149).result().row()).isSameAs(FeatureRow.MISSING);
    assertThat(cache.fresh(view, "149")).isSameAs(FeatureRow.MISSING);
  }

  @Test
  void read_ofSeveralViews_travelsInOneRoundHoweverManyQueriesOfOthersAreOut() throws Exception {
    table.keysMax = 1;
    Lookups lookups = lookups();
    List<ServedView> others =
        List.of(view("items", Duration.ZERO), view("shops", Duration.ZERO), view);

    List<Future<Reading>> first =
        onLoop(() ->
            List.of(lookups.read(view, "a"), lookups.read(view, "b"), lookups.read(view, "waits")));
    List<Future<Reading>> then =
        onLoop(() -> others.stream().map(other -> lookups.read(other, "c")).toList());

    assertThat(table.asked).containsExactly(List.of("a"), List.of("b"), List.of("c"), List.of("c"));
    onLoop(() -> table.answer(1, row("1")));
    assertThat(table.asked).hasSize(5).last().isEqualTo(List.of("waits"));
    onLoop(() -> table.answer(0, row("1")));
    onLoop(() -> table.answer(4, row("1")));
    for (int query : List.of(2, 3, 5)) {
      onLoop(() -> table.answer(query, row("1")));
    }
    assertThat(first).allMatch(Future::succeeded);
    assertThat(then).allMatch(Future::succeeded);
  }

  @Test
  void read_tableThatTakesFewKeys_isAskedForFew() throws Exception {
    table.keysMax = 3;
    Lookups lookups = lookups();

    List<Future<Reading>> readings =
        onLoop(() -> {
          List<Future<Reading>> asked = new ArrayList<>();
          for (int i = 0; i < 7; i++) {
            asked.add(lookups.read(view, Integer.toString(i)));
          }
          return asked;
        });

    onLoop(() -> table.answer(0, row("1")));
    onLoop(() -> table.answer(1, row("1")));
    onLoop(() -> table.answer(2, row("1")));
    assertThat(table.asked).extracting(List::size).containsExactly(3, 3, 1);
    assertThat(readings).allMatch(Future::succeeded);
  }

  @Test
  void read_rowThatCannotBeRead_failsAloneAndIsNotCached() throws Exception {
    Lookups lookups = lookups();
    List<Future<Reading>> readings =
        onLoop(() -> List.of(lookups.read(view, "a"), lookups.read(view, "b")));

    onLoop(() ->
        table
            .held
            .get(0)
            .complete(
                List.of(
                    row("1"),
                    FeatureRow.unreadable(
                        new FeatureException(ErrorCode.STORE_UNAVAILABLE, "as the test wants")))));

    assertThat(readings.get(0).succeeded()).isTrue();
    assertThat(code(readings.get(1))).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
    assertThat(cache.fresh(view, "b")).isSameAs(FeatureCache.UNREAD);
    // The store is not away: what is asked for next is asked of it.
    assertThat(onLoop(() -> lookups.read(view, "b")).isComplete()).isFalse();
    assertThat(table.asked).hasSize(2);
  }

  @Test
  void read_twoQueriesOut_waitsForOne() throws Exception {
    Lookups lookups = lookups();
    for (int i = 0; i < 5; i++) {
      String key = Integer.toString(i);
      assertThat(onLoop(() -> lookups.read(view, key)).isComplete()).isFalse();
    }
    assertThat(table.asked).containsExactly(List.of("0"), List.of("1"));

    onLoop(() -> table.answer(0, row("1")));

    assertThat(table.asked).hasSize(3).last().isEqualTo(List.of("2", "3", "4"));
  }

  @Test
  void read_commitBetweenStoreAndCache_isNotCached() throws Exception {
    Lookups lookups = lookups();
    Future<Reading> before = onLoop(() -> lookups.read(view, "a"));

    view.moveEpoch();
    cache.invalidate(view, List.of("a"));
    Future<Reading> after = onLoop(() -> lookups.read(view, "a"));
    onLoop(() -> table.answer(1, row("2")));
    onLoop(() -> table.answer(0, row("1")));

    // The old row answers who asked for it before, and nobody else.
    assertThat(before.result().row()).isNotSameAs(after.result().row());
    assertThat(table.asked).hasSize(2);
    assertThat(cache.fresh(view, "a")).isSameAs(after.result().row());
  }

  @Test
  void fresh_allChanged_isReadAgainButMayBeStale() throws Exception {
    Lookups lookups = lookups();
    assertThat(onLoop(() -> lookups.read(view, "a")).isComplete()).isFalse();
    onLoop(() -> table.answer(0, row("1")));
    assertThat(cache.fresh(view, "a")).isNotSameAs(FeatureCache.UNREAD);

    view.dropAll();

    assertThat(cache.fresh(view, "a")).isSameAs(FeatureCache.UNREAD);
    Future<Reading> stale = onLoop(() -> lookups.read(view, "a"));
    onLoop(() -> table.fail(1, ErrorCode.STORE_UNAVAILABLE));
    assertThat(stale.result().stale()).isTrue();
  }

  @Test
  void fresh_entryOlderThanMaxAge_isReadAgain() throws Exception {
    Lookups lookups = lookups();
    assertThat(onLoop(() -> lookups.read(view, "a")).isComplete()).isFalse();
    onLoop(() -> table.answer(0, row("1")));

    nanos.addAndGet(Duration.ofSeconds(30).toNanos());
    assertThat(cache.fresh(view, "a")).isNotSameAs(FeatureCache.UNREAD);
    nanos.incrementAndGet();
    assertThat(cache.fresh(view, "a")).isSameAs(FeatureCache.UNREAD);

    nanos.addAndGet(Duration.ofMinutes(5).toNanos());
    Future<Reading> tooOld = onLoop(() -> lookups.read(view, "a"));
    onLoop(() -> table.fail(1, ErrorCode.STORE_TIMEOUT));
    assertThat(code(tooOld)).isEqualTo(ErrorCode.STORE_TIMEOUT);
  }

  @Test
  void read_cacheTurnedOff_keepsNothing() throws Exception {
    ServedView uncached = view("uncached", Duration.ZERO);
    Lookups lookups = lookups();
    assertThat(onLoop(() -> lookups.read(uncached, "a")).isComplete()).isFalse();
    onLoop(() -> table.answer(0, row("1")));

    assertThat(cache.fresh(uncached, "a")).isSameAs(FeatureCache.UNREAD);
    assertThat(cache.size()).isZero();
  }

  @Test
  void read_oneBadKey_failsAlone() throws Exception {
    Lookups lookups = lookups();
    List<Future<Reading>> readings =
        onLoop(() ->
            List.of(lookups.read(view, "a"), lookups.read(view, "bad"), lookups.read(view, "c")));
    assertThat(table.asked).hasSize(1);

    onLoop(() -> table.fail(0, ErrorCode.INVALID_REQUEST));
    onLoop(() -> table.answer(1, row("1")));
    onLoop(() -> table.fail(2, ErrorCode.INVALID_REQUEST));
    onLoop(() -> table.answer(3, row("1")));

    assertThat(table.asked.subList(1, 4))
        .containsExactly(List.of("a"), List.of("bad"), List.of("c"));
    assertThat(readings.get(0).succeeded()).isTrue();
    assertThat(code(readings.get(1))).isEqualTo(ErrorCode.INVALID_REQUEST);
    assertThat(readings.get(2).succeeded()).isTrue();
  }

  @Test
  void read_refusedByAnotherDefinition_isToBeAskedAgain() throws Exception {
    outdated = Future.succeededFuture(true);
    Lookups lookups = lookups();
    List<Future<Reading>> readings =
        onLoop(() -> List.of(lookups.read(view, "a"), lookups.read(view, "b")));

    onLoop(() -> table.refuse(0));

    assertThat(readings).allMatch(reading -> reading.cause() instanceof OutdatedViewException);
    assertThat(((OutdatedViewException) readings.getFirst().cause()).reason().code())
        .isEqualTo(ErrorCode.STORE_UNAVAILABLE);
  }

  @Test
  void read_refusedAndNobodyKnowsTheDefinition_failsAsItDid() throws Exception {
    outdated = Future.failedFuture("as the test wants it");
    Lookups lookups = lookups();
    Future<Reading> reading = onLoop(() -> lookups.read(view, "a"));

    onLoop(() -> table.refuse(0));

    assertThat(code(reading)).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
  }

  @Test
  void read_storeAnswersWhileTheDefinitionIsAskedFor_isNotTakenToBeAway() throws Exception {
    Promise<Boolean> asked = Promise.promise();
    outdated = asked.future();
    Lookups lookups = lookups();
    Future<Reading> old = onLoop(() -> lookups.read(view, "stale"));
    onLoop(() -> table.answer(0, row("1")));
    assertThat(old.succeeded()).isTrue();
    view.dropAll();
    Future<Reading> refused = onLoop(() -> lookups.read(view, "a"));
    onLoop(() -> table.refuse(1));
    assertThat(refused.isComplete()).isFalse();
    Future<Reading> answered = onLoop(() -> lookups.read(view, "b"));
    onLoop(() -> table.answer(2, row("1")));
    assertThat(answered.succeeded()).isTrue();

    asked.complete(false);
    onLoop(() -> {});

    assertThat(code(refused)).isEqualTo(ErrorCode.STORE_UNAVAILABLE);
    // Else what is asked for beside a query that is out would be answered from old rows.
    Future<Reading> out = onLoop(() -> lookups.read(view, "c"));
    Future<Reading> next = onLoop(() -> lookups.read(view, "stale"));
    assertThat(out.isComplete()).isFalse();
    assertThat(next.isComplete()).isFalse();
    onLoop(() -> table.answer(4, row("2")));
    assertThat(next.result().stale()).isFalse();
  }

  @Test
  void read_tooManyWait_isOverloaded() throws Exception {
    Lookups lookups = lookups(3, Duration.ofSeconds(2));

    List<Future<Reading>> readings =
        onLoop(() ->
            List.of(
                lookups.read(view, "a"),
                lookups.read(view, "b"),
                lookups.read(view, "c"),
                lookups.read(view, "d")));

    assertThat(code(readings.get(3))).isEqualTo(ErrorCode.OVERLOADED);
    assertThat(table.asked).containsExactly(List.of("a", "b", "c"));
    // Those that are out wait no more.
    assertThat(onLoop(() -> lookups.read(view, "d")).isComplete()).isFalse();
  }

  @Test
  void sweep_longWait_failsWithDeadline() throws Exception {
    Lookups lookups = lookups(10, Duration.ZERO);
    Future<Reading> reading = onLoop(() -> lookups.read(view, "a"));

    onLoop(lookups::sweep);

    assertThat(code(reading)).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    onLoop(() -> table.answer(0, row("1")));
    assertThat(cache.fresh(view, "a")).isNotSameAs(FeatureCache.UNREAD);
  }

  @Test
  void fetch_keyThatTheStoreRefuses_isAnInvalidRequest() throws Exception {
    try (ServedStore store = new ServedStore()) {
      store.view(
          "users",
          List.<String[]>of(new String[] {"id", "STRING"}),
          List.<String[]>of(new String[] {"n", "INT64", "BIGINT"}),
          "");
      store.database().execute("INSERT INTO online_users VALUES ('a', 1, NULL, now())");
      Future<List<FeatureRow>> good =
          onLoop(() ->
              new StoreTables(vertx, ServedStore.settings(store.database().url()))
                  .table(view)
                  .fetch(List.of("b", "a", "a")));
      List<FeatureRow> rows = good.await(10, SECONDS);
      assertThat(rows.get(0)).isSameAs(FeatureRow.MISSING);
      assertThat(rows.get(1).eventMicros()).isEqualTo(FeatureRow.NO_EVENT);
      assertThat(rows.get(2)).isNotSameAs(FeatureRow.MISSING);
      Future<List<FeatureRow>> bad =
          onLoop(() ->
              new StoreTables(vertx, ServedStore.settings(store.database().url()))
                  .table(view)
                  .fetch(List.of("a", "b\0")));
      assertThatThrownBy(() -> bad.await(10, SECONDS))
          .isInstanceOfSatisfying(
              FeatureException.class,
              e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
    }
  }
}
