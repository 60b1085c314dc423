package io.featureduck.plan;

import static io.featureduck.definition.Aggregation.Function.AVG;
import static io.featureduck.definition.Aggregation.Function.COUNT;
import static io.featureduck.definition.Aggregation.Function.COUNT_DISTINCT;
import static io.featureduck.definition.Aggregation.Function.LAST_N;
import static io.featureduck.definition.Aggregation.Function.MAX;
import static io.featureduck.definition.Aggregation.Function.SUM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.Join;
import io.featureduck.definition.Source;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PlannerTest {
  private static final Source ORDERS = Views.postgres("orders", "ordered_at", "ordered_at");
  private static final Source MERCHANTS =
      Views.file("merchants", Source.Format.PARQUET, "/m.parquet", "at", "UTC");
  private static final SourceSchema ORDER_COLUMNS =
      new SourceSchema(
          List.of(
              column("order_id", "INT64"),
              column("customer_id", "INT64"),
              column("merchant_id", "INT32"),
              column("Status", "STRING"),
              column("amount", "DECIMAL(12,2)"),
              column("score", "FLOAT32"),
              column("day", "DATE"),
              column("document", "JSON"),
              column("words", "ARRAY<STRING>"),
              column("ordered_at", "TIMESTAMP"),
              new SourceSchema.Column("price", Optional.empty(), "numeric", false),
              new SourceSchema.Column("shape", Optional.empty(), "STRUCT(a INTEGER)", false)));
  private static final Map<String, SourceSchema> SCHEMAS =
      Map.of(
          "orders",
          ORDER_COLUMNS,
          "merchants",
          new SourceSchema(
              List.of(
                  column("id", "INT32"), column("country", "STRING"), column("at", "TIMESTAMP"))));

  @Test
  void check_viewWithManyMistakes_tellsAllOfThemWhereTheyAre() {
    Views view =
        Views.over("orders")
            .key("custmer_id", Primitive.INT64)
            .join("merchants", Join.Type.LEFT, "merchantid", "ident", "county")
            .filter("statu = 'x'")
            .filter("amount")
            .filter("merchant.country = 'DE'")
            .filter("country = 'DE'")
            .aggregate(SUM, "Status", "s")
            .aggregate(SUM, "price", "p")
            .aggregate(COUNT, "", "n", "amount", new String[0])
            .aggregate(COUNT, "", "n")
            .project("nn + 1", "m")
            .project("NULL", "nothing");

    assertThat(check(view).stream().map(PlanMistake::toString))
        .containsExactly(
            "/joins/0/on/0/left: source 'orders' has no column 'merchantid'; did you mean 'merchant_id'?",
            "/joins/0/on/0/right: source 'merchants' has no column 'ident'",
            "/joins/0/columns/0: source 'merchants' has no column 'county'; did you mean 'country'?",
            "/entities: source 'orders' has no column 'custmer_id'; did you mean 'customer_id'?",
            "/filters/0: source 'orders' has no column 'statu'; did you mean 'Status'?",
            "/filters/1: expected a condition (BOOL): found DECIMAL(12,2)",
            "/filters/2: 'merchant.country': the view doesn't read a source 'merchant'; did you mean 'merchants'?",
            "/filters/3: source 'orders' has no column 'country'",
            "/aggregations/0: sum can't aggregate values of type STRING",
            "/aggregations/1: column 'price' is of type numeric: declare its digits on the source, \"columns\": {\"price\": \"DECIMAL(12,2)\"}",
            "/aggregations/2: expected a condition (BOOL): found DECIMAL(12,2)",
            "/projections/0: the view has no column 'nn'; did you mean 'n'?",
            "/projections/1: the value is always NULL, so it has no type: give it one");
  }

  @Test
  void check_columnOfAJoinedSourceWithoutItsName_namesIt() {
    Views view =
        Views.over("orders")
            .join("merchants", Join.Type.LEFT, "merchant_id", "id")
            .filter("country = 'DE'")
            .aggregate(COUNT, "", "n");

    assertThat(check(view))
        .containsExactly(
            new PlanMistake(
                "/filters/0",
                "source 'orders' has no column 'country'; did you mean 'merchants.country'?"));
  }

  @Test
  void plan_mistakes_areAllInOneMessage() {
    Views view = Views.over("orders").filter("x = 1").filter("y = 1").aggregate(COUNT, "", "n");

    assertThatThrownBy(() -> Planner.plan(view.view(), List.of(ORDERS), SCHEMAS))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.SOURCE_SCHEMA))
        .hasMessageContaining("/filters/0: source 'orders' has no column 'x'")
        .hasMessageContaining("/filters/1: source 'orders' has no column 'y'");
  }

  @Test
  void check_sourceThatIsNotWhatItSays_isToldAtTheSource() {
    Source source =
        Views.source(
            "orders",
            ORDERS.location(),
            "orderd_at",
            "Status",
            "UTC",
            Optional.of("id"),
            Map.of("amuont", Primitive.INT64));

    assertThat(
            Planner.check(
                    Views.over("orders").aggregate(COUNT, "", "n").view(), List.of(source), SCHEMAS)
                .stream()
                .map(PlanMistake::toString))
        .satisfiesExactly(
            first -> assertThat(first).contains("'amuont'").contains("did you mean 'amount'?"),
            second -> assertThat(second).contains("timestamp_field").contains("'ordered_at'?"),
            third -> assertThat(third).contains("cursor_field 'Status'").contains("TIMESTAMP"),
            fourth -> assertThat(fourth).contains("row_id").contains("no column 'id'"));
    assertThat(check(Views.over("ordrs").aggregate(COUNT, "", "n")))
        .containsExactly(
            new PlanMistake("/source", "unknown source 'ordrs'; did you mean 'orders'?"));
  }

  @Test
  void check_names_areUniqueAndFree() {
    assertThat(check(Views.over("orders").aggregate(COUNT, "", "n").project("n + 1", "n")))
        .containsExactly(new PlanMistake("", "two features are named 'n'"));
    assertThat(check(Views.over("orders").aggregate(COUNT, "", "updated_at")))
        .containsExactly(new PlanMistake("", "no feature may be named 'updated_at'"));
    assertThat(check(Views.over("orders").aggregate(COUNT, "", "customer_id")))
        .containsExactly(new PlanMistake("", "feature 'customer_id' has the name of a join key"));
  }

  @Test
  void check_joinKeyOfAnotherType_isRefused() {
    assertThat(
            check(
                Views.over("orders")
                    .key("customer_id", Primitive.STRING)
                    .aggregate(COUNT, "", "n")))
        .singleElement()
        .satisfies(mistake ->
            assertThat(mistake.message())
                .startsWith("join key 'customer_id' is STRING, but the column is of type INT64"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '@',
      value = {
        "merchant_id; INT32",
        "merchant_id + 1; INT64",
        "-merchant_id; INT64",
        "merchant_id / 2; FLOAT64",
        "amount / amount; FLOAT64",
        "amount * 2; DECIMAL(13,2)",
        "amount * amount; DECIMAL(24,4)",
        "amount + 0.125; DECIMAL(14,3)",
        "amount + order_id; DECIMAL(22,2)",
        "amount % 7; DECIMAL(12,2)",
        "amount * score; FLOAT64",
        "score; FLOAT32",
        "score + score; FLOAT64",
        "COALESCE(amount, 0); DECIMAL(12,2)",
        "COALESCE(merchant_id, order_id); INT64",
        "CASE WHEN amount > 1 THEN day ELSE ordered_at END; TIMESTAMP",
        "CASE WHEN amount > 1 THEN 'a' END; STRING",
        "ROUND(amount); DECIMAL(12,0)",
        "ROUND(score, 2); FLOAT64",
        "FLOOR(order_id); INT64",
        "day; DATE",
        "day + INTERVAL '1' DAY; TIMESTAMP",
        "ordered_at::DATE; DATE",
        "EXTRACT(year FROM day); INT64",
        "DATE_DIFF('day', day, now()); INT64",
        "status LIKE 'x'; BOOL",
        "orders.STATUS; STRING",
        "words; ARRAY<STRING>",
        "document; JSON",
        "9223372036854775807; INT64",
        "9223372036854775808; DECIMAL(19,0)",
        "0.5; DECIMAL(1,1)",
        "12.50; DECIMAL(4,2)"
      })
  void plan_expression_hasOurType(String expression, String type) {
    ViewPlan plan = plan(Views.over("orders").project(expression, "x"));

    assertThat(plan.features())
        .containsExactly(new Feature("x", FeatureType.parse(type).orElseThrow()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '@',
      value = {
        "Status = 1; = mixes STRING and INT64: cast one of them",
        "ordered_at > '2024-01-01'; > mixes TIMESTAMP and STRING: cast one of them",
        "Status + 1; + needs a number: found STRING",
        "NOT amount; NOT needs BOOL: found DECIMAL(12,2)",
        "amount AND TRUE; AND needs BOOL: found DECIMAL(12,2)",
        "ordered_at - ordered_at; use DATE_DIFF",
        "INTERVAL '1' DAY; an interval can only be added to a time",
        "amount + INTERVAL '1' DAY; + needs DATE or TIMESTAMP: found DECIMAL(12,2)",
        "LOWER(amount); LOWER needs STRING: found DECIMAL(12,2)",
        "ABS(Status); ABS needs a number: found STRING",
        "ROUND(amount, merchant_id); ROUND takes its digits as a number",
        "SUBSTR(Status, 1.5); SUBSTR needs a whole number: found DECIMAL(2,1)",
        "CONCAT(Status, score); CONCAT needs STRING, INT64, BOOL or DATE (cast others): found FLOAT32",
        "REGEXP_MATCHES(Status, '('); '(' is no pattern",
        "REGEXP_MATCHES(Status, Status); REGEXP_MATCHES takes its pattern as 'text'",
        "DATE_TRUNC('day', Status); DATE_TRUNC needs DATE or TIMESTAMP: found STRING",
        "document = document; = can't compare values of type JSON",
        "words = words; = can't compare values of type ARRAY<STRING>",
        "day::INT64; DATE can't be cast to INT64",
        "words::STRING; ARRAY<STRING> can't be cast to STRING",
        "COALESCE(amount, Status); COALESCE mixes DECIMAL(12,2) and STRING",
        "CASE WHEN amount THEN 1 END; CASE WHEN needs BOOL",
        "amount IN ('a'); IN mixes DECIMAL(12,2) and STRING",
        "shape; column 'shape' is of type STRUCT(a INTEGER)",
        "100000000000000000000000000000000000000; has more than 38 digits"
      })
  void check_expressionThatMixesWhatDoesNotMix_isRefused(String expression, String message) {
    assertThat(check(Views.over("orders").project(expression, "x")))
        .singleElement()
        .satisfies(mistake -> {
          assertThat(mistake.pointer()).isEqualTo("/projections/0");
          assertThat(mistake.message()).contains(message);
        });
  }

  @Test
  void plan_aggregations_haveTheTypesOfTheDesign() {
    ViewPlan plan =
        plan(
            Views.over("orders")
                .aggregate(COUNT, "document", "n")
                .aggregate(SUM, "merchant_id", "whole")
                .aggregate(SUM, "amount", "exact")
                .aggregate(SUM, "score", "floating")
                .aggregate(AVG, "amount", "mean")
                .aggregate(MAX, "day", "latest_day", "7d", "2w")
                .aggregate(COUNT_DISTINCT, "Status", "distinct")
                .aggregate(LAST_N, "amount", "recent"));

    assertThat(plan.features().stream().map(feature -> feature.name() + " " + feature.type()))
        .containsExactly(
            "n INT64",
            "whole INT64",
            "exact DECIMAL(38,2)",
            "floating FLOAT64",
            "mean FLOAT64",
            "latest_day_7d DATE",
            "latest_day_2w DATE",
            "distinct INT64",
            "recent ARRAY<DECIMAL(12,2)>");
  }

  @Test
  void plan_scan_readsOnlyWhatIsUsed() {
    LogicalPlan plan = plan(Views.over("orders").aggregate(SUM, "amount", "total")).plan();
    while (!(plan instanceof LogicalPlan.Scan)) {
      plan =
          switch (plan) {
            case LogicalPlan.Project project -> project.input();
            case LogicalPlan.Aggregate aggregate -> aggregate.input();
            case LogicalPlan.Filter filter -> filter.input();
            case LogicalPlan.Scan scan -> scan;
            case LogicalPlan.Fetched fetched -> fetched.scan();
            case LogicalPlan.Query unused -> throw new AssertionError();
            case LogicalPlan.Join join -> join.left();
            case LogicalPlan.LatestPerEntity latest -> latest.input();
          };
    }

    assertThat(((LogicalPlan.Scan) plan).schema().columns().stream().map(SourceSchema.Column::name))
        .containsExactly("customer_id", "amount", "ordered_at");
  }

  private static ViewPlan plan(Views view) {
    return Planner.plan(view.view(), List.of(ORDERS, MERCHANTS), SCHEMAS);
  }

  private static List<PlanMistake> check(Views view) {
    return Planner.check(view.view(), List.of(ORDERS, MERCHANTS), SCHEMAS);
  }

  private static SourceSchema.Column column(String name, String type) {
    return new SourceSchema.Column(name, FeatureType.parse(type), type, true);
  }
}
