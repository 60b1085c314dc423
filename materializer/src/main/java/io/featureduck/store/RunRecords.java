package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rows of {@code featureduck_runs}: each run that was ever started, and how the views stand
 * after them. That a run succeeded is written by its own transaction alone.
 */
final class RunRecords {
  private static final Logger LOG = LoggerFactory.getLogger(RunRecords.class);

  private final StoreDatabase database;
  private final String columns;
  private final String statuses;
  private final String ticks;

  RunRecords(StoreDatabase database) {
    this.database = database;
    this.columns =
        "r.run_id, r.view, r.version, r.kind, r.status, r.engine, r.scheduled_at, r.started_at,"
            + " r.finished_at, r.rows_read, r.rows_written, r.lower_bound, r.upper_bound,"
            + " r.error_code, r.error, r.host, "
            + database.jsonText("r.progress");
    this.statuses =
        """
        SELECT %s, v.view, v.version, %s, w.as_of,
          (SELECT coalesce(max(c.generation), 0) FROM featureduck_changes c
           WHERE c.view = v.view AND c.version = v.version),
          w."rows" - v.rows_removed, w.event_min, w.event_max,
          (SELECT max(s.finished_at) FROM featureduck_runs s
           WHERE s.view = v.view AND s.version = v.version AND s.status = 'succeeded'),
          %s
        FROM featureduck_views v
        LEFT JOIN (
          SELECT m.view, m.version, max(u.upper_bound) AS as_of, max(m."rows") AS "rows",
            min(m.event_min) AS event_min, max(m.event_max) AS event_max
          FROM featureduck_watermarks m JOIN featureduck_runs u ON u.run_id = m.run_id
          GROUP BY m.view, m.version) w
          ON w.view = v.view AND w.version = v.version
        LEFT JOIN featureduck_runs r ON r.run_id = (
          SELECT l.run_id FROM featureduck_runs l WHERE l.view = v.view AND l.version = v.version
          ORDER BY l.run_id DESC LIMIT 1)
        WHERE v.live ORDER BY v.view
        """
            .formatted(
                columns, database.jsonText("v.definition"), database.tableBytes(tableName()));
    // The newest runs are enough: whatever satisfies the latest tick began after it. It may be one
    // of a version that isn't live yet.
    this.ticks =
        """
        WITH recent AS (
          SELECT r.kind, r.status, r.started_at,
            r.status = 'running' AND r.heartbeat_at > %1$s AS lives,
            CASE WHEN r.status <> 'running' OR r.heartbeat_at > %1$s THEN r.scheduled_at END
              AS scheduled_at
          FROM featureduck_runs r
          WHERE r.view = ? AND r.version >= coalesce(
            (SELECT v.version FROM featureduck_views v WHERE v.view = ? AND v.live), 1)
          ORDER BY r.run_id DESC LIMIT 10000)
        SELECT EXISTS (SELECT 1 FROM featureduck_pauses p WHERE p.view = ?),
          EXISTS (SELECT 1 FROM recent),
          EXISTS (SELECT 1 FROM recent r WHERE r.lives),
          EXISTS (SELECT 1 FROM recent r WHERE r.scheduled_at = ? OR r.started_at >= ?
            AND (r.status = 'succeeded' OR r.scheduled_at IS NOT NULL)),
          EXISTS (SELECT 1 FROM recent r WHERE r.scheduled_at = ?
            OR r.kind = 'full' AND r.started_at >= ?
            AND (r.status = 'succeeded' OR r.scheduled_at IS NOT NULL))
        """
            .formatted(database.ago("?"));
  }

  /** As {@link OnlineStore#runs}. */
  List<Run> runs(Connection connection, Optional<String> view, int limit) throws SQLException {
    String select =
        "SELECT "
            + columns
            + " FROM featureduck_runs r"
            + (view.isPresent() ? " WHERE r.view = ?" : "")
            + " ORDER BY r.run_id DESC LIMIT "
            + limit;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      if (view.isPresent()) {
        statement.setString(1, view.get());
      }
      List<Run> runs = new ArrayList<>();
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          runs.add(run(rows));
        }
      }
      return List.copyOf(runs);
    }
  }

  /** As {@link OnlineStore#run}. */
  Optional<Run> run(Connection connection, long runId) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "SELECT " + columns + " FROM featureduck_runs r WHERE r.run_id = ?")) {
      statement.setLong(1, runId);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? Optional.of(run(rows)) : Optional.empty();
      }
    }
  }

  /** Reads {@link #columns}, which stand first. */
  private Run run(ResultSet rows) throws SQLException {
    return new Run(
        rows.getLong(1),
        rows.getString(2),
        rows.getInt(3),
        Run.Kind.of(rows.getString(4)),
        Run.Status.of(rows.getString(5)),
        rows.getString(6),
        database.instant(rows, 7),
        database.instant(rows, 8).orElseThrow(),
        database.instant(rows, 9),
        number(rows, 10),
        number(rows, 11),
        database.instant(rows, 12),
        database.instant(rows, 13),
        Optional.ofNullable(rows.getString(14)),
        Optional.ofNullable(rows.getString(15)),
        rows.getString(16),
        Progress.parse(rows.getString(17)));
  }

  private static Optional<Long> number(ResultSet rows, int column) throws SQLException {
    long value = rows.getLong(column);
    return rows.wasNull() ? Optional.empty() : Optional.of(value);
  }

  /** As {@link OnlineStore#statuses}. */
  List<ViewStatus> statuses(Connection connection) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(statuses);
        ResultSet rows = select.executeQuery()) {
      List<ViewStatus> found = new ArrayList<>();
      while (rows.next()) {
        found.add(status(rows));
      }
      return List.copyOf(found);
    }
  }

  private ViewStatus status(ResultSet rows) throws SQLException {
    boolean hasRun = number(rows, 1).isPresent();
    LiveView view =
        LiveView.parse(
            rows.getString(18),
            rows.getInt(19),
            rows.getString(20),
            database.instant(rows, 21),
            rows.getLong(22));
    return new ViewStatus(
        view,
        view.asOf(),
        rows.getLong(23),
        rows.getLong(27),
        database.instant(rows, 24),
        database.instant(rows, 25),
        database.instant(rows, 26),
        hasRun ? Optional.of(run(rows)) : Optional.empty());
  }

  /** Returns {@link LiveView#table} of {@code v}, as SQL. */
  private static String tableName() {
    return "concat('online_', v.view, CASE WHEN v.version > 1 THEN concat('__v', v.version) ELSE '' END)";
  }

  /** As {@link OnlineStore#ticks}. */
  TickState ticks(
      Connection connection,
      String view,
      Optional<Instant> batch,
      Optional<Instant> full,
      Duration lease)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ticks)) {
      double leaseSeconds = lease.toMillis() / 1_000.0;
      statement.setDouble(1, leaseSeconds);
      statement.setDouble(2, leaseSeconds);
      statement.setString(3, view);
      statement.setString(4, view);
      statement.setString(5, view);
      database.setInstant(statement, 6, batch);
      database.setInstant(statement, 7, batch);
      database.setInstant(statement, 8, full);
      database.setInstant(statement, 9, full);
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          throw new IllegalStateException("a SELECT without FROM gave no row");
        }
        return new TickState(
            rows.getBoolean(1),
            rows.getBoolean(2),
            rows.getBoolean(3),
            rows.getBoolean(4),
            rows.getBoolean(5));
      }
    }
  }

  /** Notes that a run begins; returns its number, or empty where another run has its tick. */
  Optional<Long> start(Connection connection, String view, RunStart start) throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_runs (view, version, kind, status, engine, scheduled_at, host)
        VALUES (?, ?, ?, 'running', ?, ?, ?)\
        """;
    try (PreparedStatement statement = database.prepareIfNew(connection, insert, "run_id")) {
      statement.setString(1, view);
      statement.setInt(2, start.version());
      statement.setString(3, start.kind().id());
      statement.setString(4, start.engine());
      database.setInstant(statement, 5, start.scheduledAt());
      statement.setString(6, start.host());
      if (database.insertIfNew(statement) == 0) {
        return Optional.empty();
      }
      try (ResultSet keys = statement.getGeneratedKeys()) {
        if (!keys.next()) {
          throw new IllegalStateException("a run was noted and has no number");
        }
        return Optional.of(keys.getLong(1));
      }
    }
  }

  /**
   * Closes the runs of a view that go on as far as the store knows.
   *
   * @param why to which the name of the run's host is added
   * @param givesTickBack whether a tick that one of them had is open again
   */
  void closeRunning(
      Connection connection,
      String view,
      Run.Status status,
      ErrorCode code,
      String why,
      boolean givesTickBack)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET status = ?, finished_at = %s, error_code = ?, error = ?,
          scheduled_at = ?
        WHERE run_id = ? AND status = 'running'
        """
            .formatted(database.now());
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT run_id, host, scheduled_at FROM featureduck_runs WHERE view = ? AND status = 'running'");
        PreparedStatement close = connection.prepareStatement(update)) {
      select.setString(1, view);
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          Optional<Instant> tick = database.instant(rows, 3);
          if (givesTickBack && tick.isPresent() && !wasGivenBack(connection, view, tick.get())) {
            tick = Optional.empty();
          }
          close.setString(1, status.id());
          close.setString(2, code.id());
          close.setString(3, why + rows.getString(2));
          database.setInstant(close, 4, tick);
          close.setLong(5, rows.getLong(1));
          if (close.executeUpdate() == 1) {
            LOG.warn("view {}: closed run {}: {}", view, rows.getLong(1), why);
          }
        }
      }
    }
  }

  /**
   * Tells whether a run without a tick was left behind since a tick. One tick is given back once: a
   * run that takes its process along would do so again each time.
   */
  private boolean wasGivenBack(Connection connection, String view, Instant tick)
      throws SQLException {
    String select =
        """
        SELECT count(*) FROM featureduck_runs
        WHERE view = ? AND scheduled_at IS NULL AND started_at >= ? AND error_code IN (?, ?)
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      database.setInstant(statement, 2, tick);
      statement.setString(3, ErrorCode.INTERNAL.id());
      statement.setString(4, ErrorCode.LOCKED.id());
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() && rows.getLong(1) > 0;
      }
    }
  }

  /** Has another run take the tick of one that was stopped before its end. */
  void giveTickBack(Connection connection, long runId) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "UPDATE featureduck_runs SET scheduled_at = NULL WHERE run_id = ? AND status = 'cancelled'")) {
      statement.setLong(1, runId);
      int ignored = statement.executeUpdate();
    }
  }

  /** As {@link OnlineStore#fail}. */
  void fail(
      Connection connection,
      long runId,
      Run.Status status,
      FeatureException failure,
      Optional<Instant> asOf,
      Progress progress)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET status = ?, finished_at = %s,
          error_code = ?, error = ?, upper_bound = ?, progress = %s
        WHERE run_id = ? AND status = 'running'
        """
            .formatted(database.now(), database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, status.id());
      statement.setString(2, failure.code().id());
      statement.setString(3, failure.getMessage());
      database.setInstant(statement, 4, asOf);
      statement.setString(5, progress.toJson().toString());
      statement.setLong(6, runId);
      int ignored = statement.executeUpdate();
    }
  }

  /** As {@link ViewLock#correctVersion}; returns whether the run goes on. */
  boolean correctVersion(Connection connection, long runId, int version) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "UPDATE featureduck_runs SET version = ? WHERE run_id = ? AND status = 'running'")) {
      statement.setInt(1, version);
      statement.setLong(2, runId);
      return statement.executeUpdate() == 1;
    }
  }

  /** As {@link OnlineStore#requestCancel}. */
  boolean requestCancel(Connection connection, long runId) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "UPDATE featureduck_runs SET cancel_requested = true WHERE run_id = ? AND status = 'running'")) {
      statement.setLong(1, runId);
      return statement.executeUpdate() == 1;
    }
  }

  /** As {@link RunHeartbeat#beat}. */
  RunHeartbeat.Answer beat(Connection connection, long runId, Progress progress, long rowsRead)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET heartbeat_at = %s, progress = %s, rows_read = nullif(?, 0)
        WHERE run_id = ? AND status = 'running'
        """
            .formatted(database.now(), database.jsonParameter());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, progress.toJson().toString());
      statement.setLong(2, rowsRead);
      statement.setLong(3, runId);
      int ignored = statement.executeUpdate();
    }
    String select = "SELECT status, cancel_requested FROM featureduck_runs WHERE run_id = ?";
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setLong(1, runId);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next()
            ? answer(Run.Status.of(rows.getString(1)), rows.getBoolean(2))
            : RunHeartbeat.Answer.TAKEN_OVER;
      }
    }
  }

  private static RunHeartbeat.Answer answer(Run.Status status, boolean cancelRequested) {
    return switch (status) {
      case RUNNING -> cancelRequested ? RunHeartbeat.Answer.CANCEL : RunHeartbeat.Answer.GO_ON;
      case SUCCEEDED -> RunHeartbeat.Answer.GO_ON;
      case FAILED, CANCELLED -> RunHeartbeat.Answer.TAKEN_OVER;
    };
  }
}
