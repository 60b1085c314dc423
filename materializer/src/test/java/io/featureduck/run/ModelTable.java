package io.featureduck.run;

import io.featureduck.testing.SourceServer;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A table of the source's database, and its rows once more in plain Java.
 *
 * @param columns in the table's order; the last one tells rows apart
 * @param zone what a TIMESTAMP of it is written in
 * @param indexed columns that have an index
 * @param rows what is committed
 */
record ModelTable(
    String name, List<Column> columns, ZoneId zone, List<String> indexed, List<ModelRow> rows) {
  /** Types by the names that Postgres has for them. */
  enum Type {
    BOOLEAN,
    INT,
    BIGINT,
    NUMERIC,
    DOUBLE,
    TEXT,
    DATE,
    TIMESTAMP,
    TIMESTAMPTZ
  }

  record Column(String name, Type type, String sqlType) {}

  /**
   * @param columns such as {@code amount NUMERIC(10,2)}
   */
  static ModelTable of(String name, ZoneId zone, List<String> indexed, String... columns) {
    List<Column> list = new ArrayList<>();
    for (String column : columns) {
      String sqlType = column.substring(column.indexOf(' ') + 1);
      Type type = Type.valueOf(sqlType.replaceFirst("[ (].*", ""));
      list.add(new Column(column.substring(0, column.indexOf(' ')), type, sqlType));
    }
    return new ModelTable(name, list, zone, indexed, new ArrayList<>());
  }

  boolean is(ModelTable other) {
    return name.equals(other.name);
  }

  String id() {
    return columns.getLast().name();
  }

  Type type(String column) {
    return columns.stream()
        .filter(one -> one.name().equals(column))
        .findFirst()
        .orElseThrow()
        .type();
  }

  String ddl(SourceServer server) {
    StringBuilder ddl = new StringBuilder("CREATE TABLE " + name + " (");
    columns.forEach(column ->
        ddl.append(column.name()).append(' ').append(typeOf(column, server)).append(", "));
    ddl.append("PRIMARY KEY (").append(id()).append("));");
    indexed.forEach(column -> ddl.append(index(column, server)));
    return ddl.toString();
  }

  private String typeOf(Column column, SourceServer server) {
    return switch (server) {
      case POSTGRES -> column.sqlType();
      case MARIADB ->
          switch (column.type()) {
            case BOOLEAN, INT, BIGINT, DOUBLE, DATE -> column.sqlType();
            // Without a precision it would be DECIMAL(10,0); this one is as far from DuckDB's.
            case NUMERIC ->
                column.sqlType().equals("NUMERIC") ? "DECIMAL(65,30)" : column.sqlType();
            // An index needs a length. Where there is one, the server tells 'a' from 'A' and 'ä';
            // elsewhere, as in most databases, it doesn't.
            case TEXT ->
                "VARCHAR(40) COLLATE "
                    + (indexed.contains(column.name()) ? "utf8mb4_bin" : "utf8mb4_general_ci");
            case TIMESTAMP -> "DATETIME(6)";
            case TIMESTAMPTZ -> "TIMESTAMP(6) NULL";
          };
    };
  }

  private String index(String column, SourceServer server) {
    return switch (server) {
      case POSTGRES -> "CREATE INDEX ON %s (%s);".formatted(name, column);
      case MARIADB -> "ALTER TABLE %s ADD INDEX (%s);".formatted(name, column);
    };
  }

  void insert(SourceServer server, Connection connection, ModelRow row) throws SQLException {
    String names = columns.stream().map(Column::name).collect(Collectors.joining(", "));
    String marks = columns.stream().map(column -> "?").collect(Collectors.joining(", "));
    try (PreparedStatement statement =
        connection.prepareStatement(
            "INSERT INTO %s (%s) VALUES (%s)".formatted(name, names, marks))) {
      bind(server, statement, row);
      int ignored = statement.executeUpdate();
    }
  }

  void update(SourceServer server, Connection connection, ModelRow row) throws SQLException {
    String sets =
        columns.stream().map(column -> column.name() + " = ?").collect(Collectors.joining(", "));
    try (PreparedStatement statement =
        connection.prepareStatement("UPDATE %s SET %s WHERE %s = ?".formatted(name, sets, id()))) {
      bind(server, statement, row);
      statement.setObject(columns.size() + 1, row.get(id()));
      if (statement.executeUpdate() != 1) {
        throw new IllegalStateException("no such row in %s: %s".formatted(name, row));
      }
    }
  }

  void delete(Connection connection, ModelRow row) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("DELETE FROM %s WHERE %s = ?".formatted(name, id()))) {
      statement.setObject(1, row.get(id()));
      if (statement.executeUpdate() != 1) {
        throw new IllegalStateException("no such row in %s: %s".formatted(name, row));
      }
    }
  }

  private void bind(SourceServer server, PreparedStatement statement, ModelRow row)
      throws SQLException {
    for (int i = 0; i < columns.size(); i++) {
      Column column = columns.get(i);
      Object value = row.get(column.name());
      if (value instanceof Instant instant) {
        value = time(server, instant, column.type());
      }
      statement.setObject(i + 1, value);
    }
  }

  private Object time(SourceServer server, Instant instant, Type type) {
    if (type == Type.TIMESTAMP) {
      return instant.atZone(zone).toLocalDateTime();
    }
    return switch (server) {
      case POSTGRES -> instant.atOffset(ZoneOffset.UTC);
      // The session's time zone is UTC.
      case MARIADB -> instant.atOffset(ZoneOffset.UTC).toLocalDateTime();
    };
  }

  /** Compares two values of a column: NULL is the least, text goes by its bytes. */
  static int compare(@Nullable Object left, @Nullable Object right) {
    if (left == null || right == null) {
      return Boolean.compare(left != null, right != null);
    }
    return switch (left) {
      case String text ->
          Arrays.compareUnsigned(
              text.getBytes(StandardCharsets.UTF_8),
              ((String) right).getBytes(StandardCharsets.UTF_8));
      case Boolean value -> Boolean.compare(value, (Boolean) right);
      case Integer value -> Integer.compare(value, (Integer) right);
      case Long value -> Long.compare(value, (Long) right);
      case Double value -> Double.compare(value, (Double) right);
      case BigDecimal value -> value.compareTo((BigDecimal) right);
      case LocalDate value -> value.compareTo((LocalDate) right);
      case Instant value -> value.compareTo((Instant) right);
      default -> throw new IllegalArgumentException("no order for " + left.getClass());
    };
  }
}
