package io.featureduck.store;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.ViewChange;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.store.Registrar.Applied;
import io.featureduck.testing.TestStore;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What an apply does to the store, and how it and runs keep out of each other's way. */
@Timeout(120)
@ParameterizedClass
@EnumSource(
    value = TestStore.Form.class,
    names = {"POSTGRES_TYPED", "MYSQL_TYPED"})
final class RegistrarTest extends Registering {
  RegistrarTest(TestStore.Form form) throws Exception {
    super(form);
  }

  @Test
  void apply_addition_isLiveWithoutTable() {
    applied(view("90d", "a"));

    RegisteredVersion live = store.registered("v").live().orElseThrow();
    assertThat(live.version()).isEqualTo(1);
    assertThat(live.isComputed()).isFalse();
    assertThat(live.createdBy()).isEqualTo("ada");
    assertThat(history()).containsExactly("create 1 +a");
    assertThat(planned(view("90d", "a")).getFirst().changesAnything()).isFalse();
  }

  @Test
  void apply_settings_changeTheDefinitionAndTheGeneration() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").generation()).isEqualTo(1);

    applied(view("30d", "a"));

    LiveView live = store.liveView("v").orElseThrow();
    assertThat(live.ttl()).contains(Duration.ofDays(30));
    assertThat(live.generation()).isEqualTo(2);
    assertThat(query("SELECT run_id, \"keys\" FROM featureduck_changes WHERE generation = 2"))
        .containsExactly("null null");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isFalse();
    assertThat(history()).containsExactly("change 1 ~ttl \"90d\" -> \"30d\"", "create 1 +a");
    assertThat(run(2, "k").generation()).isEqualTo(3);
  }

  @Test
  void apply_addedFeatures_areNullUntilAFullRun() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);

    applied(view("90d", "b", "a", "c"));

    assertThat(online("a", "b", "c")).containsExactly("1 null null");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();

    assertThat(run(2, "k").rowsWritten()).isEqualTo(1);
    assertThat(online("a", "b", "c")).containsExactly("2 2 2");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isFalse();
    assertThat(database.tables()).containsExactly("online_v");
  }

  @Test
  void apply_neverComputed_needsNoTable() {
    applied(view("90d", "a"));

    applied(view("90d", "a", "b"));
    applied(view("90d", "b"));
    applied(view("90d", "b=other"));

    RegisteredVersion live = store.registered("v").live().orElseThrow();
    assertThat(live.version()).isEqualTo(1);
    assertThat(live.unfilled()).isFalse();
    assertThat(run(7, "k").rows()).isEqualTo(1);
    assertThat(history())
        .containsExactly(
            "new_version 1 -/+feature b: column \"b\" -> \"other\"",
            "change 1 -a",
            "change 1 +b",
            "create 1 +a");
  }

  @Test
  void finish_droppedFeature_dropsTheColumnTwoSecondsLater() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    ViewChange drop = planned(view("90d", "a")).getFirst();
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      assertThat(registrar.apply(drop, "ada")).isEqualTo(Applied.APPLIED);
      assertThat(store.liveView("v").orElseThrow().features()).hasSize(1);
      assertThat(online("a", "b")).containsExactly("1 1");
      assertThat(registrar.finishWithoutWaiting("v")).isEmpty();

      assertThat(registrar.finish("v")).containsExactly("b");
    }
    assertThat(columns()).containsExactly("entity_key", "a", "event_timestamp", "updated_at");
    assertThat(
            database.number(
                switch (form.type()) {
                  case POSTGRES ->
                      "SELECT 1000 * extract(epoch FROM clock_timestamp() - max(at))::integer FROM featureduck_history";
                  case MYSQL ->
                      "SELECT timestampdiff(MICROSECOND, max(at), utc_timestamp(6)) DIV 1000 FROM featureduck_history";
                }))
        .isBetween(2_000L, 20_000L);
    assertThat(run(2, "k").rowsWritten()).isEqualTo(1);
  }

  @Test
  void finishWithoutWaiting_tableIsBeingRead_leavesTheColumns() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    database.execute("ALTER TABLE online_v ADD COLUMN b BIGINT");
    letTimePass();
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      try (Connection reader = database.connect();
          Statement statement = reader.createStatement()) {
        reader.setAutoCommit(false);
        boolean ignored = statement.execute("SELECT a FROM online_v");

        assertThat(registrar.finishWithoutWaiting("v")).isEmpty();

        assertThat(columns()).contains("b");
        reader.rollback();
      }
      assertThat(registrar.finishWithoutWaiting("v")).containsExactly("b");
    }
  }

  @Test
  void run_columnThatNoFeatureHas_isLeftNullAndThenDropped() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    // Here an apply was ended before its second step.
    applied(view("90d", "a"));

    assertThat(run(2, "k", "new").rowsWritten()).isEqualTo(2);

    assertThat(online("a", "b")).containsExactly("2 1", "2 null");
    assertThat(planned(view("90d", "a")).getFirst().changesAnything()).isTrue();
    clearUp();
    assertThat(columns()).contains("b");
    letTimePass();
    clearUp();
    assertThat(columns()).doesNotContain("b");
    assertThat(planned(view("90d", "a")).getFirst().changesAnything()).isFalse();
  }

  @Test
  void apply_featureThatComesBackBeforeItsColumnWent_hasNoOldValues() throws Exception {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a"));

    applied(view("90d", "a", "b"));

    assertThat(online("a", "b")).containsExactly("1 null");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();
    assertThat(store.registered("v").live().orElseThrow().strayColumns()).isEmpty();
  }

  @Test
  void apply_endedAfterItsNewColumn_isFinishedByTheNextApplyOrRun() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    // What the first step leaves where DDL is no part of a transaction.
    database.execute("ALTER TABLE online_v ADD COLUMN b BIGINT");
    assertThat(planned(view("90d", "a")).getFirst().changesAnything()).isTrue();

    applied(view("90d", "a", "b"));

    assertThat(online("a", "b")).containsExactly("1 null");
    assertThat(run(2, "k").rowsWritten()).isEqualTo(1);
    assertThat(online("a", "b")).containsExactly("2 2");

    database.execute("ALTER TABLE online_v ADD COLUMN c BIGINT, ADD COLUMN d BIGINT");
    letTimePass();
    clearUp();
    assertThat(columns()).doesNotContain("c", "d");
    database.execute("ALTER TABLE online_v ADD COLUMN c TEXT");
    applied(view("90d", "a", "b", "c"));
    assertThat(online("a", "b", "c")).containsExactly("2 2 null");
    database.execute("ALTER TABLE online_v ADD COLUMN d BIGINT");
    try (Registrar registrar = store.registrar(AT_ONCE)) {
      assertThat(registrar.finish("v")).containsExactly("d");
    }
  }

  @Test
  void finishRemovals_endedBeforeTheTablesWent_isDoneByTheNextApply() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    database.execute("CREATE TABLE online_other (k INTEGER)");
    remove();
    switch (form.type()) {
      case POSTGRES -> assertThat(database.tables()).containsExactly("online_other");
      case MYSQL ->
          assertThat(database.tables()).containsExactly("online_other", "online_v", "online_v__v2");
    }

    // Version 1 is needed again before anyone came to drop its table.
    applied(view("90d", "a"));

    assertThat(database.tables()).containsExactly("online_other");
    assertThat(run(3, "l").rows()).isEqualTo(1);
    finishRemovals();
    assertThat(database.tables()).containsExactly("online_other", "online_v");
    assertThat(online("a")).containsExactly("3");
  }

  @Test
  void apply_remadeFeature_isPendingUntilARunMakesItLive() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);

    applied(view("90d", "a=other"));

    assertThat(states()).containsExactly("1 live", "2 pending");
    assertThat(store.liveView("v").orElseThrow().version()).isEqualTo(1);
    assertThat(run(2, "k", "l").rows()).isEqualTo(2);

    assertThat(states()).containsExactly("1 retired", "2 live");
    assertThat(store.liveView("v").orElseThrow().version()).isEqualTo(2);
    assertThat(query("SELECT a FROM online_v__v2")).containsExactly("2", "2");
    assertThat(online("a")).containsExactly("1");
    assertThat(history())
        .containsExactly(
            "promote 2 by run 2, version 1 is retired",
            "new_version 2 -/+feature a: column \"a\" -> \"other\"",
            "create 1 +a");
    assertThat(store.history("v").getFirst().by()).isEqualTo("there");
  }

  @Test
  void apply_remadeWhileOneIsPending_replacesIt() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));

    applied(view("90d", "a=third"));

    assertThat(states()).containsExactly("1 live", "2 pending");
    assertThat(store.registered("v").pending().orElseThrow().definition().json()).contains("third");
    applied(view("90d", "a"));
    assertThat(states()).containsExactly("1 live");
    assertThat(history().getFirst()).isEqualTo("change 1 -version 2");
  }

  @Test
  void apply_removal_leavesRunsAndHistoryAlone() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=third"));
    assertThat(store.pause("v", "ada").by()).isEqualTo("ada");

    ViewChange removal =
        ChangePlan.changes(Optional.empty(), store.registered("v"), false).getFirst();
    assertThat(apply(removal)).isEqualTo(Applied.APPLIED);

    assertThat(store.registered("v").versions()).isEmpty();
    finishRemovals();
    assertThat(database.tables()).isEmpty();
    for (String table : List.of("views", "watermarks", "changes", "pauses")) {
      assertThat(query("SELECT count(*) FROM featureduck_" + table)).containsExactly("0");
    }
    assertThat(store.runs(Optional.of("v"), 10)).hasSize(2);
    assertThat(history().getFirst()).isEqualTo("remove 3 -version 1, -version 2, -version 3");
    assertThat(apply(removal)).isEqualTo(Applied.AS_WANTED);
  }

  @Test
  void apply_prune_dropsRetiredVersionsAlone() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a=other"));
    assertThat(run(1, "k").rows()).isEqualTo(1);

    List<ViewChange> changes =
        ChangePlan.changes(Optional.of(view("90d", "a=other")), store.registered("v"), true);
    assertThat(changes).hasSize(2);
    assertThat(apply(changes.get(1))).isEqualTo(Applied.APPLIED);

    assertThat(states()).containsExactly("2 live");
    finishRemovals();
    assertThat(database.tables()).containsExactly("online_v__v2");
    assertThat(query("SELECT DISTINCT version FROM featureduck_watermarks")).containsExactly("2");
    assertThat(history().getFirst()).isEqualTo("prune 1 -version 1");
    assertThat(apply(changes.get(1))).isEqualTo(Applied.AS_WANTED);
  }

  @Test
  void apply_registeredOtherwiseByNow_isStaleAndChangesNothing() {
    applied(view("90d", "a"));
    ViewChange mine = planned(view("30d", "a")).getFirst();
    ViewChange same = planned(view("60d", "a")).getFirst();
    applied(view("60d", "a"));

    assertThat(apply(same)).isEqualTo(Applied.AS_WANTED);
    assertThatThrownBy(() -> apply(mine))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STALE_PLAN))
        .hasMessageContaining("view v is not registered any more as it was")
        .hasMessageContaining("last change: change by ada at ");

    assertThat(store.liveView("v").orElseThrow().ttl()).contains(Duration.ofDays(60));
    assertThat(history()).hasSize(2);
  }

  @Test
  void apply_additionThatAnotherMade_isAsWantedOrStale() {
    ViewChange mine = planned(view("30d", "a")).getFirst();
    ViewChange same = planned(view("90d", "a")).getFirst();
    applied(view("90d", "a"));

    assertThat(apply(same)).isEqualTo(Applied.AS_WANTED);
    assertThatThrownBy(() -> apply(mine))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STALE_PLAN));
  }

  @Test
  void apply_firstRunCommittedSincePlanned_isStale() {
    applied(view("90d", "a"));
    ViewChange remade = planned(view("90d", "a=other")).getFirst();
    assertThat(run(1, "k").rows()).isEqualTo(1);

    assertThatThrownBy(() -> apply(remade))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STALE_PLAN));
  }

  @Test
  void apply_firstRunCommittedSincePlanned_destroysNothingUnasked() throws Exception {
    applied(view("90d", "a", "b"));
    ViewChange drop = planned(view("90d", "a")).getFirst();
    ViewChange removal =
        ChangePlan.changes(Optional.empty(), store.registered("v"), false).getFirst();
    assertThat(drop.destroys()).isEmpty();
    assertThat(run(1, "k").rows()).isEqualTo(1);

    for (ViewChange change : List.of(drop, removal)) {
      assertThatThrownBy(() -> apply(change))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STALE_PLAN));
    }
    assertThat(online("a", "b")).containsExactly("1 1");
    assertThat(store.liveView("v").orElseThrow().features()).hasSize(2);
  }

  @Test
  void apply_remainsAlone_isAppliedWithoutAnEntry() {
    applied(view("90d", "a", "b"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    applied(view("90d", "a"));
    ViewChange clearing = planned(view("90d", "a")).getFirst();
    assertThat(clearing.changesAnything()).isTrue();

    assertThat(apply(clearing)).isEqualTo(Applied.APPLIED);

    assertThat(history()).hasSize(2);
  }

  private void erase(String key) {
    Erasure erased =
        store.erase("v", List.of(key), Erasure.Origin.COMMAND, "a test", Duration.ofSeconds(20));
    assertThat(erased.pending()).isFalse();
  }

  private long tombstones() throws SQLException {
    return database.number("SELECT count(*) FROM featureduck_tombstones");
  }

  private static ViewDefinition ofDevices(ViewDefinition view) {
    return new ViewDefinition(
        view.view(),
        List.of(new JoinKey("device", Primitive.INT64)),
        view.features(),
        view.json().replace("{\"name\":\"v\"", "{\"name\":\"v\",\"entities\":[\"device\"]"));
  }

  /** Device 42 is nobody's customer 42, who was erased. */
  @Test
  void promote_otherEntities_forgetsWhoWasErased() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "42", "43").rows()).isEqualTo(2);
    erase("42");
    applied(view("90d", "a=other"));
    assertThat(run(2, "42", "43").rows()).isEqualTo(1);
    assertThat(tombstones()).isEqualTo(1);
    applied(ofDevices(view("90d", "a")));
    assertThat(tombstones()).isEqualTo(1);
    // One that another process left half done.
    database.execute("UPDATE online_v SET entity_key = '42' WHERE entity_key = '43'");
    database.execute("UPDATE featureduck_tombstones SET pending = true");
    database.execute("UPDATE featureduck_erasures SET finished_at = NULL");

    assertThat(run(3, "42", "44").rows()).isEqualTo(1);

    assertThat(tombstones()).isZero();
    assertThat(query("SELECT count(*) FROM online_v")).containsExactly("0");
    assertThat(query("SELECT rows_deleted FROM featureduck_erasures WHERE finished_at IS NOT NULL"))
        .containsExactly("2");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();
    assertThat(run(3, "42", "44").rows()).isEqualTo(2);
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isFalse();
  }

  @Test
  void apply_otherEntitiesOfANeverComputedView_forgetsWhoWasErased() throws Exception {
    applied(view("90d", "a"));
    erase("42");
    applied(view("90d", "a=other"));
    assertThat(tombstones()).isEqualTo(1);

    applied(ofDevices(view("90d", "a")));

    assertThat(tombstones()).isZero();
  }

  @Test
  void apply_removal_forgetsWhoWasErasedOnceTheTablesAreGone() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "42", "43").rows()).isEqualTo(2);
    erase("42");
    database.execute("UPDATE featureduck_tombstones SET pending = true");
    database.execute("UPDATE featureduck_erasures SET finished_at = NULL");

    remove();
    finishRemovals();

    assertThat(tombstones()).isZero();
    assertThat(store.unfinishedErasures(Duration.ZERO)).isEmpty();
    assertThat(query("SELECT count(*) FROM featureduck_erasures WHERE finished_at IS NULL"))
        .containsExactly("0");
    applied(view("90d", "a"));
    assertThat(run(1, "42").rows()).isEqualTo(1);
  }

  @Test
  void registrar_heldElsewhere_isWaitedForSoLongAndNoLonger() throws Exception {
    try (Registrar held = store.registrar(AT_ONCE)) {
      assertThatThrownBy(() -> store.registrar(Duration.ofMillis(200)))
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.LOCKED))
          .hasMessageContaining("another process has been applying");
      CompletableFuture<Registrar> next =
          CompletableFuture.supplyAsync(() -> store.registrar(Duration.ofSeconds(60)));
      held.close();

      next.get(60, SECONDS).close();
    }
  }

  @Test
  void write_settingsChangedMeanwhile_keepsThem() {
    applied(view("90d", "a"));
    RegisteredVersion begun = store.registered("v").live().orElseThrow();

    RunCommit.Written written = run(begun, 1, () -> applied(view("30d", "a")), "k");

    assertThat(written.generation()).isEqualTo(2);
    assertThat(store.liveView("v").orElseThrow().ttl()).contains(Duration.ofDays(30));
  }

  @Test
  void write_featuresChangedMeanwhile_failsAsPassingAndChangesNothing() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    RegisteredVersion begun = store.registered("v").live().orElseThrow();

    assertThatThrownBy(() -> run(begun, 2, () -> applied(view("90d", "a", "b")), "k"))
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> {
              assertThat(e.code()).isEqualTo(ErrorCode.LOCKED);
              assertThat(e.mayPass()).isTrue();
            })
        .hasMessageContaining("it has other features by now; last change: change by ada");
    assertThat(online("a", "b")).containsExactly("1 null");
    assertThat(store.registered("v").live().orElseThrow().unfilled()).isTrue();
  }

  @Test
  void write_viewRemovedMeanwhile_failsAsPassing() {
    applied(view("90d", "a"));
    RegisteredVersion begun = store.registered("v").live().orElseThrow();
    remove();

    assertThatThrownBy(() -> run(begun, 2, () -> {}, "k"))
        .isInstanceOfSatisfying(FeatureException.class, e -> assertThat(e.mayPass()).isTrue())
        .hasMessageContaining("it is not served any more; last change: remove by ada");
  }

  /**
   * A run that has written to the table wants the view's rows next; an apply has these and wants
   * the table.
   */
  @Test
  void apply_whileARunWritesTheTable_waitsForItAndHoldsNobodyUp() throws Exception {
    applied(view("90d", "a"));
    assertThat(run(1, "k").rows()).isEqualTo(1);
    ViewChange more = planned(view("90d", "a", "b")).getFirst();
    CompletableFuture<Applied> applying;
    try (Connection writer = database.connect();
        Statement statement = writer.createStatement()) {
      writer.setAutoCommit(false);
      assertThat(statement.executeUpdate("UPDATE online_v SET a = 2")).isEqualTo(1);
      applying = CompletableFuture.supplyAsync(() -> apply(more));
      for (int attempts = 0; attempts < 2; attempts++) {
        awaitLock(true);
        awaitLock(false);
      }
      try (ResultSet locked =
          statement.executeQuery("SELECT version FROM featureduck_views FOR UPDATE")) {
        assertThat(locked.next()).isTrue();
      }
      assertThat(applying.isDone()).isFalse();
      writer.commit();
    }
    assertThat(applying.get(60, SECONDS)).isEqualTo(Applied.APPLIED);
    assertThat(online("a", "b")).containsExactly("2 null");
  }

  /** Waits until someone waits for the table, or until nobody does. */
  private void awaitLock(boolean waiting) throws SQLException {
    String select =
        switch (form.type()) {
          case POSTGRES ->
              "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass('online_v')";
          case MYSQL ->
              "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state = 'Waiting for table metadata lock'";
        };
    while (database.number(select) != (waiting ? 1 : 0)) {
      Thread.onSpinWait();
    }
  }
}
