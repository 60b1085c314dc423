package io.featureduck.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The rows of {@code featureduck_tombstones} and {@code featureduck_erasures}, and what is deleted
 * of online tables by key.
 */
final class ErasureRecords {
  /** Keys in one statement. */
  static final int PAGE = 1_000;

  /** A table without an index is searched once for so many, which fit MySQL's packet. */
  private static final int DELETED_AT_ONCE = 4_000;

  private final StoreDatabase database;

  ErasureRecords(StoreDatabase database) {
    this.database = database;
  }

  /**
   * An entity that no run writes.
   *
   * @param erasure the newest request for it
   * @param pending whether tables may still have a row of it
   */
  record Tombstone(String key, long erasure, boolean pending) {}

  /**
   * A version of a view, whose row in {@code featureduck_views} is locked.
   *
   * @param rowsRemoved rows that its last run counted and that are gone since
   */
  record Version(int number, boolean live, boolean pending, long rowsRemoved) {}

  /** Has nobody else change the view's rows of featureduck_views until the transaction ends. */
  List<Version> lock(Connection connection, String view) throws SQLException {
    return versions(connection, view, " FOR UPDATE");
  }

  /** As {@link #lock}, without waiting for anybody. */
  List<Version> versions(Connection connection, String view) throws SQLException {
    return versions(connection, view, "");
  }

  private static List<Version> versions(Connection connection, String view, String locking)
      throws SQLException {
    String select =
        "SELECT version, live, pending, rows_removed FROM featureduck_views WHERE view = ? ORDER BY version"
            + locking;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      try (ResultSet rows = statement.executeQuery()) {
        List<Version> versions = new ArrayList<>();
        while (rows.next()) {
          versions.add(
              new Version(rows.getInt(1), rows.getBoolean(2), rows.getBoolean(3), rows.getLong(4)));
        }
        return versions;
      }
    }
  }

  /** Returns which tombstones of a view there are. */
  KnownErasures known(Connection connection, String view) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "SELECT coalesce(max(erasure_id), 0) FROM featureduck_tombstones WHERE view = ?")) {
      statement.setString(1, view);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? new KnownErasures(rows.getLong(1)) : KnownErasures.NONE;
      }
    }
  }

  /** Returns all tombstones of a view. */
  List<Tombstone> all(Connection connection, String view) throws SQLException {
    return tombstones(connection, view, "");
  }

  /** Returns those that tables may still have rows of, or that are newer than an erasure. */
  List<Tombstone> pendingOrAfter(Connection connection, String view, long erasure)
      throws SQLException {
    return tombstones(connection, view, " AND (pending OR erasure_id > " + erasure + ")");
  }

  /** Returns the next ones that tables may still have rows of, in the order of their keys. */
  List<Tombstone> pending(Connection connection, String view) throws SQLException {
    return tombstones(connection, view, " AND pending ORDER BY entity_key LIMIT " + PAGE);
  }

  private List<Tombstone> tombstones(Connection connection, String view, String rest)
      throws SQLException {
    String select =
        "SELECT entity_key, erasure_id, pending FROM featureduck_tombstones WHERE view = ?" + rest;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      try (ResultSet rows = statement.executeQuery()) {
        List<Tombstone> tombstones = new ArrayList<>();
        while (rows.next()) {
          tombstones.add(new Tombstone(database.key(rows, 1), rows.getLong(2), rows.getBoolean(3)));
        }
        return tombstones;
      }
    }
  }

  /** Returns the views that have tombstones which were left pending for so long, by name. */
  List<String> viewsWithPending(Connection connection, long secondsMin) throws SQLException {
    String select =
        """
        SELECT DISTINCT t.view FROM featureduck_tombstones t
        JOIN featureduck_erasures e ON e.id = t.erasure_id
        WHERE t.pending AND e.requested_at <= %s ORDER BY t.view
        """
            .formatted(database.ago("" + secondsMin));
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      List<String> views = new ArrayList<>();
      while (rows.next()) {
        views.add(rows.getString(1));
      }
      return views;
    }
  }

  /** Notes a request; returns its number. The view's rows are locked. */
  long insert(
      Connection connection, String view, List<String> keys, Erasure.Origin origin, String by)
      throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_erasures (view, entities, keys_hash, origin, requested_by)
        VALUES (?, ?, ?, ?, ?)
        """;
    try (PreparedStatement statement = connection.prepareStatement(insert, new String[] {"id"})) {
      statement.setString(1, view);
      statement.setInt(2, keys.size());
      statement.setString(3, hash(keys));
      statement.setString(4, origin.id());
      statement.setString(5, by);
      int ignored = statement.executeUpdate();
      try (ResultSet made = statement.getGeneratedKeys()) {
        if (!made.next()) {
          throw new IllegalStateException("the erasure got no number");
        }
        return made.getLong(1);
      }
    }
  }

  static String hash(List<String> keys) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      keys.stream()
          .map(key -> (key + "\n").getBytes(UTF_8))
          .sorted(Arrays::compareUnsigned)
          .forEach(digest::update);
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Puts up tombstones, in place of those that there are of the same entities. */
  void putUp(Connection connection, String view, List<String> keys, long erasure)
      throws SQLException {
    deleteTombstones(connection, view, keys, Long.MAX_VALUE);
    String insert =
        "INSERT INTO featureduck_tombstones (view, entity_key, erasure_id, pending) VALUES (?, ?, ?, true)";
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      for (String key : keys) {
        statement.setString(1, view);
        database.setKey(statement, 2, key);
        statement.setLong(3, erasure);
        statement.addBatch();
      }
      int[] ignored = statement.executeBatch();
    }
  }

  /** Releases tombstones of erasures up to one. */
  void deleteTombstones(Connection connection, String view, List<String> keys, long erasureMax)
      throws SQLException {
    inPages(
        keys,
        page -> {
          String delete =
              "DELETE FROM featureduck_tombstones WHERE view = ? AND erasure_id <= ? AND entity_key IN "
                  + marks(page.size());
          try (PreparedStatement statement = connection.prepareStatement(delete)) {
            statement.setString(1, view);
            statement.setLong(2, erasureMax);
            setKeys(statement, 3, page);
            int ignored = statement.executeUpdate();
          }
        });
  }

  /**
   * Notes that no table has rows of these any more, and which erasures are finished by that. The
   * view's rows are locked; what was asked for again since these were read stays pending.
   *
   * @param rows that were deleted, by erasure
   */
  void finish(Connection connection, String view, List<Tombstone> tombstones, Map<Long, Long> rows)
      throws SQLException {
    String update =
        "UPDATE featureduck_tombstones SET pending = false WHERE view = ? AND erasure_id <= ? AND entity_key IN "
            + marks(tombstones.size());
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, view);
      statement.setLong(2, tombstones.stream().mapToLong(Tombstone::erasure).max().orElse(0));
      setKeys(statement, 3, tombstones.stream().map(Tombstone::key).toList());
      int ignored = statement.executeUpdate();
    }
    String count = "UPDATE featureduck_erasures SET rows_deleted = rows_deleted + ? WHERE id = ?";
    try (PreparedStatement statement = connection.prepareStatement(count)) {
      for (Map.Entry<Long, Long> deleted : rows.entrySet()) {
        statement.setLong(1, deleted.getValue());
        statement.setLong(2, deleted.getKey());
        int ignored = statement.executeUpdate();
      }
    }
    String finish =
        """
        UPDATE featureduck_erasures SET finished_at = %s
        WHERE view = ? AND finished_at IS NULL AND id NOT IN (
          SELECT t.erasure_id FROM featureduck_tombstones t WHERE t.view = ? AND t.pending)
        """
            .formatted(database.now());
    try (PreparedStatement statement = connection.prepareStatement(finish)) {
      statement.setString(1, view);
      statement.setString(2, view);
      int ignored = statement.executeUpdate();
    }
  }

  /** Counts rows that the last run of a version had counted. */
  void addRemoved(Connection connection, String view, int version, long rows) throws SQLException {
    String update =
        "UPDATE featureduck_views SET rows_removed = rows_removed + ? WHERE view = ? AND version = ?";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, rows);
      statement.setString(2, view);
      statement.setInt(3, version);
      int ignored = statement.executeUpdate();
    }
  }

  /** Forgets them, for a run has counted what is there. */
  void forgetRemoved(Connection connection, String view, int version) throws SQLException {
    String update = "UPDATE featureduck_views SET rows_removed = 0 WHERE view = ? AND version = ?";
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, view);
      statement.setInt(2, version);
      int ignored = statement.executeUpdate();
    }
  }

  /**
   * Deletes the rows of some entities, at most {@link #PAGE}.
   *
   * @param before whose events are older than this, where it is given
   * @return the keys of the rows that there were
   */
  List<String> deleteRows(
      Connection connection, String table, List<String> keys, Optional<Instant> before)
      throws SQLException {
    List<String> found = new ArrayList<>();
    String select =
        "SELECT entity_key FROM %s WHERE entity_key IN %s%s FOR UPDATE"
            .formatted(
                table, marks(keys.size()), before.isPresent() ? " AND event_timestamp < ?" : "");
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      setKeys(statement, 1, keys);
      if (before.isPresent()) {
        database.setInstant(statement, keys.size() + 1, before);
      }
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          found.add(database.key(rows, 1));
        }
      }
    }
    long ignored = deleteByKey(connection, table, found);
    return found;
  }

  /** Deletes rows by their keys; returns how many there were. */
  long deleteByKey(Connection connection, String table, List<String> keys) throws SQLException {
    long deleted = 0;
    for (int i = 0; i < keys.size(); i += DELETED_AT_ONCE) {
      List<String> page = keys.subList(i, Math.min(keys.size(), i + DELETED_AT_ONCE));
      String delete = "DELETE FROM %s WHERE entity_key IN %s".formatted(table, marks(page.size()));
      try (PreparedStatement statement = connection.prepareStatement(delete)) {
        setKeys(statement, 1, page);
        deleted += statement.executeUpdate();
      }
    }
    return deleted;
  }

  void setKeys(PreparedStatement statement, int first, List<String> keys) throws SQLException {
    for (int i = 0; i < keys.size(); i++) {
      database.setKey(statement, first + i, keys.get(i));
    }
  }

  static String marks(int count) {
    return "(" + "?, ".repeat(count - 1) + "?)";
  }

  /** Work with some of many keys. */
  interface Page {
    void with(List<String> keys) throws SQLException;
  }

  static void inPages(List<String> keys, Page work) throws SQLException {
    for (int i = 0; i < keys.size(); i += PAGE) {
      work.with(keys.subList(i, Math.min(keys.size(), i + PAGE)));
    }
  }

  /** Counts by erasure how many rows were deleted of its entities; each erasure is there. */
  static Map<Long, Long> byErasure(List<Tombstone> tombstones, Map<String, Long> rowsByKey) {
    Map<Long, Long> counts = new LinkedHashMap<>();
    for (Tombstone tombstone : tombstones) {
      long rows = rowsByKey.getOrDefault(tombstone.key(), 0L);
      long ignored = counts.merge(tombstone.erasure(), rows, Long::sum);
    }
    return counts;
  }
}
