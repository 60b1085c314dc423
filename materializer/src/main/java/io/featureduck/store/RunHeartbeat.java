package io.featureduck.store;

import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/**
 * Notes in the store that runs live and how far they have come, and hears what others want of them.
 * Over a connection of its own, for the runs' are busy; it is opened anew where it broke, and no
 * call waits for longer than a few seconds. Not thread-safe.
 */
public final class RunHeartbeat implements AutoCloseable {
  private static final int NETWORK_MILLIS_MAX = 5_000;

  private final StoreDatabase database;
  private final RunRecords runs;
  private Optional<Connection> open = Optional.empty();

  RunHeartbeat(StoreDatabase database, RunRecords runs) {
    this.database = database;
    this.runs = runs;
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
      return runs.beat(connection(), runId, progress, rowsRead);
    } catch (SQLException e) {
      if (database.isLockTimeout(e)) {
        // Its success is being written at this moment.
        return Answer.GO_ON;
      }
      close();
      throw database.failure("telling that run %d lives".formatted(runId), e);
    }
  }

  private Connection connection() throws SQLException {
    if (open.isEmpty()) {
      Connection connection = database.open();
      open = Optional.of(connection);
      connection.setNetworkTimeout(Runnable::run, NETWORK_MILLIS_MAX);
      database.limitLockWaits(connection);
    }
    return open.get();
  }

  /** Closes the connection; the next beat opens another. */
  @Override
  public void close() {
    try {
      if (open.isPresent()) {
        open.get().close();
      }
    } catch (SQLException e) {
      throw database.failure("closing a connection", e);
    } finally {
      open = Optional.empty();
    }
  }
}
