package io.featureduck.store;

import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.HistoryEntry.Action;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The rows of {@code featureduck_history}: who changed what of which view. */
final class HistoryRecords {
  private final StoreDatabase database;
  private final String select;

  HistoryRecords(StoreDatabase database) {
    this.database = database;
    this.select =
        "SELECT id, view, version, action, %s, at, \"by\" FROM featureduck_history "
            .formatted(database.jsonText("what"));
  }

  /** Notes what became of a view, with the transaction that brings it about. */
  void note(Connection connection, String view, int version, Action action, String what, String by)
      throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_history (view, version, action, what, "by")
        VALUES (?, ?, ?, %s, ?)
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      statement.setString(3, action.id());
      statement.setString(4, what);
      statement.setString(5, by);
      int ignored = statement.executeUpdate();
    }
  }

  /** Returns what became of a view, the newest first. */
  List<HistoryEntry> entries(Connection connection, String view) throws SQLException {
    return entries(connection, "WHERE view = ? ORDER BY id DESC", List.of(view));
  }

  Optional<HistoryEntry> newest(Connection connection, String view) throws SQLException {
    return entries(connection, "WHERE view = ? ORDER BY id DESC LIMIT 1", List.of(view)).stream()
        .findFirst();
  }

  /** Returns by what versions of any view went, and other changes. */
  List<HistoryEntry> removals(Connection connection) throws SQLException {
    // A change of the live version may withdraw a pending one.
    return entries(
        connection,
        "WHERE action IN (?, ?, ?)",
        List.of(Action.REMOVE.id(), Action.PRUNE.id(), Action.CHANGE.id()));
  }

  /** Tells whether something became of a view within the last seconds, by the database's clock. */
  boolean isNewerThan(Connection connection, String view, int seconds) throws SQLException {
    String select =
        "SELECT count(*) FROM featureduck_history WHERE view = ? AND at > "
            + database.ago("" + seconds);
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getLong(1) > 0;
      }
    }
  }

  private List<HistoryEntry> entries(Connection connection, String where, List<String> parameters)
      throws SQLException {
    List<HistoryEntry> found = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(select + where)) {
      for (int i = 0; i < parameters.size(); i++) {
        statement.setString(i + 1, parameters.get(i));
      }
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          found.add(
              new HistoryEntry(
                  rows.getLong(1),
                  rows.getString(2),
                  rows.getInt(3),
                  Action.of(rows.getString(4)),
                  rows.getString(5),
                  database.instant(rows, 6).orElseThrow(),
                  rows.getString(7)));
        }
      }
    }
    return List.copyOf(found);
  }
}
