package io.featureduck.store;

import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One walk over a live view's table in the order of the keys, which deletes rows whose event is too
 * old. It goes page by page, so that whoever does it can pause or stop in between, and go on later.
 * All of it is done over one connection, unless that is given back in between. Not thread-safe.
 */
/* A run that writes compares first and writes then; a row that was deleted between the two would be
 * missing until it changes again. So a page is deleted under the lock of the view's watermarks, the
 * fence: no run writes meanwhile, and one that is about to waits for some milliseconds. Where a run
 * has the fence, the page gives way at once. The view's session lock would not do: it is held while a
 * run computes, and whoever asked for a run in such a moment would be refused.
 *
 * The order of the locks is that of a run: watermarks, table, the view's rows.
 */
public final class Purge implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Purge.class);

  static final int PAGE = 1_000;

  private final StoreDatabase database;
  private final ErasureRecords records;
  private final ChangeRecords changes;
  private final ViewRecords views;
  private final LiveView view;
  private final Instant oldest;
  private Optional<Connection> open = Optional.empty();
  private Optional<String> after = Optional.empty();
  private Optional<Long> lastRun = Optional.empty();
  private Optional<Instant> oldestKept = Optional.empty();

  Purge(StoreDatabase database, LiveView view, Instant oldest) {
    this.database = database;
    this.records = new ErasureRecords(database);
    this.changes = new ChangeRecords(database);
    this.views = new ViewRecords(database);
    this.view = view;
    this.oldest = oldest;
  }

  /** How a page went. */
  public enum Outcome {
    MORE,
    /** A run is being written; the same page is to be tried again. */
    GIVES_WAY,
    /** All of the table was looked at. */
    DONE,
    /** The view is served from another table or has another ttl by now; nothing was deleted. */
    OUTDATED
  }

  /**
   * What a page did.
   *
   * @param rows that were deleted
   */
  public record Page(Outcome outcome, long rows) {}

  /** Tells whether this is about the rows of a view as it is, and by the ttl that it has. */
  public boolean isOf(LiveView now) {
    return view.view().equals(now.view())
        && view.version() == now.version()
        && view.ttl().equals(now.ttl());
  }

  /**
   * Looks at the next rows, at most 1,000, and deletes those that are too old.
   *
   * @throws FeatureException STORE_UNAVAILABLE; the same page may be tried again
   */
  public Page next() {
    try {
      Page page = next(connection());
      if (page.outcome() != Outcome.MORE) {
        close();
      }
      return page;
    } catch (SQLException e) {
      if (database.isConflict(e)) {
        return new Page(Outcome.GIVES_WAY, 0);
      }
      close();
      if (database.isMissingTable(e)) {
        // Its version was replaced, and its table dropped.
        return new Page(Outcome.OUTDATED, 0);
      }
      throw database.failure("purging view " + view.view(), e);
    }
  }

  private Connection connection() throws SQLException {
    if (open.isEmpty()) {
      Connection connection = database.open();
      open = Optional.of(connection);
      StoreDatabase.limitNetworkWaits(connection);
      database.limitLockWaits(connection);
      database.boundTransaction(connection);
    }
    return open.get();
  }

  private record Seen(String key, Optional<Instant> event) {}

  private Page next(Connection connection) throws SQLException {
    if (after.isEmpty()) {
      lastRun = run(connection, "");
    }
    List<Seen> page = read(connection);
    List<String> old = new ArrayList<>();
    Optional<Instant> kept = oldestKept;
    for (Seen row : page) {
      if (row.event().isEmpty()) {
        continue;
      }
      Instant event = row.event().get();
      if (event.isBefore(oldest)) {
        boolean ignored = old.add(row.key());
      } else if (kept.isEmpty() || event.isBefore(kept.get())) {
        kept = Optional.of(event);
      }
    }
    boolean done = page.size() < PAGE;
    Optional<Integer> deleted = Optional.of(0);
    if (!old.isEmpty() || done) {
      deleted = transaction(connection, old, done, kept);
      if (deleted.isEmpty()) {
        return new Page(Outcome.OUTDATED, 0);
      }
    }
    oldestKept = kept;
    if (!page.isEmpty()) {
      after = Optional.of(page.getLast().key());
    }
    return new Page(done ? Outcome.DONE : Outcome.MORE, deleted.get());
  }

  private List<Seen> read(Connection connection) throws SQLException {
    String select =
        "SELECT entity_key, event_timestamp FROM %s %s ORDER BY entity_key LIMIT %d"
            .formatted(view.table(), after.isPresent() ? "WHERE entity_key > ?" : "", PAGE);
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      if (after.isPresent()) {
        database.setKey(statement, 1, after.get());
      }
      try (ResultSet rows = statement.executeQuery()) {
        List<Seen> page = new ArrayList<>();
        while (rows.next()) {
          page.add(new Seen(database.key(rows, 1), database.instant(rows, 2)));
        }
        return page;
      }
    }
  }

  private Optional<Integer> transaction(
      Connection connection, List<String> old, boolean done, Optional<Instant> kept)
      throws SQLException {
    connection.setAutoCommit(false);
    Optional<Integer> deleted;
    try {
      deleted = delete(connection, old, done, kept);
      if (deleted.isPresent()) {
        connection.commit();
      } else {
        connection.rollback();
      }
    } catch (SQLException | RuntimeException e) {
      if (!connection.isClosed()) {
        connection.rollback();
        connection.setAutoCommit(true);
      }
      throw e;
    }
    connection.setAutoCommit(true);
    return deleted;
  }

  /** Returns how many rows it deleted; empty where the view is another one by now. */
  private Optional<Integer> delete(
      Connection connection, List<String> old, boolean done, Optional<Instant> kept)
      throws SQLException {
    Optional<Long> run = lockWatermarks(connection);
    List<String> deleted =
        old.isEmpty()
            ? List.of()
            : records.deleteRows(connection, view.table(), old, Optional.of(oldest));
    // The definition stays as it is from here on.
    List<ErasureRecords.Version> ignored = records.lock(connection, view.view());
    if (views.liveView(connection, view.view()).filter(this::isOf).isEmpty()) {
      return Optional.empty();
    }
    if (!deleted.isEmpty()) {
      noteDeleted(connection, deleted);
    }
    if (done) {
      noteOldest(connection, kept, run.equals(lastRun));
    }
    return Optional.of(deleted.size());
  }

  private void noteDeleted(Connection connection, List<String> keys) throws SQLException {
    long ignored =
        changes.note(connection, view.view(), view.version(), Optional.empty(), Optional.of(keys));
    countDown(connection, keys.size());
    new LeftOutRows(connection).add(view);
  }

  /** Keeps runs from writing until the transaction ends; returns the last one that has. */
  private Optional<Long> lockWatermarks(Connection connection) throws SQLException {
    return run(connection, " FOR UPDATE NOWAIT");
  }

  private Optional<Long> run(Connection connection, String locking) throws SQLException {
    String select =
        "SELECT run_id FROM featureduck_watermarks WHERE view = ? AND version = ? ORDER BY source"
            + locking;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view.view());
      statement.setInt(2, view.version());
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? Optional.of(rows.getLong(1)) : Optional.empty();
      }
    }
  }

  private void countDown(Connection connection, int rows) throws SQLException {
    String update =
        "UPDATE featureduck_watermarks SET \"rows\" = \"rows\" - ? WHERE view = ? AND version = ?";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setInt(1, rows);
      statement.setString(2, view.view());
      statement.setInt(3, view.version());
      int ignored = statement.executeUpdate();
    }
  }

  /**
   * Notes which event is the oldest by now. Where a run wrote rows behind this walk, only that none
   * is too old is known.
   */
  private void noteOldest(Connection connection, Optional<Instant> kept, boolean exact)
      throws SQLException {
    String update =
        "UPDATE featureduck_watermarks SET event_min = ? WHERE view = ? AND version = ? AND event_min < ?";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      database.setInstant(statement, 1, exact ? kept : Optional.of(oldest));
      statement.setString(2, view.view());
      statement.setInt(3, view.version());
      database.setInstant(statement, 4, oldest);
      int ignored = statement.executeUpdate();
    }
  }

  /** Gives the connection back; the next page takes another. */
  @Override
  public void close() {
    Optional<Connection> connection = open;
    open = Optional.empty();
    try {
      if (connection.isPresent()) {
        connection.get().close();
      }
    } catch (SQLException e) {
      LOG.warn("view {}: the connection of its purge did not close", view.view(), e);
    }
  }
}
