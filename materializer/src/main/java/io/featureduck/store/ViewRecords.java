package io.featureduck.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The rows of {@code featureduck_views}: what is served. */
final class ViewRecords {
  private final StoreDatabase database;
  private final String liveViews;

  ViewRecords(StoreDatabase database) {
    this.database = database;
    this.liveViews =
        """
        SELECT v.view, v.version, %s,
          (SELECT max(u.upper_bound) FROM featureduck_watermarks w
           JOIN featureduck_runs u ON u.run_id = w.run_id
           WHERE w.view = v.view AND w.version = v.version),
          (SELECT coalesce(max(c.generation), 0) FROM featureduck_changes c
           WHERE c.view = v.view AND c.version = v.version)
        FROM featureduck_views v WHERE v.live
        """
            .formatted(database.jsonText("v.definition"));
  }

  /** Returns the views that are live, by name. */
  List<LiveView> liveViews(Connection connection) throws SQLException {
    List<LiveView> views = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(liveViews + " ORDER BY v.view");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        views.add(liveView(rows));
      }
    }
    return List.copyOf(views);
  }

  /** Returns the live version of a view, or empty where none was ever registered. */
  Optional<LiveView> liveView(Connection connection, String view) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(liveViews + " AND v.view = ?")) {
      select.setString(1, view);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? Optional.of(liveView(rows)) : Optional.empty();
      }
    }
  }

  private LiveView liveView(ResultSet rows) throws SQLException {
    return LiveView.parse(
        rows.getString(1),
        rows.getInt(2),
        rows.getString(3),
        database.instant(rows, 4),
        rows.getLong(5));
  }
}
