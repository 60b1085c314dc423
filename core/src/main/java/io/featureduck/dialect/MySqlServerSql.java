package io.featureduck.dialect;

import io.featureduck.definition.Source;
import io.featureduck.plan.SourceSchema.Column;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.util.HexFormat;
import java.util.Optional;

/** The SQL of MySQL 8 and MariaDB 10.11, and later. */
final class MySqlServerSql extends ServerSql {
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
    // What a backslash is depends on sql_mode (NO_BACKSLASH_ESCAPES).
    return value.indexOf('\\') < 0
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
    return Optional.empty();
  }

  @Override
  public String complaint(long rows) {
    return "can't be read in %d rows".formatted(rows);
  }

  @Override
  String read(Source source, Column column) {
    String name = identifier(column.name());
    return declaredDecimal(source, column)
        .map(type -> "CAST(%s AS DECIMAL(%d,%d))".formatted(name, type.precision(), type.scale()))
        .orElse(name);
  }

  @Override
  String comparable(Column column) {
    return identifier(column.name());
  }

  @Override
  String comparableText(Column column) {
    return identifier(column.name());
  }

  @Override
  String instant(LocalDateTime local, boolean zoned) {
    return "TIMESTAMP '" + written(local) + "'";
  }
}
