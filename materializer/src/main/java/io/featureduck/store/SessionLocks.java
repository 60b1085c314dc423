package io.featureduck.store;

import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/** Locks that a session of the database has until it gives them back or ends. */
abstract sealed class SessionLocks permits PostgresLocks, MySqlLocks {
  /**
   * Who has a lock.
   *
   * @param session the number of its session
   * @param user as whom it is connected
   * @param silentSeconds since it was last seen to live
   */
  record Holder(long session, String user, long silentSeconds) {}

  /** Returns the number of the connection's session. */
  abstract long session(Connection connection) throws SQLException;

  /** Takes the lock unless another session has it. */
  abstract boolean tryTake(Connection connection, String key) throws SQLException;

  /**
   * Returns the lock's holder with the time since the last sign of life, by the database's clock:
   * the heartbeat of the view's run, or its session's last statement; empty where there is none, or
   * nothing is known of it.
   */
  abstract Optional<Holder> holder(Connection connection, String key, String view)
      throws SQLException;

  /**
   * Ends the holder's session, and with it the lock and whatever it had not committed.
   *
   * @throws FeatureException LOCKED where this user may not
   */
  abstract void end(Connection connection, String key, String view, Holder holder)
      throws SQLException;

  /** Gives all locks of the session back. */
  abstract void release(Connection connection) throws SQLException;
}
