package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Locks that MySQL's sessions have by name. A name may have 64 characters and is the whole
 * server's, so it is made of a hash, which has the database in it.
 */
final class MySqlLocks extends SessionLocks {
  private static final Logger LOG = LoggerFactory.getLogger(MySqlLocks.class);

  private static final int NO_SUCH_THREAD = 1094;
  private static final int KILL_DENIED = 1095;
  private static final int PRIVILEGE_MISSING = 1227;
  private static final int END_SECONDS_MAX = 5;

  @Override
  long session(Connection connection) throws SQLException {
    return connection.unwrap(org.mariadb.jdbc.Connection.class).getThreadId();
  }

  @Override
  boolean tryTake(Connection connection, String key) throws SQLException {
    return take(connection, key, 0);
  }

  private static boolean take(Connection connection, String key, int seconds) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("SELECT GET_LOCK(?, ?)")) {
      statement.setString(1, name(key));
      statement.setInt(2, seconds);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getInt(1) == 1;
      }
    }
  }

  private static String name(String key) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
      return "featureduck " + HexFormat.of().formatHex(digest, 0, 20);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  @Override
  Optional<Holder> holder(Connection connection, String key, String view) throws SQLException {
    // Of sessions of other users only those are seen that this one may see.
    String select =
        """
        SELECT l.session, coalesce(p.USER, 'unknown'), p.TIME,
          (SELECT timestampdiff(SECOND, max(r.heartbeat_at), utc_timestamp(6))
           FROM featureduck_runs r WHERE r.view = ? AND r.status = 'running')
        FROM (SELECT IS_USED_LOCK(?) AS session) l
        LEFT JOIN information_schema.PROCESSLIST p ON p.ID = l.session
        WHERE l.session IS NOT NULL
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      statement.setString(2, name(key));
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          return Optional.empty();
        }
        long session = rows.getLong(1);
        String user = rows.getString(2);
        Optional<Long> statementSeconds = seconds(rows, 3);
        Optional<Long> heartbeatSeconds = seconds(rows, 4);
        return statementSeconds
            .map(silent -> Math.min(silent, heartbeatSeconds.orElse(silent)))
            .or(() -> heartbeatSeconds)
            .map(silent -> new Holder(session, user, silent));
      }
    }
  }

  private static Optional<Long> seconds(ResultSet rows, int column) throws SQLException {
    long value = rows.getLong(column);
    return rows.wasNull() ? Optional.empty() : Optional.of(value);
  }

  @Override
  void end(Connection connection, String key, String view, Holder holder) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("KILL " + holder.session());
    } catch (SQLException e) {
      if (e.getErrorCode() == NO_SUCH_THREAD) {
        return;
      }
      if (e.getErrorCode() != KILL_DENIED && e.getErrorCode() != PRIVILEGE_MISSING) {
        throw e;
      }
      throw new FeatureException(
          ErrorCode.LOCKED,
          "view %s: who runs it gave no sign of life for %d s, and its session %d of user %s may not be ended by this one: let that user do it, or grant CONNECTION ADMIN (CONNECTION_ADMIN in MySQL)"
              .formatted(view, holder.silentSeconds(), holder.session(), holder.user()),
          e);
    }
    // A killed session gives its locks back once it has undone what it wrote.
    if (take(connection, key, END_SECONDS_MAX)) {
      release(connection);
    } else {
      LOG.warn("view {}: session {} does not end", view, holder.session());
    }
  }

  @Override
  void release(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute("SELECT RELEASE_ALL_LOCKS()");
    }
  }
}
