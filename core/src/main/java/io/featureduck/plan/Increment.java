package io.featureduck.plan;

import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.LogicalPlan.Scan;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * How a view is brought up to date from what changed in its sources since its last run. The run
 * puts the rows it needs into tables of its session, and computes from there.
 */
/* Touched are the entities of
 * - rows of the own source that were written since (by the cursor), before any filter;
 * - rows whose event time was in the future and no longer is;
 * - rows that have left a window;
 * - rows whose partner in a joined source changed in one of the first two ways.
 * Each touched entity is computed anew from all of its rows and replaces what there was, so a row
 * that is found twice, or for nothing, does no harm: each of the searches may find too much.
 */
public record Increment(
    LogicalPlan plan,
    LogicalPlan entities,
    LogicalPlan rejected,
    Tracked own,
    List<TrackedJoin> joins,
    List<Duration> windows) {
  /** Where the own source's changed rows lie: {@link Tracked#changes}. */
  public static final String CHANGED = "rows__changed";

  /** Where the join keys of the touched entities lie, each once and none with a NULL. */
  public static final String TOUCHED = "entities__touched";

  /** Where the touched entities' rows of the own source lie: {@link Tracked#rows}. */
  public static final String ROWS = "rows__own";

  /**
   * @param plan as {@link ViewPlan#plan}, over the rows in {@link #ROWS} and in the joins' tables
   * @param entities {@code entity_key} of each row in {@link #TOUCHED}
   * @param rejected as {@link ViewPlan#rejected}, over the rows in {@link #CHANGED}
   * @param own whose keys are the view's join keys
   * @param windows the lengths of the view's windows, each once
   */
  public Increment {
    joins = List.copyOf(joins);
    windows = List.copyOf(windows);
  }

  /**
   * A source whose changes are followed.
   *
   * @param rows the columns that the plan reads; the other components are among them
   * @param keys the columns by which rows are looked up
   * @param cursor the event time where the source has no other
   */
  public record Tracked(Scan rows, List<Column> keys, Column eventTime, Column cursor) {
    public Tracked {
      keys = List.copyOf(keys);
    }

    /** Returns what tells which rows changed, and whose they are: keys, event time and cursor. */
    public Scan changes() {
      return keyColumnsAnd(List.of(eventTime, cursor));
    }

    /** Returns the keys alone. */
    public Scan keyColumns() {
      return keyColumnsAnd(List.of());
    }

    /** Returns the keys, and {@code others} of the columns beside them. */
    public Scan keyColumnsAnd(List<Column> others) {
      Set<String> names = new HashSet<>();
      keys.forEach(key -> names.add(key.name()));
      others.forEach(other -> names.add(other.name()));
      return of(names);
    }

    private Scan of(Set<String> names) {
      return new Scan(
          rows.source(),
          new SourceSchema(
              rows.schema().columns().stream()
                  .filter(column -> names.contains(column.name()))
                  .toList()));
    }

    /** Tells whether a row's cursor is another column than its event time. */
    public boolean hasCursor() {
      return !cursor.equals(eventTime);
    }
  }

  /**
   * A joined source.
   *
   * @param right whose keys are the columns it is joined on
   * @param left the own source's columns that equal them, in the same order
   * @param table where the rows lie whose keys the touched entities' rows have
   */
  public record TrackedJoin(Tracked right, List<Column> left, String table) {
    public TrackedJoin {
      left = List.copyOf(left);
    }

    /** Tells whether the source's changes touch nobody. */
    public boolean isStatic() {
      return right.rows().source().isStatic();
    }
  }
}
