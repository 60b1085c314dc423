package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Column;
import io.featureduck.expression.Expression.KeyText;
import io.featureduck.expression.Expression.Logical;
import io.featureduck.expression.Expression.LogicalOperator;
import io.featureduck.expression.Expression.Unit;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.LogicalPlan.Measure;
import io.featureduck.plan.SourceSchema;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Renders plans as the SQL of one engine. Each difference between engines is abstract, so none is
 * forgotten; the structure, a chain of named steps, is rendered here once.
 */
public abstract sealed class SqlDialect permits DuckDbDialect {
  /** Stands in an engine's message before what a CheckedCast says; see {@link #render}. */
  public static final String OUT_OF_RANGE = "value_out_of_range: ";

  /** How tightly things bind; what binds less than its place asks for gets brackets. */
  private static final int OR = 1;

  private static final int AND = 2;
  private static final int NOT = 3;
  private static final int COMPARED = 4;
  private static final int SUM = 5;
  private static final int PRODUCT = 6;
  private static final int SIGNED = 7;
  private static final int ATOM = 8;

  SqlDialect() {}

  /**
   * Returns one SELECT whose columns are, in order, those of {@code plan}. It holds the sources'
   * passwords. The session's time zone must be UTC. Where a feature's number doesn't fit its type
   * the statement fails with {@link #OUT_OF_RANGE} and then, for example, {@code spent_7d of entity
   * 42}.
   */
  public final String render(LogicalPlan plan, Instant asOf) {
    return new Rendering(asOf, false).statement(plan);
  }

  /**
   * As {@link #render}, with {@code ***} for each password: for people to read. Before the SELECT
   * come the statements that make its tables known where they are not.
   */
  public final String show(LogicalPlan plan, Instant asOf) {
    return new Rendering(asOf, true).statement(plan);
  }

  abstract String identifier(String name);

  abstract String text(String value);

  abstract String date(LocalDate value);

  abstract String timestamp(Instant value);

  abstract String interval(long amount, Unit unit);

  abstract String decimal(BigDecimal value);

  abstract String floating(double value);

  abstract String typeName(FeatureType type);

  /** What makes a source known that {@link #table} has by a name alone, without passwords. */
  abstract Optional<String> preparation(Source source, SourceSchema schema);

  /** The rows of a source as a table expression. */
  abstract String table(Source source, SourceSchema schema, boolean masked);

  /** A column of a source, quoted already, converted to what its schema says. */
  abstract String read(Source source, SourceSchema.Column column);

  /** A column of a user's SELECT, converted to what its schema says. */
  abstract String read(SourceSchema.Column column);

  /** The newest row per value of {@code keys}, of the step {@code from}. */
  abstract String latest(String from, List<String> keys, List<String> newestFirst);

  /** An aggregation; {@code filter} is empty text where there is none. */
  abstract String measure(
      Measure measure,
      String input,
      String filter,
      List<String> oldestFirst,
      List<String> newestFirst);

  /** One column of an ORDER BY in which NULL is older than any value. */
  abstract String ordered(String column, boolean newestFirst);

  abstract String divide(String left, String right, boolean mayBeZero);

  abstract String modulo(String left, String right, boolean mayBeZero);

  abstract String call(Expression.Function function, List<String> arguments);

  abstract String dateTrunc(Unit unit, String operand);

  abstract String dateDiff(Unit unit, String from, String to);

  abstract String extract(Unit unit, String operand);

  /** A join key's value as text; {@code |} and {@code \} escaped where it may have them. */
  abstract String keyPart(String value, FeatureType type);

  /** Fails the statement with a message that is an expression of type text. */
  abstract String error(String message);

  /** Renders one statement: what it is for, and the steps that it has so far. */
  private final class Rendering {
    private final Instant asOf;
    private final boolean masked;
    private final List<String> steps = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private final Set<String> preparations = new LinkedHashSet<>();

    Rendering(Instant asOf, boolean masked) {
      this.asOf = asOf;
      this.masked = masked;
    }

    String statement(LogicalPlan plan) {
      String last = select(plan);
      String before =
          masked
              ? preparations.stream().map(text -> text + ";\n").collect(Collectors.joining())
              : "";
      return before + (steps.isEmpty() ? last : "WITH " + String.join(",\n", steps) + "\n" + last);
    }

    /** Makes a step of the plan, after those that it needs, and returns its name, quoted. */
    private String step(LogicalPlan plan, String wish) {
      String body = select(plan);
      String name = wish;
      for (int i = 2; !names.add(name); i++) {
        name = wish + "_" + i;
      }
      addStep(name, body);
      return identifier(name);
    }

    private void addStep(String name, String body) {
      steps.add(identifier(name) + " AS (\n" + body.indent(2).stripTrailing() + "\n)");
    }

    private String step(LogicalPlan plan) {
      return step(
          plan,
          switch (plan) {
            case LogicalPlan.Scan scan -> scan.source().name();
            case LogicalPlan.Fetched fetched -> fetched.scan().source().name();
            case LogicalPlan.Query unused -> "result";
            case LogicalPlan.Filter unused -> "filtered";
            case LogicalPlan.Join unused -> "joined";
            case LogicalPlan.LatestPerEntity unused -> "latest";
            case LogicalPlan.Aggregate unused -> "aggregated";
            case LogicalPlan.Project unused -> "features";
          });
    }

    private String select(LogicalPlan plan) {
      return switch (plan) {
        case LogicalPlan.Scan scan -> {
          preparation(scan.source(), scan.schema()).ifPresent(preparations::add);
          yield columns(scan) + "\nFROM " + table(scan.source(), scan.schema(), masked);
        }
        case LogicalPlan.Fetched(var table, var scan) ->
            columns(scan) + "\nFROM " + identifier(table);
        case LogicalPlan.Query query -> query(query);
        case LogicalPlan.Filter(var input, var predicate) ->
            "SELECT *\nFROM "
                + step(input)
                + "\nWHERE "
                + String.join("\n  AND ", conjuncts(predicate));
        case LogicalPlan.Join join -> join(join);
        case LogicalPlan.LatestPerEntity(var input, var keys, var order) ->
            latest(step(input), render(keys, ATOM), order(order, true));
        case LogicalPlan.Aggregate aggregate -> aggregate(aggregate);
        case LogicalPlan.Project(var input, var columns) -> {
          String from = step(input);
          yield selectList(columns.stream().map(this::named).toList()) + "\nFROM " + from;
        }
      };
    }

    private String columns(LogicalPlan.Scan scan) {
      return selectList(
          scan.schema().columns().stream()
              .map(column -> named(read(scan.source(), column), column.name()))
              .toList());
    }

    private String query(LogicalPlan.Query query) {
      query.inputs().forEach(input -> names.add(input.name()));
      query.inputs().forEach(input -> addStep(input.name(), select(input.plan())));
      String columns =
          query.schema().columns().isEmpty()
              ? "SELECT *"
              : selectList(
                  query.schema().columns().stream()
                      .filter(column -> column.type().isPresent())
                      .map(column -> named(read(column), column.name()))
                      .toList());
      // On lines of its own, for it may end in a comment.
      return columns + "\nFROM (\n" + query.sql().strip().indent(2) + ") AS " + identifier("query");
    }

    private String join(LogicalPlan.Join join) {
      String left = step(join.left());
      String right = step(join.right(), join.name() + "_latest");
      List<String> columns = new ArrayList<>(List.of("l.*"));
      for (String column : join.columns()) {
        columns.add("r." + identifier(column) + " AS " + identifier(join.name() + "." + column));
      }
      String on =
          join.on().stream()
              .map(pair ->
                  "l." + identifier(pair.left().name()) + " = r." + identifier(pair.right().name()))
              .collect(Collectors.joining(" AND "));
      String type =
          switch (join.type()) {
            case LEFT -> "LEFT JOIN ";
            case INNER -> "JOIN ";
          };
      return selectList(columns)
          + "\nFROM %s AS l\n%s%s AS r ON %s".formatted(left, type, right, on);
    }

    private String aggregate(LogicalPlan.Aggregate aggregate) {
      String from = step(aggregate.input());
      List<String> items = new ArrayList<>();
      aggregate.keys().forEach(key -> items.add(named(key)));
      for (Measure measure : aggregate.measures()) {
        String input = measure.input().map(value -> render(value, OR)).orElse("*");
        String filter = measure.filter().map(test -> render(test, OR)).orElse("");
        String value =
            measure(
                measure,
                input,
                filter,
                order(aggregate.order(), false),
                order(aggregate.order(), true));
        items.add(value + " AS " + identifier(measure.name()));
      }
      List<Expression> keys = aggregate.keys().stream().map(LogicalPlan.Named::value).toList();
      return selectList(items)
          + "\nFROM "
          + from
          + (keys.isEmpty() ? "" : "\nGROUP BY " + String.join(", ", render(keys, OR)));
    }

    private List<String> order(List<Column> columns, boolean newestFirst) {
      return columns.stream().map(column -> ordered(render(column, ATOM), newestFirst)).toList();
    }

    private String named(LogicalPlan.Named named) {
      return named(render(named.value(), OR), named.name());
    }

    private String named(String value, String name) {
      return value.equals(identifier(name)) ? value : value + " AS " + identifier(name);
    }

    private String selectList(List<String> items) {
      return "SELECT\n  " + String.join(",\n  ", items);
    }

    private List<String> conjuncts(Expression predicate) {
      if (predicate instanceof Logical(var operator, var left, var right)
          && operator == LogicalOperator.AND) {
        List<String> all = new ArrayList<>(conjuncts(left));
        all.addAll(conjuncts(right));
        return all;
      }
      return List.of(render(predicate, AND));
    }

    private List<String> render(List<? extends Expression> expressions, int place) {
      return expressions.stream().map(expression -> render(expression, place)).toList();
    }

    private String render(Expression expression, int place) {
      String sql = render(expression);
      return strength(expression) < place ? "(" + sql + ")" : sql;
    }

    private String render(Expression expression) {
      return switch (expression) {
        case Column(var source, var name) ->
            identifier(source.map(joined -> joined + "." + name).orElse(name));
        case Expression.AsOf unused -> timestamp(asOf);
        case Expression.NullLiteral unused -> "NULL";
        case Expression.BooleanLiteral(var value) -> value ? "TRUE" : "FALSE";
        case Expression.IntegerLiteral(var value) -> value.toString();
        case Expression.DecimalLiteral(var value) -> decimal(value);
        case Expression.DoubleLiteral(var value) -> floating(value);
        case Expression.TextLiteral(var value) -> text(value);
        case Expression.DateLiteral(var value) -> date(value);
        case Expression.TimestampLiteral(var value) -> timestamp(value);
        case Expression.IntervalLiteral(var amount, var unit) -> interval(amount, unit);
        case Expression.Negate(var operand) -> "-" + render(operand, ATOM);
        case Expression.Arithmetic arithmetic -> arithmetic(arithmetic);
        case Expression.Comparison(var operator, var left, var right) ->
            render(left, SUM) + " " + operator.symbol() + " " + render(right, SUM);
        case Logical(var operator, var left, var right) -> {
          int place = operator == LogicalOperator.AND ? AND : OR;
          yield render(left, place) + " " + operator.name() + " " + render(right, place);
        }
        case Expression.Not(var operand) -> "NOT " + render(operand, NOT);
        case Expression.IsNull(var operand, var negated) ->
            render(operand, SUM) + (negated ? " IS NOT NULL" : " IS NULL");
        case Expression.In(var operand, var values, var negated) ->
            "%s%s IN (%s)"
                .formatted(
                    render(operand, SUM),
                    negated ? " NOT" : "",
                    String.join(", ", render(values, OR)));
        case Expression.Between(var operand, var low, var high, var negated) ->
            "%s%s BETWEEN %s AND %s"
                .formatted(
                    render(operand, SUM),
                    negated ? " NOT" : "",
                    render(low, SUM),
                    render(high, SUM));
        case Expression.Like(var operand, var pattern, var negated) ->
            "%s%s LIKE %s"
                .formatted(render(operand, SUM), negated ? " NOT" : "", render(pattern, SUM));
        case Expression.Case chosen -> chosen(chosen);
        case Expression.Cast(var operand, var type) -> cast(render(operand, OR), type);
        case Expression.CheckedCast checked -> checkedCast(checked);
        case KeyText text -> keyText(text);
        case Expression.Call(var function, var arguments) -> call(function, render(arguments, OR));
        case Expression.DateTrunc(var unit, var operand) -> dateTrunc(unit, render(operand, OR));
        case Expression.DateDiff(var unit, var from, var to) ->
            dateDiff(unit, render(from, OR), render(to, OR));
        case Expression.Extract(var unit, var operand) -> extract(unit, render(operand, OR));
      };
    }

    private String arithmetic(Expression.Arithmetic arithmetic) {
      Expression left = arithmetic.left();
      Expression right = arithmetic.right();
      return switch (arithmetic.operator()) {
        case ADD, SUBTRACT ->
            "%s %s %s"
                .formatted(
                    render(left, SUM), arithmetic.operator().symbol(), render(right, PRODUCT));
        case MULTIPLY -> render(left, PRODUCT) + " * " + render(right, SIGNED);
        case DIVIDE -> divide(render(left, PRODUCT), divisor(right), mayBeZero(right));
        case MODULO -> modulo(render(left, PRODUCT), divisor(right), mayBeZero(right));
      };
    }

    private String divisor(Expression right) {
      return render(right, mayBeZero(right) ? OR : SIGNED);
    }

    private boolean mayBeZero(Expression divisor) {
      return switch (divisor) {
        case Expression.IntegerLiteral(var value) -> value.signum() == 0;
        case Expression.DecimalLiteral(var value) -> value.signum() == 0;
        case Expression.DoubleLiteral(var value) -> value == 0;
        default -> true;
      };
    }

    private String chosen(Expression.Case chosen) {
      StringBuilder sql = new StringBuilder("CASE");
      for (Expression.Case.Branch branch : chosen.branches()) {
        sql.append(" WHEN ").append(render(branch.condition(), OR));
        sql.append(" THEN ").append(render(branch.result(), OR));
      }
      chosen.otherwise().ifPresent(value -> sql.append(" ELSE ").append(render(value, OR)));
      return sql.append(" END").toString();
    }

    private String cast(String value, FeatureType type) {
      return "CAST(" + value + " AS " + typeName(type) + ")";
    }

    private String checkedCast(Expression.CheckedCast checked) {
      Bounds bounds = Bounds.of(checked.type());
      String value = render(checked.operand(), SUM);
      String message =
          text(OUT_OF_RANGE + checked.feature() + " of entity ")
              + " || "
              + keyText(checked.entity());
      return "CASE WHEN %s NOT BETWEEN %s AND %s\n    THEN %s\n    ELSE %s END"
          .formatted(
              value,
              decimal(bounds.low()),
              decimal(bounds.high()),
              error(message),
              cast(render(checked.operand(), OR), checked.type()));
    }

    private String keyText(KeyText text) {
      List<String> parts =
          text.parts().stream()
              .map(part -> keyPart(render(part.value(), ATOM), part.type()))
              .toList();
      return String.join(" || " + text("|") + " || ", parts);
    }

    private static int strength(Expression expression) {
      return switch (expression) {
        case Logical logical -> logical.operator() == LogicalOperator.AND ? AND : OR;
        case Expression.Not unused -> NOT;
        case Expression.Comparison unused -> COMPARED;
        case Expression.IsNull unused -> COMPARED;
        case Expression.In unused -> COMPARED;
        case Expression.Between unused -> COMPARED;
        case Expression.Like unused -> COMPARED;
        case Expression.Arithmetic arithmetic ->
            switch (arithmetic.operator()) {
              case ADD, SUBTRACT -> SUM;
              case MULTIPLY, DIVIDE, MODULO -> PRODUCT;
            };
        case Expression.Negate unused -> SIGNED;
        case Expression.IntegerLiteral(var value) -> value.signum() < 0 ? SIGNED : ATOM;
        case Expression.DecimalLiteral(var value) -> value.signum() < 0 ? SIGNED : ATOM;
        case Expression.DoubleLiteral(var value) -> value < 0 ? SIGNED : ATOM;
        case KeyText unused -> SUM;
        case Column unused -> ATOM;
        case Expression.AsOf unused -> ATOM;
        case Expression.NullLiteral unused -> ATOM;
        case Expression.BooleanLiteral unused -> ATOM;
        case Expression.TextLiteral unused -> ATOM;
        case Expression.DateLiteral unused -> ATOM;
        case Expression.TimestampLiteral unused -> ATOM;
        case Expression.IntervalLiteral unused -> ATOM;
        case Expression.Case unused -> ATOM;
        case Expression.Cast unused -> ATOM;
        case Expression.CheckedCast unused -> ATOM;
        case Expression.Call unused -> ATOM;
        case Expression.DateTrunc unused -> ATOM;
        case Expression.DateDiff unused -> ATOM;
        case Expression.Extract unused -> ATOM;
      };
    }
  }

  /** The least and the greatest number that a type holds. */
  private record Bounds(BigDecimal low, BigDecimal high) {
    static Bounds of(FeatureType type) {
      return switch (type) {
        case FeatureType.Decimal(var precision, var scale) -> {
          BigDecimal high =
              BigDecimal.TEN.pow(precision).subtract(BigDecimal.ONE).movePointLeft(scale);
          yield new Bounds(high.negate(), high);
        }
        case Primitive primitive when primitive == Primitive.INT32 ->
            new Bounds(
                BigDecimal.valueOf(Integer.MIN_VALUE), BigDecimal.valueOf(Integer.MAX_VALUE));
        case Primitive primitive when primitive == Primitive.INT64 ->
            new Bounds(BigDecimal.valueOf(Long.MIN_VALUE), BigDecimal.valueOf(Long.MAX_VALUE));
        default -> throw new IllegalArgumentException("%s has no bounds".formatted(type));
      };
    }
  }

  /** Returns the unit's name in lower case, as DATE_TRUNC and its kin take it. */
  static String unitName(Unit unit) {
    return unit.name().toLowerCase(Locale.ROOT);
  }
}
