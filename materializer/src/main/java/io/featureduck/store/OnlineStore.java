package io.featureduck.store;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The online store's blocking side: registered views, runs and how the views stand. Every method
 * waits for the database, so none belongs on an event loop; all may be called from any thread.
 *
 * <p>Failures are FeatureExceptions: STORE_UNAVAILABLE where the database can't be reached or
 * refuses.
 */
public final class OnlineStore {
  private static final Logger LOG = LoggerFactory.getLogger(OnlineStore.class);
  private static final JsonMapper JSON = new JsonMapper();

  private static final String RUN_COLUMNS =
      "r.run_id, r.view, r.version, r.kind, r.status, r.engine, r.scheduled_at, r.started_at,"
          + " r.finished_at, r.rows_read, r.rows_written, r.lower_bound, r.upper_bound,"
          + " r.error_code, r.error, r.host, r.progress::text";

  private static final String LIVE_VIEWS =
      """
      SELECT v.view, v.version, v.definition::text,
        (SELECT max(u.upper_bound) FROM featureduck_watermarks w
         JOIN featureduck_runs u ON u.run_id = w.run_id
         WHERE w.view = v.view AND w.version = v.version),
        (SELECT coalesce(max(c.generation), 0) FROM featureduck_changes c
         WHERE c.view = v.view AND c.version = v.version)
      FROM featureduck_views v WHERE v.live
      """;

  private static final String STATUSES =
      "SELECT "
          + RUN_COLUMNS
          + """
          , v.view, v.version, v.definition::text, w.as_of,
            (SELECT coalesce(max(c.generation), 0) FROM featureduck_changes c
             WHERE c.view = v.view AND c.version = v.version),
            w.rows, w.event_min, w.event_max,
            (SELECT max(s.finished_at) FROM featureduck_runs s
             WHERE s.view = v.view AND s.version = v.version AND s.status = 'succeeded')
          FROM featureduck_views v
          LEFT JOIN LATERAL (
            SELECT max(u.upper_bound) AS as_of, max(m.rows) AS rows,
              min(m.event_min) AS event_min, max(m.event_max) AS event_max
            FROM featureduck_watermarks m JOIN featureduck_runs u ON u.run_id = m.run_id
            WHERE m.view = v.view AND m.version = v.version) w
            ON true
          LEFT JOIN LATERAL (
            SELECT * FROM featureduck_runs l WHERE l.view = v.view AND l.version = v.version
            ORDER BY l.run_id DESC LIMIT 1) r ON true
          WHERE v.live ORDER BY v.view
          """;

  // The newest runs are enough: whatever satisfies the latest tick began after it.
  private static final String TICKS =
      """
      WITH asked (view, batch, full_refresh, lease) AS (
          VALUES (?, ?::timestamptz, ?::timestamptz, make_interval(secs => ?))),
        recent AS (
          SELECT r.* FROM asked a JOIN featureduck_runs r ON r.view = a.view
          WHERE r.version = coalesce(
            (SELECT v.version FROM featureduck_views v WHERE v.view = a.view AND v.live), 1)
          ORDER BY r.run_id DESC LIMIT 10000)
      SELECT EXISTS (SELECT 1 FROM featureduck_pauses p WHERE p.view = a.view),
        EXISTS (SELECT 1 FROM recent),
        EXISTS (SELECT 1 FROM recent r
          WHERE r.status = 'running' AND r.heartbeat_at > clock_timestamp() - a.lease),
        EXISTS (SELECT 1 FROM recent r WHERE r.scheduled_at = a.batch OR r.started_at >= a.batch
          AND (r.status = 'succeeded' OR r.scheduled_at IS NOT NULL)),
        EXISTS (SELECT 1 FROM recent r WHERE r.scheduled_at = a.full_refresh
          OR r.kind = 'full' AND r.started_at >= a.full_refresh
          AND (r.status = 'succeeded' OR r.scheduled_at IS NOT NULL))
      FROM asked a
      """;

  private final StoreConnections connections;

  private OnlineStore(StoreConnections connections) {
    this.connections = connections;
  }

  /** Takes the settings; nothing is connected before the first call that needs it. */
  public static OnlineStore open(OnlineStoreSettings settings) {
    return new OnlineStore(new StoreConnections(settings));
  }

  /**
   * Makes the schema and the tables, or brings them up to date; several processes may do so at
   * once.
   *
   * @throws FeatureException STORE_UNAVAILABLE, also where a newer FeatureDuck has been here
   */
  public void migrate() {
    // Flyway would wait and retry on its own and say little; so the first connection is ours.
    boolean ignored = work("connecting", connection -> connection.isValid(10));
    Flyway flyway =
        Flyway.configure()
            .dataSource(new MigrationDataSource(connections))
            .defaultSchema(connections.schema())
            .schemas(connections.schema())
            .createSchemas(true)
            .table("featureduck_schema_history")
            .locations("classpath:io/featureduck/store/migrations")
            // The schema may hold other tables already: public often does.
            .baselineOnMigrate(true)
            .baselineVersion("0")
            .load();
    try {
      for (MigrationInfo migration : flyway.info().all()) {
        if (migration.getState().isApplied() && !migration.getState().isResolved()) {
          throw new FeatureException(
              ErrorCode.STORE_UNAVAILABLE,
              "the online store at %s has schema version %s, which this FeatureDuck doesn't know: run a newer one"
                  .formatted(connections.place(), migration.getVersion()));
        }
      }
      int migrations = flyway.migrate().migrationsExecuted;
      if (migrations > 0) {
        LOG.info("applied {} schema migrations to {}", migrations, connections.place());
      }
    } catch (FlywayException e) {
      throw new FeatureException(
          ErrorCode.STORE_UNAVAILABLE,
          "the schema of the online store at %s can't be brought up to date"
              .formatted(connections.place()),
          e);
    }
  }

  /** Returns the views that are live, by name. */
  public List<LiveView> liveViews() {
    return work(
        "reading the live views",
        connection -> {
          List<LiveView> views = new ArrayList<>();
          try (PreparedStatement select =
                  connection.prepareStatement(LIVE_VIEWS + " ORDER BY v.view");
              ResultSet rows = select.executeQuery()) {
            while (rows.next()) {
              views.add(liveView(rows));
            }
          }
          return List.copyOf(views);
        });
  }

  /** Returns the live version of a view, or empty where none was ever registered. */
  public Optional<LiveView> liveView(String view) {
    return work("reading view " + view, connection -> liveView(connection, view));
  }

  private static Optional<LiveView> liveView(Connection connection, String view)
      throws SQLException {
    try (PreparedStatement select = connection.prepareStatement(LIVE_VIEWS + " AND v.view = ?")) {
      select.setString(1, view);
      try (ResultSet rows = select.executeQuery()) {
        return rows.next() ? Optional.of(liveView(rows)) : Optional.empty();
      }
    }
  }

  private static LiveView liveView(ResultSet rows) throws SQLException {
    return LiveView.parse(
        rows.getString(1), rows.getInt(2), rows.getString(3), instant(rows, 4), rows.getLong(5));
  }

  /**
   * Makes a view live, or applies what changed in its definition, if that destroys nothing. New
   * features of a view that has an online table become live with the rows of its next run.
   *
   * @param features the view's features with their types, as the planner found them
   * @param createdBy who did so, for people
   * @return the view as it is live now
   * @throws FeatureException INVALID_CONFIG, naming what can't be changed in place
   */
  public LiveView register(FeatureView view, List<Feature> features, String createdBy) {
    return work(
        "registering view " + view.name(),
        connection -> {
          connection.setAutoCommit(false);
          LiveView live = register(connection, view, features, createdBy);
          connection.commit();
          return live;
        });
  }

  private static LiveView register(
      Connection connection, FeatureView view, List<Feature> features, String createdBy)
      throws SQLException {
    Optional<LiveView> registered = liveView(connection, view.name());
    if (registered.isEmpty()) {
      // Two processes may come here at once: the first one wins, the other checks against it.
      String stored = stored(view, features);
      String insert =
          """
          INSERT INTO featureduck_views (view, version, definition, hash, live, created_by)
          VALUES (?, 1, ?::jsonb, ?, true, ?) ON CONFLICT DO NOTHING
          """;
      try (PreparedStatement statement = connection.prepareStatement(insert)) {
        statement.setString(1, view.name());
        statement.setString(2, stored);
        statement.setString(3, hash(stored));
        statement.setString(4, createdBy);
        int ignored = statement.executeUpdate();
      }
      registered = liveView(connection, view.name());
    }
    LiveView live = registered.orElseThrow();
    DefinitionChange change = check(live, view, features);
    if (change.addsFeatures() && live.asOf().isPresent()) {
      return live;
    }
    update(connection, live, view, features);
    return liveView(connection, view.name()).orElseThrow();
  }

  /**
   * Tells whether the definition of a live view may become {@code view} in place.
   *
   * @throws FeatureException INVALID_CONFIG, naming what may not
   */
  static DefinitionChange check(LiveView live, FeatureView view, List<Feature> features) {
    DefinitionChange change =
        DefinitionChange.between(live, view.json(), view.joinKeys(), features);
    if (!change.refused().isEmpty()) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "view %s differs from its live version %d in what can't be changed in place: %s"
              .formatted(view.name(), live.version(), String.join("; ", change.refused())));
    }
    return change;
  }

  /** Writes the definition of a live view where it differs. */
  static void update(Connection connection, LiveView live, FeatureView view, List<Feature> features)
      throws SQLException {
    String stored = stored(view, features);
    String update =
        """
        UPDATE featureduck_views SET definition = ?::jsonb, hash = ?
        WHERE view = ? AND version = ? AND hash <> ?
        """;
    try (PreparedStatement statement = connection.prepareStatement(update)) {
      statement.setString(1, stored);
      statement.setString(2, hash(stored));
      statement.setString(3, view.name());
      statement.setInt(4, live.version());
      statement.setString(5, hash(stored));
      int ignored = statement.executeUpdate();
    }
  }

  private static String stored(FeatureView view, List<Feature> features) {
    ObjectNode root = JSON.createObjectNode();
    root.set("view", JSON.readTree(view.json()));
    ArrayNode keys = root.putArray("join_keys");
    for (JoinKey key : view.joinKeys()) {
      keys.addObject().put("name", key.name()).put("type", key.type().toString());
    }
    ArrayNode list = root.putArray("features");
    for (Feature feature : features) {
      list.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
    return JSON.writeValueAsString(root);
  }

  private static String hash(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /**
   * Returns runs, newest first.
   *
   * @param view of this view only
   * @param limit at most so many
   */
  public List<Run> runs(Optional<String> view, int limit) {
    String where = view.isPresent() ? " WHERE r.view = ?" : "";
    return work(
        "reading the runs",
        connection -> {
          String select =
              "SELECT "
                  + RUN_COLUMNS
                  + " FROM featureduck_runs r"
                  + where
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
        });
  }

  /** Returns a run, or empty where there is none with that number. */
  public Optional<Run> run(long runId) {
    return work(
        "reading run " + runId,
        connection -> {
          try (PreparedStatement statement =
              connection.prepareStatement(
                  "SELECT " + RUN_COLUMNS + " FROM featureduck_runs r WHERE r.run_id = ?")) {
            statement.setLong(1, runId);
            try (ResultSet rows = statement.executeQuery()) {
              return rows.next() ? Optional.of(run(rows)) : Optional.empty();
            }
          }
        });
  }

  /** Reads {@link #RUN_COLUMNS}, which stand first. */
  private static Run run(ResultSet rows) throws SQLException {
    return new Run(
        rows.getLong(1),
        rows.getString(2),
        rows.getInt(3),
        Run.Kind.of(rows.getString(4)),
        Run.Status.of(rows.getString(5)),
        rows.getString(6),
        instant(rows, 7),
        instant(rows, 8).orElseThrow(),
        instant(rows, 9),
        number(rows, 10),
        number(rows, 11),
        instant(rows, 12),
        instant(rows, 13),
        Optional.ofNullable(rows.getString(14)),
        Optional.ofNullable(rows.getString(15)),
        rows.getString(16),
        Progress.parse(rows.getString(17)));
  }

  /** Returns how each live view stands, by name. */
  public List<ViewStatus> statuses() {
    return work(
        "reading how the views stand",
        connection -> {
          try (PreparedStatement select = connection.prepareStatement(STATUSES);
              ResultSet rows = select.executeQuery()) {
            List<ViewStatus> statuses = new ArrayList<>();
            while (rows.next()) {
              statuses.add(status(rows));
            }
            return List.copyOf(statuses);
          }
        });
  }

  private static ViewStatus status(ResultSet rows) throws SQLException {
    boolean hasRun = number(rows, 1).isPresent();
    LiveView view =
        LiveView.parse(
            rows.getString(18),
            rows.getInt(19),
            rows.getString(20),
            instant(rows, 21),
            rows.getLong(22));
    return new ViewStatus(
        view,
        view.asOf(),
        rows.getLong(23),
        instant(rows, 24),
        instant(rows, 25),
        instant(rows, 26),
        hasRun ? Optional.of(run(rows)) : Optional.empty());
  }

  /**
   * Takes the right to run a view, for as long as the result is open.
   *
   * @return empty where another session has it
   */
  public Optional<ViewLock> tryLock(String view) {
    return ViewLock.tryTake(connections, view);
  }

  /**
   * Takes the right to run a view, also from a holder that gave no sign of life for so long, by the
   * database's clock: its session is ended. Whoever holds it in earnest may be alive and only slow,
   * so what is written is still guarded by the fence of {@link ViewLock#write}.
   *
   * @return empty where another session has it and lives
   * @throws FeatureException LOCKED where the holder's session would have to be ended and may not
   */
  public Optional<ViewLock> tryLock(String view, Duration lease) {
    return ViewLock.tryTake(connections, view, lease);
  }

  /**
   * Asks the process that runs it to end a run, which it hears within moments.
   *
   * @return whether the run goes on
   */
  public boolean requestCancel(long runId) {
    String update =
        "UPDATE featureduck_runs SET cancel_requested = true WHERE run_id = ? AND status = 'running'";
    return work(
        "asking run %d to end".formatted(runId),
        connection -> {
          try (PreparedStatement statement = connection.prepareStatement(update)) {
            statement.setLong(1, runId);
            return statement.executeUpdate() == 1;
          }
        });
  }

  /**
   * Has no process run the view's schedules from now on.
   *
   * @param by who wants it so, for people
   * @return since when it is so, and by whose wish: an earlier one stands
   */
  public Pause pause(String view, String by) {
    String insert =
        "INSERT INTO featureduck_pauses (view, paused_by) VALUES (?, ?) ON CONFLICT DO NOTHING";
    return work(
        "pausing view " + view,
        connection -> {
          try (PreparedStatement statement = connection.prepareStatement(insert)) {
            statement.setString(1, view);
            statement.setString(2, by);
            int ignored = statement.executeUpdate();
          }
          return Optional.ofNullable(pauses(connection).get(view))
              .orElseThrow(() -> new SQLException("the pause was ended meanwhile"));
        });
  }

  /**
   * Has the view's schedules run again.
   *
   * @return the pause that ended, or empty where there was none
   */
  public Optional<Pause> resume(String view) {
    String delete = "DELETE FROM featureduck_pauses WHERE view = ? RETURNING paused_at, paused_by";
    return work(
        "resuming view " + view,
        connection -> {
          try (PreparedStatement statement = connection.prepareStatement(delete)) {
            statement.setString(1, view);
            try (ResultSet rows = statement.executeQuery()) {
              return rows.next()
                  ? Optional.of(new Pause(instant(rows, 1).orElseThrow(), rows.getString(2)))
                  : Optional.empty();
            }
          }
        });
  }

  /** Returns the views whose schedules are not run. */
  public Map<String, Pause> pauses() {
    return work("reading which views are paused", OnlineStore::pauses);
  }

  private static Map<String, Pause> pauses(Connection connection) throws SQLException {
    Map<String, Pause> pauses = new HashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT view, paused_at, paused_by FROM featureduck_pauses");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        Pause pause = new Pause(instant(rows, 2).orElseThrow(), rows.getString(3));
        Pause ignored = pauses.put(rows.getString(1), pause);
      }
    }
    return Map.copyOf(pauses);
  }

  /**
   * Tells whether a view's ticks are satisfied. A tick is by its own run, whatever became of it,
   * and by one that began at or after it and succeeded, or was the try of a later tick; that of a
   * full refresh by full runs only.
   *
   * @param batch the latest tick of the batch schedule, if there was one
   * @param full the latest tick of the full refresh schedule, if there was one
   * @param lease after which a run without a sign of life goes on no more
   */
  public TickState ticks(
      String view, Optional<Instant> batch, Optional<Instant> full, Duration lease) {
    return work(
        "looking at the ticks of view " + view,
        connection -> {
          try (PreparedStatement statement = connection.prepareStatement(TICKS)) {
            statement.setString(1, view);
            statement.setTimestamp(2, batch.map(Timestamp::from).orElse(null));
            statement.setTimestamp(3, full.map(Timestamp::from).orElse(null));
            statement.setDouble(4, lease.toMillis() / 1_000.0);
            try (ResultSet rows = statement.executeQuery()) {
              if (!rows.next()) {
                throw new IllegalStateException("an aggregate without a row");
              }
              return new TickState(
                  rows.getBoolean(1),
                  rows.getBoolean(2),
                  rows.getBoolean(3),
                  rows.getBoolean(4),
                  rows.getBoolean(5));
            }
          }
        });
  }

  /** Returns what tells the store that runs live; nothing is connected before the first beat. */
  public RunHeartbeat heartbeat() {
    return new RunHeartbeat(connections);
  }

  /**
   * Notes that a run ended without success. Does nothing where the run ended already.
   *
   * @param status FAILED or CANCELLED
   * @param asOf the instant that it computed for, if it came so far
   * @param progress how far it came
   */
  public void fail(
      long runId,
      Run.Status status,
      FeatureException failure,
      Optional<Instant> asOf,
      Progress progress) {
    String update =
        """
        UPDATE featureduck_runs SET status = ?, finished_at = clock_timestamp(),
          error_code = ?, error = ?, upper_bound = ?, progress = ?::jsonb
        WHERE run_id = ? AND status = 'running'
        """;
    int ignored =
        work(
            "noting the failure of run " + runId,
            connection -> {
              try (PreparedStatement statement = connection.prepareStatement(update)) {
                statement.setString(1, status.id());
                statement.setString(2, failure.code().id());
                statement.setString(3, failure.getMessage());
                statement.setTimestamp(4, asOf.map(Timestamp::from).orElse(null));
                statement.setString(5, progress.toJson().toString());
                statement.setLong(6, runId);
                return statement.executeUpdate();
              }
            });
  }

  private <T> T work(String doing, Work<T> work) {
    try (Connection connection = connections.open()) {
      connection.setNetworkTimeout(Runnable::run, 30_000);
      return work.with(connection);
    } catch (SQLException e) {
      throw connections.failure(doing, e);
    }
  }

  private interface Work<T> {
    T with(Connection connection) throws SQLException;
  }

  static Optional<Instant> instant(ResultSet rows, int column) throws SQLException {
    return Optional.ofNullable(rows.getObject(column, OffsetDateTime.class))
        .map(OffsetDateTime::toInstant);
  }

  private static Optional<Long> number(ResultSet rows, int column) throws SQLException {
    long value = rows.getLong(column);
    return rows.wasNull() ? Optional.empty() : Optional.of(value);
  }
}
