package io.featureduck.dialect;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Source;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Decimal;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.time.temporal.ChronoUnit;
import java.time.zone.ZoneOffsetTransition;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * SQL that a source's own server plans and answers, with its own indexes: what stands inside {@code
 * postgres_query} and {@code mysql_query}. The session's time zone is UTC there. Each difference
 * between servers is abstract, so none is forgotten.
 *
 * <p>What a server finds equal or greater is only to choose rows by; what is computed of them is
 * compared by DuckDB again.
 */
public abstract sealed class ServerSql permits PostgresServerSql, MySqlServerSql {
  private static final Pattern DAY =
      Pattern.compile("-?infinity|\\d{4,7}-\\d{2}-\\d{2}( \\(BC\\))?");
  private static final DateTimeFormatter LOCAL_TIME =
      new DateTimeFormatterBuilder()
          .appendPattern("uuuu-MM-dd HH:mm:ss")
          .appendFraction(ChronoField.NANO_OF_SECOND, 0, 6, true)
          .toFormatter(Locale.ROOT);

  ServerSql() {}

  /** Returns the SQL of a kind of server. */
  public static ServerSql of(Source.Database database) {
    return switch (database) {
      case POSTGRES -> new PostgresServerSql();
      case MYSQL -> new MySqlServerSql();
    };
  }

  /**
   * Returns {@code sql} as DuckDB's FROM takes it. It is part of the DuckDB transaction, and so of
   * the snapshot.
   *
   * @param attached the name under which DuckDB has the server
   */
  public abstract String from(String attached, String sql);

  public abstract String identifier(String name);

  /** Returns a literal of any text without U+0000, whatever settings the server has. */
  public abstract String text(String value);

  /**
   * Returns a query for the server's clock, {@code micros} since the epoch. In a transaction it is
   * the one that sets the snapshot, and its clock is from before that moment: a row that is not in
   * the snapshot was then written later.
   */
  public abstract String clock();

  /**
   * Returns the condition that a column's value is one which DuckDB would take for another; empty
   * where the type has none.
   */
  public abstract Optional<String> unreadable(Column column);

  /** Says of a column what is {@link #unreadable} in so many rows. */
  public abstract String complaint(long rows);

  /**
   * Tells whether DuckDB's own scan would make another value of the column than it is, so that the
   * server has to give it in the type that the source declares.
   */
  abstract boolean casts(Source source, Column column);

  /** A column as the server is to give it. */
  abstract String read(Source source, Column column);

  /**
   * The rows of a SELECT of the server's, as DuckDB's FROM takes them, with the types that DuckDB's
   * own scan of the table has; those that the server {@link #casts} are as declared.
   *
   * @param more further columns of the SELECT, each after a comma
   */
  abstract String asScanned(
      String attached, String sql, Source source, SourceSchema schema, String more);

  /** A column that holds instants, so that it compares with {@link #instant}s and uses indexes. */
  abstract String comparable(Column column);

  /**
   * A column so that it compares with {@link #literal}s of its type.
   *
   * @param selection whose values at {@code index} they are
   */
  abstract String comparableKey(Column column, RowSelection.OneOf selection, int index);

  /**
   * A literal of an instant.
   *
   * @param local in the column's zone, UTC if it has one of its own
   */
  abstract String instant(LocalDateTime local, boolean zoned);

  /** Returns a table by its whole name. */
  public final String table(Source.Table table) {
    return identifier(table.schema()) + "." + identifier(table.table());
  }

  /**
   * Returns all rows of a table as DuckDB's FROM takes them: in each column what DuckDB's own scan
   * of the table would give, if that can be had.
   *
   * @param attached the name under which DuckDB has the server
   */
  final String rows(String attached, Source source, SourceSchema schema) {
    Source.Table table = (Source.Table) source.location();
    String select = "SELECT " + columns(source, schema) + " FROM " + table(table);
    return asScanned(attached, select, source, schema, "");
  }

  /**
   * Returns the rows of a selection, found by the server, as {@link #rows} does; and with each
   * whether it is {@link DuckDbDialect#UNREADABLE}.
   */
  final String fetch(String attached, LogicalPlan.Scan scan, RowSelection selection) {
    String unreadable =
        scan.schema().columns().stream()
            .flatMap(column -> unreadable(column).stream())
            .map(condition -> "coalesce(" + condition + ", false)")
            .collect(Collectors.joining(" OR "));
    String condition = condition(scan, selection);
    String select =
        "SELECT %s, %s AS %s FROM %s%s"
            .formatted(
                columns(scan.source(), scan.schema()),
                unreadable.isEmpty() ? "false" : unreadable,
                identifier(DuckDbDialect.UNREADABLE),
                table((Source.Table) scan.source().location()),
                condition.isEmpty() ? "" : " WHERE " + condition);
    return asScanned(
        attached, select, scan.source(), scan.schema(), ", " + DuckDbDialect.UNREADABLE);
  }

  private String columns(Source source, SourceSchema schema) {
    return schema.columns().stream()
        .map(column -> {
          String name = identifier(column.name());
          String read = read(source, column);
          return read.equals(name) ? name : read + " AS " + name;
        })
        .collect(Collectors.joining(", "));
  }

  /**
   * Returns the condition that a row's instant is after {@code limit}, as DuckDB would read it; an
   * index on the column serves it. It is NULL where the column is.
   */
  public final String after(Source source, Column column, Instant limit) {
    LocalDateTime local =
        column.zoned()
            ? utc(limit)
            : lastNotAfter(limit.truncatedTo(ChronoUnit.MICROS), source.timezone());
    return comparable(column) + " > " + instant(local, column.zoned());
  }

  /** Returns the condition that a row is one of the selection; empty where all are. */
  public final String condition(LogicalPlan.Scan scan, RowSelection selection) {
    return new SelectionSql(this, scan).condition(selection);
  }

  /**
   * Returns a query that counts the rows of a table that no run takes, each under the first reason
   * that holds: {@code n} rows in all, {@code k} without key, {@code e} without event time, {@code
   * a} later than {@code asOf}.
   */
  public final String rejected(
      Source source, SourceSchema schema, List<JoinKey> joinKeys, Instant asOf) {
    String noKey =
        joinKeys.stream()
            .map(key -> identifier(column(schema, key.name()).name()) + " IS NULL")
            .collect(Collectors.joining(" OR ", "(", ")"));
    Column eventTime = column(schema, source.timestampField());
    String noTime = identifier(eventTime.name()) + " IS NULL";
    String later =
        "(%s OR NOT %s AND %s)"
            .formatted(
                after(source, eventTime, asOf),
                noTime,
                after(source, column(schema, source.cursorField()), asOf));
    return """
    SELECT count(*) AS n, count(CASE WHEN %1$s THEN 1 END) AS k,
      count(CASE WHEN NOT %1$s AND %2$s THEN 1 END) AS e,
      count(CASE WHEN NOT %1$s AND %3$s THEN 1 END) AS a
    FROM %4$s
    """
        .formatted(noKey, noTime, later, table((Source.Table) source.location()));
  }

  /** Returns the column that a definition's {@code name} means: case matters only between two. */
  public static Column column(SourceSchema schema, String name) {
    return schema
        .column(name)
        .or(() ->
            schema.columns().stream()
                .filter(column -> column.name().equalsIgnoreCase(name))
                .findFirst())
        .orElseThrow(() -> new IllegalArgumentException("no column '%s'".formatted(name)));
  }

  /**
   * Returns a literal of a join key's value.
   *
   * @param type INT32, INT64, STRING, DATE or BOOL
   * @param value as it stands in an entity key, unescaped
   */
  public final String literal(FeatureType type, String value) {
    if (!(type instanceof Primitive primitive)) {
      throw new IllegalArgumentException("no join key is of type " + type);
    }
    return switch (primitive) {
      // A column may hold more than the key's type does.
      case INT32, INT64 -> new BigInteger(value).toString();
      case STRING -> text(value);
      case DATE -> "DATE '" + day(value) + "'";
      case BOOL -> Boolean.parseBoolean(value) ? "TRUE" : "FALSE";
      case FLOAT32, FLOAT64, BYTES, TIMESTAMP, JSON ->
          throw new IllegalArgumentException("no join key is of type " + type);
    };
  }

  /** Returns a day of DuckDB's as Postgres writes it: {@code 0044-03-15 BC}, {@code infinity}. */
  private static String day(String value) {
    if (!DAY.matcher(value).matches()) {
      throw new IllegalArgumentException("'%s' is no day".formatted(value));
    }
    return value.replace("(BC)", "BC");
  }

  /** Tells the DECIMAL that a source's definition declares for a column. */
  static Optional<Decimal> declaredDecimal(Source source, Column column) {
    return source.columns().get(column.name()) instanceof Decimal decimal
        ? Optional.of(decimal)
        : Optional.empty();
  }

  /** Writes a local time with as much of a fraction as it has. */
  static String written(LocalDateTime local) {
    return LOCAL_TIME.format(local);
  }

  static LocalDateTime utc(Instant instant) {
    return LocalDateTime.ofInstant(instant.truncatedTo(ChronoUnit.MICROS), ZoneOffset.UTC);
  }

  /**
   * Returns the last local time which DuckDB reads as an instant that isn't after {@code limit}. It
   * takes one that comes twice for the later instant, as Postgres does, so that no local time
   * stands for the hour before.
   */
  private static LocalDateTime lastNotAfter(Instant limit, ZoneId zone) {
    LocalDateTime local = LocalDateTime.ofInstant(limit, zone);
    ZoneOffsetTransition transition = zone.getRules().getTransition(local);
    boolean first =
        transition != null && transition.isOverlap() && limit.isBefore(transition.getInstant());
    return first ? transition.getDateTimeAfter().minus(1, ChronoUnit.MICROS) : local;
  }
}
