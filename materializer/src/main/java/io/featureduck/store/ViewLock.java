package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to run a view, held by one materializer at a time: an advisory lock of the store's
 * session on whose connection the run is written. It is a courtesy that can be lost with the
 * connection; what keeps a stale run from being written is the fence in {@link #write}.
 *
 * <p>Not thread-safe.
 */
public final class ViewLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ViewLock.class);

  private static final int UNLOCK_MILLIS_MAX = 5_000;

  private final StoreConnections connections;
  private final String view;
  private final Connection connection;

  private ViewLock(StoreConnections connections, String view, Connection connection) {
    this.connections = connections;
    this.view = view;
    this.connection = connection;
  }

  /** Takes the lock, or returns empty where another session has it. */
  static Optional<ViewLock> tryTake(StoreConnections connections, String view) {
    try {
      Connection connection = connections.open();
      try (PreparedStatement statement =
          connection.prepareStatement("SELECT pg_try_advisory_lock(hashtextextended(?, 0))")) {
        // Spill files and long computations must not run into a limit meant for short statements.
        try (var settings = connection.createStatement()) {
          boolean ignored =
              settings.execute(
                  "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
                      + " SET idle_session_timeout = 0");
        }
        statement.setString(1, "featureduck " + connections.schema() + " " + view);
        try (ResultSet rows = statement.executeQuery()) {
          if (rows.next() && rows.getBoolean(1)) {
            return Optional.of(new ViewLock(connections, view, connection));
          }
        }
        connection.close();
        return Optional.empty();
      } catch (SQLException e) {
        connection.close();
        throw e;
      }
    } catch (SQLException e) {
      throw connections.failure("taking the lock of view " + view, e);
    }
  }

  /**
   * Notes that a run begins, and closes those runs of the view that others left behind.
   *
   * @return the run's number, or empty where another run has the scheduled tick
   */
  public Optional<Long> start(RunStart start) {
    String insert =
        """
        INSERT INTO featureduck_runs (view, version, kind, status, engine, scheduled_at, host)
        VALUES (?, ?, ?, 'running', ?, ?, ?)
        ON CONFLICT (view, version, scheduled_at) DO NOTHING RETURNING run_id
        """;
    try {
      closeOrphans();
      try (PreparedStatement statement = connection.prepareStatement(insert)) {
        statement.setString(1, view);
        statement.setInt(2, start.version());
        statement.setString(3, start.kind().id());
        statement.setString(4, start.engine());
        statement.setTimestamp(5, start.scheduledAt().map(Timestamp::from).orElse(null));
        statement.setString(6, start.host());
        try (ResultSet rows = statement.executeQuery()) {
          return rows.next() ? Optional.of(rows.getLong(1)) : Optional.empty();
        }
      }
    } catch (SQLException e) {
      throw connections.failure("starting a run of view " + view, e);
    }
  }

  private void closeOrphans() throws SQLException {
    // Whoever ran them held this lock: that process is gone, or it has lost its connection.
    String update =
        """
        UPDATE featureduck_runs SET status = 'failed', finished_at = clock_timestamp(),
          error_code = ?, error = 'the process that ran it is gone'
        WHERE view = ? AND status = 'running'
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, ErrorCode.INTERNAL.id());
      statement.setString(2, view);
      int orphans = statement.executeUpdate();
      if (orphans > 0) {
        LOG.warn("view {}: closed {} runs whose process is gone", view, orphans);
      }
    }
  }

  /** Returns what the last successful run left behind, or empty before the first. */
  public Optional<Basis> basis(int version) {
    String select =
        """
        SELECT w.source, w.watermark, coalesce(w.source_hash, ''), w.run_id, r.upper_bound, w.rows
        FROM featureduck_watermarks w JOIN featureduck_runs r ON r.run_id = w.run_id
        WHERE w.view = ? AND w.version = ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      try (ResultSet rows = statement.executeQuery()) {
        Map<String, Watermark> watermarks = new HashMap<>();
        Optional<Basis> basis = Optional.empty();
        while (rows.next()) {
          String source = rows.getString(1);
          Instant instant = OnlineStore.instant(rows, 2).orElseThrow();
          watermarks.put(source, new Watermark(source, instant, rows.getString(3)));
          Instant asOf = OnlineStore.instant(rows, 5).orElse(instant);
          basis = Optional.of(new Basis(rows.getLong(4), asOf, watermarks, rows.getLong(6)));
        }
        return basis;
      }
    } catch (SQLException e) {
      throw connections.failure("reading the watermarks of view " + view, e);
    }
  }

  /** Tells whether a view has an online table with just the columns of {@code features}. */
  public boolean hasTable(LiveView live, List<Feature> features) {
    try {
      return OnlineTable.matches(connection, live.table(), features);
    } catch (SQLException e) {
      throw connections.failure("looking at the online table of view " + view, e);
    }
  }

  /**
   * Writes a run in one transaction: rows, watermark, success and change generation. A failure
   * leaves the store as it was.
   *
   * @throws ConnectionLostException where the connection broke; whether the transaction was
   *     committed, {@link OnlineStore#run} tells
   * @throws FeatureException LOCKED where another run wrote the view since {@code basis};
   *     VALUE_OUT_OF_RANGE where a value can't be kept; what {@code rows} or the cancellation
   *     throws
   */
  public RunCommit.Written write(RunCommit commit, Rows rows, Cancellation cancellation) {
    try (RunTransaction transaction = new RunTransaction(connection, commit, cancellation)) {
      return transaction.write(rows);
    } catch (SQLException e) {
      cancellation.check();
      if (StoreConnections.isConnectionFailure(e)) {
        throw new ConnectionLostException(connections.failure("writing view " + view, e));
      }
      throw connections.failure("writing view " + view, e);
    }
  }

  /** The store's connection broke before it was known that a transaction ended. */
  public static final class ConnectionLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final FeatureException failure;

    ConnectionLostException(FeatureException failure) {
      super(failure.getMessage(), failure);
      this.failure = failure;
    }

    public FeatureException failure() {
      return failure;
    }
  }

  /** Gives the lock back: another may take it at once. */
  @Override
  public void close() {
    try (connection) {
      if (!connection.isClosed()) {
        // The server ends a session some time after its client has gone, and it has the lock so
        // long.
        connection.setNetworkTimeout(Runnable::run, UNLOCK_MILLIS_MAX);
        try (Statement statement = connection.createStatement()) {
          boolean ignored = statement.execute("SELECT pg_advisory_unlock_all()");
        }
      }
    } catch (SQLException e) {
      LOG.warn("view {}: the connection of its lock did not close", view, e);
    }
  }
}
