package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The one transaction that writes a run.
 *
 * <p>First the fence: the view's watermark is moved from the run that this one started from, which
 * succeeds once. Then the rows, in the way of the database; then definition, watermarks, generation
 * and the success of the run.
 */
abstract sealed class RunTransaction implements AutoCloseable
    permits PostgresTransaction, MySqlTransaction {
  static final int FENCE_SECONDS_MAX = 5;
  private static final int CHANGED_KEYS_MAX = 10_000;

  private final StoreDatabase database;
  private final Connection connection;
  private final RunCommit commit;
  private final Cancellation cancellation;
  private final Cancellation.Registration registration;
  private final RunErasures erasures;
  private Optional<String> comparedKey = Optional.empty();
  private boolean begun;

  /**
   * @param interrupt ends the statement that the connection waits for
   */
  RunTransaction(
      StoreDatabase database,
      Connection connection,
      RunCommit commit,
      Cancellation cancellation,
      Cancellation.Interrupt interrupt) {
    this.database = database;
    this.connection = connection;
    this.commit = commit;
    this.cancellation = cancellation;
    this.erasures = new RunErasures(database, connection, commit);
    this.registration = cancellation.onCancel(interrupt, () -> connection.abort(Runnable::run));
  }

  final RunCommit.Written write(Rows rows) throws SQLException {
    prepare();
    begun = true;
    connection.setAutoCommit(false);
    fence();
    Outcome outcome = writeRows(rows);
    commit.progress().written(outcome.written());
    cancellation.check();
    new RegistryRecords(database).settle(connection, commit);
    outcome = withoutErased(outcome);
    moveWatermarks();
    if (isIncremental() && !erasures.wereRowsRemoved()) {
      describeFromDifference(outcome.table());
    } else {
      describe(outcome.table());
    }
    erasures.counted();
    noteTtl();
    long generation =
        new ChangeRecords(database)
            .note(
                connection,
                commit.live().view(),
                commit.live().version(),
                Optional.of(commit.runId()),
                outcome.changedKeys());
    commit.progress().enter(RunStage.COMMITTING);
    awaitReaders(outcome);
    succeed(outcome);
    publish(outcome);
    connection.commit();
    return new RunCommit.Written(
        outcome.read(), outcome.written(), generation, outcome.changedKeys());
  }

  /**
   * What became of the rows.
   *
   * @param read all that were computed
   * @param written those that are new, changed or gone
   * @param changedKeys the keys of these; empty stands for all, or for too many to name
   * @param table where the view's rows are by now
   */
  record Outcome(long read, long written, Optional<List<String>> changedKeys, String table) {}

  /** Does what can't be done within the transaction; nothing of it is seen by readers. */
  abstract void prepare() throws SQLException;

  /** Has statements wait for locks so long and no longer. */
  abstract void limitLockWaits(int seconds) throws SQLException;

  /** Has statements wait for locks as long as they did before. */
  abstract void unlimitLockWaits() throws SQLException;

  /** Writes the rows; those of an increment are compared by a table {@code difference}. */
  abstract Outcome writeRows(Rows rows) throws SQLException;

  /** Waits until the rows can be shown without holding readers up. */
  abstract void awaitReaders(Outcome outcome) throws SQLException;

  /** Has the rows be what readers see from the commit on. */
  abstract void publish(Outcome outcome) throws SQLException;

  /**
   * Takes erased entities out of the computed rows, before these are compared with any.
   *
   * @return how many are left
   */
  final long withoutErased(String table, long computed, Rows rows) throws SQLException {
    return computed - erasures.takeOut(table, rows.retention());
  }

  /** Deletes what was erased meanwhile; from here to the commit nothing can be. */
  private Outcome withoutErased(Outcome outcome) throws SQLException {
    RunErasures.Late late = erasures.settle(outcome.table());
    if (late.keys().isEmpty()) {
      return outcome;
    }
    long rows = outcome.read() - late.found().size();
    Outcome rest = new Outcome(rows, rows, Optional.empty(), outcome.table());
    if (comparedKey.isPresent()) {
      rows = outcome.read() - erasures.correct(late);
      long written = number("SELECT count(*) FROM difference");
      rest = new Outcome(rows, written, changedKeys(written, comparedKey.get()), outcome.table());
    }
    commit.progress().written(rest.written());
    return rest;
  }

  final boolean isIncremental() {
    return commit.kind() == Run.Kind.INCREMENTAL;
  }

  final Connection connection() {
    return connection;
  }

  final RunCommit commit() {
    return commit;
  }

  final Cancellation cancellation() {
    return cancellation;
  }

  private void fence() throws SQLException {
    // Whoever holds the watermark has lost the view's lock, and may never end by itself.
    limitLockWaits(FENCE_SECONDS_MAX);
    try {
      if (compareAndSetWatermark() != 1) {
        throw stale();
      }
    } catch (SQLException e) {
      if (database.isLockTimeout(e)) {
        throw new FeatureException(
            ErrorCode.LOCKED,
            "view %s is being written by another session, which did not end within %d s"
                .formatted(commit.live().view(), FENCE_SECONDS_MAX),
            e);
      }
      throw e;
    }
    unlimitLockWaits();
  }

  private int compareAndSetWatermark() throws SQLException {
    Watermark own = commit.watermarks().getFirst();
    if (commit.basis().isEmpty()) {
      return insertWatermark(own);
    }
    String update =
        """
        UPDATE featureduck_watermarks SET run_id = ?, watermark = ?
        WHERE view = ? AND version = ? AND source = ? AND run_id = ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, commit.runId());
      database.setInstant(statement, 2, own.instant());
      statement.setString(3, commit.live().view());
      statement.setInt(4, commit.live().version());
      statement.setString(5, own.source());
      statement.setLong(6, commit.basis().get());
      return statement.executeUpdate();
    }
  }

  private int insertWatermark(Watermark watermark) throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_watermarks
          (view, version, source, watermark, source_hash, run_id, "rows")
        VALUES (?, ?, ?, ?, ?, ?, 0)\
        """;
    try (PreparedStatement statement = database.prepareIfNew(connection, insert)) {
      statement.setString(1, commit.live().view());
      statement.setInt(2, commit.live().version());
      statement.setString(3, watermark.source());
      database.setInstant(statement, 4, watermark.instant());
      statement.setString(5, watermark.sourceHash());
      statement.setLong(6, commit.runId());
      return database.insertIfNew(statement);
    }
  }

  /** Sets what the fence did not: the hash of its source, and the joined sources' watermarks. */
  private void moveWatermarks() throws SQLException {
    String update =
        """
        UPDATE featureduck_watermarks SET watermark = ?, source_hash = ?, run_id = ?
        WHERE view = ? AND version = ? AND source = ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      for (Watermark watermark : commit.watermarks()) {
        database.setInstant(statement, 1, watermark.instant());
        statement.setString(2, watermark.sourceHash());
        statement.setLong(3, commit.runId());
        statement.setString(4, commit.live().view());
        statement.setInt(5, commit.live().version());
        statement.setString(6, watermark.source());
        if (statement.executeUpdate() == 0) {
          int ignored = insertWatermark(watermark);
        }
      }
    }
  }

  private void noteTtl() throws SQLException {
    LeftOutRows leftOut = new LeftOutRows(connection);
    if (isIncremental()) {
      leftOut.add(commit.live());
    } else {
      leftOut.set(commit.live());
    }
  }

  private FeatureException stale() {
    return new FeatureException(
        ErrorCode.LOCKED,
        "view %s was written by another run since run %d began: nothing of it is kept"
            .formatted(commit.live().view(), commit.runId()));
  }

  /** Returns the failure of an increment whose table isn't what it was when the run began. */
  final FeatureException changedTable(String table) {
    return new FeatureException(
        ErrorCode.LOCKED,
        "%s was changed since run %d began: the next run makes it anew"
            .formatted(table, commit.runId()));
  }

  /** Returns the keys in {@code difference}, or empty where they are too many to name. */
  final Optional<List<String>> changedKeys(long written, String key) throws SQLException {
    comparedKey = Optional.of(key);
    if (written > CHANGED_KEYS_MAX) {
      return Optional.empty();
    }
    List<String> keys = new ArrayList<>();
    try (Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery("SELECT " + key + " FROM difference ORDER BY entity_key")) {
      while (rows.next()) {
        keys.add(rows.getString(1));
      }
    }
    return Optional.of(keys);
  }

  /**
   * How many rows there are, and of which times.
   *
   * @param eventMin empty where no row has one
   */
  private record Extent(long rows, Optional<Instant> eventMin, Optional<Instant> eventMax) {}

  private void describe(String table) throws SQLException {
    note(
        extent(
            "SELECT count(*), min(event_timestamp), max(event_timestamp) FROM " + table,
            List.of()));
  }

  private Extent extent(String select, List<Object> parameters) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      for (int i = 0; i < parameters.size(); i++) {
        statement.setObject(i + 1, parameters.get(i));
      }
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          throw new IllegalStateException("there is no row for " + select);
        }
        return new Extent(rows.getLong(1), database.instant(rows, 2), database.instant(rows, 3));
      }
    }
  }

  private void note(Extent extent) throws SQLException {
    String update =
        """
        UPDATE featureduck_watermarks SET "rows" = ?, event_min = ?, event_max = ?
        WHERE view = ? AND version = ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, extent.rows());
      database.setInstant(statement, 2, extent.eventMin());
      database.setInstant(statement, 3, extent.eventMax());
      statement.setString(4, commit.live().view());
      statement.setInt(5, commit.live().version());
      int ignored = statement.executeUpdate();
    }
  }

  /** Tells how many rows there are by now, and of which times, looking at what changed alone. */
  private void describeFromDifference(String table) throws SQLException {
    Extent known =
        extent(
            """
            SELECT "rows", event_min, event_max FROM featureduck_watermarks
            WHERE view = ? AND version = ? AND source = ?
            """,
            List.of(
                commit.live().view(),
                commit.live().version(),
                commit.watermarks().getFirst().source()));
    Extent before =
        extent(
            "SELECT count(CASE WHEN kind = 'gone' THEN 1 END), min(event_before), max(event_before) FROM difference",
            List.of());
    Extent now =
        extent(
            "SELECT count(CASE WHEN kind = 'new' THEN 1 END), min(event_now), max(event_now) FROM difference",
            List.of());
    // Is the oldest or the newest row gone, or was the table empty, then all of it has to be asked.
    boolean minIsGone =
        before.eventMin().isPresent()
            && !isBefore(known.eventMin(), before.eventMin())
            && (now.eventMin().isEmpty() || isBefore(known.eventMin(), now.eventMin()));
    boolean maxIsGone =
        before.eventMax().isPresent()
            && !isBefore(before.eventMax(), known.eventMax())
            && (now.eventMax().isEmpty() || isBefore(now.eventMax(), known.eventMax()));
    if (minIsGone || maxIsGone || known.eventMin().isEmpty()) {
      describe(table);
      return;
    }
    note(
        new Extent(
            known.rows() + now.rows() - before.rows(),
            isBefore(now.eventMin(), known.eventMin()) ? now.eventMin() : known.eventMin(),
            isBefore(known.eventMax(), now.eventMax()) ? now.eventMax() : known.eventMax()));
  }

  private static boolean isBefore(Optional<Instant> one, Optional<Instant> other) {
    return one.isPresent() && other.isPresent() && one.get().isBefore(other.get());
  }

  private void succeed(Outcome outcome) throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET status = 'succeeded', finished_at = %s,
          rows_read = ?, rows_written = ?, upper_bound = ?, lower_bound = ?, kind = ?,
          progress = %s
        WHERE run_id = ? AND status = 'running'
        """
            .formatted(database.now(), database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, commit.rowsRead());
      statement.setLong(2, outcome.written());
      database.setInstant(statement, 3, commit.asOf());
      database.setInstant(statement, 4, commit.lowerBound());
      statement.setString(5, commit.kind().id());
      statement.setString(6, commit.progress().now().toJson().toString());
      statement.setLong(7, commit.runId());
      if (statement.executeUpdate() != 1) {
        // Another holder of the lock took this run for an orphan.
        throw stale();
      }
    }
  }

  final void execute(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }

  final long number(String select) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      return rows.next() ? rows.getLong(1) : 0;
    }
  }

  /** Clears up what the transaction made beside it, on a connection that is still good. */
  abstract void clearUp() throws SQLException;

  /** Ends the transaction; whatever was not committed is undone. */
  @Override
  public void close() throws SQLException {
    registration.close();
    if (connection.isClosed()) {
      return;
    }
    if (begun) {
      connection.rollback();
      connection.setAutoCommit(true);
    }
    clearUp();
  }
}
