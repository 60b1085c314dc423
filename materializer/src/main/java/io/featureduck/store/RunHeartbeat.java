package io.featureduck.store;

import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;

/**
 * Notes in the store that runs live and how far they have come, and hears what others want of them.
 * Over a connection of its own, for the runs' are busy; it is opened anew where it broke, and no
 * call waits for longer than a few seconds. Not thread-safe.
 */
public final class RunHeartbeat implements AutoCloseable {
  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final int NETWORK_MILLIS_MAX = 5_000;

  private final StoreConnections connections;
  private Optional<Connection> open = Optional.empty();

  RunHeartbeat(StoreConnections connections) {
    this.connections = connections;
  }

  /** What a run is to do. */
  public enum Answer {
    GO_ON,
    /** Someone wants it to end. */
    CANCEL,
    /** It counts as ended already: another process has closed it. */
    TAKEN_OVER
  }

  /**
   * Notes that a run lives.
   *
   * @throws FeatureException STORE_UNAVAILABLE, which says nothing of the run
   */
  public Answer beat(long runId, Progress progress, long rowsRead) {
    try {
      return beat(connection(), runId, progress, rowsRead);
    } catch (SQLException e) {
      if (LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
        // Its success is being written at this moment.
        return Answer.GO_ON;
      }
      close();
      throw connections.failure("telling that run %d lives".formatted(runId), e);
    }
  }

  private Connection connection() throws SQLException {
    if (open.isEmpty()) {
      Connection connection = connections.open();
      open = Optional.of(connection);
      connection.setNetworkTimeout(Runnable::run, NETWORK_MILLIS_MAX);
      try (Statement statement = connection.createStatement()) {
        boolean ignored = statement.execute("SET lock_timeout = '300ms'");
      }
    }
    return open.get();
  }

  private static Answer beat(Connection connection, long runId, Progress progress, long rowsRead)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET heartbeat_at = clock_timestamp(), progress = ?::jsonb,
          rows_read = nullif(?, 0)
        WHERE run_id = ? AND status = 'running' RETURNING cancel_requested
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, progress.toJson().toString());
      statement.setLong(2, rowsRead);
      statement.setLong(3, runId);
      try (ResultSet rows = statement.executeQuery()) {
        if (rows.next()) {
          return rows.getBoolean(1) ? Answer.CANCEL : Answer.GO_ON;
        }
      }
    }
    // Success is written by the run's own transaction alone.
    String select = "SELECT 1 FROM featureduck_runs WHERE run_id = ? AND status = 'succeeded'";
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setLong(1, runId);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? Answer.GO_ON : Answer.TAKEN_OVER;
      }
    }
  }

  /** Closes the connection; the next beat opens another. */
  @Override
  public void close() {
    try {
      if (open.isPresent()) {
        open.get().close();
      }
    } catch (SQLException e) {
      throw connections.failure("closing a connection", e);
    } finally {
      open = Optional.empty();
    }
  }
}
