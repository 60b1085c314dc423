package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.expression.Expression;
import io.featureduck.expression.Expression.Unit;
import io.featureduck.plan.LogicalPlan;
import io.featureduck.plan.LogicalPlan.Measure;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/** DuckDB's SQL, of version 1.5. */
public final class DuckDbDialect extends SqlDialect {
  private static final DateTimeFormatter TIMESTAMP =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss", Locale.ROOT);

  /**
   * The column that {@link #fetch} adds: true in rows with a value that comes as another one than
   * the source has.
   */
  public static final String UNREADABLE = "row__unreadable";

  private final boolean attached;

  /** Reads each table over a connection of its own. */
  public DuckDbDialect() {
    this(false);
  }

  private DuckDbDialect(boolean attached) {
    this.attached = attached;
  }

  /**
   * Reads tables from the databases attached under {@link #attachedName}, so that all that one
   * transaction reads of a database is one snapshot. What it shows is as without.
   */
  public static DuckDbDialect overAttached() {
    return new DuckDbDialect(true);
  }

  /**
   * Returns a DESCRIBE of the source's columns, whose {@code column_name} and {@code column_type}
   * are for {@link #column}. A database must be attached.
   */
  public String describe(Source source) {
    return "DESCRIBE SELECT * FROM "
        + switch (source.location()) {
          case Source.Files files -> files(source, files);
          case Source.Table table -> attached(source, table);
        };
  }

  /** Returns a DESCRIBE of what a user's SELECT gives, as {@link #describe(Source)}. */
  public String describe(LogicalPlan.Query query, Instant asOf) {
    return "DESCRIBE " + render(query, asOf);
  }

  /**
   * Returns the column that a DESCRIBE tells of. What Postgres calls {@code numeric}, without
   * precision, is a DOUBLE by then: whoever knows better makes the column without a type.
   */
  public SourceSchema.Column column(String name, String type) {
    return new SourceSchema.Column(name, DuckDbTypes.read(type), type, DuckDbTypes.isZoned(type));
  }

  /**
   * Returns a SELECT of the columns of {@code scan}, as the source itself has them, in the rows of
   * {@code selection}, and whether it is {@link #UNREADABLE}. A database's own server finds them.
   */
  public String fetch(LogicalPlan.Scan scan, RowSelection selection) {
    return switch (scan.source().location()) {
      case Source.Table table ->
          "SELECT * FROM "
              + ServerSql.of(table.database()).fetch(attachedName(scan.source()), scan, selection);
      case Source.Files files ->
          "SELECT %s, false AS %s FROM %s%s"
              .formatted(
                  scan.schema().columns().stream()
                      .map(column -> identifier(column.name()))
                      .collect(Collectors.joining(", ")),
                  identifier(UNREADABLE),
                  files(scan.source(), files),
                  where(scan, selection));
    };
  }

  private String where(LogicalPlan.Scan scan, RowSelection selection) {
    return switch (selection) {
      case RowSelection.All unused -> "";
      case RowSelection.Within within -> {
        SourceSchema.Column column = scan.schema().column(within.column().name()).orElseThrow();
        String time = read(scan.source(), column);
        yield " WHERE (%s%s)%s"
            .formatted(
                later(scan.source(), column, time, within.after()),
                within.upTo().map(end -> " AND " + time + " <= " + timestamp(end)).orElse(""),
                within.orNull() ? " OR " + time + " IS NULL" : "");
      }
      case RowSelection.InTable(var columns, var table, var tableColumns) ->
          " WHERE (%s) IN (SELECT (%s) FROM %s)"
              .formatted(texts(columns), texts(tableColumns), identifier(table));
      case RowSelection.OneOf unused ->
          throw new IllegalArgumentException("files are searched by a table of the session");
    };
  }

  private String later(Source source, SourceSchema.Column column, String time, Instant after) {
    if (column.engineType().equals("DATE")) {
      // All of a day's rows have its midnight, those written after the bound, too.
      LocalDate day = LocalBounds.after(after, source.timezone()).toLocalDate();
      return identifier(column.name()) + " >= " + date(day);
    }
    return time + " > " + timestamp(after);
  }

  /** Two sources may have a key in two types: as texts, they compare. */
  private String texts(List<Expression.Column> columns) {
    return columns.stream()
        .map(column -> "CAST(" + identifier(column.name()) + " AS VARCHAR)")
        .collect(Collectors.joining(", "));
  }

  /** Returns a source's place as people see it, without passwords. */
  public String place(Source source) {
    return switch (source.location()) {
      case Source.Files files -> files(source, files);
      case Source.Table table -> scanned(table, true);
    };
  }

  @Override
  String identifier(String name) {
    return "\"" + name.replace("\"", "\"\"") + "\"";
  }

  @Override
  String text(String value) {
    // A backslash is a character like any other here (sql/data_types/literal_types).
    return "'" + value.replace("'", "''") + "'";
  }

  @Override
  String date(LocalDate value) {
    return "DATE " + text(value.toString());
  }

  @Override
  String timestamp(Instant value) {
    OffsetDateTime micros = value.truncatedTo(ChronoUnit.MICROS).atOffset(ZoneOffset.UTC);
    String fraction = micros.getNano() == 0 ? "" : ".%06d".formatted(micros.getNano() / 1_000);
    return "TIMESTAMPTZ " + text(TIMESTAMP.format(micros) + fraction + "+00");
  }

  @Override
  String interval(long amount, Unit unit) {
    return "INTERVAL '%d' %sS".formatted(amount, unit.name());
  }

  @Override
  String decimal(BigDecimal value) {
    // A number with a point is a DECIMAL (sql/data_types/literal_types).
    return value.toPlainString();
  }

  @Override
  String floating(double value) {
    String digits = Double.toString(value);
    return digits.contains("E") ? digits : digits + "E0";
  }

  @Override
  String typeName(FeatureType type) {
    return DuckDbTypes.name(type);
  }

  @Override
  String table(Source source, SourceSchema schema, boolean masked) {
    return switch (source.location()) {
      case Source.Files files -> files(source, files);
      case Source.Table table ->
          throughServer(source, table, schema)
              ? queried(source, table, schema)
              : isAttached(table, masked) ? attached(source, table) : scanned(table, masked);
    };
  }

  private String files(Source source, Source.Files files) {
    List<String> arguments = new ArrayList<>(List.of(text(files.path())));
    if (files.format() == Source.Format.CSV && !source.columns().isEmpty()) {
      // Declared types are read from the text itself: a guessed one has lost zeros and digits.
      List<String> types = new ArrayList<>();
      new TreeMap<>(source.columns())
          .forEach((name, type) -> types.add(text(name) + ": " + text(fileTypeName(type))));
      arguments.add("types = {" + String.join(", ", types) + "}");
    }
    if (files.path().contains("*") || files.path().contains("?") || files.path().contains("[")) {
      arguments.add("union_by_name = true");
    }
    String function =
        switch (files.format()) {
          case PARQUET -> "read_parquet";
          case CSV -> "read_csv";
          case JSON -> "read_json";
        };
    return function + "(" + String.join(", ", arguments) + ")";
  }

  private String fileTypeName(FeatureType type) {
    // Without zone, so that the source's timezone is what it is read in.
    return type == Primitive.TIMESTAMP ? "TIMESTAMP" : typeName(type);
  }

  private String scanned(Source.Table table, boolean masked) {
    String function =
        switch (table.database()) {
          case POSTGRES -> "postgres_scan";
          case MYSQL -> "mysql_scan";
        };
    String connection = table.connection().reveal();
    return "%s(%s, %s, %s)"
        .formatted(
            function,
            text(masked ? ConnectionText.masked(connection) : connection),
            text(table.schema()),
            text(table.table()));
  }

  private String attached(Source source, Source.Table table) {
    return identifier(attachedName(source))
        + "."
        + identifier(table.schema())
        + "."
        + identifier(table.table());
  }

  private String queried(Source source, Source.Table table, SourceSchema schema) {
    return ServerSql.of(table.database()).rows(attachedName(source), source, schema);
  }

  private static boolean throughServer(Source source, Source.Table table, SourceSchema schema) {
    ServerSql server = ServerSql.of(table.database());
    return schema.columns().stream().anyMatch(column -> server.casts(source, column));
  }

  /** Tells whether a table is read by the name it has once its database is attached. */
  private boolean isAttached(Source.Table table, boolean masked) {
    // The extension has no function that scans a table of a database which isn't attached.
    return (attached && !masked) || table.database() == Source.Database.MYSQL;
  }

  @Override
  Optional<String> preparation(Source source, SourceSchema schema) {
    if (!(source.location() instanceof Source.Table table)
        || !(throughServer(source, table, schema) || isAttached(table, true))) {
      return Optional.empty();
    }
    return Optional.of(attach(source, table, true));
  }

  /**
   * Returns the statement that attaches a source's database under {@link #attachedName}. It holds
   * the source's password.
   */
  public String attach(Source source, Source.Table table) {
    return attach(source, table, false);
  }

  private String attach(Source source, Source.Table table, boolean masked) {
    String connection = table.connection().reveal();
    String type =
        switch (table.database()) {
          case POSTGRES -> "TYPE postgres, READ_ONLY";
          // Read only, no statement could set the transaction up: see docs/decisions/012.
          case MYSQL -> "TYPE mysql";
        };
    return "ATTACH %s AS %s (%s)"
        .formatted(
            text(masked ? ConnectionText.masked(connection) : connection),
            identifier(attachedName(source)),
            type);
  }

  /**
   * Returns the name under which a session attaches the database of a table: what {@code
   * postgres_query} and {@code mysql_query} are asked of. Sources with one connection string, but
   * for its password, have one attachment, and so one transaction and one snapshot.
   */
  public String attachedName(Source source) {
    Source.Table table = (Source.Table) source.location();
    byte[] connection =
        ConnectionText.masked(table.connection().reveal()).getBytes(StandardCharsets.UTF_8);
    CRC32C sum = new CRC32C();
    sum.update(connection);
    return "%s_%08x".formatted(table.database().name().toLowerCase(Locale.ROOT), sum.getValue());
  }

  @Override
  String read(Source source, SourceSchema.Column column) {
    boolean asDeclared =
        source.location() instanceof Source.Table table
            && ServerSql.of(table.database()).casts(source, column);
    return asDeclared ? identifier(column.name()) : read(column, source.zoneName());
  }

  @Override
  String read(SourceSchema.Column column) {
    return read(column, "UTC");
  }

  private String read(SourceSchema.Column column, String timezone) {
    String name = identifier(column.name());
    FeatureType type = column.type().orElseThrow();
    if (type == Primitive.TIMESTAMP && !column.zoned()) {
      // timezone(zone, TIMESTAMP) gives the instant (sql/functions/timestamptz).
      String local =
          column.engineType().equals("TIMESTAMP") ? name : "CAST(" + name + " AS TIMESTAMP)";
      return "timezone(" + text(timezone) + ", " + local + ")";
    }
    return DuckDbTypes.isPlain(column.engineType(), type)
        ? name
        : "CAST(" + name + " AS " + typeName(type) + ")";
  }

  @Override
  String latest(String from, List<String> keys, List<String> newestFirst) {
    return """
    SELECT *
    FROM %s
    QUALIFY row_number() OVER (
      PARTITION BY %s
      ORDER BY %s
    ) = 1\
    """
        .formatted(from, String.join(", ", keys), String.join(", ", newestFirst));
  }

  @Override
  String measure(
      Measure measure,
      String input,
      String filter,
      List<String> oldestFirst,
      List<String> newestFirst) {
    String filtered = filter.isEmpty() ? "" : " FILTER (WHERE " + filter + ")";
    String oldest = " ORDER BY " + String.join(", ", oldestFirst);
    String newest = " ORDER BY " + String.join(", ", newestFirst);
    return switch (measure.function()) {
      case COUNT -> "count(" + input + ")" + filtered;
      case SUM -> "sum(" + input + ")" + filtered;
      case AVG -> "avg(" + input + ")" + filtered;
      case MIN -> "min(" + input + ")" + filtered;
      case MAX -> "max(" + input + ")" + filtered;
      case STDDEV -> "stddev_samp(" + input + ")" + filtered;
      case COUNT_DISTINCT -> "count(DISTINCT " + input + ")" + filtered;
      case APPROX_COUNT_DISTINCT -> "approx_count_distinct(" + input + ")" + filtered;
      // first and last keep NULLs (sql/functions/aggregates).
      case FIRST -> "first(" + input + oldest + ")" + filtered;
      case LAST -> "first(" + input + newest + ")" + filtered;
      case LAST_N ->
          "(list(%s%s)%s)[1:%d]".formatted(input, newest, filtered, measure.n().orElseThrow());
      case APPROX_PERCENTILE ->
          "approx_quantile(%s, %s)%s"
              .formatted(input, BigDecimal.valueOf(measure.percentile().orElseThrow()), filtered);
    };
  }

  @Override
  String ordered(String column, boolean newestFirst) {
    return column + (newestFirst ? " DESC NULLS LAST" : " ASC NULLS FIRST");
  }

  @Override
  String divide(String left, String right, boolean mayBeZero) {
    // / is floating-point for whole and exact numbers too (sql/functions/numeric), but gives
    // infinity over 0.
    return left + " / " + nonZero(right, mayBeZero);
  }

  @Override
  String modulo(String left, String right, boolean mayBeZero) {
    return left + " % " + nonZero(right, mayBeZero);
  }

  private static String nonZero(String divisor, boolean mayBeZero) {
    return mayBeZero ? "NULLIF(" + divisor + ", 0)" : divisor;
  }

  @Override
  String call(Expression.Function function, List<String> arguments) {
    String all = String.join(", ", arguments);
    return switch (function) {
      case COALESCE -> "COALESCE(" + all + ")";
      case NULLIF -> "NULLIF(" + all + ")";
      // These two fail the statement outside of their domain (sql/functions/numeric).
      case LN -> "CASE WHEN %s > 0 THEN ln(%s) END".formatted(all, all);
      case SQRT -> "CASE WHEN %s >= 0 THEN sqrt(%s) END".formatted(all, all);
      case ABS,
          ROUND,
          FLOOR,
          CEIL,
          EXP,
          POWER,
          LEAST,
          GREATEST,
          LOWER,
          UPPER,
          LENGTH,
          SUBSTR,
          TRIM,
          CONCAT,
          REGEXP_MATCHES ->
          function.name().toLowerCase(Locale.ROOT) + "(" + all + ")";
    };
  }

  @Override
  String dateTrunc(Unit unit, String operand) {
    return "date_trunc(" + text(unitName(unit)) + ", " + operand + ")";
  }

  @Override
  String dateDiff(Unit unit, String from, String to) {
    if (unit == Unit.WEEK) {
      // date_diff('week', …) of 1.5 counts no Monday between a Saturday and a Monday.
      return "(date_diff('day', %s, %s) // 7)"
          .formatted(dateTrunc(unit, from), dateTrunc(unit, to));
    }
    return "date_diff(%s, %s, %s)".formatted(text(unitName(unit)), from, to);
  }

  @Override
  String extract(Unit unit, String operand) {
    return switch (unit) {
      case DAY_OF_WEEK -> "EXTRACT(dow FROM " + operand + ")";
      case DAY_OF_YEAR -> "EXTRACT(doy FROM " + operand + ")";
      case EPOCH -> "CAST(floor(EXTRACT(epoch FROM " + operand + ")) AS BIGINT)";
      case MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR ->
          "EXTRACT(" + unitName(unit) + " FROM " + operand + ")";
    };
  }

  @Override
  String keyPart(String value, FeatureType type) {
    return type == Primitive.STRING
        ? "replace(replace(" + value + ", '\\', '\\\\'), '|', '\\|')"
        : "CAST(" + value + " AS VARCHAR)";
  }

  @Override
  String error(String message) {
    return "error(" + message + ")";
  }
}
