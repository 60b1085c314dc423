package io.featureduck.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class OnlineStoreTest {
  private static final Feature COUNT = new Feature("purchase_count", Primitive.INT64);
  private static final Feature SPENT = new Feature("total_spent", new FeatureType.Decimal(38, 2));

  private TestPostgres.Database database = new TestPostgres.Database("none", 0);
  private OnlineStore store = OnlineStore.open(TestDefinitions.store(database, "public"));

  @BeforeEach
  void migrate() throws Exception {
    database = TestPostgres.newDatabase();
    store = OnlineStore.open(TestDefinitions.store(database, "My \"shop\""));
    store.migrate();
  }

  private static FeatureView view(String json) {
    return TestDefinitions.view("user_features", "orders", json);
  }

  @Test
  void migrate_again_changesNothing() {
    store.migrate();

    assertThat(store.liveViews()).isEmpty();
    assertThat(store.runs(Optional.empty(), 100)).isEmpty();
  }

  @Test
  void migrate_schemaOfNewerVersion_isRefused() throws Exception {
    database.execute(
        """
        INSERT INTO "My ""shop""\".featureduck_schema_history
        SELECT 9999, '99', 'from the future', 'SQL', 'V99__future.sql', 1, 'postgres', now(), 1, true
        """);

    assertThatThrownBy(store::migrate)
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE))
        .hasMessageContaining("schema version 99");
  }

  @Test
  void migrate_schemaWithOtherTables_keepsThem() throws Exception {
    database.execute("CREATE TABLE public.mine (id INT); INSERT INTO public.mine VALUES (1)");

    OnlineStore beside = OnlineStore.open(TestDefinitions.store(database, "public"));
    beside.migrate();

    assertThat(beside.liveViews()).isEmpty();
  }

  @Test
  void migrate_unreachable_saysWhere() {
    OnlineStore away =
        OnlineStore.open(TestDefinitions.store("postgresql://u@127.0.0.1:1/shop", "public"));

    assertThatThrownBy(away::migrate)
        .isInstanceOfSatisfying(
            FeatureException.class,
            e -> assertThat(e.code()).isEqualTo(ErrorCode.STORE_UNAVAILABLE))
        .hasMessageContaining("127.0.0.1:1/shop can't be reached");
  }

  @Test
  void open_urlWithPassword_isRefusedWithoutShowingIt() {
    assertThatThrownBy(() ->
            OnlineStore.open(
                TestDefinitions.store("postgresql://u:geheim@localhost/shop", "public")))
        .isInstanceOf(FeatureException.class)
        .hasMessageContaining("online_store.password")
        .hasMessageNotContaining("geheim");
  }

  @Test
  void register_newView_isLiveWithoutTable() {
    LiveView live =
        store.register(
            view(
                "{\"ttl\":\"90d\",\"cache\":{\"max_age\":\"0s\"},\"freshness\":{\"error\":\"1h\",\"warn\":\"15m\"}}"),
            List.of(COUNT, SPENT),
            "test");

    assertThat(store.liveViews()).containsExactly(live);
    assertThat(live.features()).containsExactly(COUNT, SPENT);
    assertThat(live.joinKeys()).hasSize(1);
    assertThat(live.ttl()).contains(Duration.ofDays(90));
    assertThat(live.cacheMaxAge()).isZero();
    assertThat(live.freshness().orElseThrow().warn()).isEqualTo(Duration.ofMinutes(15));
    assertThat(live.asOf()).isEmpty();
    assertThat(live.generation()).isZero();
    assertThat(live.table()).isEqualTo("online_user_features");
    assertThat(store.statuses()).singleElement().extracting(ViewStatus::view).isEqualTo(live);
  }

  @Test
  void register_changedSetting_isAppliedInPlace() {
    LiveView before = store.register(view("{\"ttl\":\"90d\"}"), List.of(COUNT), "test");

    LiveView after = store.register(view("{\"ttl\":\"30d\"}"), List.of(COUNT), "test");

    assertThat(before.ttl()).contains(Duration.ofDays(90));
    assertThat(after.ttl()).contains(Duration.ofDays(30));
    assertThat(after.version()).isEqualTo(1);
  }

  @Test
  void register_changedFilter_isRefused() {
    LiveView before = store.register(view("{\"filters\":[\"a = 1\"]}"), List.of(COUNT), "test");

    assertThatThrownBy(
            () -> store.register(view("{\"filters\":[\"a = 2\"]}"), List.of(COUNT), "test"))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
        .hasMessageContaining("filters: there [\"a = 1\"], here [\"a = 2\"]")
        .hasMessageContaining("run 'featureduck plan', then 'featureduck apply'");
    assertThat(store.liveView("user_features")).contains(before);
  }

  @Test
  void register_featureGoneOrOfOtherType_isRefused() {
    LiveView before = store.register(view("{}"), List.of(COUNT, SPENT), "test");

    assertThatThrownBy(() ->
            store.register(
                view("{}"), List.of(new Feature("total_spent", Primitive.FLOAT64)), "test"))
        .hasMessageContaining("feature purchase_count is gone here")
        .hasMessageContaining("feature total_spent: type: there DECIMAL(38,2), here FLOAT64");
    assertThat(store.liveView("user_features")).contains(before);
  }

  @Test
  void register_addedWindowAndAggregation_isApplied() {
    LiveView before =
        store.register(
            view("{\"aggregations\":[{\"alias\":\"n\",\"windows\":[\"7d\"]}]}"),
            List.of(COUNT),
            "test");

    LiveView after =
        store.register(
            view(
                "{\"aggregations\":[{\"alias\":\"s\"},{\"alias\":\"n\",\"windows\":[\"7d\",\"30d\"]}]}"),
            List.of(SPENT, COUNT),
            "test");

    assertThat(before.features()).hasSize(1);
    assertThat(after.features()).containsExactly(SPENT, COUNT);
  }
}
