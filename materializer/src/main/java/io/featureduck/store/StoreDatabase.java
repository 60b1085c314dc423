package io.featureduck.store;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.flywaydb.core.api.configuration.FluentConfiguration;

/**
 * The database behind an online store: how it is reached, what its failures mean, and what of its
 * SQL is its own. Statements that both databases take are written where they are used, with
 * identifiers in double quotes where a word is reserved in one of them; each difference is abstract
 * here, so that none is forgotten.
 */
abstract sealed class StoreDatabase permits PostgresDatabase, MySqlDatabase {
  private static final int NETWORK_MILLIS_MAX = 30_000;

  /** Takes the settings; nothing is connected yet. */
  static StoreDatabase of(OnlineStoreSettings settings) {
    return switch (settings.type()) {
      case POSTGRES -> new PostgresDatabase(settings);
      case MYSQL -> new MySqlDatabase(settings);
    };
  }

  /** Gives a session that has just begun its settings, or closes it. */
  static Connection set(Connection connection, String settings) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(settings);
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  /** Work with a connection. */
  interface Work<T> {
    T with(Connection connection) throws SQLException;
  }

  /** Does short work on a connection of its own. */
  final <T> T work(String doing, Work<T> work) {
    try (Connection connection = open()) {
      limitNetworkWaits(connection);
      return work.with(connection);
    } catch (SQLException e) {
      throw failure(doing, e);
    }
  }

  /** Bounds what is waited for an answer, as short statements are. */
  static void limitNetworkWaits(Connection connection) throws SQLException {
    connection.setNetworkTimeout(Runnable::run, NETWORK_MILLIS_MAX);
  }

  /** Returns host, port and database, for messages. */
  abstract String place();

  /** Returns where the store's tables are, unquoted. */
  abstract String schema();

  /**
   * Opens a connection whose statements find the store's tables by their names alone, in UTC, each
   * seeing what is committed when it begins.
   */
  abstract Connection open() throws SQLException;

  /** As {@link #open}, for a session that writes runs and outlasts their long computations. */
  abstract Connection openForRuns() throws SQLException;

  /** Makes a failure of the store's ours, without the driver's words. */
  abstract FeatureException failure(String doing, SQLException cause);

  /** Tells whether a lock was not to be had within the time that {@link #limitLockWaits} set. */
  abstract boolean isLockTimeout(SQLException cause);

  /** Has the session's statements wait for locks as shortly as the database can. */
  abstract void limitLockWaits(Connection connection) throws SQLException;

  /**
   * Ends the session where it leaves a transaction open without a word, and has its statements wait
   * for tables as shortly as for rows.
   */
  abstract void boundTransaction(Connection connection) throws SQLException;

  /** Tells whether another transaction was in the way, so that the same may do in a moment. */
  abstract boolean isConflict(SQLException cause);

  /** Tells whether a table was not there, as one that was dropped meanwhile. */
  abstract boolean isMissingTable(SQLException cause);

  /** Tells whether this role, or this server, may only be read. */
  abstract boolean isReadOnly(SQLException cause);

  /** Tells whether there is a table of this name, which needs no quoting. */
  abstract boolean hasTable(Connection connection, String name) throws SQLException;

  /** Says where the migrations are, and how the store's schema is named. */
  abstract void configure(FluentConfiguration flyway);

  /** Returns the instant, as SQL; another one in each statement. */
  abstract String now();

  /** Returns the instant so many seconds ago, as SQL. */
  abstract String ago(String seconds);

  /** Returns how many bytes a table takes with its indexes, 0 where there is none, as SQL. */
  abstract String tableBytes(String name);

  /** Returns the text of a JSON column, as SQL. */
  abstract String jsonText(String column);

  /** Returns the parameter that takes JSON as text, as SQL. */
  abstract String jsonParameter();

  /**
   * Prepares an INSERT for {@link #insertIfNew}.
   *
   * @param generated columns whose values the database makes and the statement then has
   */
  abstract PreparedStatement prepareIfNew(Connection connection, String insert, String... generated)
      throws SQLException;

  /** Inserts the row unless there is one of its key; returns how many rows that were. */
  abstract int insertIfNew(PreparedStatement insert) throws SQLException;

  /** Returns an entity key, every space of it. */
  abstract String key(ResultSet rows, int column) throws SQLException;

  abstract void setKey(PreparedStatement statement, int parameter, String key) throws SQLException;

  abstract Optional<Instant> instant(ResultSet rows, int column) throws SQLException;

  abstract void setInstant(PreparedStatement statement, int parameter, Optional<Instant> instant)
      throws SQLException;

  final void setInstant(PreparedStatement statement, int parameter, Instant instant)
      throws SQLException {
    setInstant(statement, parameter, Optional.of(instant));
  }

  /** Returns the type of the column that holds features of {@code type}, as SQL. */
  abstract String columnType(FeatureType type);

  /** Tells whether tables are made, changed and dropped with the transaction, or at once. */
  abstract boolean hasTransactionalDdl();

  /**
   * Tells other processes that something of a view is to be read anew, once the connection's
   * transaction is committed, as far as the database can.
   */
  abstract void announce(Connection connection, String view, int version, long generation)
      throws SQLException;

  abstract SessionLocks locks();

  abstract OnlineTable table(LiveView live, List<Feature> features);

  /** Begins nothing yet: the transaction does when it is written. */
  abstract RunTransaction transaction(
      Connection connection, RunCommit commit, Cancellation cancellation) throws SQLException;
}
