package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Advisory locks of Postgres' sessions. */
final class PostgresLocks extends SessionLocks {
  private static final Logger LOG = LoggerFactory.getLogger(PostgresLocks.class);

  private static final String NOT_PERMITTED = "42501";
  private static final long END_MILLIS_MAX = 5_000;

  @Override
  long session(Connection connection) throws SQLException {
    return connection.unwrap(PGConnection.class).getBackendPID();
  }

  @Override
  boolean tryTake(Connection connection, String key) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_try_advisory_lock(hashtextextended(?, 0))")) {
      statement.setString(1, key);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getBoolean(1);
      }
    }
  }

  @Override
  Optional<Holder> holder(Connection connection, String key, String view) throws SQLException {
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

  @Override
  void end(Connection connection, String key, String view, Holder holder) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_terminate_backend(?, ?)")) {
      statement.setInt(1, Math.toIntExact(holder.session()));
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
              .formatted(view, holder.silentSeconds(), holder.session(), holder.user()),
          e);
    }
  }

  @Override
  void release(Connection connection) throws SQLException {
    execute(connection, "SELECT pg_advisory_unlock_all()");
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }
}
