package io.featureduck.migrate;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.ViewAdoption;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyOut;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection of the migration, to the store or to the old table's database. Each statement is a
 * transaction of its own unless one was begun. What the database refuses comes as a
 * FeatureException with the database's words, for who reads it runs both.
 */
final class Session implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  /** Raised by {@link #REFUSE}. */
  private static final String REFUSED = "FD001";

  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final int LOCK_MILLIS_MAX = 200;
  private static final int TRIES_PER_VACUUM = 5;

  /* Whoever may not see others' statistics finds no backend_type; but all that is no worker of the
   * server's own has a user. */
  private static final String AUTOVACUUM =
      """
      SELECT s.setting::int FROM pg_settings s
      WHERE s.name = 'deadlock_timeout' AND EXISTS (
        SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.granted AND l.mode = 'ShareUpdateExclusiveLock'
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.relation = to_regclass(?)
          AND (a.backend_type = 'autovacuum worker' OR a.backend_type IS NULL AND a.usesysid IS NULL))
      """;

  /** The name of a function of this session that fails with the text it is given. */
  static final String REFUSE = "pg_temp.featureduck_refuse";

  private static final List<String> SETTINGS =
      List.of(
          "SET statement_timeout = 0",
          "SET lock_timeout = 0",
          "SET idle_in_transaction_session_timeout = 0",
          "SET default_transaction_isolation = 'read committed'",
          "SET datestyle = 'ISO, YMD'",
          "SET extra_float_digits = 1",
          "SET bytea_output = 'hex'",
          // A policy must not hide rows: whoever may not see all is refused.
          "SET row_security = off",
          "SET jit = off",
          // Rows are looked up by their keys, where there are few of them.
          "SET random_page_cost = 1.1",
          """
          CREATE FUNCTION pg_temp.featureduck_refuse(why text) RETURNS text
          LANGUAGE plpgsql STABLE AS
          $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'FD001', MESSAGE = why; END $$
          """);

  /** Settings that a server may lack. */
  private static final List<String> WISHES =
      List.of(
          "SET idle_session_timeout = 0",
          // A server notices a client that was killed while a long statement runs.
          "SET client_connection_check_interval = '1s'");

  private final Connection connection;
  private final String what;
  private final ErrorCode away;
  private int tries;

  private Session(Connection connection, String what, ErrorCode away) {
    this.connection = connection;
    this.what = what;
    this.away = away;
  }

  /** Opens a session with the online store. */
  static Session ofStore(OnlineStoreSettings settings) {
    return open(settings, "the online store", ErrorCode.STORE_UNAVAILABLE);
  }

  /** Opens a session with the database of the old table. */
  static Session ofOldTable(OnlineStoreSettings settings) {
    return open(settings, "the old table's database", ErrorCode.SOURCE_UNAVAILABLE);
  }

  private static Session open(OnlineStoreSettings settings, String kind, ErrorCode away) {
    String what = kind + " at " + ViewAdoption.place(settings);
    try {
      Connection connection = ViewAdoption.connect(settings);
      Session session = new Session(connection, what, away);
      try {
        SETTINGS.forEach(session::execute);
        for (String wish : WISHES) {
          try (Statement statement = connection.createStatement()) {
            boolean ignored = statement.execute(wish);
          } catch (PSQLException e) {
            // Not of this server's version, or not on its platform.
            if (e.getServerErrorMessage() == null) {
              throw e;
            }
          }
        }
        return session;
      } catch (FeatureException | SQLException e) {
        connection.close();
        throw e;
      }
    } catch (SQLException e) {
      throw failure(what, away, e);
    }
  }

  /** Rows are larger than what is held in memory at once: fewer of them are to be asked for. */
  static final class TooManyBytes extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Reads a row. */
  interface RowReader<T> {
    T read(ResultSet row) throws SQLException;
  }

  /** Does something with the connection itself. */
  interface Work<T> {
    T with(Connection connection) throws SQLException;
  }

  <T> T work(Work<T> work) {
    try {
      return work.with(connection);
    } catch (SQLException e) {
      throw failure(what, away, e);
    }
  }

  /** Does something that gives nothing back. */
  interface Action {
    void with(Connection connection) throws SQLException;
  }

  void act(Action action) {
    try {
      action.with(connection);
    } catch (SQLException e) {
      throw failure(what, away, e);
    }
  }

  /** Runs a statement that has no parameters. */
  void execute(String sql) {
    act(c -> {
      try (Statement statement = c.createStatement()) {
        boolean ignored = statement.execute(sql);
      }
    });
  }

  /** Runs a statement; returns the rows that it changed. */
  @CanIgnoreReturnValue
  int update(String sql, @Nullable Object... parameters) {
    return work(c -> {
      try (PreparedStatement statement = prepare(c, sql, parameters)) {
        return statement.executeUpdate();
      }
    });
  }

  <T> List<T> list(String sql, RowReader<T> reader, @Nullable Object... parameters) {
    return work(c -> {
      try (PreparedStatement statement = prepare(c, sql, parameters);
          ResultSet rows = statement.executeQuery()) {
        List<T> list = new ArrayList<>();
        while (rows.next()) {
          list.add(reader.read(rows));
        }
        return list;
      }
    });
  }

  /** Returns the first row, or empty where there is none. */
  <T> Optional<T> first(String sql, RowReader<T> reader, @Nullable Object... parameters) {
    return list(sql, reader, parameters).stream().findFirst();
  }

  /** Returns a number that there is one of. */
  long number(String sql, @Nullable Object... parameters) {
    return first(sql, row -> row.getLong(1), parameters).orElseThrow();
  }

  private static PreparedStatement prepare(
      Connection connection, String sql, @Nullable Object... parameters) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(sql);
    for (int i = 0; i < parameters.length; i++) {
      if (parameters[i] instanceof List<?> texts) {
        statement.setArray(i + 1, connection.createArrayOf("text", texts.toArray()));
      } else {
        statement.setObject(i + 1, parameters[i]);
      }
    }
    return statement;
  }

  /**
   * Reads rows in the format of binary COPY.
   *
   * @param bytesMax how many bytes to keep at the most
   * @throws TooManyBytes where there are more
   */
  byte[] copyOut(String select, long bytesMax) {
    return work(c -> {
      CopyOut copy =
          c.unwrap(PGConnection.class)
              .getCopyAPI()
              .copyOut("COPY (" + select + ") TO STDOUT (FORMAT binary)");
      ByteArrayOutputStream rows = new ByteArrayOutputStream(1 << 16);
      boolean tooMany = false;
      // Read to its end in any case: to cancel it might hit the statement after it.
      for (byte[] row = copy.readFromCopy(); row != null; row = copy.readFromCopy()) {
        tooMany |= rows.size() + (long) row.length > bytesMax;
        if (tooMany) {
          rows.reset();
        } else {
          rows.writeBytes(row);
        }
      }
      if (tooMany) {
        throw new TooManyBytes();
      }
      return rows.toByteArray();
    });
  }

  /**
   * Writes rows in the format of binary COPY.
   *
   * @param into the table with its columns
   * @return how many rows there were
   */
  long copyIn(String into, byte[] rows) {
    return work(c -> {
      try {
        return c.unwrap(PGConnection.class)
            .getCopyAPI()
            .copyIn(
                "COPY " + into + " FROM STDIN (FORMAT binary)",
                new ByteArrayInputStream(rows),
                1 << 16);
      } catch (IOException e) {
        throw new UncheckedIOException("an array can't be read", e);
      }
    });
  }

  /** Begins a transaction whose statements each see what is committed by then. */
  void begin() {
    begin(Connection.TRANSACTION_READ_COMMITTED);
  }

  /** Begins a transaction that sees one state of the database throughout. */
  void beginSnapshot() {
    begin(Connection.TRANSACTION_REPEATABLE_READ);
  }

  private void begin(int isolation) {
    act(c -> {
      c.setTransactionIsolation(isolation);
      c.setAutoCommit(false);
    });
  }

  void commit() {
    act(c -> {
      c.commit();
      c.setAutoCommit(true);
    });
  }

  /** Ends the transaction, if there is one, as if it had never begun. */
  void rollback() {
    try {
      if (!connection.getAutoCommit()) {
        connection.rollback();
        connection.setAutoCommit(true);
      }
    } catch (SQLException e) {
      // With its connection the transaction is gone, too; why it is lost was told by what failed.
      LOG.debug("{}: no rollback", what, e);
    }
  }

  /**
   * Takes a lock within the transaction, waiting for a moment only: others queue behind whoever
   * waits.
   *
   * @param table to be locked, quoted
   * @return whether it was had
   */
  boolean tryLock(String table, String mode) {
    return tryLocking("LOCK TABLE %s IN %s MODE".formatted(table, mode), table);
  }

  /** As {@link #tryLock}, with a statement that has to lock the table for what it does. */
  boolean tryLocking(String lock, String table) {
    int millisMax = millisMax(table);
    return work(c -> {
      Savepoint before = c.setSavepoint();
      try (Statement statement = c.createStatement()) {
        boolean ignored = statement.execute("SET LOCAL lock_timeout = '%dms'".formatted(millisMax));
        ignored = statement.execute(lock);
        ignored = statement.execute("SET LOCAL lock_timeout = 0");
        return true;
      } catch (SQLException e) {
        if (!LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
          throw e;
        }
        c.rollback(before);
        return false;
      }
    });
  }

  /* An autovacuum gives way to whoever has waited for deadlock_timeout, which is longer than others
   * are made to wait here; and of a large table it takes hours. One that keeps the server from
   * running out of transaction numbers gives way to nobody, so not every try waits that long. */
  private int millisMax(String table) {
    tries++;
    return tries % TRIES_PER_VACUUM == 0
        ? first(AUTOVACUUM, row -> row.getInt(1) + LOCK_MILLIS_MAX, table).orElse(LOCK_MILLIS_MAX)
        : LOCK_MILLIS_MAX;
  }

  private static FeatureException failure(String what, ErrorCode away, SQLException e) {
    String state = String.valueOf(e.getSQLState());
    ServerErrorMessage server =
        e instanceof PSQLException postgres ? postgres.getServerErrorMessage() : null;
    if (server == null || state.startsWith("08") || state.startsWith("57P")) {
      return FeatureException.passing(
          away, "%s can't be reached (SQLSTATE %s)".formatted(what, state), e);
    }
    String words = String.valueOf(server.getMessage());
    return state.equals(REFUSED)
        ? new FeatureException(ErrorCode.VALUE_OUT_OF_RANGE, words, e)
        : new FeatureException(
            away, "%s refused a statement: %s (SQLSTATE %s)".formatted(what, words, state), e);
  }

  @Override
  public void close() {
    try {
      connection.close();
    } catch (SQLException e) {
      LOG.debug("{}: the connection did not close", what, e);
    }
  }
}
