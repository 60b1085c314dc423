package io.featureduck.run;

import io.featureduck.definition.Aggregation.Function;
import io.featureduck.definition.Window;
import java.math.BigDecimal;
import java.math.MathContext;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A view, once as the config has it and once as plain Java computes it: rows in lists, one loop
 * after the other, no SQL and nothing of the product's.
 *
 * @param entities by name, with the join keys in order in {@code keys}
 * @param measures empty for the newest row per entity
 * @param projections over the measures and join keys, or the newest row
 */
record ModelView(
    String name,
    List<String> entities,
    List<String> keys,
    String source,
    List<JoinTo> joins,
    List<Condition> filters,
    List<Measure> measures,
    List<Projected> projections) {

  /** A value of a row; null where NULL. */
  interface Value {
    @Nullable Object of(ModelRow row, Instant asOf);
  }

  /** Whether an expression is true of a row; where it is NULL it isn't. */
  interface Test {
    boolean isTrue(ModelRow row, Instant asOf);
  }

  record Condition(String sql, Test test) {}

  record JoinTo(String source, boolean inner, List<String> left, List<String> right) {
    Map<String, Object> json() {
      List<Object> on = new ArrayList<>();
      for (int i = 0; i < left.size(); i++) {
        on.add(Map.of("left", left.get(i), "right", right.get(i)));
      }
      return Map.of("source", source, "type", inner ? "inner" : "left", "on", on);
    }
  }

  /**
   * @param sql empty for a count of rows
   * @param n of LAST_N, else 0
   */
  record Measure(
      Function function,
      String sql,
      Value value,
      String alias,
      List<String> windows,
      Optional<Condition> filter,
      int n) {
    Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("function", function.id());
      json.put("alias", alias);
      if (!sql.isEmpty()) {
        json.put("expression", sql);
      }
      if (!windows.isEmpty()) {
        json.put("windows", windows);
      }
      filter.ifPresent(condition -> json.put("filter", condition.sql()));
      if (function == Function.LAST_N) {
        json.put("n", n);
      }
      return json;
    }
  }

  record Projected(String sql, String alias, Value value) {}

  /** What the online table has of an entity. */
  record Row(Map<String, Object> features, Instant event) {}

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("name", name);
    json.put("entities", entities);
    json.put("source", source);
    json.put("joins", joins.stream().map(JoinTo::json).toList());
    json.put("filters", filters.stream().map(Condition::sql).toList());
    json.put("aggregations", measures.stream().map(Measure::json).toList());
    json.put(
        "projections",
        projections.stream()
            .map(one -> Map.of("expression", one.sql(), "alias", one.alias()))
            .toList());
    return json;
  }

  /** Returns the sources that the view reads, its own first. */
  List<String> sources() {
    List<String> sources = new ArrayList<>(List.of(source));
    joins.forEach(join -> sources.add(join.source()));
    return sources;
  }

  List<Window> windows() {
    return measures.stream()
        .flatMap(measure -> measure.windows().stream())
        .map(Window::parse)
        .toList();
  }

  /** Computes the whole online table at {@code asOf}, by entity key. */
  Map<String, Row> compute(Map<String, ModelSource> sources, Instant asOf) {
    ModelSource own = Objects.requireNonNull(sources.get(source));
    Map<String, List<ModelRow>> groups = new HashMap<>();
    for (ModelRow row : joined(own, sources, asOf)) {
      if (filters.stream().allMatch(filter -> filter.test().isTrue(row, asOf))) {
        groups.computeIfAbsent(entityKey(row), key -> new ArrayList<>()).add(row);
      }
    }
    Map<String, Row> table = new TreeMap<>();
    groups.forEach((key, rows) -> {
      rows.sort(own.oldestFirst());
      Instant newest = own.time(rows.getLast(), own.eventTime()).orElseThrow();
      Map<String, Object> features = new TreeMap<>();
      features(own, rows, asOf)
          .forEach((name, value) -> features.put(name, canonical(value.orElse(null))));
      Row ignored = table.put(key, new Row(features, newest));
    });
    return table;
  }

  private List<ModelRow> joined(ModelSource own, Map<String, ModelSource> sources, Instant asOf) {
    List<ModelRow> rows =
        own.upTo(asOf).stream().filter(row -> keys.stream().noneMatch(row::isNull)).toList();
    for (JoinTo join : joins) {
      Map<List<String>, ModelRow> newest =
          Objects.requireNonNull(sources.get(join.source())).newest(asOf, join.right());
      List<ModelRow> wider = new ArrayList<>();
      for (ModelRow row : rows) {
        boolean nothing = join.left().stream().anyMatch(row::isNull);
        ModelRow partner = nothing ? null : newest.get(ModelSource.values(row, join.left()));
        if (partner != null) {
          ModelRow wide = new ModelRow(row);
          wide.join(join.source(), partner);
          wider.add(wide);
        } else if (!join.inner()) {
          wider.add(row);
        }
      }
      rows = wider;
    }
    return rows;
  }

  private String entityKey(ModelRow row) {
    return keys.stream()
        .map(key -> String.valueOf(row.get(key)).replace("\\", "\\\\").replace("|", "\\|"))
        .collect(Collectors.joining("|"));
  }

  private Map<String, Optional<Object>> features(
      ModelSource own, List<ModelRow> rows, Instant asOf) {
    Map<String, Optional<Object>> features = new LinkedHashMap<>();
    ModelRow under = new ModelRow(rows.getLast());
    for (Measure measure : measures) {
      if (measure.windows().isEmpty()) {
        put(features, under, measure.alias(), aggregate(measure, rows, asOf));
      }
      for (String window : measure.windows()) {
        Instant start = asOf.minus(Window.parse(window).length());
        List<ModelRow> within =
            rows.stream()
                .filter(row -> own.time(row, own.eventTime()).orElseThrow().isAfter(start))
                .toList();
        put(features, under, measure.alias() + "_" + window, aggregate(measure, within, asOf));
      }
    }
    Map<String, Optional<Object>> projected = new LinkedHashMap<>();
    for (Projected projection : projections) {
      projected.put(projection.alias(), Optional.ofNullable(projection.value().of(under, asOf)));
    }
    features.putAll(projected);
    if (measures.isEmpty() && projections.isEmpty()) {
      for (ModelTable.Column column : own.table().columns()) {
        String name = column.name();
        if (!keys.contains(name) && !name.equals(own.eventTime()) && !name.equals(own.cursor())) {
          features.put(name, Optional.ofNullable(under.get(name)));
        }
      }
    }
    return features;
  }

  private static void put(
      Map<String, Optional<Object>> features, ModelRow under, String name, @Nullable Object value) {
    features.put(name, Optional.ofNullable(value));
    ModelRow ignored = under.set(name, value);
  }

  /**
   * @param rows oldest first
   */
  private static @Nullable Object aggregate(Measure measure, List<ModelRow> rows, Instant asOf) {
    List<Optional<Object>> all = new ArrayList<>();
    for (ModelRow row : rows) {
      if (measure.filter().isEmpty() || measure.filter().get().test().isTrue(row, asOf)) {
        all.add(Optional.ofNullable(measure.value().of(row, asOf)));
      }
    }
    List<Object> values = all.stream().flatMap(Optional::stream).toList();
    return switch (measure.function()) {
      case COUNT -> (long) (measure.sql().isEmpty() ? all.size() : values.size());
      case COUNT_DISTINCT -> values.stream().map(ModelView::canonical).distinct().count();
      case SUM -> values.stream().reduce(ModelView::plus).map(ModelView::wide).orElse(null);
      case AVG ->
          values.stream().reduce(ModelView::plus).map(sum -> over(sum, values.size())).orElse(null);
      case MIN -> values.stream().min(ModelTable::compare).orElse(null);
      case MAX -> values.stream().max(ModelTable::compare).orElse(null);
      case STDDEV ->
          deviation(values.stream().mapToDouble(value -> ((Number) value).doubleValue()).toArray());
      case FIRST -> all.isEmpty() ? null : all.getFirst().orElse(null);
      case LAST -> all.isEmpty() ? null : all.getLast().orElse(null);
      case LAST_N -> all.isEmpty() ? null : all.reversed().stream().limit(measure.n()).toList();
      case APPROX_COUNT_DISTINCT, APPROX_PERCENTILE ->
          throw new IllegalArgumentException(measure.function() + " is not exact");
    };
  }

  private static Object plus(Object left, Object right) {
    return switch (left) {
      case BigDecimal number -> number.add((BigDecimal) right);
      case Double number -> number + (Double) right;
      case Integer number -> Math.addExact((long) number, ((Number) right).longValue());
      case Long number -> Math.addExact(number, ((Number) right).longValue());
      default -> throw new IllegalArgumentException("no sum of " + left.getClass());
    };
  }

  private static Object wide(Object sum) {
    return sum instanceof Integer number ? (Object) (long) number : sum;
  }

  private static Object over(Object sum, int count) {
    return sum instanceof Double number
        ? (Object) (number / count)
        : new BigDecimal(sum.toString())
            .divide(BigDecimal.valueOf(count), MathContext.DECIMAL128)
            .doubleValue();
  }

  private static @Nullable Object deviation(double[] values) {
    if (values.length < 2) {
      return null;
    }
    double mean = 0;
    for (double value : values) {
      mean += value / values.length;
    }
    double squares = 0;
    for (double value : values) {
      squares += (value - mean) * (value - mean);
    }
    return Math.sqrt(squares / (values.length - 1));
  }

  /** Returns a value so that equal ones are equal: text, or a Double. */
  static Object canonical(@Nullable Object value) {
    return switch (value) {
      case null -> "NULL";
      case Optional<?> optional -> canonical(optional.orElse(null));
      case List<?> list ->
          list.stream().map(ModelView::canonical).map(Object::toString).toList().toString();
      case Double number -> number;
      case BigDecimal number ->
          number.signum() == 0 ? "0" : number.stripTrailingZeros().toPlainString();
      case String text -> "'" + text + "'";
      default -> value.toString();
    };
  }
}
