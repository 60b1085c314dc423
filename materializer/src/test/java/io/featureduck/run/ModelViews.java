package io.featureduck.run;

import io.featureduck.definition.Aggregation.Function;
import io.featureduck.run.ModelView.Condition;
import io.featureduck.run.ModelView.JoinTo;
import io.featureduck.run.ModelView.Measure;
import io.featureduck.run.ModelView.Projected;
import io.featureduck.run.ModelView.Value;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The tables, sources and views that sequences are made of: each view of another shape. */
final class ModelViews {
  private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");
  private static final ZoneId NEW_YORK = ZoneId.of("America/New_York");

  /** Entities with their join keys and types. */
  static final Map<String, Map<String, String>> ENTITIES =
      Map.of(
          "customer", Map.of("customer_id", "INT64"),
          "region", Map.of("region", "STRING"),
          "product", Map.of("product", "STRING"),
          "member", Map.of("member", "BOOL"),
          "day", Map.of("day", "DATE"),
          "page", Map.of("page", "STRING"));

  // Columns that often are equal stand before the one that never is: they decide between rows of
  // one time where a source has no row_id.
  final ModelTable orders =
      ModelTable.of(
          "orders",
          ZoneOffset.UTC,
          List.of("updated_at", "ordered_at", "customer_id", "product"),
          "region TEXT",
          "customer_id INT",
          "product TEXT",
          "shop INT",
          "amount NUMERIC(10,2)",
          "quantity INT",
          "price DOUBLE PRECISION",
          "paid BOOLEAN",
          "note TEXT",
          "day DATE",
          "ordered_at TIMESTAMPTZ",
          "updated_at TIMESTAMPTZ",
          "order_id BIGINT");
  final ModelTable products =
      ModelTable.of(
          "products",
          ZoneOffset.UTC,
          List.of("updated_at", "valid_at", "product"),
          "product TEXT",
          "kind TEXT",
          "cost NUMERIC(10,2)",
          "active BOOLEAN",
          "valid_at TIMESTAMPTZ",
          "updated_at TIMESTAMPTZ",
          "version BIGINT");
  final ModelTable shops =
      ModelTable.of(
          "shops",
          BERLIN,
          List.of("changed", "opened", "shop"),
          "shop INT",
          "region TEXT",
          "rating INT",
          "rent NUMERIC",
          "opened TIMESTAMP",
          "changed TIMESTAMP",
          "shop_row BIGINT");
  final ModelTable clicks =
      ModelTable.of(
          "clicks",
          ZoneOffset.UTC,
          List.of("at", "page"),
          "member BOOLEAN",
          "day DATE",
          "page TEXT",
          "value BIGINT",
          "at TIMESTAMP",
          "click_id BIGINT");
  final ModelTable visits =
      ModelTable.of(
          "visits",
          NEW_YORK,
          List.of("written_on", "seen_at", "customer_id"),
          "customer_id INT",
          "pages INT",
          "seen_at TIMESTAMPTZ",
          "written_on DATE",
          "visit_id BIGINT");

  final List<ModelTable> tables = List.of(orders, products, shops, clicks, visits);
  final Map<String, ModelSource> sources = new LinkedHashMap<>();
  final List<ModelView> views = new ArrayList<>();

  ModelViews() {
    add(source("orders", orders, "ordered_at", "updated_at", true, "10m", Map.of()));
    add(source("orders_plain", orders, "ordered_at", "updated_at", false, "10m", Map.of()));
    add(source("products", products, "valid_at", "updated_at", true, "5m", Map.of()));
    add(source("shops", shops, "opened", "changed", false, "0s", Map.of("rent", "DECIMAL(12,2)")));
    add(source("clicks", clicks, "at", "at", false, "1h", Map.of()));
    add(source("visits", visits, "seen_at", "written_on", true, "2d", Map.of()));
    addAggregated();
    addNewest();
    addJoined();
    addOfTheirOwnKind();
  }

  private void addAggregated() {
    Condition paid = new Condition("paid", (row, asOf) -> row.isTrue("paid"));
    Condition large =
        new Condition("amount > 5", (row, asOf) -> above(row, "amount", new BigDecimal(5)));
    views.add(
        view("totals", "orders")
            .entity("customer", "customer_id")
            .count("n", "")
            .measure(Function.COUNT, "note", "notes")
            .measure(Function.SUM, "amount", "spent")
            .measure(Function.SUM, "quantity", "items")
            .measure(Function.AVG, "amount", "mean")
            .measure(Function.MIN, "amount", "least")
            .measure(Function.MAX, "note", "most")
            .measure(Function.STDDEV, "price", "spread")
            .measure(Function.COUNT_DISTINCT, "product", "products_seen")
            .measure(Function.FIRST, "note", "oldest")
            .measure(Function.LAST, "amount", "newest")
            .lastN("note", 3, "recent")
            .filtered(Function.SUM, "price", "paid_price", paid)
            .filtered(Function.LAST, "product", "last_large", large)
            .build());
    views.add(
        view("recent", "orders")
            .entity("customer", "customer_id")
            .filter(paid)
            .count("n", "", "90s", "10m", "2h")
            .measure(Function.SUM, "amount", "spent", "10m", "2h")
            .measure(Function.LAST, "note", "newest", "90s", "10m")
            .measure(Function.MIN, "quantity", "least", "1h")
            .measure(Function.COUNT_DISTINCT, "product", "products_seen", "1d")
            .build());
    views.add(
        view("by_region", "orders")
            .entity("region", "region")
            .entity("customer", "customer_id")
            .filter(large)
            .measure(Function.SUM, "amount * quantity", "volume")
            .count("n", "", "10m", "1h")
            .measure(Function.AVG, "price", "mean", "1h")
            .filtered(Function.COUNT, "", "paid_n", paid, "1h")
            .projected("volume / n_1h", "ratio", (row, asOf) -> divided(row, "volume", "n_1h"))
            .projected(
                "COALESCE(mean_1h, 0)",
                "mean_or_none",
                (row, asOf) -> row.isNull("mean_1h") ? 0.0 : row.get("mean_1h"))
            .projected("customer_id + 1", "after", (row, asOf) -> row.whole("customer_id") + 1)
            .build());
    views.add(
        view("region_last", "orders_plain")
            .entity("region", "region")
            .count("n", "")
            .measure(Function.LAST, "note", "newest")
            .measure(Function.FIRST, "day", "oldest")
            .lastN("amount", 4, "recent", "2h")
            .measure(Function.MAX, "paid", "any_paid")
            .build());
  }

  private void addNewest() {
    views.add(view("newest", "orders_plain").entity("customer", "customer_id").build());
    views.add(
        view("newest_paid", "orders")
            .entity("customer", "customer_id")
            .filter(
                new Condition(
                    "paid AND quantity <> 2",
                    (row, asOf) ->
                        row.isTrue("paid")
                            && !row.isNull("quantity")
                            && !Integer.valueOf(2).equals(row.get("quantity"))))
            .projected("note", "note", column("note"))
            .projected("quantity * 2", "twice", (row, asOf) -> 2 * row.whole("quantity"))
            .projected(
                "COALESCE(product, 'none')",
                "what",
                (row, asOf) -> row.isNull("product") ? "none" : row.get("product"))
            .build());
  }

  private void addJoined() {
    JoinTo toProduct = new JoinTo("products", false, List.of("product"), List.of("product"));
    JoinTo inProduct = new JoinTo("products", true, List.of("product"), List.of("product"));
    JoinTo toShop =
        new JoinTo("shops", false, List.of("shop", "region"), List.of("shop", "region"));
    JoinTo inShop = new JoinTo("shops", true, List.of("shop"), List.of("shop"));
    views.add(
        view("with_products", "orders")
            .entity("customer", "customer_id")
            .join(toProduct)
            .filter(
                new Condition(
                    "products.active IS NULL OR products.active",
                    (row, asOf) -> row.isNull("products.active") || row.isTrue("products.active")))
            .count("n", "")
            .measure(Function.SUM, "amount * products.cost", "cost")
            .measure(Function.LAST, "products.kind", "kind")
            .measure(Function.COUNT_DISTINCT, "products.kind", "kinds", "1h")
            .build());
    views.add(
        view("in_kind", "orders_plain")
            .entity("region", "region")
            .join(inProduct)
            .filter(
                new Condition(
                    "products.kind = 'a' AND paid",
                    (row, asOf) -> "a".equals(row.get("products.kind")) && row.isTrue("paid")))
            .count("n", "", "10m", "2h")
            .measure(Function.SUM, "products.cost", "cost")
            .lastN("products.cost", 2, "costs")
            .build());
    views.add(
        view("newest_at_shop", "orders")
            .entity("customer", "customer_id")
            .join(inShop)
            .join(toProduct)
            .filter(
                new Condition(
                    "shops.rating >= 2",
                    (row, asOf) ->
                        row.get("shops.rating") instanceof Integer rating && rating >= 2))
            .projected("shops.rent", "rent", column("shops.rent"))
            .projected("shops.rating", "rating", column("shops.rating"))
            .projected("products.kind", "kind", column("products.kind"))
            .projected("note", "note", column("note"))
            .build());
    views.add(
        view("shop_and_product", "orders")
            .entity("region", "region")
            .entity("customer", "customer_id")
            .join(toShop)
            .join(toProduct)
            .count("n", "")
            .measure(Function.SUM, "shops.rent", "rents")
            .measure(Function.MAX, "products.valid_at", "valid")
            .filtered(
                Function.COUNT,
                "",
                "rated",
                new Condition(
                    "shops.rating > 1",
                    (row, asOf) -> row.get("shops.rating") instanceof Integer rating && rating > 1),
                "1h")
            .build());
    views.add(
        view("by_product", "orders")
            .entity("product", "product")
            .join(inProduct)
            .count("n", "", "1h")
            .measure(Function.LAST, "products.cost", "cost")
            .measure(Function.SUM, "quantity", "items")
            .build());
    views.add(
        view("like_the_newest", "orders")
            .entity("customer", "customer_id")
            .join(new JoinTo("orders_plain", false, List.of("product"), List.of("product")))
            .count("n", "")
            .filtered(
                Function.COUNT,
                "",
                "alike",
                new Condition(
                    "orders_plain.note = note",
                    (row, asOf) ->
                        row.get("note") instanceof String note
                            && note.equals(row.get("orders_plain.note"))))
            .measure(Function.LAST, "orders_plain.note", "newest")
            .build());
  }

  private void addOfTheirOwnKind() {
    views.add(
        view("clicks_on_page", "clicks")
            .entity("member", "member")
            .entity("day", "day")
            .entity("page", "page")
            .count("n", "", "10m", "1d")
            .measure(Function.SUM, "value", "value")
            .measure(Function.LAST, "value", "newest")
            .build());
    views.add(
        view("pages", "visits")
            .entity("customer", "customer_id")
            .filter(
                new Condition(
                    "pages > 1",
                    (row, asOf) -> row.get("pages") instanceof Integer pages && pages > 1))
            .measure(Function.SUM, "pages", "pages_seen", "1d", "4d")
            .count("n", "")
            .build());
    Duration hour = Duration.ofHours(1);
    views.add(
        view("lately", "orders")
            .entity("customer", "customer_id")
            .filter(
                new Condition(
                    "ordered_at > now() - INTERVAL '1' HOUR",
                    (row, asOf) -> row.instant("ordered_at").isAfter(asOf.minus(hour))))
            .count("n", "")
            .measure(Function.LAST, "note", "newest")
            .build());
    views.add(
        view("age", "orders")
            .entity("customer", "customer_id")
            .projected(
                "DATE_DIFF('second', ordered_at, now())",
                "seconds",
                (row, asOf) -> asOf.getEpochSecond() - row.instant("ordered_at").getEpochSecond())
            .projected("note", "note", column("note"))
            .build());
  }

  private static boolean above(ModelRow row, String column, BigDecimal limit) {
    return row.get(column) instanceof BigDecimal number && number.compareTo(limit) > 0;
  }

  private static @org.jspecify.annotations.Nullable Object divided(
      ModelRow row, String over, String under) {
    if (row.get(over) instanceof BigDecimal left
        && row.get(under) instanceof Long right
        && right != 0) {
      return left.doubleValue() / right;
    }
    return null;
  }

  private static Value column(String name) {
    return (row, asOf) -> row.get(name);
  }

  private void add(ModelSource source) {
    ModelSource ignored = sources.put(source.name(), source);
  }

  private static ModelSource source(
      String name,
      ModelTable table,
      String eventTime,
      String cursor,
      boolean rowId,
      String lateness,
      Map<String, String> declared) {
    return new ModelSource(
        name,
        table,
        eventTime,
        cursor,
        rowId,
        true,
        lateness,
        io.featureduck.definition.DurationText.parse(lateness),
        declared);
  }

  private static Builder view(String name, String source) {
    return new Builder(name, source);
  }

  /** Collects the parts of a view. */
  private static final class Builder {
    private final String name;
    private final String source;
    private final List<String> entities = new ArrayList<>();
    private final List<String> keys = new ArrayList<>();
    private final List<JoinTo> joins = new ArrayList<>();
    private final List<Condition> filters = new ArrayList<>();
    private final List<Measure> measures = new ArrayList<>();
    private final List<Projected> projections = new ArrayList<>();

    Builder(String name, String source) {
      this.name = name;
      this.source = source;
    }

    Builder entity(String entity, String key) {
      entities.add(entity);
      keys.add(key);
      return this;
    }

    Builder join(JoinTo join) {
      joins.add(join);
      return this;
    }

    Builder filter(Condition condition) {
      filters.add(condition);
      return this;
    }

    Builder count(String alias, String column, String... windows) {
      return measure(Function.COUNT, column, alias, windows);
    }

    /**
     * @param sql a column, or {@code a * b} of two NUMERIC or INT ones
     */
    Builder measure(Function function, String sql, String alias, String... windows) {
      return add(function, sql, alias, Optional.empty(), 0, windows);
    }

    Builder filtered(
        Function function, String sql, String alias, Condition filter, String... windows) {
      return add(function, sql, alias, Optional.of(filter), 0, windows);
    }

    Builder lastN(String column, int n, String alias, String... windows) {
      return add(Function.LAST_N, column, alias, Optional.empty(), n, windows);
    }

    private Builder add(
        Function function,
        String sql,
        String alias,
        Optional<Condition> filter,
        int n,
        String... windows) {
      measures.add(new Measure(function, sql, value(sql), alias, List.of(windows), filter, n));
      return this;
    }

    private static Value value(String sql) {
      int times = sql.indexOf(" * ");
      if (times < 0) {
        return column(sql);
      }
      String left = sql.substring(0, times);
      String right = sql.substring(times + 3);
      return (row, asOf) ->
          row.isNull(left) || row.isNull(right)
              ? null
              : new BigDecimal(String.valueOf(row.get(left)))
                  .multiply(new BigDecimal(String.valueOf(row.get(right))));
    }

    Builder projected(String sql, String alias, Value value) {
      projections.add(new Projected(sql, alias, value));
      return this;
    }

    ModelView build() {
      return new ModelView(name, entities, keys, source, joins, filters, measures, projections);
    }
  }
}
