package io.featureduck.plan;

import io.featureduck.definition.Join;
import io.featureduck.definition.JoinKey;
import io.featureduck.expression.Expression.Column;
import io.featureduck.expression.Expression.Logical;
import java.util.List;

/** A join as it is planned: {@code on} and {@code columns} are as the sources name them. */
record JoinedRows(
    Join join,
    SourceRows own,
    SourceRows right,
    List<LogicalPlan.Join.On> on,
    List<String> columns,
    String table) {
  /**
   * @param fetched whether the rows are those of an increment
   */
  LogicalPlan newest(boolean fetched) {
    LogicalPlan.Scan all = right.scanAll();
    LogicalPlan rows = fetched ? new LogicalPlan.Fetched(table, all) : all;
    List<Column> keys = rightKeys();
    return new LogicalPlan.LatestPerEntity(
        new LogicalPlan.Filter(rows, Logical.all(right.upToAsOf(keys))), keys, right.order());
  }

  Increment.TrackedJoin tracked() {
    return new Increment.TrackedJoin(
        new Increment.Tracked(right.scanAll(), rightKeys(), right.eventTime(), right.cursor()),
        on.stream().map(LogicalPlan.Join.On::left).toList(),
        table);
  }

  List<Column> rightKeys() {
    return on.stream().map(LogicalPlan.Join.On::right).toList();
  }

  boolean isKey(LogicalPlan.Join.On pair) {
    return isKey(own, pair.left()) && isKey(right, pair.right());
  }

  private static boolean isKey(SourceRows rows, Column column) {
    return rows.schema()
        .column(column.name())
        .flatMap(SourceSchema.Column::type)
        .filter(JoinKey::isKeyType)
        .isPresent();
  }
}
