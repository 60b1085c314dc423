package io.featureduck.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.RegisteredVersion.State;
import io.featureduck.testing.Golden;
import io.featureduck.type.FeatureType;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/** What is planned of which state, and how that reads, in golden files. */
final class ChangePlanTest {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String COUNTS =
      "{'name':'v','source':'orders','ttl':'90d','aggregations':[{'function':'count','alias':'n','windows':['7d','30d']},{'function':'sum','column':'amount','alias':'spent'}]}";
  private static final String COUNTS_FEATURES = "n_7d INT64, n_30d INT64, spent DECIMAL(38,2)";

  private static ViewDefinition definition(String view, String json, String features) {
    ViewDefinition made = DefinitionChangeTest.view(json, features);
    return new ViewDefinition(view, made.joinKeys(), made.features(), made.json());
  }

  private static RegisteredVersion version(
      int number, State state, ViewDefinition definition, Optional<Long> rows, String... stray) {
    return new RegisteredVersion(
        number,
        state,
        definition,
        definition.hash(),
        Instant.parse("2026-11-23T10:00:00Z"),
        "ada@shop",
        rows,
        false,
        List.of(stray));
  }

  private static RegisteredView registered(String view, RegisteredVersion... versions) {
    return new RegisteredView(view, Stream.of(versions).map(version -> of(view, version)).toList());
  }

  private static RegisteredVersion of(String view, RegisteredVersion version) {
    ViewDefinition like = version.definition();
    return new RegisteredVersion(
        version.version(),
        version.state(),
        new ViewDefinition(view, like.joinKeys(), like.features(), like.json()),
        version.hash(),
        version.createdAt(),
        version.createdBy(),
        version.rows(),
        version.unfilled(),
        version.strayColumns());
  }

  private static ChangePlan plan(List<ViewChange> changes) {
    return plan(changes, List.of());
  }

  private static ChangePlan plan(List<ViewChange> changes, List<String> notes) {
    return new ChangePlan(
        "shop", "localhost:5432/shop, schema public", List.of(), false, changes, notes);
  }

  private static List<ViewChange> changes(
      ViewDefinition wanted, RegisteredView registered, boolean prune) {
    return ChangePlan.changes(Optional.of(wanted), registered, prune);
  }

  private static void assertGolden(String name, List<ViewChange> changes) {
    ChangePlan plan = plan(changes);
    Golden.assertGolden(
        ChangePlanTest.class, name + ".txt", new PlanText(ChangePlanTest::column).of(plan));
    Golden.assertGolden(
        ChangePlanTest.class,
        name + ".json",
        JSON.writerWithDefaultPrettyPrinter()
            .writeValueAsString(new PlanJson(ChangePlanTest::column).of(plan)));
  }

  private static String column(FeatureType type) {
    return "COLUMN_OF_" + type;
  }

  @Test
  void changes_notRegistered_isAnAddition() {
    ViewDefinition wanted = definition("user_features", COUNTS, COUNTS_FEATURES);

    assertGolden("addition", changes(wanted, registered("user_features"), true));
  }

  @Test
  void changes_settingsAndFeatures_areInPlace() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition wanted =
        definition(
            "user_features",
            COUNTS
                .replace("'90d'", "'30d','freshness':{'warn':'1h','error':'2h'}")
                .replace("'30d']", "'365d']"),
            COUNTS_FEATURES.replace("n_30d", "n_365d"));

    assertGolden(
        "in_place",
        changes(
            wanted,
            registered(
                "user_features",
                version(1, State.RETIRED, live, Optional.of(7L)),
                version(2, State.LIVE, live, Optional.of(23_570L), "remains")),
            false));
  }

  @Test
  void changes_featuresOfJsonStorage_haveNoColumns() {
    String json = COUNTS.replace("{'name'", "{'storage':'jsonb','name'");
    ViewDefinition live = definition("user_features", json, COUNTS_FEATURES);
    ViewDefinition wanted =
        definition(
            "user_features",
            json.replace("'30d']", "'365d']"),
            COUNTS_FEATURES.replace("n_30d", "n_365d"));

    assertGolden(
        "in_place_json",
        changes(
            wanted,
            registered("user_features", version(1, State.LIVE, live, Optional.of(1L))),
            false));
  }

  @Test
  void changes_neverComputed_destroyNothing() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition without =
        definition(
            "user_features", COUNTS.replace(",'30d']", "]"), "n_7d INT64, spent DECIMAL(38,2)");
    ViewDefinition remade =
        definition("user_features", COUNTS.replace("'amount'", "'net'"), COUNTS_FEATURES);
    RegisteredView registered =
        registered("user_features", version(1, State.LIVE, live, Optional.empty()));
    List<ViewChange> changes = new ArrayList<>(changes(without, registered, false));
    changes.addAll(changes(remade, registered, false));

    assertGolden("never_computed", changes);
    assertThat(plan(changes).destroys()).isEmpty();
  }

  @Test
  void changes_remade_isANewVersion() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition wanted =
        definition(
            "user_features",
            COUNTS.replace("'90d'", "'30d','filters':['paid = 1']").replace("'30d']", "'365d']"),
            "n_7d INT64, n_365d INT64, spent FLOAT64");

    assertGolden(
        "new_version",
        changes(
            wanted,
            registered("user_features", version(1, State.LIVE, live, Optional.of(23_570L))),
            false));
  }

  @Test
  void changes_remadeWhileAnotherIsPending_replacesThatOne() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition pending =
        definition("user_features", COUNTS.replace("'amount'", "'net'"), COUNTS_FEATURES);
    ViewDefinition wanted =
        definition("user_features", COUNTS.replace("'amount'", "'gross'"), COUNTS_FEATURES);

    assertGolden(
        "pending_replaced",
        changes(
            wanted,
            registered(
                "user_features",
                version(3, State.LIVE, live, Optional.of(23_570L)),
                version(4, State.PENDING, pending, Optional.empty())),
            false));
  }

  @Test
  void changes_pendingIsNotWantedAnyMore_isWithdrawn() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition pending =
        definition("user_features", COUNTS.replace("'amount'", "'net'"), COUNTS_FEATURES);

    assertGolden(
        "pending_withdrawn",
        changes(
            live,
            registered(
                "user_features",
                version(1, State.LIVE, live, Optional.of(23_570L)),
                version(2, State.PENDING, pending, Optional.empty())),
            false));
  }

  @Test
  void changes_absentFromTheConfig_isARemoval() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);

    assertGolden(
        "removal",
        ChangePlan.changes(
            Optional.empty(),
            registered(
                "user_features",
                version(1, State.RETIRED, live, Optional.of(20_000L)),
                version(2, State.LIVE, live, Optional.of(23_570L)),
                version(3, State.PENDING, live, Optional.empty())),
            true));
  }

  @Test
  void changes_pruned_dropRetiredVersionsOnly() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);

    assertGolden(
        "prune",
        changes(
            live,
            registered(
                "user_features",
                version(1, State.RETIRED, live, Optional.empty()),
                version(2, State.RETIRED, live, Optional.of(20_000L)),
                version(3, State.LIVE, live, Optional.of(23_570L))),
            true));
  }

  @Test
  void changes_asRegistered_areNone() {
    ViewDefinition live = definition("user_features", COUNTS, COUNTS_FEATURES);
    ViewDefinition pending =
        definition("user_activity", COUNTS.replace("'amount'", "'net'"), COUNTS_FEATURES);
    List<ViewChange> changes =
        new ArrayList<>(
            changes(
                live,
                registered("user_features", version(1, State.LIVE, live, Optional.of(1L))),
                true));
    assertGolden("unchanged", changes);
    changes.addAll(
        changes(
            pending,
            registered(
                "user_activity",
                version(
                    1,
                    State.LIVE,
                    definition("user_activity", COUNTS, COUNTS_FEATURES),
                    Optional.of(1L)),
                version(2, State.PENDING, pending, Optional.empty())),
            true));

    assertGolden("waiting", changes);
    assertThat(plan(changes).changesAnything()).isFalse();
  }

  @Test
  void of_everyKindAtOnce_readsLikeTheGoldenFile() {
    ViewDefinition live = definition("b", COUNTS, COUNTS_FEATURES);
    List<ViewChange> changes = new ArrayList<>();
    changes.addAll(changes(definition("a", COUNTS, COUNTS_FEATURES), registered("a"), true));
    changes.addAll(
        changes(
            definition("b", COUNTS.replace("'90d'", "'30d'"), COUNTS_FEATURES),
            registered("b", version(1, State.LIVE, live, Optional.of(2L))),
            true));
    changes.addAll(
        changes(
            definition("c", COUNTS.replace("'orders'", "'sales'"), COUNTS_FEATURES),
            registered(
                "c",
                version(1, State.RETIRED, live, Optional.of(1L)),
                version(2, State.LIVE, live, Optional.of(2L))),
            true));
    changes.addAll(
        changes(live, registered("d", version(1, State.LIVE, live, Optional.of(2L))), true));
    changes.add(
        new ViewChange.Unplanned(
            registered("e"),
            "source_unavailable",
            "source orders: connection refused\nsecond line"));
    changes.addAll(
        ChangePlan.changes(
            Optional.empty(),
            registered("z", version(1, State.LIVE, live, Optional.of(1_234_567L))),
            true));

    assertGolden("every_kind", changes);
  }

  @Test
  void of_noView_saysSo() {
    assertGolden("no_view", List.of());
    assertGolden(
        "only_unplanned",
        List.of(
            new ViewChange.Unplanned(
                registered("e"), "source_unavailable", "source orders: connection refused")));
  }

  @Test
  void requireSame_samePlan_passesThough_rowsDiffer() {
    ViewDefinition live = definition("b", COUNTS, COUNTS_FEATURES);
    ViewDefinition wanted = definition("b", COUNTS.replace("'90d'", "'30d'"), COUNTS_FEATURES);
    SavedPlan saved =
        saved(
            changes(wanted, registered("b", version(1, State.LIVE, live, Optional.of(2L))), false));

    saved.requireSame(
        plan(
            changes(
                wanted, registered("b", version(1, State.LIVE, live, Optional.of(3L))), false)));
    assertThat(saved.asked()).isEmpty();
    assertThat(saved.prune()).isFalse();
  }

  @Test
  void requireSame_somethingElse_isRefusedAndNamed() {
    ViewDefinition live = definition("b", COUNTS, COUNTS_FEATURES);
    ViewDefinition wanted = definition("b", COUNTS.replace("'90d'", "'30d'"), COUNTS_FEATURES);
    ViewDefinition other = definition("b", COUNTS.replace("'90d'", "'31d'"), COUNTS_FEATURES);
    RegisteredView registered = registered("b", version(1, State.LIVE, live, Optional.of(2L)));
    SavedPlan saved = saved(changes(wanted, registered, false));

    assertStale(
        saved,
        changes(other, registered, false),
        "'change b': the config or its source has changed");
    assertStale(
        saved,
        changes(wanted, registered("b", version(1, State.LIVE, other, Optional.of(2L))), false),
        "'change b': what is registered has changed");
    assertStale(
        saved,
        changes(wanted, registered("b"), false),
        "'change b' is only in the saved plan; 'create b' is not in the saved plan");
    ChangePlan elsewhere =
        new ChangePlan(
            "shop", "elsewhere", List.of(), false, changes(wanted, registered, false), List.of());
    assertThatThrownBy(() -> saved.requireSame(elsewhere))
        .hasMessageContaining("it was made for project shop at localhost:5432/shop, schema public");
  }

  @Test
  void requireSame_destroysMore_isRefused() {
    ViewDefinition live = definition("b", COUNTS, COUNTS_FEATURES);
    ViewDefinition wanted =
        definition("b", COUNTS.replace(",'30d']", "]"), "n_7d INT64, spent DECIMAL(38,2)");
    RegisteredView before = registered("b", version(1, State.LIVE, live, Optional.empty()));
    RegisteredView since = registered("b", version(1, State.LIVE, live, Optional.of(1L)));
    RegisteredView later = registered("b", version(1, State.LIVE, live, Optional.of(2_000L)));

    assertStale(
        saved(changes(wanted, before, false)),
        changes(wanted, since, false),
        "'change b': it would destroy something else");
    assertStale(
        saved(ChangePlan.changes(Optional.empty(), before, false)),
        ChangePlan.changes(Optional.empty(), since, false),
        "'remove b': it would destroy something else");
    saved(changes(wanted, since, false)).requireSame(plan(changes(wanted, later, false)));
  }

  @Test
  void undeclared_migratedView_staysUnlessItIsNamed() {
    ViewDefinition migrated =
        definition("m", "{'name':'m','migrated_from':'public.online_features'}", "n INT64");
    RegisteredView view = registered("m", version(1, State.LIVE, migrated, Optional.of(7L)));

    List<ViewChange> changes = ChangePlan.undeclared(view, false);

    ChangePlan plan = plan(changes);
    assertThat(plan.changesAnything()).isFalse();
    assertThat(plan.destroys()).isEmpty();
    assertThat(new PlanText(ChangePlanTest::column).of(plan))
        .endsWith(
            "View m was migrated and is not declared yet: it stays; 'apply m' removes it.\nNo changes: no view is declared.");
    assertThat(new PlanJson(ChangePlanTest::column).of(plan).at("/views/0/undeclared").asBoolean())
        .isTrue();
    assertThat(ChangePlan.undeclared(view, true)).containsExactly(new ViewChange.Removal(view));
    ViewDefinition declared = definition("m", COUNTS, COUNTS_FEATURES);
    RegisteredView other = registered("m", version(1, State.LIVE, declared, Optional.of(7L)));
    assertThat(ChangePlan.undeclared(other, false)).containsExactly(new ViewChange.Removal(other));
  }

  private static SavedPlan saved(List<ViewChange> changes) {
    return SavedPlan.read(
        "plan.json", new PlanJson(ChangePlanTest::column).of(plan(changes)).toString());
  }

  private static void assertStale(SavedPlan saved, List<ViewChange> now, String words) {
    assertThatThrownBy(() -> saved.requireSame(plan(now)))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.STALE_PLAN))
        .hasMessageContaining(words);
  }

  @Test
  void read_noPlan_isRefusedByName() {
    for (String text :
        List.of("", "{", "[]", "{\"format\": 2, \"views\": []}", "{\"format\": 1}")) {
      assertThatThrownBy(() -> SavedPlan.read("my.json", text))
          .as(text)
          .isInstanceOfSatisfying(
              FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
          .hasMessageContaining("my.json is no plan");
    }
  }
}
