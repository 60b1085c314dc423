package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.store.SessionLocks.Holder;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to run a view, held by one materializer at a time: a lock of the store's session on
 * whose connection the run is written. It is a courtesy that can be lost with the connection, or be
 * taken from a holder that gave no sign of life for a while; what keeps a stale run from being
 * written is the fence in {@link #write}.
 *
 * <p>Not thread-safe.
 */
public final class ViewLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ViewLock.class);

  private static final int VALID_SECONDS_MAX = 5;
  private static final int UNLOCK_MILLIS_MAX = 5_000;

  private final StoreDatabase database;
  private final RegistryRecords registry;
  private final RunRecords runs;
  private final String view;
  private final Connection connection;
  private final Optional<Holder> formerHolder;
  private final long session;

  private ViewLock(
      StoreDatabase database, String view, Connection connection, Optional<Holder> formerHolder)
      throws SQLException {
    this.database = database;
    this.registry = new RegistryRecords(database);
    this.runs = new RunRecords(database);
    this.view = view;
    this.connection = connection;
    this.formerHolder = formerHolder;
    this.session = database.locks().session(connection);
  }

  /** Takes the lock, or returns empty where another session has it. */
  static Optional<ViewLock> tryTake(StoreDatabase database, String view) {
    return tryTake(database, view, Optional.empty());
  }

  /** Takes the lock, also from a holder that was silent for the lease. */
  static Optional<ViewLock> tryTake(StoreDatabase database, String view, Duration lease) {
    Optional<ViewLock> free = tryTake(database, view);
    if (free.isPresent()) {
      return free;
    }
    Optional<Holder> silent =
        endHolder(database, view, holder -> holder.silentSeconds() >= lease.toSeconds());
    return silent.isEmpty() ? Optional.empty() : tryTake(database, view, silent);
  }

  /** Ends the session that has the lock, if it is such a one; returns who that was. */
  private static Optional<Holder> endHolder(
      StoreDatabase database, String view, Predicate<Holder> such) {
    return database.work(
        "asking who runs view " + view,
        connection -> {
          Optional<Holder> holder =
              database.locks().holder(connection, key(database, view), view).filter(such);
          if (holder.isPresent()) {
            LOG.warn(
                "view {}: ending session {}, which has its lock and was last seen to live {} s ago",
                view,
                holder.get().session(),
                holder.get().silentSeconds());
            database.locks().end(connection, key(database, view), view, holder.get());
          }
          return holder;
        });
  }

  /** Tells whether the session that has the lock is still there. */
  public boolean isHeld() {
    try {
      return connection.isValid(VALID_SECONDS_MAX);
    } catch (SQLException e) {
      throw database.failure("looking at the lock of view " + view, e);
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
    Optional<ViewLock> free = tryTake(database, view);
    if (free.isPresent()) {
      return free;
    }
    return endHolder(database, view, holder -> holder.session() == session)
        .flatMap(former -> tryTake(database, view));
  }

  private static String key(StoreDatabase database, String view) {
    return "featureduck " + database.schema() + " " + view;
  }

  private static Optional<ViewLock> tryTake(
      StoreDatabase database, String view, Optional<Holder> formerHolder) {
    try {
      Connection connection = database.openForRuns();
      try {
        if (database.locks().tryTake(connection, key(database, view))) {
          return Optional.of(new ViewLock(database, view, connection, formerHolder));
        }
        connection.close();
        return Optional.empty();
      } catch (SQLException e) {
        connection.close();
        throw e;
      }
    } catch (SQLException e) {
      throw database.failure("taking the lock of view " + view, e);
    }
  }

  /**
   * Notes that a run begins, and closes those runs of the view that others left behind.
   *
   * @return the run's number, or empty where another run has the scheduled tick
   */
  public Optional<Long> start(RunStart start) {
    return work(
        "starting a run of view " + view,
        () -> {
          closeOrphans(start.host());
          return runs.start(connection, view, start);
        });
  }

  /** Notes that a run that goes on is of another version than it began with. */
  public void correctVersion(long runId, int version) {
    boolean ignored =
        work(
            "correcting the version of run " + runId,
            () -> runs.correctVersion(connection, runId, version));
  }

  /** Returns all versions of the view; none where it is not registered. */
  public RegisteredView registered() {
    return work(
        "reading what is registered of view " + view, () -> registry.view(connection, view));
  }

  /** As {@link OnlineStore#run}. */
  public Optional<Run> run(long runId) {
    return work("reading run " + runId, () -> runs.run(connection, runId));
  }

  private interface Work<T> {
    T get() throws SQLException;
  }

  /** Does short work on the lock's connection. */
  private <T> T work(String doing, Work<T> work) {
    try {
      StoreDatabase.limitNetworkWaits(connection);
      return work.get();
    } catch (SQLException e) {
      throw database.failure(doing, e);
    }
  }

  /**
   * Closes those runs of the view that others left behind as cancelled.
   *
   * @param host who wants it so
   */
  public void cancelLeftBehind(String host) {
    String why = "cancelled by %s, for nothing was heard any more of ".formatted(host);
    boolean ignored =
        work(
            "closing the runs of view " + view,
            () -> {
              runs.closeRunning(
                  connection, view, Run.Status.CANCELLED, ErrorCode.CANCELLED, why, false);
              return true;
            });
  }

  private void closeOrphans(String host) throws SQLException {
    // Whoever ran them held this lock.
    String why =
        formerHolder
            .map(holder ->
                "taken over by %s after %d s without a sign of life of "
                    .formatted(host, holder.silentSeconds()))
            .orElse("the process that ran it is gone, or has lost its connection: ");
    ErrorCode code = formerHolder.isPresent() ? ErrorCode.LOCKED : ErrorCode.INTERNAL;
    runs.closeRunning(connection, view, Run.Status.FAILED, code, why, true);
  }

  /** Returns what the last successful run left behind, or empty before the first. */
  public Optional<Basis> basis(int version) {
    return work("reading the watermarks of view " + view, () -> readBasis(version));
  }

  /** Returns the tombstones of the view as they are before its sources are read. */
  public KnownErasures erasures() {
    return work(
        "reading the erased entities of view " + view,
        () -> new ErasureRecords(database).known(connection, view));
  }

  private Optional<Basis> readBasis(int version) throws SQLException {
    String select =
        """
        SELECT w.source, w.watermark, coalesce(w.source_hash, ''), w.run_id, r.upper_bound,
          w."rows", w.ttl_seconds
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
          Instant instant = database.instant(rows, 2).orElseThrow();
          watermarks.put(source, new Watermark(source, instant, rows.getString(3)));
          Instant asOf = database.instant(rows, 5).orElse(instant);
          long count = rows.getLong(6);
          long seconds = rows.getLong(7);
          Optional<Duration> ttl =
              rows.wasNull() ? Optional.empty() : Optional.of(Duration.ofSeconds(seconds));
          basis = Optional.of(new Basis(rows.getLong(4), asOf, watermarks, count, ttl));
        }
        return basis;
      }
    }
  }

  /** Tells whether the view's online table has all that rows of {@code features} need. */
  public boolean hasTable(LiveView live, List<Feature> features) {
    return work(
        "looking at the online table of view " + view,
        () -> database.table(live, features).matches(connection));
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
    try {
      // A statement may take as long as the rows do.
      connection.setNetworkTimeout(Runnable::run, 0);
      try (RunTransaction transaction = database.transaction(connection, commit, cancellation)) {
        return transaction.write(rows);
      }
    } catch (SQLException e) {
      cancellation.check();
      throw database.failure("writing view " + view, e);
    }
  }

  /**
   * Drops columns that no feature has any more. Leaves them to the next one where someone else is
   * in the way, or where it fails.
   */
  public void clearUp() {
    try {
      List<String> columns =
          registered().live().map(RegisteredVersion::strayColumns).orElse(List.of());
      if (columns.isEmpty()) {
        return;
      }
      Optional<Registrar> registrar = Registrar.tryTake(database, Duration.ZERO);
      if (registrar.isPresent()) {
        try (Registrar free = registrar.get()) {
          List<String> dropped = free.finishWithoutWaiting(view);
          LOG.info("view {}: dropped {} of the columns {}", view, dropped, columns);
        }
      }
    } catch (FeatureException e) {
      LOG.warn("view {}: columns that no feature has could not be dropped", view, e);
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
        database.locks().release(connection);
      }
    } catch (SQLException e) {
      LOG.warn("view {}: the connection of its lock did not close", view, e);
    }
  }
}
