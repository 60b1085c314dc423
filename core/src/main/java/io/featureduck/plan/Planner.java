package io.featureduck.plan;

import io.featureduck.definition.Aggregation;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.Join;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Projection;
import io.featureduck.definition.Source;
import io.featureduck.definition.Window;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Arithmetic;
import io.featureduck.expression.Expression.ArithmeticOperator;
import io.featureduck.expression.Expression.Column;
import io.featureduck.expression.Expression.Comparison;
import io.featureduck.expression.Expression.ComparisonOperator;
import io.featureduck.expression.Expression.IntervalLiteral;
import io.featureduck.expression.Expression.KeyText;
import io.featureduck.expression.Expression.Logical;
import io.featureduck.expression.Expression.LogicalOperator;
import io.featureduck.expression.Expression.Unit;
import io.featureduck.plan.LogicalPlan.Measure;
import io.featureduck.plan.LogicalPlan.Named;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Makes the plan of a view from its definition and its sources as they really are. It goes on after
 * a mistake, to find them all.
 */
public final class Planner {
  private static final String ENTITY_KEY = "entity_key";
  private static final String EVENT_TIMESTAMP = "event_timestamp";
  private static final Set<String> RESERVED = Set.of(ENTITY_KEY, EVENT_TIMESTAMP, "updated_at");

  /** What Postgres and MySQL allow for the name of a column. */
  private static final int NAME_BYTES_MAX = 63;

  private final FeatureView view;
  private final Map<String, Source> sources;
  private final Map<String, SourceSchema> schemas;
  private final PlanMistakes mistakes = new PlanMistakes();
  private final List<Feature> features = new ArrayList<>();
  private boolean dependsOnNow;

  private Planner(FeatureView view, List<Source> sources, Map<String, SourceSchema> schemas) {
    this.view = view;
    this.sources = new LinkedHashMap<>();
    sources.forEach(source -> this.sources.put(source.name(), source));
    this.schemas = schemas;
  }

  /**
   * Plans a view that is no {@code sql} view.
   *
   * @param sources at least those that the view reads
   * @param schemas of the sources that the view reads, by source
   * @throws FeatureException SOURCE_SCHEMA, with all mistakes in its message
   */
  public static ViewPlan plan(
      FeatureView view, List<Source> sources, Map<String, SourceSchema> schemas) {
    Planner planner = new Planner(view, sources, schemas);
    return planner.orThrow(planner.plan());
  }

  /** Returns what {@link #plan} would complain about, in the view's order; empty if nothing. */
  public static List<PlanMistake> check(
      FeatureView view, List<Source> sources, Map<String, SourceSchema> schemas) {
    Planner planner = new Planner(view, sources, schemas);
    var unused = planner.plan();
    return planner.mistakes.toList();
  }

  /**
   * Returns the SELECT of an {@code sql} view over its sources' rows up to {@code as_of}, for an
   * engine to say what columns it gives.
   *
   * @throws FeatureException SOURCE_SCHEMA, as {@link #plan}
   */
  public static LogicalPlan.Query query(
      FeatureView view, List<Source> sources, Map<String, SourceSchema> schemas) {
    Planner planner = new Planner(view, sources, schemas);
    return planner.orThrow(planner.query());
  }

  /**
   * Plans an {@code sql} view, whose result has the join keys, the source's timestamp field, and
   * the features: all its other columns but reserved names.
   *
   * @param query from {@link #query}
   * @param result the columns that it gives
   * @throws FeatureException SOURCE_SCHEMA, with all mistakes in its message
   */
  public static ViewPlan planSql(
      FeatureView view, LogicalPlan.Query query, SourceSchema result, List<Source> sources) {
    Planner planner = new Planner(view, sources, Map.of());
    return planner.orThrow(
        planner.planSql(new LogicalPlan.Query(query.sql(), query.inputs(), result)));
  }

  private <T> T orThrow(Optional<T> planned) {
    mistakes.throwIfAny(view.name());
    return planned.orElseThrow();
  }

  private Optional<ViewPlan> plan() {
    Optional<SourceRows> found = rows(view.source(), "/source");
    if (found.isEmpty()) {
      return Optional.empty();
    }
    SourceRows own = found.get();
    Scope scope = new Scope("source '" + view.source() + "'", Optional.of(view.source()));
    own.schema().columns().forEach(scope::add);
    List<JoinedRows> joins = joins(own, scope);
    ExpressionTyper typer = new ExpressionTyper(scope);
    List<Key> keys = keys(scope);
    List<Expression> filters = new ArrayList<>();
    for (int i = 0; i < view.filters().size(); i++) {
      Expression filter = view.filters().get(i);
      mistakes
          .attempt("/filters/" + i, () -> typer.condition(filter))
          .ifPresent(typed -> filters.add(typed.expression()));
    }
    Body body =
        view.aggregations().isEmpty() ? latest(own, typer, keys) : aggregated(own, typer, keys);
    checkFeatures(keys);
    if (!mistakes.isEmpty()) {
      return Optional.empty();
    }
    Set<Column> wanted = new HashSet<>(scope.used());
    if (body.ordered()) {
      wanted.addAll(own.order());
    }
    dependsOnNow |= scope.usesAsOf();
    List<Column> keyColumns = columnsOf(keys);
    LogicalPlan.Scan scan = own.scan(wanted);
    LogicalPlan input = filtered(scan, own, keyColumns, joins, filters, false);
    LogicalPlan counted = own.scan(new HashSet<>(keyColumns));
    String fullOnly = new FullOnly(schemas).reasons(own, keyColumns, joins, dependsOnNow);
    Optional<Increment> increment = Optional.empty();
    if (fullOnly.isEmpty()) {
      increment = Optional.of(increment(own, scan, keys, joins, filters, body));
    }
    return Optional.of(
        new ViewPlan(
            body.over().apply(input),
            features,
            own.rejected(counted, keyColumns),
            Optional.of(entities(counted, keys)),
            increment,
            fullOnly));
  }

  private Increment increment(
      SourceRows own,
      LogicalPlan.Scan scan,
      List<Key> keys,
      List<JoinedRows> joins,
      List<Expression> filters,
      Body body) {
    List<Column> keyColumns = columnsOf(keys);
    Increment.Tracked tracked =
        new Increment.Tracked(scan, keyColumns, own.eventTime(), own.cursor());
    LogicalPlan rows =
        filtered(
            new LogicalPlan.Fetched(Increment.ROWS, scan), own, keyColumns, joins, filters, true);
    return new Increment(
        body.over().apply(rows),
        new LogicalPlan.Project(
            new LogicalPlan.Fetched(Increment.TOUCHED, tracked.keyColumns()),
            List.of(new Named(ENTITY_KEY, keyText(keys)))),
        own.rejected(new LogicalPlan.Fetched(Increment.CHANGED, tracked.changes()), keyColumns),
        tracked,
        joins.stream().map(JoinedRows::tracked).toList(),
        view.aggregations().stream()
            .flatMap(aggregation -> aggregation.windows().stream())
            .map(Window::length)
            .distinct()
            .toList());
  }

  /** A join key with where its value comes from. */
  private record Key(JoinKey key, Typed value) {}

  /** What is put on top of the filtered rows; ordered if it tells newer rows from older ones. */
  private record Body(boolean ordered, UnaryOperator<LogicalPlan> over) {}

  private Optional<SourceRows> rows(String name, String pointer) {
    Source source = sources.get(name);
    SourceSchema schema = schemas.get(name);
    if (source == null || schema == null) {
      mistakes.add(
          pointer, "unknown source '%s'%s".formatted(name, Nearest.hint(name, sources.keySet())));
      return Optional.empty();
    }
    return SourceRows.of(source, schema, pointer, mistakes);
  }

  private List<JoinedRows> joins(SourceRows own, Scope scope) {
    List<JoinedRows> joins = new ArrayList<>();
    for (int i = 0; i < view.joins().size(); i++) {
      Join join = view.joins().get(i);
      String pointer = "/joins/" + i;
      rows(join.source(), pointer + "/source")
          .ifPresent(right ->
              joins.add(join(own, right, join, pointer, scope, "rows__joined_" + joins.size())));
    }
    return joins;
  }

  private JoinedRows join(
      SourceRows own, SourceRows right, Join join, String pointer, Scope scope, String table) {
    Scope rightScope = new Scope("source '" + join.source() + "'", Optional.of(join.source()));
    right.schema().columns().forEach(rightScope::add);
    List<LogicalPlan.Join.On> on = new ArrayList<>();
    Scope leftScope = new Scope("source '" + own.source().name() + "'", Optional.of(view.source()));
    own.schema().columns().forEach(leftScope::add);
    for (int i = 0; i < join.on().size(); i++) {
      Join.On pair = join.on().get(i);
      String at = pointer + "/on/" + i;
      Optional<Typed> left = mistakes.attempt(at + "/left", () -> resolve(leftScope, pair.left()));
      Optional<Typed> other =
          mistakes.attempt(at + "/right", () -> resolve(rightScope, pair.right()));
      if (left.isPresent() && other.isPresent()) {
        Expression equal =
            new Comparison(
                ComparisonOperator.EQUAL,
                column(pair.left()),
                new Column(Optional.of("right"), "c"));
        Scope both = new Scope("", Optional.empty());
        both.add(pair.left(), left.get().type().orElseThrow());
        both.addJoined(
            "right",
            List.of(
                new SourceSchema.Column("c", other.get().type(), other.get().typeName(), true)));
        mistakes
            .attempt(at, () -> new ExpressionTyper(both).type(equal))
            .ifPresent(unused ->
                on.add(
                    new LogicalPlan.Join.On(
                        (Column) left.get().expression(), (Column) other.get().expression())));
      }
    }
    List<SourceSchema.Column> taken = new ArrayList<>();
    for (int i = 0; i < join.columns().size(); i++) {
      String name = join.columns().get(i);
      mistakes
          .attempt(pointer + "/columns/" + i, () -> resolve(rightScope, name))
          .ifPresent(typed ->
              taken.add(right.schema().column(((Column) typed.expression()).name()).orElseThrow()));
    }
    if (join.columns().isEmpty()) {
      taken.addAll(right.schema().columns());
    }
    scope.addJoined(join.source(), taken);
    on.forEach(pair -> scope.use(pair.left()));
    List<String> columns =
        taken.stream()
            .filter(column -> column.type().isPresent())
            .map(SourceSchema.Column::name)
            .toList();
    return new JoinedRows(join, own, right, on, columns, table);
  }

  private static Typed resolve(Scope scope, String name) {
    return scope.resolve(column(name));
  }

  private static Column column(String name) {
    return new Column(Optional.empty(), name);
  }

  private List<Key> keys(Scope scope) {
    List<Key> keys = new ArrayList<>();
    for (JoinKey key : view.joinKeys()) {
      mistakes
          .attempt("/entities", () -> key(scope, key))
          .ifPresent(typed -> keys.add(new Key(key, typed)));
    }
    return keys;
  }

  private static Typed key(Scope scope, JoinKey key) {
    Typed value = resolve(scope, key.name());
    boolean whole = value.isWhole() && Typed.isWhole(key.type());
    if (!whole && !value.type().equals(Optional.of(key.type()))) {
      throw new TypeMistake(
          "join key '%s' is %s, but the column is of type %s: change the entity, or declare the column's type in the source's \"columns\""
              .formatted(key.name(), key.type(), value.typeName()));
    }
    // An INT32 column makes the same text as an INT64 one; the other way round it must fit.
    return key.type() == Primitive.INT32 ? value.as(Primitive.INT32) : value;
  }

  /** Keys of rows that no filter has seen need not fit their type. */
  private static LogicalPlan entities(LogicalPlan rows, List<Key> keys) {
    KeyText text =
        new KeyText(
            keys.stream().map(key -> new KeyText.Part(columnOf(key), key.key().type())).toList());
    return new LogicalPlan.Project(rows, List.of(new Named(ENTITY_KEY, text)));
  }

  private static List<Column> columnsOf(List<Key> keys) {
    return keys.stream().map(Planner::columnOf).toList();
  }

  private static Column columnOf(Key key) {
    return key.value().expression() instanceof Expression.Cast(var operand, var unused)
        ? (Column) operand
        : (Column) key.value().expression();
  }

  private static LogicalPlan filtered(
      LogicalPlan scan,
      SourceRows own,
      List<Column> keyColumns,
      List<JoinedRows> joins,
      List<Expression> filters,
      boolean fetched) {
    List<Expression> conditions = new ArrayList<>(own.upToAsOf(keyColumns));
    LogicalPlan rows = scan;
    if (!joins.isEmpty()) {
      rows = new LogicalPlan.Filter(rows, Logical.all(conditions));
      conditions.clear();
      for (JoinedRows joined : joins) {
        rows =
            new LogicalPlan.Join(
                rows,
                joined.newest(fetched),
                joined.join().source(),
                joined.join().type(),
                joined.on(),
                joined.columns());
      }
    }
    conditions.addAll(filters);
    return conditions.isEmpty() ? rows : new LogicalPlan.Filter(rows, Logical.all(conditions));
  }

  private Body latest(SourceRows own, ExpressionTyper typer, List<Key> keys) {
    KeyText entity = keyText(keys);
    List<Named> columns = new ArrayList<>();
    columns.add(new Named(ENTITY_KEY, entity));
    if (view.projections().isEmpty()) {
      addAllColumns(own, typer, keys, columns);
    }
    addProjections(typer, entity, columns);
    columns.add(new Named(EVENT_TIMESTAMP, own.eventTime()));
    return new Body(
        true,
        input ->
            new LogicalPlan.Project(
                new LogicalPlan.LatestPerEntity(input, columnsOf(keys), own.order()), columns));
  }

  private void addAllColumns(
      SourceRows own, ExpressionTyper typer, List<Key> keys, List<Named> columns) {
    List<Column> keyColumns = columnsOf(keys);
    for (SourceSchema.Column column : own.schema().columns()) {
      Column name = column(column.name());
      if (keyColumns.contains(name)
          || name.equals(own.eventTime())
          || name.equals(own.cursor())
          || RESERVED.contains(column.name().toLowerCase(Locale.ROOT))) {
        continue;
      }
      mistakes
          .attempt("", () -> typer.type(name))
          .ifPresent(typed -> {
            FeatureType type = typed.type().orElseThrow();
            columns.add(new Named(column.name(), new Expression.Cast(name, type)));
            features.add(new Feature(column.name(), type));
          });
    }
  }

  private void addProjections(ExpressionTyper typer, KeyText entity, List<Named> columns) {
    for (int i = 0; i < view.projections().size(); i++) {
      Projection projection = view.projections().get(i);
      mistakes
          .attempt("/projections/" + i, () -> projected(typer, projection))
          .ifPresent(typed -> {
            FeatureType type = typed.type().orElseThrow();
            columns.add(
                new Named(
                    projection.alias(),
                    feature(
                        typed.expression(),
                        type,
                        projection.type().isPresent() && isNumber(typer, projection),
                        projection.alias(),
                        entity)));
            features.add(new Feature(projection.alias(), type));
          });
    }
  }

  private static Typed projected(ExpressionTyper typer, Projection projection) {
    Typed typed = typer.type(projection.expression());
    if (projection.type().isPresent()) {
      FeatureType wanted = projection.type().get();
      ExpressionTyper.cast(typed, wanted);
      return new Typed(typed.expression(), wanted);
    }
    if (typed.type().isEmpty()) {
      throw new TypeMistake("the value is always NULL, so it has no type: give it one");
    }
    return typed;
  }

  private static boolean isNumber(ExpressionTyper typer, Projection projection) {
    return typer.type(projection.expression()).isNumber();
  }

  /** Casts to the feature's type, and names the entity where a number may not fit. */
  private static Expression feature(
      Expression value, FeatureType type, boolean mayOverflow, String name, KeyText entity) {
    boolean bounded = Typed.isWhole(type) || type instanceof Decimal;
    return mayOverflow && bounded
        ? new Expression.CheckedCast(value, type, name, entity)
        : new Expression.Cast(value, type);
  }

  private Body aggregated(SourceRows own, ExpressionTyper typer, List<Key> keys) {
    List<Made> made = new ArrayList<>();
    boolean ordered = false;
    for (int i = 0; i < view.aggregations().size(); i++) {
      Aggregation aggregation = view.aggregations().get(i);
      ordered |= isOrdered(aggregation.function());
      mistakes
          .attempt("/aggregations/" + i, () -> made(own, typer, aggregation))
          .ifPresent(made::addAll);
    }
    made.forEach(one -> features.add(new Feature(one.measure().name(), one.type())));
    List<Named> groups =
        keys.stream().map(key -> new Named(key.key().name(), key.value().expression())).toList();
    KeyText entity = grouped(keys);
    List<Measure> measures = new ArrayList<>(made.stream().map(Made::measure).toList());
    measures.add(
        new Measure(
            EVENT_TIMESTAMP,
            Aggregation.Function.MAX,
            Optional.of(own.eventTime()),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Primitive.TIMESTAMP));
    List<Named> columns = new ArrayList<>(List.of(new Named(ENTITY_KEY, entity)));
    for (Made one : made) {
      String name = one.measure().name();
      columns.add(
          new Named(name, feature(column(name), one.type(), one.mayOverflow(), name, entity)));
    }
    List<Named> projected = projectedOver(keys, made);
    boolean isOrdered = ordered;
    return new Body(
        isOrdered,
        input -> {
          LogicalPlan aggregate =
              new LogicalPlan.Aggregate(
                  input, groups, measures, isOrdered ? own.order() : List.of());
          List<Named> typed = new ArrayList<>(columns);
          if (!projected.isEmpty()) {
            keys.forEach(key -> typed.add(new Named(key.key().name(), column(key.key().name()))));
          }
          typed.add(new Named(EVENT_TIMESTAMP, column(EVENT_TIMESTAMP)));
          LogicalPlan project = new LogicalPlan.Project(aggregate, typed);
          return projected.isEmpty() ? project : new LogicalPlan.Project(project, projected);
        });
  }

  /** The columns of a step on top of the typed aggregations; none where there is no projection. */
  private List<Named> projectedOver(List<Key> keys, List<Made> made) {
    if (view.projections().isEmpty()) {
      return List.of();
    }
    Scope scope = new Scope("the view", Optional.empty());
    keys.forEach(key -> scope.add(key.key().name(), key.key().type()));
    List<Named> columns = new ArrayList<>();
    columns.add(new Named(ENTITY_KEY, column(ENTITY_KEY)));
    for (Made one : made) {
      String name = one.measure().name();
      scope.add(name, one.type());
      columns.add(new Named(name, column(name)));
    }
    addProjections(new ExpressionTyper(scope), grouped(keys), columns);
    dependsOnNow |= scope.usesAsOf();
    columns.add(new Named(EVENT_TIMESTAMP, column(EVENT_TIMESTAMP)));
    return columns;
  }

  /** The entity's key on top of an aggregation, where each join key has its own name. */
  private static KeyText grouped(List<Key> keys) {
    return new KeyText(
        keys.stream()
            .map(key -> new KeyText.Part(column(key.key().name()), key.key().type()))
            .toList());
  }

  private static boolean isOrdered(Aggregation.Function function) {
    return switch (function) {
      case FIRST, LAST, LAST_N -> true;
      case COUNT,
          SUM,
          AVG,
          MIN,
          MAX,
          STDDEV,
          COUNT_DISTINCT,
          APPROX_COUNT_DISTINCT,
          APPROX_PERCENTILE ->
          false;
    };
  }

  /** A feature that an aggregation makes, and its type, which may be another than its measure's. */
  private record Made(Measure measure, FeatureType type, boolean mayOverflow) {}

  private static List<Made> made(SourceRows own, ExpressionTyper typer, Aggregation aggregation) {
    Optional<Typed> input = aggregation.input().map(typer::type);
    Optional<Expression> filter =
        aggregation.filter().map(condition -> typer.condition(condition).expression());
    Typed result = AggregationTypes.result(aggregation, input);
    FeatureType natural = result.type().orElseThrow();
    FeatureType type = aggregation.type().orElse(natural);
    ExpressionTyper.cast(result, type);
    boolean mayOverflow =
        (!type.equals(natural) && Typed.isNumber(natural))
            || (aggregation.function() == Aggregation.Function.SUM
                && AggregationTypes.sumMayOverflow(input.orElseThrow()));
    List<Made> made = new ArrayList<>();
    List<String> names = aggregation.featureNames();
    for (int i = 0; i < names.size(); i++) {
      Optional<Expression> rows =
          aggregation.windows().isEmpty()
              ? filter
              : Optional.of(within(own, aggregation.windows().get(i), filter));
      Measure measure =
          new Measure(
              names.get(i),
              aggregation.function(),
              input.map(unused -> result.expression()),
              rows,
              aggregation.n(),
              aggregation.percentile(),
              natural);
      made.add(new Made(measure, type, mayOverflow));
    }
    return made;
  }

  /** {@code event time > as_of - window}: the upper end is in every row's filter already. */
  private static Expression within(SourceRows own, Window window, Optional<Expression> filter) {
    Expression start =
        new Arithmetic(ArithmeticOperator.SUBTRACT, new Expression.AsOf(), interval(window));
    Expression inside = new Comparison(ComparisonOperator.GREATER, own.eventTime(), start);
    return filter
        .<Expression>map(condition -> new Logical(LogicalOperator.AND, inside, condition))
        .orElse(inside);
  }

  private static IntervalLiteral interval(Window window) {
    String text = window.text();
    long amount = Long.parseLong(text.substring(0, text.length() - 1));
    Unit unit =
        switch (text.charAt(text.length() - 1)) {
          case 's' -> Unit.SECOND;
          case 'm' -> Unit.MINUTE;
          case 'h' -> Unit.HOUR;
          case 'd' -> Unit.DAY;
          default -> Unit.WEEK;
        };
    return new IntervalLiteral(amount, unit);
  }

  private static KeyText keyText(List<Key> keys) {
    return new KeyText(
        keys.stream()
            .map(key -> new KeyText.Part(key.value().expression(), key.key().type()))
            .toList());
  }

  private void checkFeatures(List<Key> keys) {
    Set<String> seen = new HashSet<>();
    for (Feature feature : features) {
      String name = feature.name();
      if (!seen.add(name.toLowerCase(Locale.ROOT))) {
        mistakes.add("", "two features are named '%s'".formatted(name));
      }
      if (RESERVED.contains(name.toLowerCase(Locale.ROOT))) {
        mistakes.add("", "no feature may be named '%s'".formatted(name));
      }
      if (name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES_MAX) {
        mistakes.add("", "the feature name '%s' is longer than 63 bytes".formatted(name));
      }
      if (!view.aggregations().isEmpty()
          && keys.stream().anyMatch(key -> key.key().name().equalsIgnoreCase(name))) {
        mistakes.add("", "feature '%s' has the name of a join key".formatted(name));
      }
    }
    if (features.isEmpty() && mistakes.isEmpty()) {
      mistakes.add("", "the view has no feature");
    }
  }

  private Optional<LogicalPlan.Query> query() {
    String sql = view.sql().orElseThrow();
    List<LogicalPlan.Query.Input> inputs = new ArrayList<>();
    List<String> names = new ArrayList<>(List.of(view.source()));
    view.joins().forEach(join -> names.add(join.source()));
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      rows(name, i == 0 ? "/source" : "/joins/" + (i - 1) + "/source")
          .ifPresent(rows ->
              inputs.add(
                  new LogicalPlan.Query.Input(
                      name,
                      new LogicalPlan.Filter(
                          rows.scanAll(), Logical.all(rows.upToAsOf(List.of()))))));
    }
    return Optional.of(new LogicalPlan.Query(sql, inputs, new SourceSchema(List.of())));
  }

  private Optional<ViewPlan> planSql(LogicalPlan.Query query) {
    Source source = sources.get(view.source());
    if (source == null) {
      mistakes.add("/source", "unknown source '%s'".formatted(view.source()));
      return Optional.empty();
    }
    Scope scope = new Scope("the view's sql", Optional.empty());
    query.schema().columns().forEach(scope::add);
    Optional<Typed> time =
        mistakes
            .attempt("/sql", () -> resolve(scope, source.timestampField()))
            .filter(typed -> typed.type().isPresent());
    List<Key> keys = new ArrayList<>();
    for (JoinKey key : view.joinKeys()) {
      mistakes
          .attempt("/sql", () -> key(scope, key))
          .ifPresent(typed -> keys.add(new Key(key, typed)));
    }
    if (time.isPresent() && !time.get().is(Primitive.TIMESTAMP)) {
      mistakes.add(
          "/sql",
          "column '%s' is of type %s: must be a TIMESTAMP"
              .formatted(source.timestampField(), time.get().typeName()));
    }
    if (time.isEmpty() || !mistakes.isEmpty()) {
      return Optional.empty();
    }
    Column eventTime = (Column) time.get().expression();
    SourceRows rows = new SourceRows(withoutRowId(source), query.schema(), eventTime, eventTime);
    Body body = latest(rows, new ExpressionTyper(scope), keys);
    checkFeatures(keys);
    if (!mistakes.isEmpty()) {
      return Optional.empty();
    }
    List<Column> keyColumns = columnsOf(keys);
    LogicalPlan known = new LogicalPlan.Filter(query, Logical.all(rows.upToAsOf(keyColumns)));
    return Optional.of(
        new ViewPlan(
            body.over().apply(known),
            features,
            rows.rejected(query, keyColumns),
            sourceEntities(query),
            Optional.empty(),
            "it is written as sql"));
  }

  /** Looks for the join keys among the columns of the source itself. */
  private Optional<LogicalPlan> sourceEntities(LogicalPlan.Query query) {
    LogicalPlan own = query.inputs().getFirst().plan();
    if (!(own instanceof LogicalPlan.Filter(LogicalPlan.Scan scan, var unused))) {
      throw new IllegalStateException("the own source of an sql view is no filtered scan");
    }
    Scope scope = new Scope("the view's source", Optional.empty());
    scan.schema().columns().forEach(scope::add);
    PlanMistakes missing = new PlanMistakes();
    List<Key> keys = new ArrayList<>();
    for (JoinKey key : view.joinKeys()) {
      missing.attempt("", () -> key(scope, key)).ifPresent(typed -> keys.add(new Key(key, typed)));
    }
    if (!missing.isEmpty()) {
      return Optional.empty();
    }
    List<Column> columns = columnsOf(keys);
    SourceSchema schema =
        new SourceSchema(
            scan.schema().columns().stream()
                .filter(column -> columns.contains(column(column.name())))
                .toList());
    return Optional.of(entities(new LogicalPlan.Scan(scan.source(), schema), keys));
  }

  /** The SELECT need not give the source's row_id, so its rows are told apart by all columns. */
  private static Source withoutRowId(Source source) {
    return new Source(
        source.name(),
        source.location(),
        source.timestampField(),
        source.cursorField(),
        source.incremental(),
        source.allowedLateness(),
        source.timezone(),
        Optional.empty(),
        source.columns(),
        source.isStatic());
  }
}
