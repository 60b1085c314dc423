package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The transaction that writes a run to MySQL or MariaDB. */
/* DDL commits there, so none is in the transaction. Before it, the online table is made if it is not
 * there, or gets the columns that it lacks: nobody is served from it or them before a run's success is
 * committed. Temporary tables are made before it as well; they are the session's own.
 *
 * The transaction is plain DML: rows are inserted into a temporary table and compared with the online
 * one, and what differs is written in place. Until the commit, and in older snapshots after it,
 * readers see what was there before; a crash undoes what was not committed. Into an empty table the
 * rows are inserted straight. The page in docs/decisions tells what that costs.
 *
 * No statement names a temporary table twice, which MySQL refuses.
 */
final class MySqlTransaction extends RunTransaction {
  private static final Logger LOG = LoggerFactory.getLogger(MySqlTransaction.class);

  private static final int DUPLICATE_KEY = 1062;
  private static final long DDL_PAUSE_MILLIS = 1_000;
  private static final long DDL_PAUSE_MILLIS_MAX = 8_000;

  private final StoreDatabase database;
  private final Connection connection;
  private final RunCommit commit;
  private final Cancellation cancellation;
  private final MySqlTable table;
  private final String online;
  private boolean wasEmpty;

  MySqlTransaction(
      StoreDatabase database,
      MySqlTable table,
      Connection connection,
      RunCommit commit,
      Cancellation cancellation)
      throws SQLException {
    super(
        database,
        connection,
        commit,
        cancellation,
        connection.unwrap(org.mariadb.jdbc.Connection.class)::cancelCurrentQuery);
    this.database = database;
    this.connection = connection;
    this.commit = commit;
    this.cancellation = cancellation;
    this.table = table;
    this.online = table.name();
  }

  @Override
  void prepare() throws SQLException {
    if (!table.matches(connection)) {
      if (isIncremental()) {
        throw changedTable(online);
      }
      createTable();
    }
    // It stays so: whoever writes it moves the watermark, and this one is stopped by the fence.
    wasEmpty = number("SELECT count(*) FROM (SELECT 1 FROM " + online + " LIMIT 1) o") == 0;
    if (wasEmpty && !isIncremental()) {
      return;
    }
    clearUp();
    execute(
        "CREATE TEMPORARY TABLE stage (entity_key VARBINARY(2048) PRIMARY KEY, %sevent_timestamp DATETIME(6)) ENGINE = InnoDB"
            .formatted(table.definitions()));
    execute(
        """
        CREATE TEMPORARY TABLE difference (entity_key VARBINARY(2048) PRIMARY KEY,
          kind VARCHAR(16) NOT NULL, event_now DATETIME(6), event_before DATETIME(6)) ENGINE = InnoDB
        """);
  }

  /**
   * Makes the table or its columns; lookups queue behind that, so it waits for none of them long.
   */
  private void createTable() throws SQLException {
    execute("SET SESSION lock_wait_timeout = 1");
    long pause = DDL_PAUSE_MILLIS;
    for (int attempt = 1; ; attempt++) {
      try {
        table.create(connection);
        break;
      } catch (SQLException e) {
        if (!database.isLockTimeout(e)) {
          throw e;
        }
        LOG.info("{} is being read: its new columns wait (attempt {})", online, attempt);
        cancellation.pause(pause);
        pause = Math.min(DDL_PAUSE_MILLIS_MAX, pause * 2);
      }
    }
    execute("SET SESSION lock_wait_timeout = DEFAULT");
  }

  @Override
  void limitLockWaits(int seconds) throws SQLException {
    execute("SET SESSION innodb_lock_wait_timeout = " + seconds);
  }

  @Override
  void unlimitLockWaits() throws SQLException {
    execute("SET SESSION innodb_lock_wait_timeout = DEFAULT");
  }

  @Override
  Outcome writeRows(Rows rows) throws SQLException {
    if (wasEmpty && !isIncremental()) {
      long read = withoutErased(online, insert(online, rows), rows);
      return new Outcome(read, read, Optional.empty(), online);
    }
    long read = withoutErased("stage", insert("stage", rows), rows);
    findDifference();
    long written = number("SELECT count(*) FROM difference");
    Optional<List<String>> keys = changedKeys(written, "CONVERT(entity_key USING utf8mb4)");
    cancellation.check();
    if (written > 0) {
      update();
    }
    return new Outcome(read, written, keys, online);
  }

  private long insert(String into, Rows rows) throws SQLException {
    String sql =
        "INSERT INTO %s (entity_key, %sevent_timestamp) VALUES (%s?, ?)"
            .formatted(into, table.columns(""), "?, ".repeat(table.values().size()));
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      MySqlRows out = new MySqlRows(statement, cancellation, commit.progress());
      long computed = rows.writeTo(table.writer(out));
      long taken = out.finish();
      commit.progress().enter(RunStage.WRITING);
      if (computed != taken) {
        throw new IllegalStateException(
            "%d rows were computed, and the store took %d".formatted(computed, taken));
      }
      return taken;
    } catch (SQLException e) {
      throw refused(e);
    }
  }

  /** Returns a value or a row that the server refuses as ours, in the server's words. */
  private SQLException refused(SQLException e) {
    if (e.getErrorCode() == DUPLICATE_KEY) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "view %s has more than one row for an entity: %s"
              .formatted(commit.live().view(), e.getMessage()),
          e);
    }
    boolean isOfAValue =
        switch (e.getErrorCode()) {
          // Not a number, not a text, too large a value; JSON that isn't, is too deep or too large.
          case 1366, 1301, 3140, 3141, 3150, 3157, 4025, 4038 -> true;
          default -> String.valueOf(e.getSQLState()).startsWith("22");
        };
    if (isOfAValue) {
      throw new FeatureException(
          ErrorCode.VALUE_OUT_OF_RANGE,
          "view %s: %s".formatted(commit.live().view(), e.getMessage()),
          e);
    }
    return e;
  }

  /** Compares the staged rows with the online ones: with all of them, or with their own. */
  private void findDifference() throws SQLException {
    String gone = isIncremental() ? "s.event_timestamp IS NULL" : "false";
    execute(
        """
        INSERT INTO difference (entity_key, kind, event_now, event_before)
        SELECT s.entity_key,
          CASE WHEN o.entity_key IS NULL THEN 'new'
            WHEN %1$s THEN 'gone'
            WHEN %2$s THEN 'changed'
            ELSE 'newer' END,
          s.event_timestamp, o.event_timestamp
        FROM stage s LEFT JOIN %3$s o ON o.entity_key = s.entity_key
        WHERE CASE WHEN o.entity_key IS NULL THEN NOT (%1$s)
          ELSE %1$s OR NOT (s.event_timestamp <=> o.event_timestamp) OR %2$s END
        """
            .formatted(gone, table.featuresDiffer(), online));
    if (!isIncremental()) {
      execute(
          """
          INSERT INTO difference (entity_key, kind, event_before)
          SELECT o.entity_key, 'gone', o.event_timestamp
          FROM %s o LEFT JOIN stage s ON s.entity_key = o.entity_key WHERE s.entity_key IS NULL
          """
              .formatted(online));
    }
  }

  /** Writes what differs; the order of the joins is that of the fewest rows. */
  private void update() throws SQLException {
    execute(
        "DELETE o FROM difference d STRAIGHT_JOIN %s o ON o.entity_key = d.entity_key WHERE d.kind = 'gone'"
            .formatted(online));
    String sets =
        table.values().stream()
            .map(value -> OnlineTable.identifier(value.name()))
            .map(column -> "o." + column + " = s." + column + ", ")
            .collect(Collectors.joining());
    execute(
        """
        UPDATE difference d STRAIGHT_JOIN stage s ON s.entity_key = d.entity_key
          STRAIGHT_JOIN %s o ON o.entity_key = d.entity_key
        SET %so.event_timestamp = s.event_timestamp,
          o.updated_at = CASE WHEN d.kind = 'changed' THEN utc_timestamp(6) ELSE o.updated_at END
        WHERE d.kind IN ('changed', 'newer')
        """
            .formatted(online, sets));
    execute(
        """
        INSERT INTO %s (entity_key, %sevent_timestamp, updated_at)
        SELECT s.entity_key, %ss.event_timestamp, utc_timestamp(6)
        FROM difference d STRAIGHT_JOIN stage s ON s.entity_key = d.entity_key WHERE d.kind = 'new'
        """
            .formatted(online, table.columns(""), table.columns("s.")));
  }

  @Override
  void awaitReaders(Outcome outcome) {
    // Nobody waits for rows that are written in place.
  }

  @Override
  void publish(Outcome outcome) {
    // The rows are where readers look.
  }

  @Override
  void clearUp() throws SQLException {
    execute("DROP TEMPORARY TABLE IF EXISTS stage, difference");
  }
}
