package io.featureduck.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;

/** The rows of {@code featureduck_changes}: what servers are to read anew. */
final class ChangeRecords {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int KEPT_SECONDS = 3_600;

  private final StoreDatabase database;

  ChangeRecords(StoreDatabase database) {
    this.database = database;
  }

  /**
   * Counts the view's generation up and has other processes told, once this is committed. The
   * caller has the view's rows of {@code featureduck_views} locked, so nobody else counts.
   *
   * @param runId the run that it comes from; empty where a definition was changed
   * @param keys whose rows are others now; empty for all
   * @return the generation
   */
  long note(
      Connection connection,
      String view,
      int version,
      Optional<Long> runId,
      Optional<List<String>> keys)
      throws SQLException {
    long generation = newest(connection, view, version) + 1;
    String insert =
        """
        INSERT INTO featureduck_changes (view, version, run_id, generation, "keys")
        VALUES (?, ?, ?, ?, %s)
        """
            .formatted(database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      statement.setObject(3, runId.orElse(null));
      statement.setLong(4, generation);
      statement.setString(5, keys.map(JSON::writeValueAsString).orElse(null));
      int ignored = statement.executeUpdate();
    }
    database.announce(connection, view, version, generation);
    prune(connection, view, version, generation);
    return generation;
  }

  /** Returns the newest generation, 0 where there is none. */
  long newest(Connection connection, String view, int version) throws SQLException {
    String select =
        "SELECT coalesce(max(generation), 0) FROM featureduck_changes WHERE view = ? AND version = ?";
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? rows.getLong(1) : 0;
      }
    }
  }

  private void prune(Connection connection, String view, int version, long generation)
      throws SQLException {
    String prune =
        """
        DELETE FROM featureduck_changes
        WHERE view = ? AND version = ? AND generation < ? AND at < %s
        """
            .formatted(database.ago("" + KEPT_SECONDS));
    try (PreparedStatement statement = connection.prepareStatement(prune)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      statement.setLong(3, generation);
      int ignored = statement.executeUpdate();
    }
  }
}
