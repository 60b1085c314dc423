package io.featureduck.plan;

import io.featureduck.expression.Expression.Column;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Which rows of a source an increment fetches. Whoever fetches may find more rows than these, but
 * none less: the plan over them decides.
 */
public sealed interface RowSelection {
  /**
   * Rows whose instant in {@code column} is later than {@code after}.
   *
   * @param upTo and not later than this, if given
   * @param orNull rows without instant, too
   */
  record Within(Column column, Instant after, Optional<Instant> upTo, boolean orNull)
      implements RowSelection {}

  /**
   * Rows whose {@code columns} are one of {@code values}.
   *
   * @param values each of as many texts as there are columns: whole numbers, ISO dates, {@code
   *     true} and {@code false}, or the text itself
   * @param foreign whether the values come from another column, so that the column's own type may
   *     not have them
   */
  record OneOf(List<Column> columns, List<List<String>> values, boolean foreign)
      implements RowSelection {
    public OneOf {
      columns = List.copyOf(columns);
      values = List.copyOf(values);
    }
  }

  /** Rows whose {@code columns} are in the columns of that name of a table of the session. */
  record InTable(List<Column> columns, String table, List<Column> tableColumns)
      implements RowSelection {
    public InTable {
      columns = List.copyOf(columns);
      tableColumns = List.copyOf(tableColumns);
    }
  }

  /** All rows. */
  record All() implements RowSelection {}
}
