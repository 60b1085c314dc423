package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.store.ErasureRecords.Tombstone;
import io.featureduck.store.ErasureRecords.Version;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Removes entities from a view, and keeps them away. */
/* Two transactions. The first puts up the tombstones, under the lock of the view's rows in
 * featureduck_views. A run looks for tombstones under the same lock, the last thing before it notes
 * its generation: so it either finds them, and commits none of their rows, or has committed before,
 * and the second transaction finds its rows. The second deletes the rows of all versions, then locks
 * the view's rows and notes a generation with the keys.
 *
 * Tables come before the view's rows in every transaction but for the swap of a run in Postgres, which
 * waits for its table with that lock held, for 200 ms at a time. So here no lock is waited for long,
 * and all are given back before the next attempt. Whatever ends between the two transactions leaves
 * pending tombstones: whoever looks after the store finishes them.
 */
final class EntityErasure {
  private static final long PAUSE_MILLIS_MIN = 20;
  private static final long PAUSE_MILLIS_MAX = 500;

  private final StoreDatabase database;
  private final ErasureRecords records;
  private final ChangeRecords changes;
  private final String view;
  private final Cancellation never = new Cancellation();

  EntityErasure(StoreDatabase database, String view) {
    this.database = database;
    this.records = new ErasureRecords(database);
    this.changes = new ChangeRecords(database);
    this.view = view;
  }

  /** As {@link OnlineStore#erase}. */
  Erasure erase(List<String> asked, Erasure.Origin origin, String by, Duration patience) {
    List<String> keys = List.copyOf(new LinkedHashSet<>(asked));
    long end = System.nanoTime() + patience.toNanos();
    long id =
        attempts(end, connection -> putUp(connection, keys, origin, by))
            .orElseThrow(() ->
                new FeatureException(
                    ErrorCode.LOCKED,
                    "view %s is being committed or changed for longer than %.1f s: none of these entities is erased, try again"
                        .formatted(view, patience.toMillis() / 1e3)));
    Removed removed = new Removed();
    boolean finished = removePending(end, removed);
    return new Erasure(id, keys.size(), removed.rows, !finished);
  }

  /**
   * Deletes what tombstones were left pending of, as far as no run is in the way.
   *
   * @return the rows
   */
  long finish() {
    Removed removed = new Removed();
    boolean ignored = removePending(System.nanoTime(), removed);
    return removed.rows;
  }

  /** What was deleted so far. */
  private static final class Removed {
    long rows;
  }

  private long putUp(Connection connection, List<String> keys, Erasure.Origin origin, String by)
      throws SQLException {
    if (records.lock(connection, view).isEmpty()) {
      throw new FeatureException(
          ErrorCode.UNKNOWN_VIEW, "view %s isn't registered in this store".formatted(view));
    }
    long id = records.insert(connection, view, keys, origin, by);
    records.putUp(connection, view, keys, id);
    return id;
  }

  /** Returns whether nothing is pending any more. */
  private boolean removePending(long end, Removed removed) {
    while (true) {
      Optional<Boolean> more = attempts(end, connection -> removePage(connection, removed));
      if (more.isEmpty()) {
        return false;
      }
      if (!more.get()) {
        return true;
      }
    }
  }

  private boolean removePage(Connection connection, Removed removed) throws SQLException {
    List<Tombstone> page = records.pending(connection, view);
    if (page.isEmpty()) {
      return false;
    }
    List<String> keys = page.stream().map(Tombstone::key).toList();
    Map<String, Long> rowsByKey = new HashMap<>();
    Map<Integer, Long> rowsByVersion = new HashMap<>();
    for (Version version : records.versions(connection, view)) {
      String table = ViewDefinition.table(view, version.number());
      if (database.hasTable(connection, table)) {
        List<String> deleted = records.deleteRows(connection, table, keys, Optional.empty());
        rowsByVersion.put(version.number(), (long) deleted.size());
        deleted.forEach(key -> rowsByKey.merge(key, 1L, Long::sum));
      }
    }
    for (Version version : records.lock(connection, view)) {
      if (!rowsByVersion.containsKey(version.number())) {
        continue;
      }
      // Of all keys, for a server may have a row in its cache that is no longer in the table.
      long ignored =
          changes.note(connection, view, version.number(), Optional.empty(), Optional.of(keys));
      long rows = rowsByVersion.getOrDefault(version.number(), 0L);
      if (rows > 0) {
        records.addRemoved(connection, view, version.number(), rows);
      }
    }
    records.finish(connection, view, page, ErasureRecords.byErasure(page, rowsByKey));
    removed.rows += rowsByKey.values().stream().mapToLong(Long::longValue).sum();
    return page.size() == ErasureRecords.PAGE;
  }

  /** A transaction; each attempt has a connection of its own. */
  private interface Step<T> {
    T with(Connection connection) throws SQLException;
  }

  /** Does it, again and again while others hold what it needs; returns empty at the end. */
  private <T> Optional<T> attempts(long end, Step<T> step) {
    long pause = PAUSE_MILLIS_MIN;
    while (true) {
      try (Connection connection = database.open()) {
        return Optional.of(attempt(connection, step));
      } catch (SQLException e) {
        if (database.isReadOnly(e)) {
          throw new FeatureException(
              ErrorCode.READ_ONLY,
              "this process may only read the online store: erase by one whose database role may write it",
              e);
        }
        // A table that was dropped is of a version that the next attempt doesn't find any more.
        if (!database.isConflict(e) && !database.isMissingTable(e)) {
          throw database.failure("erasing entities of view " + view, e);
        }
      }
      if (System.nanoTime() > end) {
        return Optional.empty();
      }
      never.pause(pause);
      pause = Math.min(PAUSE_MILLIS_MAX, pause * 2);
    }
  }

  private <T> T attempt(Connection connection, Step<T> step) throws SQLException {
    StoreDatabase.limitNetworkWaits(connection);
    database.limitLockWaits(connection);
    database.boundTransaction(connection);
    connection.setAutoCommit(false);
    try {
      T result = step.with(connection);
      connection.commit();
      return result;
    } catch (SQLException | RuntimeException e) {
      if (!connection.isClosed()) {
        connection.rollback();
      }
      throw e;
    }
  }
}
