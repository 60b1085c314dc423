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
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to run a view, held by one materializer at a time: an advisory lock of the store's
 * session on whose connection the run is written. It is a courtesy that can be lost with the
 * connection, or be taken from a holder that gave no sign of life for a while; what keeps a stale
 * run from being written is the fence in {@link #write}.
 *
 * <p>Not thread-safe.
 */
public final class ViewLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ViewLock.class);

  private static final String NOT_PERMITTED = "42501";
  private static final int NETWORK_MILLIS_MAX = 30_000;
  private static final int VALID_SECONDS_MAX = 5;
  private static final long END_MILLIS_MAX = 5_000;
  private static final int UNLOCK_MILLIS_MAX = 5_000;

  private final StoreConnections connections;
  private final String view;
  private final Connection connection;
  private final Optional<Holder> formerHolder;
  private final int session;

  private ViewLock(
      StoreConnections connections,
      String view,
      Connection connection,
      Optional<Holder> formerHolder)
      throws SQLException {
    this.connections = connections;
    this.view = view;
    this.connection = connection;
    this.formerHolder = formerHolder;
    this.session = connection.unwrap(PGConnection.class).getBackendPID();
  }

  /**
   * Who has the lock.
   *
   * @param session the number of its server process
   * @param silentSeconds since it was last seen to live
   */
  private record Holder(int session, String role, long silentSeconds) {}

  /** Takes the lock, or returns empty where another session has it. */
  static Optional<ViewLock> tryTake(StoreConnections connections, String view) {
    return tryTake(connections, view, Optional.empty());
  }

  /** Takes the lock, also from a holder that was silent for the lease. */
  static Optional<ViewLock> tryTake(StoreConnections connections, String view, Duration lease) {
    Optional<ViewLock> free = tryTake(connections, view);
    if (free.isPresent()) {
      return free;
    }
    Optional<Holder> silent;
    try (Connection connection = connections.open()) {
      connection.setNetworkTimeout(Runnable::run, NETWORK_MILLIS_MAX);
      silent =
          holder(connection, key(connections, view), view)
              .filter(holder -> holder.silentSeconds() >= lease.toSeconds());
      if (silent.isEmpty()) {
        return Optional.empty();
      }
      end(connection, view, silent.get());
    } catch (SQLException e) {
      throw connections.failure("asking who runs view " + view, e);
    }
    return tryTake(connections, view, silent);
  }

  /** Tells whether the session that has the lock is still there. */
  public boolean isHeld() {
    try {
      return connection.isValid(VALID_SECONDS_MAX);
    } catch (SQLException e) {
      throw connections.failure("looking at the lock of view " + view, e);
    }
  }

  /**
   * Takes the lock anew after its connection broke. The server may not have noticed that, so the
   * former session is ended where it still holds the lock.
   *
   * @return empty where another session has it
   * @throws FeatureException STORE_UNAVAILABLE while the store is away
   */
  public Optional<ViewLock> takeAgain() {
    close();
    Optional<ViewLock> free = tryTake(connections, view);
    if (free.isPresent()) {
      return free;
    }
    try (Connection other = connections.open()) {
      other.setNetworkTimeout(Runnable::run, NETWORK_MILLIS_MAX);
      Optional<Holder> former =
          holder(other, key(connections, view), view).filter(holder -> holder.session() == session);
      if (former.isEmpty()) {
        return Optional.empty();
      }
      end(other, view, former.get());
    } catch (SQLException e) {
      throw connections.failure("asking who runs view " + view, e);
    }
    return tryTake(connections, view);
  }

  /**
   * Returns the lock's holder with the time since the last sign of life, which are its run's
   * heartbeat and its session's statements; empty where there is none, or nothing is known of it.
   */
  private static Optional<Holder> holder(Connection connection, String key, String view)
      throws SQLException {
    String select =
        """
        SELECT l.pid, coalesce(a.usename::text, 'unknown'),
          extract(epoch FROM clock_timestamp() - greatest(a.state_change, r.heartbeat_at))::bigint
        FROM (SELECT hashtextextended(?, 0) AS key) k
        JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
          AND l.classid = ((k.key >> 32) & 4294967295)::oid AND l.objid = (k.key & 4294967295)::oid
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        CROSS JOIN (SELECT max(heartbeat_at) AS heartbeat_at FROM featureduck_runs
          WHERE view = ? AND status = 'running') r
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, key);
      statement.setString(2, view);
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          return Optional.empty();
        }
        Holder holder = new Holder(rows.getInt(1), rows.getString(2), rows.getLong(3));
        return rows.wasNull() ? Optional.empty() : Optional.of(holder);
      }
    }
  }

  /** Ends the holder's session, and with it the lock and whatever it had not committed. */
  private static void end(Connection connection, String view, Holder holder) throws SQLException {
    LOG.warn(
        "view {}: ending session {}, which has its lock and was last seen to live {} s ago",
        view,
        holder.session(),
        holder.silentSeconds());
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_terminate_backend(?, ?)")) {
      statement.setInt(1, holder.session());
      statement.setLong(2, END_MILLIS_MAX);
      try (ResultSet rows = statement.executeQuery()) {
        if (rows.next() && !rows.getBoolean(1)) {
          LOG.warn("view {}: session {} was gone, or does not end", view, holder.session());
        }
      }
    } catch (SQLException e) {
      if (!NOT_PERMITTED.equals(e.getSQLState())) {
        throw e;
      }
      throw new FeatureException(
          ErrorCode.LOCKED,
          "view %s: who runs it gave no sign of life for %d s, and its session %d of role %s may not be ended by this one: let that role do it, or grant pg_signal_backend"
              .formatted(view, holder.silentSeconds(), holder.session(), holder.role()),
          e);
    }
  }

  private static String key(StoreConnections connections, String view) {
    return "featureduck " + connections.schema() + " " + view;
  }

  private static Optional<ViewLock> tryTake(
      StoreConnections connections, String view, Optional<Holder> formerHolder) {
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
        statement.setString(1, key(connections, view));
        try (ResultSet rows = statement.executeQuery()) {
          if (rows.next() && rows.getBoolean(1)) {
            return Optional.of(new ViewLock(connections, view, connection, formerHolder));
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
      closeOrphans(start.host());
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

  /**
   * Closes those runs of the view that others left behind as cancelled.
   *
   * @param host who wants it so
   */
  public void cancelLeftBehind(String host) {
    String why = "cancelled by %s, for nothing was heard any more of ".formatted(host);
    try {
      close(Run.Status.CANCELLED, ErrorCode.CANCELLED, why);
    } catch (SQLException e) {
      throw connections.failure("closing the runs of view " + view, e);
    }
  }

  private void closeOrphans(String host) throws SQLException {
    // Whoever ran them held this lock.
    String why =
        formerHolder
            .map(holder ->
                "taken over by %s after %d s without a sign of life of "
                    .formatted(host, holder.silentSeconds()))
            .orElse("the process that ran it is gone, or has lost its connection: ");
    close(Run.Status.FAILED, formerHolder.isPresent() ? ErrorCode.LOCKED : ErrorCode.INTERNAL, why);
  }

  private void close(Run.Status status, ErrorCode code, String why) throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET status = ?, finished_at = clock_timestamp(),
          error_code = ?, error = ? || host
        WHERE view = ? AND status = 'running' RETURNING run_id
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, status.id());
      statement.setString(2, code.id());
      statement.setString(3, why);
      statement.setString(4, view);
      try (ResultSet orphans = statement.executeQuery()) {
        while (orphans.next()) {
          LOG.warn("view {}: closed run {}: {}", view, orphans.getLong(1), why);
        }
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
   * @throws FeatureException LOCKED where another run wrote the view since {@code basis};
   *     VALUE_OUT_OF_RANGE where a value can't be kept; STORE_UNAVAILABLE, and then {@link
   *     OnlineStore#run} tells whether the transaction was committed after all; what {@code rows}
   *     or the cancellation throws
   */
  public RunCommit.Written write(RunCommit commit, Rows rows, Cancellation cancellation) {
    try (RunTransaction transaction = new RunTransaction(connection, commit, cancellation)) {
      return transaction.write(rows);
    } catch (SQLException e) {
      cancellation.check();
      throw connections.failure("writing view " + view, e);
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
