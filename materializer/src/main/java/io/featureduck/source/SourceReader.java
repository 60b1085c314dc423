package io.featureduck.source;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Source;
import io.featureduck.definition.Source.Database;
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
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Tells what a source is like, as seen in one session: its columns, its clock, and how many of its
 * rows no run takes. A database is asked over a read-only connection.
 *
 * <p>Failures are FeatureExceptions that name the source: SOURCE_UNAVAILABLE where it can't be
 * read, SOURCE_SCHEMA where the table isn't there, EXTENSION_MISSING.
 */
public final class SourceReader {
  private static final int CONNECT_SECONDS_MAX = 10;
  private static final DuckDbDialect DIALECT = new DuckDbDialect();
  private static final Set<String> KNOWN_TYPES =
      Set.of(
          "boolean",
          "smallint",
          "integer",
          "bigint",
          "oid",
          "real",
          "double precision",
          "text",
          "character varying",
          "character",
          "\"char\"",
          "name",
          "uuid",
          "time without time zone",
          "time with time zone",
          "bytea",
          "date",
          "timestamp without time zone",
          "timestamp with time zone",
          "json",
          "jsonb");

  private final DuckDbSession session;
  private final InstantSource clock;
  private final Set<String> attached = new HashSet<>();

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
   * Has the rest of the session's transaction see the source as it is at this moment.
   *
   * @return the source's own clock, in whole microseconds, at or a little before the moment: what
   *     is written from then on has a later cursor. For files, which show what is written to them
   *     meanwhile, the run's clock.
   */
  public Instant snapshot(Source source) {
    return switch (source.location()) {
      case Source.Files files -> clock.instant().truncatedTo(ChronoUnit.MICROS);
      case Source.Table table -> {
        prepare(source);
        long micros =
            askServer(source, table, server(table).clock(), row -> row.getLong(1)).getFirst();
        yield Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
      }
    };
  }

  /** Runs a statement of the session that reads {@code source}. */
  public void fetch(Source source, String sql) {
    prepare(source);
    try {
      session.execute(sql);
    } catch (FeatureException e) {
      throw named(source, e);
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
    return askServer(
            source,
            table,
            server(table).rejected(source, schema, joinKeys, asOf),
            row -> new Rejected(row.getLong(1), row.getLong(2), row.getLong(3), row.getLong(4)))
        .getFirst();
  }

  private void attach(Source source, Source.Table table) {
    if (table.database() != Database.POSTGRES) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "source %s: sources of type mysql can't be read yet".formatted(source.name()));
    }
    if (attached.contains(source.name())) {
      return;
    }
    checkAddress(source, table.connection().reveal());
    try {
      session.load("postgres_scanner");
      session.execute(
          "ATTACH %s AS %s (TYPE postgres, READ_ONLY)"
              .formatted(
                  DuckDb.literal(bounded(table.connection().reveal())),
                  DuckDb.identifier(DIALECT.attachedName(source))));
    } catch (FeatureException e) {
      throw named(source, e);
    }
    boolean ignored = attached.add(source.name());
  }

  /**
   * Refuses an address whose password isn't encoded: the client library would repeat parts of it.
   */
  private static void checkAddress(Source source, String connection) {
    int start = connection.indexOf("://");
    int end = connection.lastIndexOf('@');
    if (start >= 0 && end > start) {
      String user = connection.substring(start + 3, end);
      if (user.matches("[^:]*:.*(?:[/@?#\\s]|%(?![0-9A-Fa-f]{2})).*")) {
        throw new FeatureException(
            ErrorCode.INVALID_CONFIG,
            "source %s: connection_string: the password in an address must be percent-encoded"
                .formatted(source.name()));
      }
    }
  }

  /** Returns a connection string that doesn't wait for ever for a host that never answers. */
  private static String bounded(String connection) {
    if (connection.contains("connect_timeout")) {
      return connection;
    }
    if (connection.contains("://")) {
      return connection
          + (connection.contains("?") ? "&" : "?")
          + "connect_timeout="
          + CONNECT_SECONDS_MAX;
    }
    return connection + " connect_timeout=" + CONNECT_SECONDS_MAX;
  }

  private List<Column> fileColumns(Source source) {
    return ask(
        source,
        DIALECT.describe(source),
        row -> DIALECT.column(row.getString("column_name"), row.getString("column_type")));
  }

  /** Returns the columns as DuckDB sees them, but those that it would see as what they are not. */
  private List<Column> tableColumns(Source source, Source.Table table) {
    Map<String, Optional<Column>> known = serverColumns(source, table);
    String describe =
        "DESCRIBE SELECT * FROM %s.%s.%s"
            .formatted(
                DuckDb.identifier(DIALECT.attachedName(source)),
                DuckDb.identifier(table.schema()),
                DuckDb.identifier(table.table()));
    Map<String, Column> described = new HashMap<>();
    for (Column column :
        ask(
            source,
            describe,
            row -> DIALECT.column(row.getString("column_name"), row.getString("column_type")))) {
      Column ignored = described.put(column.name(), column);
    }
    List<Column> columns = new ArrayList<>();
    known.forEach((name, column) -> columns.add(column.orElseGet(() -> described.get(name))));
    return columns;
  }

  /**
   * Returns all columns in the table's order by name; with those that DuckDB sees as something
   * else: NUMERIC without precision becomes a DOUBLE; JSON, domains and what it doesn't know become
   * text; of two names that differ in case only, it takes either for the first.
   */
  private Map<String, Optional<Column>> serverColumns(Source source, Source.Table table) {
    String columns =
        """
        SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
          CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            WHEN t.typtype = 'e' THEN 'text'
            ELSE format_type(a.atttypid, a.atttypmod) END AS base, a.attndims::int8 AS dimensions
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY a.attnum
        """
            .formatted(DuckDb.literal(table.schema()), DuckDb.literal(table.table()));
    Map<String, Optional<Column>> known = new LinkedHashMap<>();
    List<String> found =
        askServer(
            source,
            table,
            columns,
            row -> {
              String name = row.getString("name");
              String base = row.getString("base");
              Optional<Column> column = Optional.empty();
              if (row.getLong("dimensions") > 1 || !isKnown(base)) {
                column =
                    Optional.of(new Column(name, Optional.empty(), row.getString("type"), false));
              } else if (base.startsWith("json")) {
                column =
                    Optional.of(new Column(name, Optional.of(Primitive.JSON), "VARCHAR", false));
              }
              Optional<Column> ignored = known.put(name, column);
              return name;
            });
    if (found.isEmpty()) {
      throw missing(source, table);
    }
    for (String name : found) {
      found.stream()
          .filter(other -> !other.equals(name) && other.equalsIgnoreCase(name))
          .findFirst()
          .ifPresent(other -> {
            String type = "one that can't be told from '%s' beside it".formatted(other);
            Optional<Column> ignored =
                known.put(name, Optional.of(new Column(name, Optional.empty(), type, false)));
          });
    }
    return known;
  }

  private FeatureException missing(Source source, Source.Table table) {
    List<String> tables =
        askServer(
            source,
            table,
            """
            SELECT n.nspname::text || '.' || c.relname::text AS name
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND n.nspname NOT IN ('pg_catalog', 'information_schema') LIMIT 1000
            """,
            row -> row.getString(1));
    String wanted = table.schema() + "." + table.table();
    String nearest =
        Nearest.to(wanted, tables).map(name -> " (did you mean '" + name + "'?)").orElse("");
    return new FeatureException(
        ErrorCode.SOURCE_SCHEMA,
        "source %s: there is no table '%s'%s".formatted(source.name(), wanted, nearest));
  }

  private static ServerSql server(Source.Table table) {
    return ServerSql.of(table.database());
  }

  /** Asks the source's own server. */
  private <T> List<T> askServer(
      Source source, Source.Table table, String sql, DuckDbSession.RowReader<T> reader) {
    return ask(
        source, "SELECT * FROM " + server(table).from(DIALECT.attachedName(source), sql), reader);
  }

  private <T> List<T> ask(Source source, String sql, DuckDbSession.RowReader<T> reader) {
    try {
      return session.list(sql, reader);
    } catch (FeatureException e) {
      throw named(source, e);
    }
  }

  /**
   * Fails where a number of the scan's columns is no number: the connection would give it as 0.
   *
   * @param selection in which rows
   * @throws FeatureException VALUE_OUT_OF_RANGE that names the source and its columns
   */
  public void checkNumbers(LogicalPlan.Scan scan, RowSelection selection) {
    Source source = scan.source();
    if (!(source.location() instanceof Source.Table table)) {
      return;
    }
    ServerSql server = server(table);
    List<String> names = new ArrayList<>();
    List<String> counts = new ArrayList<>();
    for (Column column : scan.schema().columns()) {
      server
          .unreadable(column)
          .ifPresent(condition -> {
            counts.add("count(CASE WHEN %s THEN 1 END) AS n%d".formatted(condition, names.size()));
            names.add(column.name());
          });
    }
    if (names.isEmpty()) {
      return;
    }
    String condition = server.condition(scan, selection);
    String sql =
        "SELECT %s FROM %s%s"
            .formatted(
                String.join(", ", counts),
                server.table(table),
                condition.isEmpty() ? "" : " WHERE " + condition);
    List<Long> found =
        askServer(
                source,
                table,
                sql,
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
                .formatted(source.name(), names.get(i), server.complaint(found.get(i))));
      }
    }
  }

  private static FeatureException named(Source source, FeatureException e) {
    ErrorCode code = e.code() == ErrorCode.SOURCE_SCHEMA ? ErrorCode.SOURCE_UNAVAILABLE : e.code();
    return new FeatureException(
        code, "source %s: %s".formatted(source.name(), e.getMessage()), e.getCause());
  }

  /** Tells whether DuckDB reads a type of Postgres', as format_type writes it, as what it is. */
  private static boolean isKnown(String type) {
    if (type.endsWith("[]")) {
      String element = type.substring(0, type.length() - 2);
      return !element.endsWith("]") && isKnown(element);
    }
    if (type.startsWith("numeric(")) {
      // A negative scale, or one above the precision, is none of ours.
      return FeatureType.parse("DECIMAL" + type.substring("numeric".length())).isPresent();
    }
    return KNOWN_TYPES.contains(type.replaceFirst("\\(\\d+\\)", ""));
  }
}
