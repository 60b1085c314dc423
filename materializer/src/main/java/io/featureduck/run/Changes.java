package io.featureduck.run;

import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.expression.Expression.Column;
import io.featureduck.plan.Feature;
import io.featureduck.plan.Increment;
import io.featureduck.plan.Increment.Tracked;
import io.featureduck.plan.Increment.TrackedJoin;
import io.featureduck.plan.LogicalPlan.Scan;
import io.featureduck.plan.RowSelection;
import io.featureduck.source.SourceReader;
import io.featureduck.source.SourceReader.Rejected;
import io.featureduck.store.Basis;
import io.featureduck.store.Progress.SourceRead;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Fetches into a run's session what an increment computes from: which rows changed, whom they
 * touch, and all rows of those. What a source is asked for is small, so its server can use its
 * indexes; nothing but the touched entities' rows leaves it.
 */
final class Changes {
  /** Keys in one statement. A pair of columns is planned as a condition of its own, so fewer. */
  private static final int KEYS_PER_STATEMENT = 10_000;

  private static final int PAIRS_PER_STATEMENT = 500;

  /** Above so many, and so large a part of all entities, reading everything once is quicker. */
  private static final long TOUCHED_ENTITIES_MIN = 10_000;

  private static final double TOUCHED_FRACTION_MAX = 0.25;
  private static final long TOUCHED_ENTITIES_MAX = 500_000;

  /** Above so many, a server's changed rows are not fetched where all of them would be held. */
  private static final long CHANGED_ROWS_HELD_MAX = 1_000_000;

  private static final String FOUND = "entities__found";
  private static final DuckDbDialect DIALECT = DuckDbDialect.overAttached();

  private final DuckDbSession session;
  private final SourceReader reader;
  private final Increment increment;
  private final Basis basis;
  private final Instant asOf;
  private final Map<Source, Long> rowsBySource = new LinkedHashMap<>();

  Changes(
      DuckDbSession session, SourceReader reader, Increment increment, Basis basis, Instant asOf) {
    this.session = session;
    this.reader = reader;
    this.increment = increment;
    this.basis = basis;
    this.asOf = asOf;
  }

  /** Returns the instant after which a source's cursor tells of changes. */
  private static Instant lowerBound(Source source, Basis basis) {
    return basis.watermark(source.name()).instant().minus(source.allowedLateness());
  }

  /** Returns the instant after which the cursor of the view's own source tells of changes. */
  Instant lowerBound() {
    return lowerBound(increment.own().rows().source(), basis);
  }

  /** Returns what was fetched so far of each source. */
  List<SourceRead> reads() {
    List<SourceRead> reads = new ArrayList<>();
    rowsBySource.forEach((source, rows) ->
        reads.add(
            new SourceRead(
                source.name(),
                source.isStatic() ? Optional.empty() : Optional.of(lowerBound(source, basis)),
                Optional.of(asOf),
                Optional.of(rows),
                reader.files(source))));
    return reads;
  }

  /**
   * Finds the touched entities.
   *
   * @return how many there are; empty where they are so many that a full run is cheaper
   */
  Optional<Long> findTouched() {
    Tracked own = increment.own();
    if (isTooMuchWritten(own)) {
      return Optional.empty();
    }
    create(Increment.CHANGED, own.changes(), new Part(written(own)));
    session.execute(
        "CREATE TEMP TABLE %s AS SELECT %s FROM %s"
            .formatted(quoted(FOUND), names(own.keys()), quoted(Increment.CHANGED)));
    if (own.hasCursor()) {
      addFound(due(own));
    }
    for (Duration window : increment.windows()) {
      addFound(
          new RowSelection.Within(
              own.eventTime(), basis.asOf().minus(window), Optional.of(asOf.minus(window)), false));
    }
    for (TrackedJoin join : increment.joins()) {
      if (!join.isStatic() && !addFoundThrough(join)) {
        return Optional.empty();
      }
    }
    session.execute(
        "CREATE TEMP TABLE %s AS SELECT DISTINCT %s FROM %s WHERE %s"
            .formatted(
                quoted(Increment.TOUCHED), names(own.keys()), quoted(FOUND), notNull(own.keys())));
    long touched = count(Increment.TOUCHED);
    boolean tooMany =
        touched > TOUCHED_ENTITIES_MAX
            || (touched > TOUCHED_ENTITIES_MIN && touched > basis.rows() * TOUCHED_FRACTION_MAX);
    return tooMany ? Optional.empty() : Optional.of(touched);
  }

  /**
   * Fetches the rows that the touched entities' features are computed from.
   *
   * @return false where they are so many that a full run is cheaper
   */
  boolean fetchRows() {
    Tracked own = increment.own();
    boolean fetched =
        fetchMatching(Increment.ROWS, own.rows(), own.keys(), Increment.TOUCHED, own.keys(), false);
    for (TrackedJoin join : increment.joins()) {
      Tracked right = join.right();
      fetched =
          fetched
              && fetchMatching(
                  join.table(), right.rows(), right.keys(), Increment.ROWS, join.left(), true);
    }
    return fetched;
  }

  /** Counts the changed rows, and those of them that no run takes. */
  Rejected rejected() {
    return Computation.rejected(increment.rejected(), session, asOf);
  }

  /**
   * Returns what gives the row of each touched entity: {@code entity_key}, the features and {@code
   * event_timestamp}, all but the key NULL where it has none any more.
   */
  String sql(List<Feature> features) {
    String columns =
        features.stream()
            .map(feature -> "computed." + quoted(feature.name()) + ", ")
            .collect(Collectors.joining());
    return """
    SELECT touched.entity_key, %scomputed.event_timestamp
    FROM (SELECT DISTINCT entity_key FROM (
    %s
    )) AS touched
    LEFT JOIN (
    %s
    ) AS computed ON computed.entity_key = touched.entity_key\
    """
        .formatted(
            columns,
            DIALECT.render(increment.entities(), asOf),
            DIALECT.render(increment.plan(), asOf));
  }

  private RowSelection written(Tracked tracked) {
    return new RowSelection.Within(
        tracked.cursor(),
        lowerBound(tracked.rows().source(), basis),
        // A row that was moved into the future is in the view no more, so its entity is touched.
        Optional.empty(),
        // Nobody can tell when such a row was written.
        tracked.hasCursor());
  }

  /** Rows that had a cursor already when their event still lay in the future. */
  private RowSelection due(Tracked tracked) {
    return new RowSelection.Within(tracked.eventTime(), basis.asOf(), Optional.of(asOf), false);
  }

  private void addFound(RowSelection selection) {
    insert(FOUND, names(increment.own().keys()), increment.own().changes(), new Part(selection));
  }

  private boolean isTooMuchWritten(Tracked tracked) {
    return reader.isTooMany(tracked.changes(), written(tracked), CHANGED_ROWS_HELD_MAX);
  }

  /** Returns false where so much changed that a full run is cheaper. */
  private boolean addFoundThrough(TrackedJoin join) {
    if (isTooMuchWritten(join.right())) {
      return false;
    }
    String changed = join.table() + "_changed";
    Scan scan = join.right().changes();
    create(changed, scan, new Part(written(join.right())));
    if (join.right().hasCursor()) {
      insert(changed, "*", scan, new Part(due(join.right())));
    }
    Tracked own = increment.own();
    Optional<List<Part>> parts =
        parts(own.rows().source(), join.left(), changed, join.right().keys(), true);
    for (Part part : parts.orElse(List.of())) {
      insert(FOUND, names(own.keys()), own.keyColumnsAnd(join.left()), part);
    }
    return parts.isPresent();
  }

  private boolean fetchMatching(
      String table,
      Scan scan,
      List<Column> columns,
      String valuesTable,
      List<Column> valueColumns,
      boolean foreign) {
    boolean created = false;
    Optional<List<Part>> parts = parts(scan.source(), columns, valuesTable, valueColumns, foreign);
    for (Part part : parts.orElse(List.of())) {
      if (created) {
        insert(table, "*", scan, part);
      } else {
        create(table, scan, part);
        created = true;
      }
      if (hasUnreadable(table)) {
        reader.checkNumbers(scan, part.selection());
      }
    }
    return parts.isPresent();
  }

  /**
   * Rows that one statement fetches.
   *
   * @param filter what keeps, of what was fetched, the rows that no other part has
   */
  private record Part(RowSelection selection, String filter) {
    Part(RowSelection selection) {
      this(selection, "");
    }
  }

  /**
   * Returns parts that together have each row once whose columns are in those of a table; empty
   * where a server would be asked for too many values.
   */
  private Optional<List<Part>> parts(
      Source source,
      List<Column> columns,
      String valuesTable,
      List<Column> valueColumns,
      boolean foreign) {
    if (source.location() instanceof Source.Files) {
      return Optional.of(
          List.of(new Part(new RowSelection.InTable(columns, valuesTable, valueColumns))));
    }
    if (countValues(valuesTable, valueColumns) > TOUCHED_ENTITIES_MAX) {
      return Optional.empty();
    }
    List<List<String>> values = values(valuesTable, valueColumns);
    int size = columns.size() == 1 ? KEYS_PER_STATEMENT : PAIRS_PER_STATEMENT;
    if (values.size() <= size) {
      return Optional.of(List.of(new Part(new RowSelection.OneOf(columns, values, foreign))));
    }
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < values.size(); i += size) {
      List<List<String>> some = values.subList(i, Math.min(values.size(), i + size));
      parts.add(
          new Part(
              new RowSelection.OneOf(columns, some, foreign),
              between(columns, some.getFirst(), some.getLast())));
    }
    return Optional.of(parts);
  }

  /**
   * A server may find more than was asked for, where to it {@code a} equals {@code A}: then a row
   * could come in two parts. The values are in DuckDB's own order, so each part has its own span.
   */
  private static String between(List<Column> columns, List<String> first, List<String> last) {
    return "(%s) BETWEEN (%s) AND (%s)".formatted(texts(columns), literals(first), literals(last));
  }

  private static String literals(List<String> values) {
    return values.stream().map(DuckDb::literal).collect(Collectors.joining(", "));
  }

  private static String texts(List<Column> columns) {
    return columns.stream()
        .map(column -> "CAST(" + quoted(column.name()) + " AS VARCHAR)")
        .collect(Collectors.joining(", "));
  }

  private long countValues(String table, List<Column> columns) {
    String count =
        "SELECT count(*) FROM (SELECT DISTINCT %s FROM %s WHERE %s)"
            .formatted(texts(columns), quoted(table), notNull(columns));
    return session.list(count, row -> row.getLong(1)).getFirst();
  }

  private List<List<String>> values(String table, List<Column> columns) {
    return session.list(
        "SELECT DISTINCT %s FROM %s WHERE %s ORDER BY ALL"
            .formatted(texts(columns), quoted(table), notNull(columns)),
        row -> {
          List<String> values = new ArrayList<>();
          for (int i = 1; i <= columns.size(); i++) {
            values.add(row.getString(i));
          }
          return values;
        });
  }

  private void create(String table, Scan scan, Part part) {
    reader.fetch(
        scan.source(),
        "CREATE TEMP TABLE %s AS %s".formatted(quoted(table), select("*", scan, part)));
    boolean ignored = noteRows(scan.source(), count(table));
  }

  private void insert(String table, String columns, Scan scan, Part part) {
    long before = count(table);
    reader.fetch(
        scan.source(), "INSERT INTO %s %s".formatted(quoted(table), select(columns, scan, part)));
    boolean ignored = noteRows(scan.source(), count(table) - before);
  }

  private static String select(String columns, Scan scan, Part part) {
    return "SELECT %s FROM (%s) AS fetched%s"
        .formatted(
            columns,
            DIALECT.fetch(scan, part.selection()),
            part.filter().isEmpty() ? "" : " WHERE " + part.filter());
  }

  private boolean noteRows(Source source, long rows) {
    return rowsBySource.merge(source, rows, Long::sum) > 0;
  }

  private boolean hasUnreadable(String table) {
    String select =
        "SELECT count(*) > 0 FROM %s WHERE %s"
            .formatted(quoted(table), quoted(DuckDbDialect.UNREADABLE));
    return session.list(select, row -> row.getBoolean(1)).getFirst();
  }

  private long count(String table) {
    return session.list("SELECT count(*) FROM " + quoted(table), row -> row.getLong(1)).getFirst();
  }

  private static String names(List<Column> columns) {
    return columns.stream().map(column -> quoted(column.name())).collect(Collectors.joining(", "));
  }

  private static String notNull(List<Column> columns) {
    return columns.stream()
        .map(column -> quoted(column.name()) + " IS NOT NULL")
        .collect(Collectors.joining(" AND "));
  }

  private static String quoted(String name) {
    return DuckDb.identifier(name);
  }
}
