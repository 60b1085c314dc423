package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.util.PSQLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The transaction that writes a run to Postgres. */
/* A view without an online table, or with other columns, gets its rows copied into a table aside
 * that becomes the online table. Else they are copied into a temporary table and compared with the
 * online one, on the server: with all of its rows or, for an increment, with those of the same
 * entities, and what differs is written in place. Where in a full run much differs, replacing the
 * table is several times faster than updating it, so the rows go out to a file and back in, for only
 * COPY can freeze them. Frozen they must be: a reader whose snapshot is older than this transaction
 * would find a table of unfrozen rows empty after the swap.
 *
 * The swap waits for the table at most 200 ms at a time. Every lookup queues behind a waiting swap,
 * so a long reader must not be waited for.
 */
final class PostgresTransaction extends RunTransaction {
  private static final Logger LOG = LoggerFactory.getLogger(PostgresTransaction.class);

  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final long SWAP_PAUSE_MILLIS = 100;
  private static final long SWAP_PAUSE_MILLIS_MAX = 2_000;
  // Updating costs about eight times as much a row as a new table.
  private static final double REBUILD_FRACTION = 0.15;
  private static final long REBUILD_ROWS_MIN = 1_000;

  private final Connection connection;
  private final RunCommit commit;
  private final Cancellation cancellation;
  private final PostgresTable table;
  private final String online;
  private final String aside;

  PostgresTransaction(
      StoreDatabase database,
      PostgresTable table,
      Connection connection,
      RunCommit commit,
      Cancellation cancellation)
      throws SQLException {
    super(
        database,
        connection,
        commit,
        cancellation,
        connection.unwrap(PGConnection.class)::cancelQuery);
    this.connection = connection;
    this.commit = commit;
    this.cancellation = cancellation;
    this.table = table;
    this.online = table.name();
    this.aside = "featureduck_run_" + commit.runId();
  }

  @Override
  void prepare() {
    // Tables can be made within the transaction.
  }

  @Override
  void limitLockWaits(int seconds) throws SQLException {
    execute("SET LOCAL lock_timeout = '%ds'".formatted(seconds));
  }

  @Override
  void unlimitLockWaits() throws SQLException {
    execute("SET LOCAL lock_timeout TO DEFAULT");
  }

  @Override
  Outcome writeRows(Rows rows) throws SQLException {
    // One comparison and one sort of the whole table; with the defaults both spill at 100,000 rows.
    execute("SET LOCAL work_mem = '128MB'; SET LOCAL maintenance_work_mem = '256MB'");
    if (isIncremental()) {
      // The table is read all the time, so it lies in memory: a few of its rows are best found by
      // their keys. With the default, the whole table is read from a hundredth of it on.
      execute("SET LOCAL random_page_cost = 1.1");
    }
    if (table.matches(connection)) {
      return compareAndWrite(rows);
    }
    if (isIncremental()) {
      throw changedTable(online);
    }
    table.createAside(connection, aside);
    long read = withoutErased(aside, copy(aside, rows), rows);
    finishAside();
    return new Outcome(read, read, Optional.empty(), aside);
  }

  private long copy(String into, Rows rows) throws SQLException {
    String sql =
        "COPY %s (entity_key, %sevent_timestamp) FROM STDIN (FORMAT binary, FREEZE)"
            .formatted(into, table.columns(""));
    CopyIn copy = connection.unwrap(PGConnection.class).getCopyAPI().copyIn(sql);
    try {
      BinaryCopy out = new BinaryCopy(copy, cancellation, commit.progress());
      long computed = rows.writeTo(table.writer(out));
      long taken = out.finish();
      commit.progress().enter(RunStage.WRITING);
      if (computed != taken) {
        throw new IllegalStateException(
            "%d rows were computed, and the store took %d".formatted(computed, taken));
      }
      return taken;
    } catch (PSQLException e) {
      throw refused(e);
    } finally {
      if (copy.isActive()) {
        copy.cancelCopy();
      }
    }
  }

  /** Returns a value that Postgres refuses as ours, naming the row as Postgres does. */
  private SQLException refused(PSQLException e) {
    String state = String.valueOf(e.getSQLState());
    if (state.startsWith("22") && e.getServerErrorMessage() != null) {
      throw new FeatureException(
          ErrorCode.VALUE_OUT_OF_RANGE,
          "view %s: %s (%s)"
              .formatted(
                  commit.live().view(),
                  e.getServerErrorMessage().getMessage(),
                  e.getServerErrorMessage().getWhere()),
          e);
    }
    return e;
  }

  private Outcome compareAndWrite(Rows rows) throws SQLException {
    execute(
        """
        CREATE TEMP TABLE stage (
          entity_key TEXT COLLATE "C" NOT NULL,
          %sevent_timestamp TIMESTAMPTZ) ON COMMIT DROP
        """
            .formatted(table.definitions()));
    long read = withoutErased("stage", copy("stage", rows), rows);
    execute("ANALYZE stage");
    findDifference();
    long written = number("SELECT count(*) FROM difference");
    Optional<List<String>> keys = changedKeys(written, "entity_key");
    cancellation.check();
    if (!isIncremental() && written > REBUILD_ROWS_MIN && written > read * REBUILD_FRACTION) {
      rebuild();
      finishAside();
      return new Outcome(read, written, keys, aside);
    }
    if (written > 0) {
      update();
    }
    return new Outcome(read, written, keys, online);
  }

  /** Compares the staged rows with the online ones: with all of them, or with their own. */
  private void findDifference() throws SQLException {
    String gone = isIncremental() ? "s.event_timestamp IS NULL" : "s.entity_key IS NULL";
    execute(
        """
        CREATE TEMP TABLE difference ON COMMIT DROP AS
        SELECT coalesce(s.entity_key, o.entity_key) COLLATE "C" AS entity_key,
          CASE WHEN o.entity_key IS NULL THEN 'new'
            WHEN %1$s THEN 'gone'
            WHEN %2$s THEN 'changed'
            ELSE 'newer' END AS kind,
          s.event_timestamp AS event_now, o.event_timestamp AS event_before
        FROM stage s %3$s JOIN %4$s o ON s.entity_key = o.entity_key
        WHERE CASE WHEN o.entity_key IS NULL THEN NOT %1$s
          ELSE %1$s OR s.event_timestamp IS DISTINCT FROM o.event_timestamp OR %2$s END
        """
            .formatted(gone, table.featuresDiffer(), isIncremental() ? "LEFT" : "FULL", online));
  }

  private void update() throws SQLException {
    try {
      execute("ALTER TABLE difference ADD PRIMARY KEY (entity_key)");
    } catch (PSQLException e) {
      throw repeatedKey(e);
    }
    execute("ANALYZE difference");
    execute(
        "DELETE FROM %s o USING difference d WHERE d.kind = 'gone' AND o.entity_key = d.entity_key"
            .formatted(online));
    String sets =
        table.values().stream()
            .map(value -> OnlineTable.identifier(value.name()))
            .map(column -> column + " = s." + column + ", ")
            .collect(Collectors.joining());
    execute(
        """
        UPDATE %s o SET %sevent_timestamp = s.event_timestamp,
          updated_at = CASE WHEN d.kind = 'changed' THEN now() ELSE o.updated_at END
        FROM difference d JOIN stage s ON s.entity_key = d.entity_key
        WHERE d.kind IN ('changed', 'newer') AND o.entity_key = d.entity_key
        """
            .formatted(online, sets));
    execute(
        """
        INSERT INTO %s (entity_key, %sevent_timestamp)
        SELECT s.entity_key, %ss.event_timestamp
        FROM difference d JOIN stage s ON s.entity_key = d.entity_key WHERE d.kind = 'new'
        """
            .formatted(online, table.columns(""), table.columns("s.")));
  }

  /** Puts the staged rows into a table aside; unchanged rows keep when they were updated. */
  private void rebuild() throws SQLException {
    String select =
        """
        COPY (SELECT s.entity_key, %ss.event_timestamp,
            CASE WHEN o.entity_key IS NULL OR d.kind = 'changed' THEN now() ELSE o.updated_at END
          FROM stage s LEFT JOIN %s o ON o.entity_key = s.entity_key
          LEFT JOIN difference d ON d.entity_key = s.entity_key)
        TO STDOUT (FORMAT binary)
        """
            .formatted(table.columns("s."), online);
    String into =
        "COPY %s (entity_key, %sevent_timestamp, updated_at) FROM STDIN (FORMAT binary, FREEZE)"
            .formatted(aside, table.columns(""));
    PGConnection postgres = connection.unwrap(PGConnection.class);
    Path file = commit.spillDirectory().resolve(aside + ".copy");
    table.createAside(connection, aside);
    try {
      try (OutputStream out = Files.newOutputStream(file)) {
        long ignored = postgres.getCopyAPI().copyOut(select, out);
      }
      try (InputStream in = Files.newInputStream(file)) {
        long ignored = postgres.getCopyAPI().copyIn(into, in, 1 << 16);
      }
    } catch (IOException e) {
      throw new FeatureException(
          ErrorCode.INTERNAL,
          "rows can't be kept for a while in %s: %s".formatted(file, e.getMessage()),
          e);
    } finally {
      delete(file);
    }
  }

  private static void delete(Path file) {
    try {
      boolean ignored = Files.deleteIfExists(file);
    } catch (IOException e) {
      LOG.warn("{} is left behind", file, e);
    }
  }

  private void finishAside() throws SQLException {
    cancellation.check();
    try {
      // The key's name has the run in it, too: two indexes of one name can't be at the same time.
      PostgresTable.addKey(connection, aside);
    } catch (PSQLException e) {
      throw repeatedKey(e);
    }
    execute("ANALYZE " + aside);
    copyPrivileges();
  }

  private SQLException repeatedKey(PSQLException e) {
    if ("23505".equals(e.getSQLState()) && e.getServerErrorMessage() != null) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "view %s has more than one row for an entity: %s"
              .formatted(commit.live().view(), e.getServerErrorMessage().getDetail()),
          e);
    }
    return e;
  }

  /** Gives the table aside the privileges that others were granted on the one it replaces. */
  private void copyPrivileges() throws SQLException {
    List<String> grants =
        texts(
            """
            SELECT format('GRANT %%s ON %s TO %%s', acl.privilege_type,
              CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END)
            FROM pg_class c, aclexplode(c.relacl) acl LEFT JOIN pg_roles r ON r.oid = acl.grantee
            WHERE c.oid = to_regclass('%s') AND acl.grantee <> c.relowner
            """
                .formatted(aside, online));
    for (String grant : grants) {
      execute(grant);
    }
  }

  @Override
  void awaitReaders(Outcome outcome) throws SQLException {
    if (outcome.table().equals(aside)) {
      lockOnlineTable();
    }
  }

  @Override
  void publish(Outcome outcome) throws SQLException {
    if (outcome.table().equals(aside)) {
      execute("DROP TABLE IF EXISTS " + online);
      execute("ALTER TABLE " + aside + " RENAME TO " + online);
      execute("ALTER TABLE %1$s RENAME CONSTRAINT %2$s_key TO %1$s_key".formatted(online, aside));
    }
  }

  private void lockOnlineTable() throws SQLException {
    if (number("SELECT count(*) FROM pg_class WHERE oid = to_regclass('" + online + "')") == 0) {
      return;
    }
    execute("SET LOCAL lock_timeout = '200ms'");
    long pause = SWAP_PAUSE_MILLIS;
    for (int attempt = 1; ; attempt++) {
      Savepoint before = connection.setSavepoint();
      try {
        execute("LOCK TABLE " + online + " IN ACCESS EXCLUSIVE MODE");
        return;
      } catch (SQLException e) {
        if (!LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
          throw e;
        }
        connection.rollback(before);
        if (attempt % 10 == 1) {
          LOG.info("{} is being read: its swap waits (attempt {})", online, attempt);
        }
        cancellation.pause(pause);
        pause = Math.min(SWAP_PAUSE_MILLIS_MAX, pause * 2);
      }
    }
  }

  private List<String> texts(String select) throws SQLException {
    List<String> texts = new ArrayList<>();
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      while (rows.next()) {
        texts.add(rows.getString(1));
      }
    }
    return texts;
  }

  @Override
  void clearUp() {
    // Temporary tables went with the transaction.
  }
}
