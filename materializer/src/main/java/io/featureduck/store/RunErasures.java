package io.featureduck.store;

import io.featureduck.store.ErasureRecords.Tombstone;
import io.featureduck.store.ErasureRecords.Version;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Keeps erased entities out of what one run writes, and releases the tombstones of those gone. */
/* Twice. Once the computed rows are in a table, those of tombstones are taken out, before anything is
 * compared: so a tombstone costs nothing later, and counts are right by themselves. At the end, under
 * the lock of the view's rows, what was erased meanwhile is looked for again; see EntityErasure.
 *
 * A tombstone is released by a full run whose rows have none of its entity, where the source itself,
 * asked without filters and for all times, has none either. Whom an increment touches has a row in the
 * source. Never one that is pending: tables of other versions may have it. Nor any while another
 * version is computed, which may read another source.
 */
final class RunErasures {
  private final StoreDatabase database;
  private final ErasureRecords records;
  private final Connection connection;
  private final RunCommit commit;
  private final List<String> released = new ArrayList<>();
  private long seen;
  private boolean removed;

  RunErasures(StoreDatabase database, Connection connection, RunCommit commit) {
    this.database = database;
    this.records = new ErasureRecords(database);
    this.connection = connection;
    this.commit = commit;
  }

  private String view() {
    return commit.live().view();
  }

  private boolean isIncremental() {
    return commit.kind() == Run.Kind.INCREMENTAL;
  }

  /**
   * Takes erased entities out of the computed rows.
   *
   * @param table that has these rows; an increment's are without event time where an entity has
   *     none any more
   * @return how many rows that were
   */
  long takeOut(String table, Retention retention) throws SQLException {
    Map<String, Tombstone> tombstones = new LinkedHashMap<>();
    for (Tombstone tombstone : records.all(connection, view())) {
      tombstones.put(tombstone.key(), tombstone);
      seen = Math.max(seen, tombstone.erasure());
    }
    if (tombstones.isEmpty()) {
      return 0;
    }
    List<String> present = present(table);
    if (!isIncremental()) {
      Set<String> computed = Set.copyOf(present);
      released.addAll(
          retention.released(
              tombstones.values().stream()
                  .filter(tombstone -> !tombstone.pending())
                  .filter(tombstone -> !computed.contains(tombstone.key()))
                  .toList()));
    }
    // Not by a subselect: MySQL would hold the tombstones to the commit, before the view's rows,
    // and whoever puts up tombstones has the view's rows first.
    return records.deleteByKey(connection, table, present);
  }

  private List<String> present(String table) throws SQLException {
    String select =
        """
        SELECT s.entity_key FROM %s s JOIN featureduck_tombstones t ON t.entity_key = s.entity_key
        WHERE t.view = ? AND s.event_timestamp IS NOT NULL
        """
            .formatted(table);
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view());
      try (ResultSet rows = statement.executeQuery()) {
        List<String> present = new ArrayList<>();
        while (rows.next()) {
          present.add(database.key(rows, 1));
        }
        return present;
      }
    }
  }

  /**
   * What was erased since the rows were taken out, or may have been.
   *
   * @param found the event times of the rows that there still were, by key
   */
  record Late(List<String> keys, Map<String, Optional<Instant>> found) {}

  /**
   * Releases tombstones, and deletes the rows of what was erased since the rows were taken out. The
   * view's rows in {@code featureduck_views} are locked.
   *
   * @param table that has the view's rows by now
   */
  Late settle(String table) throws SQLException {
    boolean alone = true;
    for (Version version : records.versions(connection, view())) {
      boolean isOwn = version.number() == commit.live().version();
      removed |= isOwn && version.rowsRemoved() > 0;
      alone &= isOwn || !(version.live() || version.pending());
    }
    if (alone) {
      records.deleteTombstones(connection, view(), released, seen);
    }
    List<String> keys =
        records.pendingOrAfter(connection, view(), seen).stream().map(Tombstone::key).toList();
    Map<String, Optional<Instant>> found = new HashMap<>();
    ErasureRecords.inPages(keys, page -> found.putAll(rows(table, page)));
    long ignored = records.deleteByKey(connection, table, List.copyOf(found.keySet()));
    return new Late(keys, found);
  }

  private Map<String, Optional<Instant>> rows(String table, List<String> keys) throws SQLException {
    // A row that another session holds is just being erased by it, and waiting would be for each
    // other.
    String select =
        "SELECT entity_key, event_timestamp FROM %s WHERE entity_key IN %s FOR UPDATE SKIP LOCKED"
            .formatted(table, ErasureRecords.marks(keys.size()));
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      records.setKeys(statement, 1, keys);
      try (ResultSet rows = statement.executeQuery()) {
        Map<String, Optional<Instant>> found = new HashMap<>();
        while (rows.next()) {
          found.put(database.key(rows, 1), database.instant(rows, 2));
        }
        return found;
      }
    }
  }

  /** What the comparison with the rows before the run found of an entity. */
  private record Compared(String kind, Optional<Instant> before) {}

  /**
   * Has the comparison, {@code difference}, say what came of those that were erased late. They may
   * be many, so nothing is asked of them one by one.
   *
   * @return how many of them had been computed
   */
  long correct(Late late) throws SQLException {
    Map<String, Compared> compared = readCompared();
    int ignored = deleteLate("difference", "kind <> 'gone'");
    insertGone(late, compared);
    return deleteLate("stage", "event_timestamp IS NOT NULL");
  }

  private void insertGone(Late late, Map<String, Compared> compared) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "INSERT INTO difference (entity_key, kind, event_before) VALUES (?, 'gone', ?)")) {
      for (Map.Entry<String, Optional<Instant>> found : late.found().entrySet()) {
        // Who isn't in it was there, and as computed. What isn't found was deleted and told by the
        // erasure itself.
        Compared before =
            compared.getOrDefault(found.getKey(), new Compared("same", found.getValue()));
        if (!before.kind().equals("new")) {
          database.setKey(statement, 1, found.getKey());
          database.setInstant(statement, 2, before.before());
          statement.addBatch();
        }
      }
      int[] ignored = statement.executeBatch();
    }
  }

  private Map<String, Compared> readCompared() throws SQLException {
    String select =
        """
        SELECT d.entity_key, d.kind, d.event_before FROM difference d
        JOIN featureduck_tombstones t ON t.entity_key = d.entity_key
        WHERE t.view = ? AND (t.pending OR t.erasure_id > ?)
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view());
      statement.setLong(2, seen);
      try (ResultSet rows = statement.executeQuery()) {
        Map<String, Compared> compared = new HashMap<>();
        while (rows.next()) {
          compared.put(
              database.key(rows, 1), new Compared(rows.getString(2), database.instant(rows, 3)));
        }
        return compared;
      }
    }
  }

  private int deleteLate(String table, String condition) throws SQLException {
    String delete =
        """
        DELETE FROM %s WHERE %s AND entity_key IN (SELECT t.entity_key FROM featureduck_tombstones t
          WHERE t.view = ? AND (t.pending OR t.erasure_id > ?))
        """
            .formatted(table, condition);
    try (PreparedStatement statement = connection.prepareStatement(delete)) {
      statement.setString(1, view());
      statement.setLong(2, seen);
      return statement.executeUpdate();
    }
  }

  /** Tells whether rows went since the last run that this counted. */
  boolean wereRowsRemoved() {
    return removed;
  }

  /** Notes that all rows have been counted. */
  void counted() throws SQLException {
    if (removed) {
      records.forgetRemoved(connection, view(), commit.live().version());
    }
  }
}
