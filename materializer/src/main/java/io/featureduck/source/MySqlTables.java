package io.featureduck.source;

import io.featureduck.definition.MySqlAddress;
import io.featureduck.definition.Source;
import io.featureduck.dialect.ServerSql;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.source.SourceReader.Snapshot;
import io.featureduck.type.FeatureType.Primitive;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** MySQL and MariaDB, over DuckDB's MySQL extension. */
final class MySqlTables extends ServerTables {
  private static final int DECIMAL_DIGITS_MAX = 38;

  /** Types whose values DuckDB has as they are, by the name in information_schema. */
  private static final Set<String> KNOWN_TYPES =
      Set.of(
          "tinyint",
          "smallint",
          "mediumint",
          "int",
          "bigint",
          "float",
          "double",
          "decimal",
          "bit",
          "char",
          "varchar",
          "tinytext",
          "text",
          "mediumtext",
          "longtext",
          "enum",
          "set",
          "binary",
          "varbinary",
          "tinyblob",
          "blob",
          "mediumblob",
          "longblob",
          "date",
          "datetime",
          "timestamp",
          "time",
          "year",
          "json",
          "uuid",
          "inet4",
          "inet6");

  @Override
  void checkName(Source.Table table) {
    refuseUnquotable("schema", table.schema());
    refuseUnquotable("table", table.table());
  }

  @Override
  void attach(DuckDbSession session, Source source, Source.Table table) {
    session.load("mysql_scanner");
    MySqlAddress address = address(table);
    Optional<String> host = address.host().filter(name -> !name.equals("localhost"));
    // To this machine, the client may take a socket.
    host.ifPresent(name -> session.reachability().check(name, address.port()));
    try {
      session.execute(AttachedServer.DIALECT.attach(source, table));
    } catch (FeatureException e) {
      host.ifPresent(name -> session.reachability().noteRefused(name, address.port()));
      throw e;
    }
    host.ifPresent(name -> session.reachability().noteAccepted(name, address.port()));
  }

  private static MySqlAddress address(Source.Table table) {
    try {
      return MySqlAddress.parse(table.connection().reveal());
    } catch (IllegalArgumentException e) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG, "connection_string: " + e.getMessage(), e);
    }
  }

  private static void refuseUnquotable(String what, String name) {
    if (isUnquotable(name)) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "%s '%s': DuckDB's extension can't ask for a name with a backtick or a backslash; read it through a view of another name"
              .formatted(what, name));
    }
  }

  /** The extension puts a backslash before them, which means nothing in a name. */
  private static boolean isUnquotable(String name) {
    return name.indexOf('`') >= 0 || name.indexOf('\\') >= 0;
  }

  @Override
  Snapshot snapshot(AttachedServer server) {
    // The extension itself would begin with the server's isolation level, and at the first read.
    server.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    Instant clock = server.ask(server.sql().clock(), row -> fromMicros(row.getLong(1))).getFirst();
    server.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
    // How far a replica is behind, only those may ask who administrate it.
    return new Snapshot(clock, clock);
  }

  /** A column as information_schema has it. */
  private record Found(
      String schema,
      String table,
      String name,
      String type,
      String wholeType,
      long digits,
      boolean caseMatters) {
    /** Tells whether it is of this table: information_schema doesn't mind case where tables do. */
    boolean isOf(Source.Table wanted) {
      return caseMatters
          ? schema.equals(wanted.schema()) && table.equals(wanted.table())
          : schema.equalsIgnoreCase(wanted.schema()) && table.equalsIgnoreCase(wanted.table());
    }
  }

  @Override
  Map<String, Optional<Column>> columns(AttachedServer server) {
    List<Found> found = found(server);
    if (found.isEmpty()) {
      return Map.of();
    }
    if (found.getFirst().caseMatters()) {
      refuseTwins(server);
    }
    String definition =
        found.stream().anyMatch(column -> column.type().equals("longtext"))
            ? definition(server)
            : "";
    Map<String, Optional<Column>> columns = new LinkedHashMap<>();
    for (Found column : found) {
      Optional<Column> ignored = columns.put(column.name(), column(column, definition, server));
    }
    return columns;
  }

  private static List<Found> found(AttachedServer server) {
    ServerSql sql = server.sql();
    Source.Table table = server.table();
    String columns =
        """
        SELECT %s AS s, %s AS t, %s AS name, %s AS type, %s AS whole_type,
          CAST(coalesce(numeric_precision, 0) AS SIGNED) AS digits,
          CAST(@@lower_case_table_names AS SIGNED) AS lower_case
        FROM information_schema.columns
        WHERE table_schema = %s AND table_name = %s
        ORDER BY ordinal_position
        """
            .formatted(
                asText("table_schema"),
                asText("table_name"),
                asText("column_name"),
                asText("data_type"),
                asText("column_type"),
                sql.text(table.schema()),
                sql.text(table.table()));
    return server
        .ask(
            columns,
            row ->
                new Found(
                    row.getString("s"),
                    row.getString("t"),
                    row.getString("name"),
                    row.getString("type"),
                    row.getString("whole_type"),
                    row.getLong("digits"),
                    row.getLong("lower_case") == 0))
        .stream()
        .filter(column -> column.isOf(table))
        .toList();
  }

  /** MySQL 8 has names in a binary collation, which the extension takes for bytes. */
  private static String asText(String column) {
    return "CONVERT(" + column + " USING utf8mb4) COLLATE utf8mb4_general_ci";
  }

  /** DuckDB would read either table, of two whose names differ in case only. */
  private static void refuseTwins(AttachedServer server) {
    Source.Table table = server.table();
    String whole = table.schema() + "." + table.table();
    String twins =
        """
        SELECT %s AS name FROM information_schema.tables
        WHERE lower(concat(table_schema, '.', table_name)) = lower(%s)
        """
            .formatted(asText("concat(table_schema, '.', table_name)"), server.sql().text(whole));
    server.ask(twins, row -> row.getString(1)).stream()
        .filter(name -> !name.equals(whole) && name.equalsIgnoreCase(whole))
        .findFirst()
        .ifPresent(name -> {
          throw new FeatureException(
              ErrorCode.SOURCE_SCHEMA,
              "source %s: DuckDB can't tell table '%s' from '%s' beside it: read it through a view of another name"
                  .formatted(server.source().name(), whole, name));
        });
  }

  /**
   * Returns the table's CREATE statement, the one place where a user who may only select sees that
   * a column of MariaDB is JSON; empty where even that isn't shown.
   */
  private static String definition(AttachedServer server) {
    try {
      return server
          .ask(
              "SHOW CREATE TABLE " + server.sql().table(server.table()),
              row -> String.valueOf(row.getString(2)))
          .getFirst();
    } catch (FeatureException e) {
      if (String.valueOf(e.getMessage()).contains("denied")) {
        // Whoever may select some of the columns only. JSON is text to them, unless declared.
        return "";
      }
      throw e;
    }
  }

  /** Returns the column where DuckDB would see it as something else than it is. */
  private static Optional<Column> column(Found found, String definition, AttachedServer server) {
    String name = found.name();
    if (isUnquotable(name)) {
      return Optional.of(
          unknown(name, "one whose name DuckDB's extension can't ask for (it has ` or \\)"));
    }
    boolean tooLong = found.type().equals("decimal") && found.digits() > DECIMAL_DIGITS_MAX;
    if (tooLong || !KNOWN_TYPES.contains(found.type())) {
      return Optional.of(unknown(name, found.wholeType()));
    }
    String check = "CHECK (json_valid(%s))".formatted(server.sql().identifier(name));
    if (found.type().equals("json") || definition.contains(check)) {
      return Optional.of(new Column(name, Optional.of(Primitive.JSON), "VARCHAR", false));
    }
    if (found.wholeType().equals("tinyint(1)")) {
      // The number itself may be asked for by declaring the type.
      return Optional.of(new Column(name, Optional.of(Primitive.BOOL), "TINYINT", false));
    }
    return switch (found.type()) {
      // The session's time zone is UTC.
      case "timestamp" ->
          Optional.of(new Column(name, Optional.of(Primitive.TIMESTAMP), "TIMESTAMP", true));
      // DuckDB has it as text, for it goes from -838:59:59 to 838:59:59.
      case "time" -> Optional.of(new Column(name, Optional.of(Primitive.STRING), "TIME", false));
      default -> Optional.empty();
    };
  }

  private static Column unknown(String name, String type) {
    return new Column(name, Optional.empty(), type, false);
  }

  @Override
  Optional<String> missingIndex(AttachedServer server, LookupPath path) {
    ServerSql sql = server.sql();
    Source.Table table = server.table();
    String indexes =
        """
        SELECT CAST(count(s.column_name) AS SIGNED) AS found
        FROM information_schema.tables t
        LEFT JOIN information_schema.statistics s ON s.table_schema = t.table_schema
          AND s.table_name = t.table_name AND s.seq_in_index = 1 AND s.index_type = 'BTREE'
          AND s.column_name IN (%s)
        WHERE t.table_schema = %s AND t.table_name = %s AND t.table_type = 'BASE TABLE'
        GROUP BY t.table_name
        """
            .formatted(
                path.columns().stream().map(sql::text).collect(Collectors.joining(", ")),
                sql.text(table.schema()),
                sql.text(table.table()));
    return server.ask(indexes, row -> row.getLong("found")).stream()
        .filter(found -> found == 0)
        .findFirst()
        .map(none ->
            "ALTER TABLE %s ADD INDEX (%s)"
                .formatted(
                    sql.table(table),
                    path.columns().stream()
                        .map(sql::identifier)
                        .collect(Collectors.joining(", "))));
  }

  @Override
  List<String> names(AttachedServer server) {
    return server.ask(
        """
        SELECT %s AS name FROM information_schema.tables
        WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
        LIMIT 1000
        """
            .formatted(asText("concat(table_schema, '.', table_name)")),
        row -> row.getString(1));
  }
}
