package io.featureduck.dialect;

import static io.featureduck.definition.Aggregation.Function.APPROX_COUNT_DISTINCT;
import static io.featureduck.definition.Aggregation.Function.AVG;
import static io.featureduck.definition.Aggregation.Function.COUNT;
import static io.featureduck.definition.Aggregation.Function.LAST;
import static io.featureduck.definition.Aggregation.Function.LAST_N;
import static io.featureduck.definition.Aggregation.Function.SUM;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Join;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Source;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.Planner;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.ViewPlan;
import io.featureduck.plan.Views;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The SQL as people read it, in golden files; {@link PlanRunTest} runs it. */
final class DuckDbDialectTest {
  private static final Instant AS_OF = Instant.parse("2024-06-01T12:00:00.5Z");
  private static final DuckDbDialect DIALECT = new DuckDbDialect();

  private static final Source ORDERS = Views.postgres("orders", "ordered_at", "updated_at");
  private static final Source MERCHANTS =
      Views.file(
          "merchants", Source.Format.PARQUET, "/data/merchants/*.parquet", "at", "Europe/Berlin");

  private static final Map<String, SourceSchema> SCHEMAS =
      Map.of(
          "orders",
          schema(
              "order_id BIGINT",
              "customer_id BIGINT",
              "merchant_id INTEGER",
              "quantity BIGINT",
              "amount DECIMAL(12,2)",
              "status VARCHAR",
              "token UUID",
              "ordered_at TIMESTAMP WITH TIME ZONE",
              "updated_at TIMESTAMP"),
          "merchants",
          schema("id INTEGER", "country VARCHAR", "at DATE", "shape STRUCT(a INTEGER)"));

  @Test
  void show_aggregations_readsLikeTheGoldenFile() {
    ViewPlan plan =
        plan(
            Views.over("orders")
                .filter("status = 'paid' OR status = 'it''s'")
                .aggregate(COUNT, "", "purchase_count")
                .aggregate(SUM, "amount", "total_spent", "7d", "30d")
                .aggregate(SUM, "quantity", "items")
                .aggregate(AVG, "amount", "avg_paid", "amount > 0", new String[] {"2w"})
                .aggregate(LAST, "status", "last_status")
                .aggregate(LAST_N, "amount", "last_amounts"));

    assertGolden("aggregations.sql", DIALECT.show(plan.plan(), AS_OF));
    assertGolden("rejected.sql", DIALECT.show(plan.rejected(), AS_OF));
  }

  @Test
  void show_projectionsOverAggregations_readsLikeTheGoldenFile() {
    ViewPlan plan =
        plan(
            Views.over("orders")
                .aggregate(COUNT, "", "purchase_count")
                .aggregate(SUM, "amount", "total_spent")
                .aggregate(APPROX_COUNT_DISTINCT, "merchant_id", "merchants")
                .project("total_spent / purchase_count", "avg_order_value")
                .project("COALESCE(total_spent, 0) * 2 - -1", "doubled")
                .project("CASE WHEN purchase_count > 10 THEN 'many' ELSE 'few' END", "size"));

    assertGolden("projections.sql", DIALECT.show(plan.plan(), AS_OF));
  }

  @Test
  void show_newestRowWithJoin_readsLikeTheGoldenFile() {
    ViewPlan plan =
        plan(
            Views.over("orders")
                .key("customer_id", Primitive.INT64)
                .key("status", Primitive.STRING)
                .join("merchants", Join.Type.LEFT, "merchant_id", "id", "country")
                .filter(
                    "merchants.country IN ('DE', 'FR') AND NOT (quantity < 1 OR amount IS NULL)")
                .project("amount", "amount")
                .project("LOWER(merchants.country)", "country")
                .project("EXTRACT(dow FROM ordered_at)", "weekday"));

    assertGolden("join.sql", DIALECT.show(plan.plan(), AS_OF));
  }

  @Test
  void show_sqlView_readsLikeTheGoldenFile() {
    var view =
        Views.over("orders")
            .sql(
                """
                SELECT customer_id, max(ordered_at) AS ordered_at, sum(quantity) AS items
                FROM orders GROUP BY customer_id -- all
                """)
            .view();
    LogicalPlan.Query query = Planner.query(view, List.of(ORDERS), SCHEMAS);
    ViewPlan plan =
        Planner.planSql(
            view,
            query,
            schema("customer_id BIGINT", "ordered_at TIMESTAMP WITH TIME ZONE", "items HUGEINT"),
            List.of(ORDERS));

    assertGolden("sql_view.sql", DIALECT.show(plan.plan(), AS_OF));
  }

  @Test
  void render_passwords_areThereAndShowMasksThem() {
    LogicalPlan plan = plan(Views.over("orders").aggregate(COUNT, "", "n")).plan();

    assertThat(DIALECT.render(plan, AS_OF)).contains("password=''s3cr\\''et''");
    assertThat(DIALECT.show(plan, AS_OF))
        .contains("postgres_scan('host=db dbname=shop user=duck password=***', 'public', 'orders')")
        .doesNotContain("s3cr");
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "host=a password=x y=z, host=a password=*** y=z",
        "`host=a PASSWORD = 'x \\' y' z=1`, host=a PASSWORD = *** z=1",
        "postgresql://u:pw@h:5432/d, postgresql://u:***@h:5432/d",
        "postgresql://h/d?user=u&password=pw&x=1, postgresql://h/d?user=u&password=***&x=1",
        "host=a password=ge\\ heim x=1, host=a password=*** x=1",
        "host=a password=a&b;c'd x=1, host=a password=*** x=1",
        "postgresql://u:a/b@h/d, postgresql://u:***@h/d",
        "host=a user=b, host=a user=b",
        "host=a password=\"ge heim\" x=1, host=a password=*** x=1",
        "host=a passwd=\"ge\\\" heim\\\\\" x=1, host=a passwd=*** x=1",
        "host=a password=\"ge heim, host=a password=***",
        "host=a password=\"ge heim\\\", host=a password=***"
      })
  void masked_anyForm_hidesThePassword(String connection, String expected) {
    assertThat(ConnectionText.masked(connection)).isEqualTo(expected);
  }

  @Test
  void render_declaredDecimalOfPostgres_isCastByTheServer() {
    Source source =
        Views.source(
            "orders",
            new Source.Table(
                Source.Database.POSTGRES, new Secret("host=db"), "My Schema", "Or\"der's"),
            "ordered_at",
            "ordered_at",
            "UTC",
            Optional.empty(),
            Map.of("amount", new Decimal(12, 2)));
    LogicalPlan plan =
        Planner.plan(
                Views.over("orders").aggregate(SUM, "amount", "total").view(),
                List.of(source),
                Map.of(
                    "orders",
                    schema(
                        "customer_id BIGINT",
                        "amount DOUBLE",
                        "ordered_at TIMESTAMP WITH TIME ZONE")))
            .plan();

    assertThat(DIALECT.render(plan, AS_OF))
        .contains(
            "FROM postgres_query('postgres_06ae5621', 'SELECT \"customer_id\", CAST(\"amount\" AS numeric(12,2)) AS \"amount\", \"ordered_at\" FROM \"My Schema\".\"Or\"\"der''s\"')");
  }

  @Test
  void show_mySqlTable_readsLikeTheGoldenFile() {
    Source source =
        Views.source(
            "orders",
            new Source.Table(
                Source.Database.MYSQL,
                new Secret("host=db database=shop user=duck password=\"ge heim\\\"\\\\\""),
                "shop",
                "Or\"der's"),
            "ordered_at",
            "ordered_at",
            "Europe/Berlin",
            Optional.empty(),
            Map.of());
    SourceSchema columns =
        new SourceSchema(
            List.of(
                DIALECT.column("customer_id", "BIGINT"),
                new SourceSchema.Column("paid", Optional.of(Primitive.BOOL), "TINYINT", false),
                new SourceSchema.Column(
                    "stamped_at", Optional.of(Primitive.TIMESTAMP), "TIMESTAMP", true),
                DIALECT.column("quantity", "UINTEGER"),
                DIALECT.column("ordered_at", "TIMESTAMP")));
    LogicalPlan plan =
        Planner.plan(Views.over("orders").view(), List.of(source), Map.of("orders", columns))
            .plan();

    assertGolden("mysql.sql", DIALECT.show(plan, AS_OF));
    assertThat(DuckDbDialect.overAttached().render(plan, AS_OF))
        .contains("FROM \"mysql_9524c1fa\".\"shop\".\"Or\"\"der's\"")
        .doesNotContain("ATTACH");
    assertThat(DIALECT.place(source))
        .isEqualTo(
            "mysql_scan('host=db database=shop user=duck password=***', 'shop', 'Or\"der''s')");
  }

  @Test
  void render_overAttached_readsTheAttachedTableAndShowsTheScan() {
    LogicalPlan plan = plan(Views.over("orders").aggregate(COUNT, "", "n")).plan();

    assertThat(DuckDbDialect.overAttached().render(plan, AS_OF))
        .containsPattern("FROM \"postgres_[0-9a-f]{8}\"\\.\"public\"\\.\"orders\"");
    assertThat(DuckDbDialect.overAttached().show(plan, AS_OF)).isEqualTo(DIALECT.show(plan, AS_OF));
  }

  private static ViewPlan plan(Views view) {
    return Planner.plan(view.view(), List.of(ORDERS, MERCHANTS), SCHEMAS);
  }

  private static SourceSchema schema(String... columns) {
    return new SourceSchema(
        List.of(columns).stream()
            .map(column -> {
              int gap = column.indexOf(' ');
              return DIALECT.column(column.substring(0, gap), column.substring(gap + 1));
            })
            .toList());
  }

  /** With -Dfeatureduck.golden=write the file is written anew, to be read before it is kept. */
  private static void assertGolden(String name, String actual) {
    try {
      if ("write".equals(System.getProperty("featureduck.golden"))) {
        Path file =
            Path.of("src/test/resources/io/featureduck/dialect").resolve(name).toAbsolutePath();
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        Files.writeString(file, actual + "\n");
      }
      try (InputStream golden = DuckDbDialectTest.class.getResourceAsStream(name)) {
        assertThat(golden).as(name).isNotNull();
        assertThat(actual + "\n")
            .isEqualTo(
                new String(Objects.requireNonNull(golden).readAllBytes(), StandardCharsets.UTF_8));
      }
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
