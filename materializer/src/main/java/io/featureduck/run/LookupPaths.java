package io.featureduck.run;

import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.Increment;
import io.featureduck.plan.Increment.Tracked;
import io.featureduck.plan.Increment.TrackedJoin;
import io.featureduck.source.LookupPath;
import io.featureduck.source.LookupPath.Use;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How {@link Changes} looks rows up: what a source's server should have indexes for. */
final class LookupPaths {
  private final Map<LookupPath, String> paths = new LinkedHashMap<>();

  private LookupPaths() {}

  /** Returns each path of an increment once, with words for the rows that are found by it. */
  static Map<LookupPath, String> of(Increment increment) {
    LookupPaths found = new LookupPaths();
    Tracked own = increment.own();
    found.addChanges(own);
    if (!increment.windows().isEmpty()) {
      found.addEventTime(own, "rows that leave a window");
    }
    found.addKeys(own, own.keys(), "the rows of touched entities");
    for (TrackedJoin join : increment.joins()) {
      found.addJoin(own, join);
    }
    return found.paths;
  }

  private void addJoin(Tracked own, TrackedJoin join) {
    String joined = join.right().rows().source().name();
    addKeys(join.right(), join.right().keys(), "the rows that are joined");
    if (!join.isStatic()) {
      addChanges(join.right());
      addKeys(own, join.left(), "the rows that changes of '%s' touch".formatted(joined));
    }
  }

  private void addChanges(Tracked tracked) {
    add(tracked, Use.RANGE, List.of(tracked.cursor()), "rows that were written lately");
    if (tracked.hasCursor()) {
      addEventTime(tracked, "rows that had an event time in the future");
    }
  }

  private void addEventTime(Tracked tracked, String rows) {
    add(tracked, Use.RANGE, List.of(tracked.eventTime()), rows);
  }

  private void addKeys(Tracked tracked, List<Column> columns, String rows) {
    add(tracked, Use.KEYS, columns, rows);
  }

  private void add(Tracked tracked, Use use, List<Column> columns, String rows) {
    List<String> names = columns.stream().map(Column::name).toList();
    String ignored = paths.putIfAbsent(new LookupPath(tracked.rows().source(), use, names), rows);
  }
}
