package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.plan.RowSelection;
import io.featureduck.plan.SourceSchema;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The SQL of MySQL 8 and MariaDB 10.11, and later. */
final class MySqlServerSql extends ServerSql {
  private static final Set<String> TIMES = Set.of("TIMESTAMP", "DATE");

  @Override
  public String from(String attached, String sql) {
    // Streamed, it would be asked over another connection, and so outside of the transaction.
    return "mysql_query('%s', '%s', stream_results = false)"
        .formatted(attached.replace("'", "''"), sql.replace("'", "''"));
  }

  @Override
  public String identifier(String name) {
    return "`" + name.replace("`", "``") + "`";
  }

  @Override
  public String text(String value) {
    // What a backslash is depends on sql_mode (NO_BACKSLASH_ESCAPES); U+0000 ends DuckDB's
    // statement.
    return value.indexOf('\\') < 0 && value.indexOf('\0') < 0
        ? "'" + value.replace("'", "''") + "'"
        : "_utf8mb4 X'%s'"
            .formatted(HexFormat.of().formatHex(value.getBytes(StandardCharsets.UTF_8)));
  }

  @Override
  public String clock() {
    return "SELECT TIMESTAMPDIFF(MICROSECOND, TIMESTAMP '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS micros";
  }

  @Override
  public Optional<String> unreadable(Column column) {
    if (!TIMES.contains(column.engineType())) {
      return Optional.empty();
    }
    // 0000-00-00 comes as NULL, 2026-01-00 and (ALLOW_INVALID_DATES) 2026-02-31 fail the statement.
    String name = identifier(column.name());
    return Optional.of(
        "%1$s IS NOT NULL AND (DAYOFMONTH(%1$s) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(%1$s))) IS NOT TRUE"
            .formatted(name));
  }

  @Override
  public String complaint(long rows) {
    return "is a date that there is not, such as 0000-00-00, in %d rows: make it NULL, or read a view that does"
        .formatted(rows);
  }

  @Override
  boolean casts(Source source, Column column) {
    // The scan makes a DOUBLE of it.
    return isTooLong(column) && declaredDecimal(source, column).isPresent();
  }

  @Override
  String read(Source source, Column column) {
    String name = identifier(column.name());
    if (isDecimal(column)) {
      // mysql_query takes one digit too few of a DECIMAL without sign or without fraction.
      return "CAST(" + name + " AS CHAR)";
    }
    if (column.engineType().equals("VARCHAR")) {
      // mysql_query takes a text for bytes where its collation is binary, as that of JSON is.
      return "CONVERT(" + name + " USING utf8mb4) COLLATE utf8mb4_general_ci";
    }
    return name;
  }

  @Override
  String asScanned(String attached, String sql, Source source, SourceSchema schema, String more) {
    String columns =
        schema.columns().stream()
            .map(column -> asScanned(source, column))
            .collect(Collectors.joining(", "));
    return "(SELECT %s%s FROM %s)".formatted(columns, more, from(attached, sql));
  }

  private static String asScanned(Source source, Column column) {
    String name = "\"" + column.name().replace("\"", "\"\"") + "\"";
    if (isFlag(column)) {
      // Whoever looks up what was found needs to know it as what it is, and not as a number.
      return "CAST(%s AS BOOLEAN) AS %s".formatted(name, name);
    }
    if (!isDecimal(column)) {
      return name;
    }
    String type =
        isTooLong(column)
            ? declaredDecimal(source, column).map(Object::toString).orElse("DOUBLE")
            : column.engineType();
    return "CAST(%s AS %s) AS %s".formatted(name, type, name);
  }

  private static boolean isFlag(Column column) {
    return column.type().equals(Optional.of(Primitive.BOOL));
  }

  private static boolean isDecimal(Column column) {
    return column.engineType().startsWith("DECIMAL") || isTooLong(column);
  }

  /** Tells a DECIMAL of more than 38 digits: it has the server's own type, for DuckDB has none. */
  private static boolean isTooLong(Column column) {
    return column.engineType().startsWith("decimal");
  }

  @Override
  String comparable(Column column) {
    String name = identifier(column.name());
    return TIMES.contains(column.engineType()) ? name : "CAST(" + name + " AS DATETIME(6))";
  }

  @Override
  String comparableKey(Column column, RowSelection.OneOf selection, int index) {
    String name = identifier(column.name());
    if (isFlag(column)) {
      // A TINYINT(1) may be 2, which is true.
      return "(" + name + " <> 0)";
    }
    // A text that the column's character set doesn't have fails the statement, and MariaDB doesn't
    // find rows by pairs of which one needs another character set. ASCII is in all of them.
    boolean mayDiffer = selection.foreign() || selection.columns().size() > 1;
    boolean isText = column.type().equals(Optional.of(Primitive.STRING));
    return isText && mayDiffer && !isAscii(selection.values(), index)
        ? "CONVERT(" + name + " USING utf8mb4)"
        : name;
  }

  private static boolean isAscii(List<List<String>> values, int index) {
    return values.stream().allMatch(row -> row.get(index).chars().allMatch(c -> c < 0x80));
  }

  @Override
  String instant(LocalDateTime local, boolean zoned) {
    return "TIMESTAMP '" + written(local) + "'";
  }
}
