package io.featureduck.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Aggregation.Function;
import io.featureduck.definition.Join;
import io.featureduck.definition.Source;
import io.featureduck.expression.Expression.Column;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which views can be brought up to date from changes, and what is looked at for that. */
final class IncrementTest {
  private static final Source ORDERS =
      incremental(Views.postgres("orders", "ordered_at", "updated_at"));
  private static final Source SHOPS = incremental(Views.postgres("shops", "at", "at"));

  private static final Map<String, SourceSchema> SCHEMAS =
      Map.of(
          "orders",
          new SourceSchema(
              List.of(
                  column("order_id", "INT64"),
                  column("order_nr", "DECIMAL(20,0)"),
                  column("customer_id", "INT64"),
                  column("shop", "STRING"),
                  column("amount", "DECIMAL(12,2)"),
                  column("ordered_at", "TIMESTAMP"),
                  column("updated_at", "TIMESTAMP"))),
          "shops",
          new SourceSchema(
              List.of(
                  column("order_id", "INT64"),
                  column("name", "STRING"),
                  column("size", "FLOAT64"),
                  column("at", "TIMESTAMP"))));

  private static SourceSchema.Column column(String name, String type) {
    return new SourceSchema.Column(name, FeatureType.parse(type), type, true);
  }

  private static Source incremental(Source source) {
    return with(source, true, false, Map.of());
  }

  private static Source with(
      Source source, boolean incremental, boolean isStatic, Map<String, FeatureType> columns) {
    return new Source(
        source.name(),
        source.location(),
        source.timestampField(),
        source.cursorField(),
        incremental,
        source.allowedLateness(),
        source.timezone(),
        source.rowId(),
        columns,
        isStatic);
  }

  private static ViewPlan plan(Views view, Source... sources) {
    return Planner.plan(view.view(), List.of(sources), SCHEMAS);
  }

  private static String fullOnly(Views view, Source... sources) {
    ViewPlan plan = plan(view, sources);
    assertThat(plan.increment().isPresent()).isEqualTo(plan.fullOnly().isEmpty());
    return plan.fullOnly();
  }

  private static Views counts() {
    return Views.over("orders").aggregate(Function.COUNT, "", "n", "7d", "1h");
  }

  private static Views joined(String left, String right) {
    return counts().join("shops", Join.Type.LEFT, left, right);
  }

  private static Column named(String name) {
    return new Column(Optional.empty(), name);
  }

  @Test
  void plan_incrementalSource_tellsKeysTimesAndWindows() {
    Increment increment = plan(counts(), ORDERS).increment().orElseThrow();

    assertThat(increment.own().keys()).containsExactly(named("customer_id"));
    assertThat(increment.own().eventTime()).isEqualTo(named("ordered_at"));
    assertThat(increment.own().cursor()).isEqualTo(named("updated_at"));
    assertThat(increment.windows()).containsExactly(Duration.ofDays(7), Duration.ofHours(1));
    assertThat(increment.own().changes().schema().columns())
        .extracting(SourceSchema.Column::name)
        .containsExactly("customer_id", "ordered_at", "updated_at");
    assertThat(increment.joins()).isEmpty();
  }

  @Test
  void plan_incrementalJoin_isFollowedByTheColumnsItIsJoinedOn() {
    Increment increment = plan(joined("shop", "name"), ORDERS, SHOPS).increment().orElseThrow();

    Increment.TrackedJoin join = increment.joins().getFirst();
    assertThat(join.left()).containsExactly(named("shop"));
    assertThat(join.right().keys()).containsExactly(named("name"));
    assertThat(join.right().hasCursor()).isFalse();
    assertThat(join.isStatic()).isFalse();
  }

  @Test
  void plan_whatChangesCantBeToldOf_saysWhy() {
    assertThat(fullOnly(counts(), with(ORDERS, false, false, Map.of())))
        .isEqualTo("source 'orders' is not incremental");
    assertThat(fullOnly(counts().filter("ordered_at > now() - INTERVAL '1' DAY"), ORDERS))
        .isEqualTo("it uses now(), so every row may change with time");
    assertThat(
            fullOnly(
                Views.over("orders")
                    .aggregate(Function.MAX, "ordered_at", "newest")
                    .project("DATE_DIFF('day', newest, now())", "age"),
                ORDERS))
        .isEqualTo("it uses now(), so every row may change with time");
    assertThat(fullOnly(joined("shop", "name"), ORDERS, with(SHOPS, false, false, Map.of())))
        .isEqualTo("joined source 'shops' is neither incremental nor static");
    assertThat(fullOnly(joined("amount", "size"), ORDERS, SHOPS))
        .isEqualTo("it joins 'shops' on a column that no join key could be");
    assertThat(
            fullOnly(
                joined("amount", "name"),
                with(ORDERS, true, false, Map.of("amount", Primitive.STRING)),
                SHOPS))
        .isEqualTo("source 'orders' declares another type for 'amount', which it is looked up by");
  }

  @Test
  void plan_wholeNumberDeclaredAsAnother_isNoReasonForFullRuns() {
    Views byOrder = counts().key("order_nr", Primitive.INT64);

    assertThat(
            fullOnly(counts(), with(ORDERS, true, false, Map.of("customer_id", Primitive.INT32))))
        .isEmpty();
    assertThat(fullOnly(byOrder, with(ORDERS, true, false, Map.of("order_nr", Primitive.INT64))))
        .isEmpty();
  }

  @Test
  void plan_staticJoin_isNoReasonForFullRuns() {
    assertThat(fullOnly(joined("shop", "name"), ORDERS, with(SHOPS, false, true, Map.of())))
        .isEmpty();
  }
}
