package io.featureduck.plan;

import io.featureduck.definition.Aggregation;
import io.featureduck.definition.Source;
import io.featureduck.error.Nearest;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Column;
import io.featureduck.expression.Expression.Comparison;
import io.featureduck.expression.Expression.ComparisonOperator;
import io.featureduck.expression.Expression.IsNull;
import io.featureduck.expression.Expression.Logical;
import io.featureduck.expression.Expression.LogicalOperator;
import io.featureduck.plan.LogicalPlan.Measure;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A source's rows as a plan sees them: with the columns that tell which of them a run takes, and
 * which of two is newer.
 *
 * @param schema with the types that the source declares in place of those that were found, and
 *     TIMESTAMPs for the columns that tell the time
 * @param cursor the event time itself where the source names no other
 */
record SourceRows(Source source, SourceSchema schema, Column eventTime, Column cursor) {
  /**
   * Finds the columns that a plan needs of every source.
   *
   * @return the rows, or empty where they can't be told in time; why is noted at {@code pointer}
   */
  static Optional<SourceRows> of(
      Source source, SourceSchema schema, String pointer, PlanMistakes mistakes) {
    SourceSchema declared = declared(source, schema, pointer, mistakes);
    Optional<Column> eventTime =
        time(declared, source, source.timestampField(), "timestamp_field", pointer, mistakes);
    Optional<Column> cursor =
        source.cursorField().equals(source.timestampField())
            ? eventTime
            : time(declared, source, source.cursorField(), "cursor_field", pointer, mistakes);
    Optional<String> rowId =
        source.rowId().map(id -> columnName(declared, source, id, "row_id", pointer, mistakes));
    if (eventTime.isEmpty() || cursor.isEmpty() || rowId.equals(Optional.of(""))) {
      return Optional.empty();
    }
    return Optional.of(
        new SourceRows(
            source,
            asTimes(declared, eventTime.get(), cursor.get()),
            eventTime.get(),
            cursor.get()));
  }

  /** Puts the types that the source declares in place of those that were found. */
  private static SourceSchema declared(
      Source source, SourceSchema schema, String pointer, PlanMistakes mistakes) {
    List<String> names = schema.columns().stream().map(SourceSchema.Column::name).toList();
    source.columns().keySet().stream()
        .sorted()
        .filter(name -> !names.contains(name))
        .forEach(name ->
            mistakes.add(
                pointer,
                "source '%s' declares the type of column '%s', which it doesn't have%s"
                    .formatted(source.name(), name, Nearest.hint(name, names))));
    return new SourceSchema(
        schema.columns().stream()
            .map(column -> {
              FeatureType type = source.columns().get(column.name());
              return type == null
                  ? column
                  : new SourceSchema.Column(
                      column.name(), Optional.of(type), column.engineType(), column.zoned());
            })
            .toList());
  }

  private static SourceSchema asTimes(SourceSchema schema, Column eventTime, Column cursor) {
    return new SourceSchema(
        schema.columns().stream()
            .map(column ->
                column.name().equals(eventTime.name()) || column.name().equals(cursor.name())
                    ? new SourceSchema.Column(
                        column.name(),
                        Optional.of(Primitive.TIMESTAMP),
                        column.engineType(),
                        column.zoned())
                    : column)
            .toList());
  }

  private static Optional<Column> time(
      SourceSchema schema,
      Source source,
      String name,
      String role,
      String pointer,
      PlanMistakes mistakes) {
    String found = columnName(schema, source, name, role, pointer, mistakes);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    SourceSchema.Column column = schema.column(found).orElseThrow();
    if (!column.type().equals(Optional.of(Primitive.TIMESTAMP))
        && !column.type().equals(Optional.of(Primitive.DATE))) {
      mistakes.add(
          pointer,
          "%s '%s' of source '%s' is of type %s: must be a TIMESTAMP or DATE (declare it in the source's \"columns\" if its values are)"
              .formatted(role, name, source.name(), column.engineType()));
      return Optional.empty();
    }
    return Optional.of(new Column(Optional.empty(), found));
  }

  /** Returns the column's real name, or the empty text where there is none. */
  private static String columnName(
      SourceSchema schema,
      Source source,
      String name,
      String role,
      String pointer,
      PlanMistakes mistakes) {
    Scope scope = new Scope("source '%s'".formatted(source.name()), Optional.empty());
    schema.columns().forEach(column -> scope.add(column.name(), Primitive.BOOL));
    try {
      return ((Column) scope.resolve(new Column(Optional.empty(), name)).expression()).name();
    } catch (TypeMistake mistake) {
      mistakes.add(pointer, role + ": " + mistake.what());
      return "";
    }
  }

  boolean hasCursor() {
    return !cursor.equals(eventTime);
  }

  /** Returns what tells which of two rows is newer: the same total order in every engine. */
  List<Column> order() {
    Set<Column> order = new LinkedHashSet<>(List.of(eventTime, cursor));
    if (source.rowId().isPresent()) {
      order.add(new Column(Optional.empty(), source.rowId().get()));
    } else {
      for (SourceSchema.Column column : schema.columns()) {
        if (column.type().isPresent()) {
          order.add(new Column(Optional.empty(), column.name()));
        }
      }
    }
    return List.copyOf(order);
  }

  /** Returns what holds for the rows that a run takes; none of {@code notNull} may be NULL. */
  List<Expression> upToAsOf(List<Column> notNull) {
    List<Expression> conditions = new ArrayList<>();
    notNull.forEach(key -> conditions.add(new IsNull(key, true)));
    conditions.add(
        new Comparison(ComparisonOperator.LESS_OR_EQUAL, eventTime, new Expression.AsOf()));
    if (hasCursor()) {
      // A row that was never marked as written is no row from the future.
      conditions.add(
          new Logical(
              LogicalOperator.OR,
              new Comparison(ComparisonOperator.LESS_OR_EQUAL, cursor, new Expression.AsOf()),
              new IsNull(cursor, false)));
    }
    return conditions;
  }

  /** Scans the columns that are wanted, and those that tell the time. */
  LogicalPlan.Scan scan(Set<? extends Expression> wanted) {
    return new LogicalPlan.Scan(
        source,
        new SourceSchema(
            schema.columns().stream()
                .filter(column -> {
                  Column asked = new Column(Optional.empty(), column.name());
                  return wanted.contains(asked) || asked.equals(eventTime) || asked.equals(cursor);
                })
                .toList()));
  }

  /** Scans every column that has a type of ours. */
  LogicalPlan.Scan scanAll() {
    return new LogicalPlan.Scan(
        source,
        new SourceSchema(
            schema.columns().stream().filter(column -> column.type().isPresent()).toList()));
  }

  /**
   * Counts the rows that are read, and those of them that are dropped, by reason.
   *
   * @param keys the columns of the join keys
   */
  LogicalPlan rejected(LogicalPlan rows, List<Column> keys) {
    Expression nullKey =
        keys.stream()
            .<Expression>map(key -> new IsNull(key, false))
            .reduce((left, right) -> new Logical(LogicalOperator.OR, left, right))
            .orElseThrow();
    Expression keyed =
        Logical.all(keys.stream().<Expression>map(key -> new IsNull(key, true)).toList());
    Expression later = new Comparison(ComparisonOperator.GREATER, eventTime, new Expression.AsOf());
    if (hasCursor()) {
      later =
          new Logical(
              LogicalOperator.AND,
              new IsNull(eventTime, true),
              new Logical(
                  LogicalOperator.OR,
                  later,
                  new Comparison(ComparisonOperator.GREATER, cursor, new Expression.AsOf())));
    }
    return new LogicalPlan.Aggregate(
        rows,
        List.of(),
        List.of(
            count("rows_read", Optional.empty()),
            count("null_join_key", Optional.of(nullKey)),
            count(
                "null_event_time",
                Optional.of(new Logical(LogicalOperator.AND, keyed, new IsNull(eventTime, false)))),
            count("after_as_of", Optional.of(new Logical(LogicalOperator.AND, keyed, later)))),
        List.of());
  }

  private static Measure count(String name, Optional<Expression> filter) {
    return new Measure(
        name,
        Aggregation.Function.COUNT,
        Optional.empty(),
        filter,
        Optional.empty(),
        Optional.empty(),
        Primitive.INT64);
  }
}
