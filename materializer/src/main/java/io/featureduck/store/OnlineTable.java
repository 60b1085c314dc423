package io.featureduck.store;

import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The table that a version of a view is served from: {@code entity_key}, then a column for each
 * feature or one with an object of them, {@code event_timestamp} and {@code updated_at}.
 */
abstract sealed class OnlineTable permits PostgresTable, MySqlTable {
  /** The column with the object of features, where they have none of their own. */
  static final String FEATURES = "features";

  private static final Set<String> OWN_COLUMNS =
      Set.of("entity_key", "event_timestamp", "updated_at");

  private final String name;
  private final Storage storage;
  private final List<Feature> features;
  private final List<ValueColumn> values;

  /**
   * @param name of a view's table, which needs no quoting
   * @param values the columns that hold {@code features}
   */
  OnlineTable(String name, Storage storage, List<Feature> features, List<ValueColumn> values) {
    this.name = name;
    this.storage = storage;
    this.features = List.copyOf(features);
    this.values = List.copyOf(values);
  }

  /**
   * A column that holds features.
   *
   * @param name unquoted
   * @param type in the database's SQL
   * @param differs the condition that the value of row {@code s} isn't that of row {@code o}
   */
  record ValueColumn(String name, String type, String differs) {}

  /**
   * A column as the database has it.
   *
   * @param type in the words of its catalog
   * @param optional whether a row may come without it
   */
  record Found(String type, boolean optional) {}

  final String name() {
    return name;
  }

  final List<ValueColumn> values() {
    return values;
  }

  /**
   * Returns {@code name} as an identifier, quoted always; sessions of MySQL are told to take it so.
   */
  static String identifier(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  /** Returns the columns with features as a table is made with them, each with a comma after it. */
  final String definitions() {
    return values.stream()
        .map(column -> identifier(column.name()) + " " + column.type() + ",\n  ")
        .collect(Collectors.joining());
  }

  /** Returns the columns with features, each with a comma after it. */
  final String columns(String prefix) {
    return values.stream()
        .map(column -> prefix + identifier(column.name()) + ", ")
        .collect(Collectors.joining());
  }

  /** Returns the condition that a feature of row {@code s} isn't that of row {@code o}. */
  final String featuresDiffer() {
    return values.isEmpty()
        ? "false"
        : values.stream()
            .map(ValueColumn::differs)
            .collect(Collectors.joining("\n    OR ", "(", ")"));
  }

  /** Tells whether two values of the feature may be equal without being the same. */
  static boolean isFloat(Feature feature) {
    return feature.type() == Primitive.FLOAT32 || feature.type() == Primitive.FLOAT64;
  }

  /**
   * Returns what takes rows with a value for each feature, and hands them on as the table has them.
   */
  final RowWriter writer(RowWriter out) {
    return switch (storage) {
      case TYPED -> typedWriter(out);
      case JSONB -> JsonRowWriter.objects(features, out);
    };
  }

  /** Returns {@code out}, or what makes of values of some types those that it has columns for. */
  abstract RowWriter typedWriter(RowWriter out);

  /** Tells whether the table is there and has what rows of these features need. */
  abstract boolean matches(Connection connection) throws SQLException;

  /** Returns the columns that the table has, by name; none where there is no table. */
  abstract Map<String, Found> found(Connection connection) throws SQLException;

  /** Returns the columns of the table that none of its values is in, and that may be null. */
  final List<String> strayColumns(Connection connection) throws SQLException {
    Set<String> known = new TreeSet<>(OWN_COLUMNS);
    values.forEach(column -> known.add(column.name()));
    return found(connection).entrySet().stream()
        .filter(column -> !known.contains(column.getKey()) && column.getValue().optional())
        .map(Map.Entry::getKey)
        .toList();
  }

  /**
   * Has the features be null in all rows. Columns are added; one that is there and that no feature
   * has goes before that, with what is in it. An object needs none, and loses what an earlier
   * feature of the name left in it.
   *
   * @param stray columns that no feature has
   */
  final void makeRoom(Connection connection, List<String> stray) throws SQLException {
    switch (storage) {
      case TYPED -> addColumns(connection, stray);
      case JSONB -> execute(connection, removal(features.stream().map(Feature::name).toList()));
    }
  }

  private void addColumns(Connection connection, List<String> stray) throws SQLException {
    List<String> actions = new ArrayList<>();
    for (String column : stray) {
      // MySQL takes names that differ in case alone for the same.
      if (values.stream().anyMatch(value -> value.name().equalsIgnoreCase(column))) {
        actions.add("DROP COLUMN " + identifier(column));
      }
    }
    for (ValueColumn column : values) {
      actions.add("ADD COLUMN " + identifier(column.name()) + " " + column.type());
    }
    alter(connection, actions);
  }

  final void dropColumns(Connection connection, List<String> columns) throws SQLException {
    alter(connection, columns.stream().map(column -> "DROP COLUMN " + identifier(column)).toList());
  }

  /** Changes the table as it is served, waiting for those who use it no longer than they can. */
  abstract void alter(Connection connection, List<String> actions) throws SQLException;

  /** Returns the UPDATE that takes features out of the objects that have them. */
  abstract String removal(List<String> names);

  /** Drops a view's table, if there is one. */
  static void drop(Connection connection, String table) throws SQLException {
    execute(connection, "DROP TABLE IF EXISTS " + table);
  }

  static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }

  /** Makes the table, empty, where there is none. */
  abstract void create(Connection connection) throws SQLException;
}
