package io.featureduck.store;

import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A view's table in Postgres. */
final class PostgresTable extends OnlineTable {
  /* Room for a row's next version beside it: then its key's index need not be written to. A run
   * leaves a version behind for each row that it writes; vacuum comes after a fiftieth of the table
   * and not, as by default, after a fifth, so that lookups meet few of them. */
  private static final String SETTINGS =
      "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05";

  PostgresTable(String name, Storage storage, List<Feature> features) {
    super(
        name,
        storage,
        features,
        switch (storage) {
          case TYPED -> features.stream().map(PostgresTable::column).toList();
          case JSONB ->
              List.of(new ValueColumn(FEATURES, "JSONB NOT NULL", objectsDiffer(features)));
        });
  }

  private static ValueColumn column(Feature feature) {
    String name = identifier(feature.name());
    return new ValueColumn(
        feature.name(),
        columnType(feature.type()),
        differs(feature.type(), "s." + name, "o." + name));
  }

  private static String differs(FeatureType type, String ours, String theirs) {
    if (type != Primitive.FLOAT64) {
      return ours + " IS DISTINCT FROM " + theirs;
    }
    // Parallel sums are not bit-stable. Near the ends of the range the arithmetic itself would fail
    // with an overflow or underflow, so only equal is equal there.
    return """
    (%1$s IS DISTINCT FROM %2$s AND CASE
        WHEN abs(%1$s) BETWEEN 1e-290 AND 1e290 AND abs(%2$s) BETWEEN 1e-290 AND 1e290
        THEN abs(%1$s - %2$s) > 1e-12 * greatest(abs(%1$s), abs(%2$s))
        ELSE true END)\
    """
        .formatted(ours, theirs);
  }

  /** Returns the condition for two objects: floats are compared as columns of them are. */
  private static String objectsDiffer(List<Feature> features) {
    List<Feature> floats = features.stream().filter(OnlineTable::isFloat).toList();
    String whole = "s.features IS DISTINCT FROM o.features";
    if (floats.isEmpty()) {
      return whole;
    }
    String names =
        floats.stream().map(feature -> literal(feature.name())).collect(Collectors.joining(", "));
    String each =
        floats.stream()
            .map(feature -> differs(feature.type(), member("s", feature), member("o", feature)))
            .collect(Collectors.joining("\n    OR "));
    return """
    (%1$s AND (s.features - ARRAY[%2$s] IS DISTINCT FROM o.features - ARRAY[%2$s]
        OR %3$s))\
    """
        .formatted(whole, names, each);
  }

  /**
   * Returns a feature of a row's object as a number; the words of those that JSON lacks are SQL's.
   */
  private static String member(String row, Feature feature) {
    return "(%s.features ->> %s)::%s"
        .formatted(row, literal(feature.name()), columnType(feature.type()));
  }

  private static String literal(String text) {
    return "'" + text.replace("'", "''") + "'";
  }

  /** Returns the type of the column that holds features of {@code type}. */
  static String columnType(FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case BOOL -> "BOOLEAN";
            case INT32 -> "INTEGER";
            case INT64 -> "BIGINT";
            case FLOAT32 -> "REAL";
            case FLOAT64 -> "DOUBLE PRECISION";
            case STRING -> "TEXT";
            case BYTES -> "BYTEA";
            case DATE -> "DATE";
            case TIMESTAMP -> "TIMESTAMPTZ";
            case JSON -> "JSONB";
          };
      case FeatureType.Decimal(int precision, int scale) ->
          "NUMERIC(" + precision + "," + scale + ")";
      case FeatureType.Array(FeatureType element) -> columnType(element) + "[]";
    };
  }

  @Override
  RowWriter typedWriter(RowWriter out) {
    return out;
  }

  @Override
  boolean matches(Connection connection) throws SQLException {
    Map<String, Found> found = found(connection);
    Map<String, String> expected = expected();
    for (Map.Entry<String, String> column : expected.entrySet()) {
      Found there = found.get(column.getKey());
      if (there == null || !there.type().equals(column.getValue())) {
        return false;
      }
    }
    return found.entrySet().stream()
        .allMatch(column -> expected.containsKey(column.getKey()) || column.getValue().optional());
  }

  /** Types are as {@code format_type} writes them, without spaces after commas. */
  @Override
  Map<String, Found> found(Connection connection) throws SQLException {
    String select =
        """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull OR a.atthasdef
        FROM pg_attribute a
        WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
        """;
    Map<String, Found> found = new LinkedHashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, name());
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          Found column = new Found(rows.getString(2).replace(", ", ","), rows.getBoolean(3));
          Found ignored = found.put(rows.getString(1), column);
        }
      }
    }
    return found;
  }

  private Map<String, String> expected() {
    Map<String, String> columns = new LinkedHashMap<>();
    columns.put("entity_key", "text");
    for (ValueColumn column : values()) {
      String type = column.type().toLowerCase(Locale.ROOT).replace(" not null", "");
      columns.put(column.name(), type.replace("timestamptz", "timestamp with time zone"));
    }
    columns.put("event_timestamp", "timestamp with time zone");
    columns.put("updated_at", "timestamp with time zone");
    return columns;
  }

  @Override
  void alter(Connection connection, List<String> actions) throws SQLException {
    execute(connection, "ALTER TABLE " + name() + " " + String.join(", ", actions));
  }

  @Override
  String removal(List<String> names) {
    String array =
        names.stream().map(PostgresTable::literal).collect(Collectors.joining(", ", "ARRAY[", "]"));
    return "UPDATE %1$s SET features = features - %2$s WHERE jsonb_exists_any(features, %2$s)"
        .formatted(name(), array);
  }

  /** Makes a table with these columns that has no key yet. */
  void createAside(Connection connection, String aside) throws SQLException {
    execute(
        connection,
        """
        CREATE TABLE %s (
          entity_key TEXT COLLATE "C" NOT NULL,
          %sevent_timestamp TIMESTAMPTZ,
          updated_at TIMESTAMPTZ NOT NULL DEFAULT now()) WITH (%s)
        """
            .formatted(aside, definitions(), SETTINGS));
  }

  /** Gives a table that has none its key; the index has the table's name. */
  static void addKey(Connection connection, String table) throws SQLException {
    execute(
        connection,
        "ALTER TABLE %1$s ADD CONSTRAINT %1$s_key PRIMARY KEY (entity_key)".formatted(table));
  }

  @Override
  void create(Connection connection) throws SQLException {
    if (found(connection).isEmpty()) {
      createAside(connection, name());
      addKey(connection, name());
    }
  }
}
