package io.featureduck.source;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.dialect.ServerSql;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.SourceSchema.Column;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Tells what a source is like, as seen in one session: its columns, its clock, and how many of its
 * rows no run takes. A database is asked in read-only transactions.
 *
 * <p>Failures are FeatureExceptions that name the source: SOURCE_UNAVAILABLE where it can't be
 * read, SOURCE_SCHEMA where the table isn't there, EXTENSION_MISSING.
 */
public final class SourceReader {
  private static final DuckDbDialect DIALECT = AttachedServer.DIALECT;

  private final DuckDbSession session;
  private final InstantSource clock;
  private final Set<String> attached = new HashSet<>();
  private final Map<String, Snapshot> snapshots = new HashMap<>();

  /**
   * @param clock of the run; files have none of their own
   */
  public SourceReader(DuckDbSession session, InstantSource clock) {
    this.session = session;
    this.clock = clock;
  }

  /** Makes the session ready to read {@code source}: extensions and connections. */
  public void prepare(Source source) {
    switch (source.location()) {
      case Source.Files files -> {
        if (files.path().startsWith("s3://") || files.path().startsWith("http")) {
          session.load("httpfs");
        }
      }
      case Source.Table table -> attach(source, table);
    }
  }

  /**
   * Returns the columns of {@code source} as it has them; the types that its definition declares
   * are put in by the planner.
   */
  public SourceSchema schema(Source source) {
    prepare(source);
    return new SourceSchema(
        switch (source.location()) {
          case Source.Files files -> fileColumns(source);
          case Source.Table table -> tableColumns(source, table);
        });
  }

  /**
   * Which moment of a source the rest of the session's transaction sees, in whole microseconds.
   *
   * @param clock the source's own clock, at or a little before the moment. For files, which show
   *     what is written to them meanwhile, the run's clock
   * @param complete until when the moment has all that was written: what isn't in it has a later
   *     cursor. The clock, but for a standby that is behind
   */
  public record Snapshot(Instant clock, Instant complete) {}

  /**
   * Has the rest of the session's transaction see the source as it is at this moment; or as it was
   * at an earlier one, if another source of the same database was asked for then.
   */
  public Snapshot snapshot(Source source) {
    return switch (source.location()) {
      case Source.Files files -> {
        Instant now = clock.instant().truncatedTo(ChronoUnit.MICROS);
        yield new Snapshot(now, now);
      }
      case Source.Table table -> {
        prepare(source);
        String name = DIALECT.attachedName(source);
        Snapshot known = snapshots.get(name);
        if (known == null) {
          known = ServerTables.of(table.database()).snapshot(server(source, table));
          Snapshot ignored = snapshots.put(name, known);
        }
        yield known;
      }
    };
  }

  /**
   * Tells whether the server would hold more than so many rows of a selection in this process'
   * memory, if they were fetched. Others than MySQL are read bit by bit.
   */
  public boolean isTooMany(LogicalPlan.Scan scan, RowSelection selection, long rowsMax) {
    Source source = scan.source();
    if (!(source.location() instanceof Source.Table table)
        || table.database() != Source.Database.MYSQL) {
      return false;
    }
    AttachedServer server = server(source, table);
    String condition = server.sql().condition(scan, selection);
    String count =
        "SELECT count(*) AS n FROM (SELECT 1 FROM %s%s LIMIT %d) AS some"
            .formatted(
                server.sql().table(table),
                condition.isEmpty() ? "" : " WHERE " + condition,
                rowsMax + 1);
    return server.ask(count, row -> row.getLong("n")).getFirst() > rowsMax;
  }

  /** Runs a statement of the session that reads {@code source}. */
  public void fetch(Source source, String sql) {
    prepare(source);
    try {
      session.execute(sql);
    } catch (FeatureException e) {
      throw AttachedServer.named(source, e);
    }
  }

  /** Returns how many files {@code source} consists of; empty for a table. */
  public Optional<Long> files(Source source) {
    return switch (source.location()) {
      case Source.Files files -> {
        prepare(source);
        yield ask(
                source,
                "SELECT count(*) FROM glob(" + DuckDb.literal(files.path()) + ")",
                row -> row.getLong(1))
            .stream()
            .findFirst();
      }
      case Source.Table table -> Optional.empty();
    };
  }

  /**
   * Rows of a source that no run takes, each counted under the first reason that holds.
   *
   * @param rows of the source, all of them
   */
  public record Rejected(long rows, long nullKey, long nullEventTime, long afterAsOf) {
    /** Returns the rows that a run takes. */
    public long taken() {
      return rows - nullKey - nullEventTime - afterAsOf;
    }
  }

  /** Counts the rows of a table that no run takes, on its server. */
  public Rejected rejected(
      Source source, SourceSchema schema, List<JoinKey> joinKeys, Instant asOf) {
    Source.Table table = (Source.Table) source.location();
    AttachedServer server = server(source, table);
    return server
        .ask(
            server.sql().rejected(source, schema, joinKeys, asOf),
            row -> new Rejected(row.getLong(1), row.getLong(2), row.getLong(3), row.getLong(4)))
        .getFirst();
  }

  /**
   * Looks for an index by which a source's server finds the rows of a path.
   *
   * @return the statement that makes one; empty where there is one, or none could be: for files,
   *     and for a view or foreign table, whose rows lie elsewhere
   */
  public Optional<String> missingIndex(LookupPath path) {
    Source source = path.source();
    return switch (source.location()) {
      case Source.Files files -> Optional.empty();
      case Source.Table table -> {
        prepare(source);
        yield ServerTables.of(table.database()).missingIndex(server(source, table), path);
      }
    };
  }

  private void attach(Source source, Source.Table table) {
    String name = DIALECT.attachedName(source);
    ServerTables tables = ServerTables.of(table.database());
    try {
      tables.checkName(table);
      if (!attached.contains(name)) {
        tables.attach(session, source, table);
      }
    } catch (FeatureException e) {
      throw AttachedServer.named(source, e);
    }
    boolean ignored = attached.add(name);
  }

  private AttachedServer server(Source source, Source.Table table) {
    return new AttachedServer(session, source, table);
  }

  private List<Column> fileColumns(Source source) {
    return ask(
        source,
        DIALECT.describe(source),
        row -> DIALECT.column(row.getString("column_name"), row.getString("column_type")));
  }

  /** Returns the columns as DuckDB sees them, but those that it would see as what they are not. */
  private List<Column> tableColumns(Source source, Source.Table table) {
    AttachedServer server = server(source, table);
    ServerTables tables = ServerTables.of(table.database());
    Map<String, Optional<Column>> known = tables.columns(server);
    if (known.isEmpty()) {
      throw missing(source, table, tables.names(server));
    }
    Map<String, Column> described = new HashMap<>();
    for (Column column :
        server.askSession(
            DIALECT.describe(source),
            row -> DIALECT.column(row.getString("column_name"), row.getString("column_type")))) {
      Column ignored = described.put(column.name(), column);
    }
    List<Column> columns = new ArrayList<>();
    known.forEach((name, column) -> columns.add(column.orElseGet(() -> described.get(name))));
    return columns;
  }

  private static FeatureException missing(Source source, Source.Table table, List<String> tables) {
    String wanted = table.schema() + "." + table.table();
    String nearest =
        Nearest.to(wanted, tables).map(name -> " (did you mean '" + name + "'?)").orElse("");
    return new FeatureException(
        ErrorCode.SOURCE_SCHEMA,
        "source %s: there is no table '%s'%s".formatted(source.name(), wanted, nearest));
  }

  private <T> List<T> ask(Source source, String sql, DuckDbSession.RowReader<T> reader) {
    try {
      return session.list(sql, reader);
    } catch (FeatureException e) {
      throw AttachedServer.named(source, e);
    }
  }

  /**
   * Fails where a value of the scan's columns is one that the connection would give as another: NaN
   * of a NUMERIC as 0, 0000-00-00 as NULL.
   *
   * @param selection in which rows
   * @throws FeatureException VALUE_OUT_OF_RANGE that names the source and its columns
   */
  public void checkNumbers(LogicalPlan.Scan scan, RowSelection selection) {
    Source source = scan.source();
    if (!(source.location() instanceof Source.Table table)) {
      return;
    }
    AttachedServer server = server(source, table);
    ServerSql sql = server.sql();
    List<String> names = new ArrayList<>();
    List<String> counts = new ArrayList<>();
    for (Column column : scan.schema().columns()) {
      sql.unreadable(column)
          .ifPresent(condition -> {
            counts.add("count(CASE WHEN %s THEN 1 END) AS n%d".formatted(condition, names.size()));
            names.add(column.name());
          });
    }
    if (names.isEmpty()) {
      return;
    }
    String condition = sql.condition(scan, selection);
    String query =
        "SELECT %s FROM %s%s"
            .formatted(
                String.join(", ", counts),
                sql.table(table),
                condition.isEmpty() ? "" : " WHERE " + condition);
    List<Long> found =
        server
            .ask(
                query,
                row -> {
                  List<Long> numbers = new ArrayList<>();
                  for (int i = 1; i <= names.size(); i++) {
                    numbers.add(row.getLong(i));
                  }
                  return numbers;
                })
            .getFirst();
    for (int i = 0; i < names.size(); i++) {
      if (found.get(i) > 0) {
        throw new FeatureException(
            ErrorCode.VALUE_OUT_OF_RANGE,
            "source %s: column '%s' %s"
                .formatted(source.name(), names.get(i), sql.complaint(found.get(i))));
      }
    }
  }
}
