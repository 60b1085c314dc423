package io.featureduck.migrate;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.ViewAdoption;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The table that holds the rows of all views, as its database has it.
 *
 * @param eventTimestamp the column as an instant, of the table {@code o}; empty where there is none
 * @param updatedAt as {@code eventTimestamp}
 * @param noReadersView why a view can't stand in for the table; empty where one can
 */
record OldTable(
    String schema,
    String name,
    OldColumns columns,
    Optional<String> eventTimestamp,
    Optional<String> updatedAt,
    Optional<String> noReadersView) {
  private static final String RELATION =
      """
      SELECT c.relkind::text, pg_has_role(c.relowner, 'USAGE'), c.relrowsecurity,
        EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ? AND c.relname = ?
      """;

  private static final String COLUMNS =
      """
      SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        coalesce(l.collisdeterministic, true)
      FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
      WHERE a.attrelid = ?::regclass AND a.attnum > 0 AND NOT a.attisdropped
      """;

  private static final String UNIQUE_KEYS =
      """
      SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) ORDER BY 1)
      FROM pg_index i WHERE i.indrelid = ?::regclass AND i.indisunique AND i.indisvalid
        AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 2
        AND i.indnatts = 2
      """;

  private static final String DEPENDENTS =
      """
      SELECT DISTINCT replace(pg_describe_object(d.classid, d.objid, 0), 'rule _RETURN on ', '')
      FROM pg_depend d LEFT JOIN pg_constraint c
        ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(?)
        AND (d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
          OR c.contype = 'f' AND c.confrelid = d.refobjid AND c.conrelid <> d.refobjid)
      ORDER BY 1
      """;

  /**
   * A column.
   *
   * @param plain whether texts are equal only if their bytes are
   */
  record Column(String name, String type, boolean notNull, boolean plain) {}

  /** Tells whether there is a table of that name: something else has its name after a migration. */
  static boolean exists(Session session, String schema, String name) {
    return session
        .first(RELATION, row -> row.getString(1), schema, name)
        .filter("r"::equals)
        .isPresent();
  }

  /**
   * Returns what stays with a table when it is renamed, in Postgres' words: views, rules,
   * functions, foreign keys of other tables and publications.
   *
   * @param table quoted; it need not be there
   */
  static List<String> dependents(Session session, String table) {
    return session.list(DEPENDENTS, row -> row.getString(1), table);
  }

  /** Returns a table that needs not be looked at. */
  static OldTable named(String schema, String name, OldColumns columns) {
    return new OldTable(
        schema, name, columns, Optional.empty(), Optional.empty(), Optional.empty());
  }

  /**
   * Looks at the table.
   *
   * @throws FeatureException SOURCE_SCHEMA with all reasons why it can't be migrated
   */
  static OldTable inspect(Session session, String schema, String name, OldColumns columns) {
    List<String> problems = new ArrayList<>();
    boolean rowSecurity =
        session
            .first(
                RELATION,
                row -> {
                  if (!row.getString(1).equals("r") || row.getBoolean(4)) {
                    problems.add("it must be a plain table, neither partitioned nor inherited");
                  }
                  if (!row.getBoolean(2)) {
                    problems.add("only its owner can migrate it, for it gets a trigger");
                  }
                  return row.getBoolean(3);
                },
                schema,
                name)
            .orElseThrow(() ->
                new FeatureException(
                    ErrorCode.SOURCE_SCHEMA, "there is no table %s.%s".formatted(schema, name)));
    String relation = quoted(schema, name);
    Map<String, Column> found = new LinkedHashMap<>();
    List<Column> ignored =
        session.list(
            COLUMNS,
            row -> {
              Column column = column(row);
              found.put(row.getString(1), column);
              return column;
            },
            relation);
    checkText(found, columns.featureView(), problems);
    checkText(found, columns.entityKey(), problems);
    Column features = found.get(columns.features());
    if (features == null || !features.type().equals("jsonb")) {
      problems.add(
          "column %s must be jsonb, and is %s".formatted(columns.features(), type(features)));
    }
    Optional<String> event = instant(found, columns.eventTimestamp(), problems);
    Optional<String> updated = instant(found, columns.updatedAt(), problems);
    List<String> key =
        List.of(columns.entityKey(), columns.featureView()).stream().sorted().toList();
    boolean keyed =
        session
            .list(UNIQUE_KEYS, row -> List.of((String[]) row.getArray(1).getArray()), relation)
            .contains(key);
    if (!keyed) {
      problems.add(
          "it must have a unique key of %s and %s"
              .formatted(columns.featureView(), columns.entityKey()));
    }
    if (!problems.isEmpty()) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "table %s.%s can't be migrated: %s".formatted(schema, name, String.join("; ", problems)));
    }
    return new OldTable(
        schema, name, columns, event, updated, noReadersView(found, columns, rowSecurity));
  }

  private static void checkText(Map<String, Column> found, String name, List<String> problems) {
    Column column = found.get(name);
    if (column == null || !isText(column.type()) || !column.notNull()) {
      problems.add("column %s must be text NOT NULL, and is %s".formatted(name, type(column)));
    } else if (!column.plain()) {
      problems.add("column %s has a collation by which different texts are equal".formatted(name));
    }
  }

  private static boolean isText(String type) {
    return type.equals("text") || type.startsWith("character varying");
  }

  private static String type(@org.jspecify.annotations.Nullable Column column) {
    return column == null ? "not there" : column.type();
  }

  private static Optional<String> instant(
      Map<String, Column> found, String name, List<String> problems) {
    Column column = found.get(name);
    if (column == null) {
      return Optional.empty();
    }
    String quoted = "o." + ViewAdoption.identifier(name);
    if (column.type().startsWith("timestamp") && column.type().endsWith("with time zone")) {
      return Optional.of(quoted);
    }
    if (column.type().startsWith("timestamp")) {
      return Optional.of("(" + quoted + " AT TIME ZONE 'UTC')");
    }
    problems.add("column %s must be a timestamp, and is %s".formatted(name, column.type()));
    return Optional.empty();
  }

  private static Optional<String> noReadersView(
      Map<String, Column> found, OldColumns columns, boolean rowSecurity) {
    List<String> known =
        List.of(
            columns.featureView(),
            columns.entityKey(),
            columns.features(),
            columns.eventTimestamp(),
            columns.updatedAt());
    List<String> others = found.keySet().stream().filter(name -> !known.contains(name)).toList();
    if (!others.isEmpty()) {
      return Optional.of(
          "the old table has columns that are not migrated: " + String.join(", ", others));
    }
    if (rowSecurity) {
      return Optional.of("the old table has row security");
    }
    return List.of(columns.featureView(), columns.entityKey()).stream()
        .filter(
            name -> found.getOrDefault(name, new Column(name, "", true, true)).type().contains("("))
        .findFirst()
        .map(name ->
            "a key column of limited length, %s, would be found by reading all rows"
                .formatted(name));
  }

  /** Returns a select of how many rows each view has. */
  String countByView() {
    return "SELECT o.%1$s, count(*) FROM %2$s o GROUP BY 1"
        .formatted(ViewAdoption.identifier(columns.featureView()), quoted());
  }

  boolean hasRowsOf(Session session, String featureView) {
    return session
        .first(
            "SELECT 1 FROM %s o WHERE o.%s = ? LIMIT 1"
                .formatted(quoted(), ViewAdoption.identifier(columns.featureView())),
            row -> true,
            featureView)
        .isPresent();
  }

  /** Returns the table's columns in their order. */
  List<Column> columns(Session session) {
    return session.list(COLUMNS + " ORDER BY a.attnum", OldTable::column, quoted());
  }

  private static Column column(ResultSet row) throws SQLException {
    return new Column(row.getString(1), row.getString(2), row.getBoolean(3), row.getBoolean(4));
  }

  String quoted() {
    return quoted(schema, name);
  }

  /** Returns a name beside the table, in its schema. */
  String beside(String other) {
    return quoted(schema, other);
  }

  static String quoted(String schema, String name) {
    return List.of(schema, name).stream()
        .map(ViewAdoption::identifier)
        .collect(Collectors.joining("."));
  }

  /** Returns the name for people. */
  String shown() {
    return schema + "." + name;
  }
}
