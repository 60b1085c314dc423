package io.featureduck.store;

import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The table that a version of a view is served from: {@code entity_key}, then a column for each
 * feature or one with an object of them, {@code event_timestamp} and {@code updated_at}.
 */
abstract sealed class OnlineTable permits PostgresTable, MySqlTable {
  /** The column with the object of features, where they have none of their own. */
  static final String FEATURES = "features";

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

  /** Makes the table, empty, where there is none. */
  abstract void create(Connection connection) throws SQLException;
}
