package io.featureduck.store;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.registry.HistoryDetail;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewChange;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.type.FeatureType;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Makes live what was filled by something else than a run: tables of the form that online tables
 * have, and then views over them. All of it happens on the caller's connection, in its transaction.
 * The store is in Postgres, and features have columns of their own.
 */
public final class ViewAdoption {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int VERSION = 1;

  private final ViewRecords views;
  private final RegistryRecords registry;
  private final HistoryRecords history;
  private final ChangeRecords changes;

  /** Takes the settings of a store in Postgres; nothing is connected. */
  public ViewAdoption(OnlineStoreSettings settings) {
    PostgresDatabase database = new PostgresDatabase(settings);
    this.views = new ViewRecords(database);
    this.registry = new RegistryRecords(database);
    this.history = new HistoryRecords(database);
    this.changes = new ChangeRecords(database);
  }

  /** Opens a connection to a Postgres whose search path is the settings' schema, in UTC. */
  public static Connection connect(OnlineStoreSettings settings) throws SQLException {
    return new PostgresDatabase(settings).open();
  }

  /** Returns host, port and database, for messages and to tell databases apart. */
  public static String place(OnlineStoreSettings settings) {
    return new PostgresDatabase(settings).place();
  }

  /** Returns {@code name} as an identifier, quoted always. */
  public static String identifier(String name) {
    return OnlineTable.identifier(name);
  }

  /** Returns the type of the column that holds features of {@code type}. */
  public static String columnType(FeatureType type) {
    return PostgresTable.columnType(type);
  }

  /** Returns the name of the table that a view is served from, without its schema. */
  public static String onlineTable(String view) {
    return "online_" + view;
  }

  /**
   * Makes an empty table that may become an online table, with its key.
   *
   * @param table a name that needs no quoting
   */
  public static void createTable(Connection connection, String table, List<Feature> features)
      throws SQLException {
    new PostgresTable(table, Storage.TYPED, features).create(connection);
  }

  /** Returns the view as it is registered, if it is. */
  public Optional<LiveView> registered(Connection connection, String view) throws SQLException {
    return views.liveView(connection, view);
  }

  /**
   * Makes a view live with the rows of a table, which becomes its online table. The fence is that
   * of a first run: the view must not be registered otherwise, nor have a watermark.
   *
   * @param table from {@link #createTable}
   * @param by who does so, for people
   * @return the run that stands for the takeover; {@link #settle} notes its rows
   * @throws FeatureException LOCKED where the view was registered or materialized by another
   */
  public long adopt(Connection connection, AdoptedView view, String table, String by)
      throws SQLException {
    ViewDefinition definition =
        new ViewDefinition(view.view(), view.joinKeys(), view.features(), view.definition());
    String source = view.source();
    if (registry.insert(connection, VERSION, RegisteredVersion.State.LIVE, definition, by)) {
      ViewChange addition =
          new ViewChange.Addition(new RegisteredView(view.view(), List.of()), definition);
      history.note(
          connection,
          view.view(),
          VERSION,
          HistoryEntry.Action.CREATE,
          HistoryDetail.of(addition),
          by);
    } else {
      LiveView live = views.liveView(connection, view.view()).orElseThrow();
      if (!fits(live, view)) {
        throw new FeatureException(
            ErrorCode.LOCKED,
            "view %s was registered meanwhile, with other features, join keys or storage"
                .formatted(view.view()));
      }
      source = JSON.readTree(live.definition()).path("source").asString(source);
    }
    long runId = insertRun(connection, view, by);
    insertWatermark(connection, view, source, runId);
    String online = onlineTable(view.view());
    execute(connection, "ALTER TABLE %s RENAME TO %s".formatted(table, online));
    execute(
        connection,
        "ALTER TABLE %1$s RENAME CONSTRAINT %2$s_key TO %1$s_key".formatted(online, table));
    registry.lock(connection, view.view());
    return runId;
  }

  /** Tells whether a view may be adopted over what is registered of it: never materialized. */
  public static boolean fits(LiveView live, AdoptedView view) {
    return live.version() == VERSION
        && live.asOf().isEmpty()
        && live.storage() == Storage.TYPED
        && live.joinKeys().equals(view.joinKeys())
        && live.features().equals(view.features());
  }

  private static long insertRun(Connection connection, AdoptedView view, String by)
      throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_runs (view, version, kind, status, engine, started_at, finished_at,
          upper_bound, host)
        VALUES (?, ?, 'full', 'succeeded', 'migration', ?, now(), now(), ?) RETURNING run_id
        """;
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      statement.setString(1, view.view());
      statement.setInt(2, VERSION);
      statement.setTimestamp(3, Timestamp.from(view.startedAt()));
      statement.setString(4, by);
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          throw new IllegalStateException("the run was not noted");
        }
        return rows.getLong(1);
      }
    }
  }

  private static void insertWatermark(
      Connection connection, AdoptedView view, String source, long runId) throws SQLException {
    String insert =
        """
        INSERT INTO featureduck_watermarks
          (view, version, source, watermark, run_id, rows)
        SELECT v.view, v.version, ?, r.upper_bound, r.run_id, 0
        FROM (VALUES (?, ?)) v (view, version) JOIN featureduck_runs r ON r.run_id = ?
        WHERE NOT EXISTS (SELECT 1 FROM featureduck_watermarks w
          WHERE w.view = v.view AND w.version = v.version)
        ON CONFLICT DO NOTHING
        """;
    try (PreparedStatement statement = connection.prepareStatement(insert)) {
      statement.setString(1, source);
      statement.setString(2, view.view());
      statement.setInt(3, VERSION);
      statement.setLong(4, runId);
      if (statement.executeUpdate() != 1) {
        throw new FeatureException(
            ErrorCode.LOCKED, "view %s was materialized meanwhile".formatted(view.view()));
      }
    }
  }

  /**
   * Keeps runs from writing an adopted view until the transaction ends.
   *
   * @return false where a run has written the view since {@code runId}
   */
  public static boolean hold(Connection connection, String view, long runId) throws SQLException {
    String select =
        """
        SELECT 1 FROM featureduck_watermarks
        WHERE view = ? AND version = ? AND run_id = ? FOR UPDATE
        """;
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, view);
      statement.setInt(2, VERSION);
      statement.setLong(3, runId);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next();
      }
    }
  }

  /**
   * Ends what was written to the online table of an adopted view: rows of erased entities go, what
   * is there is noted, and readers are told that any rows may have changed.
   *
   * @param rows as they were counted, those of erased entities included
   * @return how many were of erased entities
   */
  public long settle(Connection connection, String view, long runId, AdoptedRows rows)
      throws SQLException {
    // An erasure puts its tombstones up under this lock, and deletes rows once it has given it
    // back.
    registry.lock(connection, view);
    long erased = deleteErased(connection, view);
    noteRows(connection, view, runId, rows, rows.count() - erased);
    long ignored = changes.note(connection, view, VERSION, Optional.of(runId), Optional.empty());
    return erased;
  }

  private static long deleteErased(Connection connection, String view) throws SQLException {
    String delete =
        "DELETE FROM %s o USING featureduck_tombstones t WHERE t.view = ? AND t.entity_key = o.entity_key"
            .formatted(onlineTable(view));
    try (PreparedStatement statement = connection.prepareStatement(delete)) {
      statement.setString(1, view);
      return statement.executeUpdate();
    }
  }

  private static void noteRows(
      Connection connection, String view, long runId, AdoptedRows rows, long written)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "UPDATE featureduck_runs SET rows_read = ?, rows_written = ? WHERE run_id = ?")) {
      statement.setLong(1, rows.count());
      statement.setLong(2, written);
      statement.setLong(3, runId);
      int ignored = statement.executeUpdate();
    }
    String update =
        """
        UPDATE featureduck_watermarks SET rows = ?, event_min = ?, event_max = ?
        WHERE view = ? AND version = ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setLong(1, written);
      statement.setObject(2, time(rows.eventMin()), Types.TIMESTAMP_WITH_TIMEZONE);
      statement.setObject(3, time(rows.eventMax()), Types.TIMESTAMP_WITH_TIMEZONE);
      statement.setString(4, view);
      statement.setInt(5, VERSION);
      int ignored = statement.executeUpdate();
    }
  }

  private static @Nullable OffsetDateTime time(Optional<Instant> instant) {
    return instant.map(time -> time.atOffset(ZoneOffset.UTC)).orElse(null);
  }

  /**
   * Has the next run of a migrated view find its rows under the source that the view is declared
   * with. Nothing is known of that source, so the run is a full one.
   */
  static void attach(Connection connection, String view, int version, String source)
      throws SQLException {
    String update =
        """
        UPDATE featureduck_watermarks SET source = ?
        WHERE view = ? AND version = ? AND source <> ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, source);
      statement.setString(2, view);
      statement.setInt(3, version);
      statement.setString(4, source);
      int ignored = statement.executeUpdate();
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }
}
