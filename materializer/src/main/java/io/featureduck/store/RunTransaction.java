package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType.Primitive;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.util.PSQLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one transaction that writes a run.
 *
 * <p>First the fence: the view's watermark is moved from the run that this one started from, which
 * succeeds once. Then the rows, in one of four ways; then run, watermarks and generation.
 */
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
final class RunTransaction implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RunTransaction.class);

  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final long FENCE_MILLIS_MAX = 5_000;
  private static final long SWAP_PAUSE_MILLIS = 100;
  private static final long SWAP_PAUSE_MILLIS_MAX = 2_000;
  private static final int CHANGED_KEYS_MAX = 10_000;
  // Updating costs about eight times as much a row as a new table.
  private static final double REBUILD_FRACTION = 0.15;
  private static final long REBUILD_ROWS_MIN = 1_000;
  // Room for a row's next version beside it: then its key's index need not be written to.
  private static final int FILLFACTOR = 90;

  private final Connection connection;
  private final RunCommit commit;
  private final Cancellation cancellation;
  private final Cancellation.Registration registration;
  private final String online;
  private final String aside;

  RunTransaction(Connection connection, RunCommit commit, Cancellation cancellation)
      throws SQLException {
    this.connection = connection;
    this.commit = commit;
    this.cancellation = cancellation;
    this.online = commit.live().table();
    this.aside = "featureduck_run_" + commit.runId();
    PGConnection postgres = connection.unwrap(PGConnection.class);
    this.registration =
        cancellation.onCancel(postgres::cancelQuery, () -> connection.abort(Runnable::run));
    connection.setAutoCommit(false);
  }

  RunCommit.Written write(Rows rows) throws SQLException {
    fence();
    // One comparison and one sort of the whole table; with the defaults both spill at 100,000 rows.
    execute("SET LOCAL work_mem = '128MB'; SET LOCAL maintenance_work_mem = '256MB'");
    if (isIncremental()) {
      // The table is read all the time, so it lies in memory: a few of its rows are best found by
      // their keys. With the default, the whole table is read from a hundredth of it on.
      execute("SET LOCAL random_page_cost = 1.1");
    }
    Outcome outcome;
    if (OnlineTable.matches(connection, online, commit.features())) {
      outcome = compareAndWrite(rows);
    } else if (isIncremental()) {
      throw new FeatureException(
          ErrorCode.LOCKED,
          "%s was changed since run %d began: the next run makes it anew"
              .formatted(online, commit.runId()));
    } else {
      createAside();
      long read = copy(aside, rows);
      outcome = new Outcome(read, read, Optional.empty(), true);
    }
    commit.progress().written(outcome.written());
    if (outcome.replaced()) {
      finishAside();
    }
    cancellation.check();
    OnlineStore.update(connection, commit.live(), commit.definition(), commit.features());
    moveWatermarks();
    if (isIncremental()) {
      describeFromDifference();
    } else {
      describe(outcome.replaced() ? aside : online);
    }
    long generation = noteChange(outcome.changedKeys());
    commit.progress().enter(RunStage.COMMITTING);
    if (outcome.replaced()) {
      lockOnlineTable();
    }
    succeed(outcome);
    if (outcome.replaced()) {
      execute("DROP TABLE IF EXISTS " + online);
      execute("ALTER TABLE " + aside + " RENAME TO " + online);
      execute("ALTER TABLE %1$s RENAME CONSTRAINT %2$s_key TO %1$s_key".formatted(online, aside));
    }
    connection.commit();
    return new RunCommit.Written(
        outcome.read(), outcome.written(), generation, outcome.changedKeys());
  }

  /**
   * @param replaced whether the rows are in a table aside, all of them
   */
  private record Outcome(
      long read, long written, Optional<List<String>> changedKeys, boolean replaced) {}

  private boolean isIncremental() {
    return commit.kind() == Run.Kind.INCREMENTAL;
  }

  private void fence() throws SQLException {
    // Whoever holds the watermark has lost the view's lock, and may never end by itself.
    execute("SET LOCAL lock_timeout = '%dms'".formatted(FENCE_MILLIS_MAX));
    try {
      compareAndSetWatermark();
    } catch (SQLException e) {
      if (LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
        throw new FeatureException(
            ErrorCode.LOCKED,
            "view %s is being written by another session, which did not end within %d s"
                .formatted(commit.live().view(), FENCE_MILLIS_MAX / 1_000),
            e);
      }
      throw e;
    }
    execute("SET LOCAL lock_timeout TO DEFAULT");
  }

  private void compareAndSetWatermark() throws SQLException {
    boolean first = commit.basis().isEmpty();
    String sql =
        first
            ? """
            INSERT INTO featureduck_watermarks (run_id, watermark, view, version, source, rows)
            VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING
            """
            : """
            UPDATE featureduck_watermarks SET run_id = ?, watermark = ?
            WHERE view = ? AND version = ? AND source = ? AND run_id = ?
            """;
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, commit.runId());
      statement.setTimestamp(2, Timestamp.from(commit.watermarks().getFirst().instant()));
      statement.setString(3, commit.live().view());
      statement.setInt(4, commit.live().version());
      statement.setString(5, commit.watermarks().getFirst().source());
      if (!first) {
        statement.setLong(6, commit.basis().get());
      }
      if (statement.executeUpdate() != 1) {
        throw stale();
      }
    }
  }

  /** Sets what the fence did not: the hash of its source, and the joined sources' watermarks. */
  private void moveWatermarks() throws SQLException {
    String upsert =
        """
        INSERT INTO featureduck_watermarks
          (view, version, source, watermark, source_hash, run_id, rows)
        VALUES (?, ?, ?, ?, ?, ?, 0)
        ON CONFLICT (view, version, source) DO UPDATE SET watermark = excluded.watermark,
          source_hash = excluded.source_hash, run_id = excluded.run_id
        """;
    try (PreparedStatement statement = connection.prepareStatement(upsert)) {
      for (Watermark watermark : commit.watermarks()) {
        statement.setString(1, commit.live().view());
        statement.setInt(2, commit.live().version());
        statement.setString(3, watermark.source());
        statement.setTimestamp(4, Timestamp.from(watermark.instant()));
        statement.setString(5, watermark.sourceHash());
        statement.setLong(6, commit.runId());
        statement.addBatch();
      }
      int[] ignored = statement.executeBatch();
    }
  }

  private FeatureException stale() {
    return new FeatureException(
        ErrorCode.LOCKED,
        "view %s was written by another run since run %d began: nothing of it is kept"
            .formatted(commit.live().view(), commit.runId()));
  }

  private String featureDefinitions() {
    return commit.features().stream()
        .map(f -> Sql.identifier(f.name()) + " " + Sql.columnType(f.type()) + ",\n  ")
        .collect(Collectors.joining());
  }

  private String featureColumns(String prefix) {
    return commit.features().stream()
        .map(f -> prefix + Sql.identifier(f.name()) + ", ")
        .collect(Collectors.joining());
  }

  private void createAside() throws SQLException {
    execute(
        """
        CREATE TABLE %s (
          entity_key TEXT COLLATE "C" NOT NULL,
          %sevent_timestamp TIMESTAMPTZ,
          updated_at TIMESTAMPTZ NOT NULL DEFAULT now()) WITH (fillfactor = %d)
        """
            .formatted(aside, featureDefinitions(), FILLFACTOR));
  }

  private long copy(String table, Rows rows) throws SQLException {
    String sql =
        "COPY %s (entity_key, %sevent_timestamp) FROM STDIN (FORMAT binary, FREEZE)"
            .formatted(table, featureColumns(""));
    CopyIn copy = connection.unwrap(PGConnection.class).getCopyAPI().copyIn(sql);
    try {
      BinaryCopy out = new BinaryCopy(copy, cancellation, commit.progress());
      long computed = rows.writeTo(out);
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
            .formatted(featureDefinitions()));
    long read = copy("stage", rows);
    execute("ANALYZE stage");
    findDifference();
    long written = number("SELECT count(*) FROM difference");
    Optional<List<String>> keys = Optional.empty();
    if (written <= CHANGED_KEYS_MAX) {
      keys = Optional.of(texts("SELECT entity_key FROM difference ORDER BY entity_key"));
    }
    cancellation.check();
    if (!isIncremental() && written > REBUILD_ROWS_MIN && written > read * REBUILD_FRACTION) {
      rebuild();
      return new Outcome(read, written, keys, true);
    }
    if (written > 0) {
      update();
    }
    return new Outcome(read, written, keys, false);
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
            .formatted(gone, featuresDiffer(), isIncremental() ? "LEFT" : "FULL", online));
  }

  /** Returns the condition that a feature of {@code s} isn't that of {@code o}. */
  private String featuresDiffer() {
    if (commit.features().isEmpty()) {
      return "false";
    }
    return commit.features().stream()
        .map(RunTransaction::differs)
        .collect(Collectors.joining("\n    OR ", "(", ")"));
  }

  private static String differs(Feature feature) {
    String column = Sql.identifier(feature.name());
    if (feature.type() != Primitive.FLOAT64) {
      return "s.%1$s IS DISTINCT FROM o.%1$s".formatted(column);
    }
    // Parallel sums are not bit-stable. Near the ends of the range the arithmetic itself would fail
    // with an overflow or underflow, so only equal is equal there.
    return """
    (s.%1$s IS DISTINCT FROM o.%1$s AND CASE
        WHEN abs(s.%1$s) BETWEEN 1e-290 AND 1e290 AND abs(o.%1$s) BETWEEN 1e-290 AND 1e290
        THEN abs(s.%1$s - o.%1$s) > 1e-12 * greatest(abs(s.%1$s), abs(o.%1$s))
        ELSE true END)\
    """
        .formatted(column);
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
        commit.features().stream()
            .map(f -> Sql.identifier(f.name()))
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
            .formatted(online, featureColumns(""), featureColumns("s.")));
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
            .formatted(featureColumns("s."), online);
    String into =
        "COPY %s (entity_key, %sevent_timestamp, updated_at) FROM STDIN (FORMAT binary, FREEZE)"
            .formatted(aside, featureColumns(""));
    PGConnection postgres = connection.unwrap(PGConnection.class);
    Path file = commit.spillDirectory().resolve(aside + ".copy");
    createAside();
    try {
      try (OutputStream out = Files.newOutputStream(file)) {
        long ignored = postgres.getCopyAPI().copyOut(select, out);
      }
      try (InputStream in = Files.newInputStream(file)) {
        long ignored = postgres.getCopyAPI().copyIn(into, in, 1 << 16);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("rows can't be kept for a while in " + file, e);
    }
  }

  private void finishAside() throws SQLException {
    cancellation.check();
    try {
      // The key's name has the run in it, too: two indexes of one name can't be at the same time.
      execute("ALTER TABLE %1$s ADD CONSTRAINT %1$s_key PRIMARY KEY (entity_key)".formatted(aside));
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

  private void describe(String table) throws SQLException {
    String update =
        """
        UPDATE featureduck_watermarks w SET rows = t.rows, event_min = t.min, event_max = t.max
        FROM (SELECT count(*) AS rows, min(event_timestamp), max(event_timestamp) FROM %s) t
        WHERE w.view = ? AND w.version = ?
        """
            .formatted(table);
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, commit.live().view());
      statement.setInt(2, commit.live().version());
      int ignored = statement.executeUpdate();
    }
  }

  /** Tells how many rows there are by now, and of which times, looking at what changed alone. */
  private void describeFromDifference() throws SQLException {
    String update =
        """
        UPDATE featureduck_watermarks w SET rows = w.rows + d.come - d.gone,
          event_min = CASE WHEN d.before_min <= w.event_min AND d.now_min > w.event_min
            THEN NULL ELSE least(w.event_min, d.now_min) END,
          event_max = CASE WHEN d.before_max >= w.event_max AND d.now_max < w.event_max
            THEN NULL ELSE greatest(w.event_max, d.now_max) END
        FROM (
          SELECT count(*) FILTER (WHERE kind = 'new') AS come,
            count(*) FILTER (WHERE kind = 'gone') AS gone,
            min(event_before) AS before_min, max(event_before) AS before_max,
            coalesce(min(event_now), 'infinity') AS now_min,
            coalesce(max(event_now), '-infinity') AS now_max
          FROM difference) d
        WHERE w.view = ? AND w.version = ? AND (d.come > 0 OR d.before_min IS NOT NULL)
        RETURNING w.event_min IS NULL OR w.event_max IS NULL
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, commit.live().view());
      statement.setInt(2, commit.live().version());
      boolean unknown = false;
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          unknown |= rows.getBoolean(1);
        }
      }
      if (unknown) {
        // The oldest or the newest row is gone, or the table was empty: all of it has to be asked.
        describe(online);
      }
    }
  }

  private long noteChange(Optional<List<String>> keys) throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_changes (view, version, run_id, generation, keys)
        SELECT v.view, v.version, ?,
          (SELECT coalesce(max(c.generation), 0) + 1 FROM featureduck_changes c
           WHERE c.view = v.view AND c.version = v.version), to_jsonb(?::text[])
        FROM (VALUES (?, ?::int)) v (view, version)
        RETURNING generation, pg_notify('featureduck',
          json_build_object('view', view, 'version', version, 'generation', generation)::text)
        """;
    String prune =
        """
        DELETE FROM featureduck_changes
        WHERE view = ? AND version = ? AND generation < ?
          AND at < clock_timestamp() - INTERVAL '1 hour'
        """;
    long generation;
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      statement.setLong(1, commit.runId());
      statement.setArray(
          2, keys.isPresent() ? connection.createArrayOf("text", keys.get().toArray()) : null);
      statement.setString(3, commit.live().view());
      statement.setInt(4, commit.live().version());
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          throw new IllegalStateException("the change was not noted");
        }
        generation = rows.getLong(1);
      }
    }
    try (PreparedStatement statement = connection.prepareStatement(prune)) {
      statement.setString(1, commit.live().view());
      statement.setInt(2, commit.live().version());
      statement.setLong(3, generation);
      int ignored = statement.executeUpdate();
    }
    return generation;
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

  private void succeed(Outcome outcome) throws SQLException {
    String update =
        """
        UPDATE featureduck_runs SET status = 'succeeded', finished_at = clock_timestamp(),
          rows_read = ?, rows_written = ?, upper_bound = ?, lower_bound = ?, kind = ?,
          progress = ?::jsonb
        WHERE run_id = ? AND status = 'running'
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, commit.rowsRead());
      statement.setLong(2, outcome.written());
      statement.setTimestamp(3, Timestamp.from(commit.asOf()));
      statement.setTimestamp(4, commit.lowerBound().map(Timestamp::from).orElse(null));
      statement.setString(5, commit.kind().id());
      statement.setString(6, commit.progress().now().toJson().toString());
      statement.setLong(7, commit.runId());
      if (statement.executeUpdate() != 1) {
        // Another holder of the lock took this run for an orphan.
        throw stale();
      }
    }
  }

  private void execute(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }

  private long number(String select) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      return rows.next() ? rows.getLong(1) : 0;
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

  /** Ends the transaction; whatever was not committed is undone. */
  @Override
  public void close() throws SQLException {
    registration.close();
    if (!connection.isClosed()) {
      connection.rollback();
      connection.setAutoCommit(true);
    }
  }
}
