package io.featureduck.store;

import io.featureduck.plan.Feature;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The table that a version of a view is served from, as the database has it. */
final class OnlineTable {
  private OnlineTable() {}

  /** Tells whether the table is there and has just the columns of {@code features}. */
  static boolean matches(Connection connection, String table, List<Feature> features)
      throws SQLException {
    String select =
        """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
        WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
        """;
    List<String> found = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, table);
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          found.add(rows.getString(1) + " " + rows.getString(2).replace(", ", ","));
        }
      }
    }
    return found.equals(columns(features));
  }

  private static List<String> columns(List<Feature> features) {
    List<String> columns = new ArrayList<>();
    columns.add("entity_key text");
    for (Feature feature : features) {
      String type = Sql.columnType(feature.type()).toLowerCase(Locale.ROOT);
      columns.add(feature.name() + " " + type.replace("timestamptz", "timestamp with time zone"));
    }
    columns.add("event_timestamp timestamp with time zone");
    columns.add("updated_at timestamp with time zone");
    return columns;
  }
}
