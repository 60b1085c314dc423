package io.featureduck.store;

import io.featureduck.definition.FeatureView;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.OwnDefinition;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.type.FeatureType;
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
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The online store's blocking side: registered views, runs and how the views stand. Every method
 * waits for the database, so none belongs on an event loop; all may be called from any thread.
 *
 * <p>Failures are FeatureExceptions: STORE_UNAVAILABLE where the database can't be reached or
 * refuses.
 */
public final class OnlineStore {
  private static final Logger LOG = LoggerFactory.getLogger(OnlineStore.class);

  private static final Duration REGISTRAR_PATIENCE = Duration.ofSeconds(60);

  private final StoreDatabase database;
  private final ViewRecords views;
  private final RegistryRecords registry;
  private final HistoryRecords history;
  private final RunRecords runs;

  private OnlineStore(StoreDatabase database) {
    this.database = database;
    this.views = new ViewRecords(database);
    this.registry = new RegistryRecords(database);
    this.history = new HistoryRecords(database);
    this.runs = new RunRecords(database);
  }

  /** Takes the settings; nothing is connected before the first call that needs it. */
  public static OnlineStore open(OnlineStoreSettings settings) {
    return new OnlineStore(StoreDatabase.of(settings));
  }

  /**
   * Makes the schema and the tables, or brings them up to date; several processes may do so at
   * once. Where they are, nothing is written, so a role that may only read is enough.
   *
   * @throws FeatureException STORE_UNAVAILABLE, also where a newer FeatureDuck has been here
   */
  public void migrate() {
    // Flyway would wait and retry on its own and say little; so the first connection is ours.
    boolean ignored = database.work("connecting", connection -> connection.isValid(10));
    FluentConfiguration configuration =
        Flyway.configure()
            .dataSource(new MigrationDataSource(database))
            .table("featureduck_schema_history")
            // The schema may hold other tables already: public often does.
            .baselineOnMigrate(true)
            .baselineVersion("0");
    database.configure(configuration);
    Flyway flyway = configuration.load();
    try {
      boolean failed = false;
      for (MigrationInfo migration : flyway.info().all()) {
        failed |= migration.getState().isFailed();
        if (migration.getState().isApplied() && !migration.getState().isResolved()) {
          throw new FeatureException(
              ErrorCode.STORE_UNAVAILABLE,
              "the online store at %s has schema version %s, which this FeatureDuck doesn't know: run a newer one"
                  .formatted(database.place(), migration.getVersion()));
        }
      }
      if (failed) {
        // Where DDL can't be undone, a migration's statements may be run again.
        int repaired = flyway.repair().repairActions.size();
        LOG.info(
            "carrying on with migrations of {} that broke off ({})", database.place(), repaired);
      }
      if (flyway.info().pending().length > 0) {
        int migrations = flyway.migrate().migrationsExecuted;
        LOG.info("applied {} schema migrations to {}", migrations, database.place());
      }
    } catch (FlywayException e) {
      throw new FeatureException(
          ErrorCode.STORE_UNAVAILABLE,
          "the schema of the online store at %s can't be brought up to date by this role: let a role that may, as the one that materializes, start first"
              .formatted(database.place()),
          e);
    }
  }

  /** Returns the views that are live, by name. */
  public List<LiveView> liveViews() {
    return database.work("reading the live views", views::liveViews);
  }

  /** Returns the live version of a view, or empty where none was ever registered. */
  public Optional<LiveView> liveView(String view) {
    return database.work("reading view " + view, connection -> views.liveView(connection, view));
  }

  /**
   * Registers a view as a process does that starts with it: what is new and destroys nothing is
   * taken up, and where a version is registered that computes the same, that one stands.
   *
   * @param features the view's features with their types, as the planner found them
   * @param by who wants it so, for people
   * @return the view as it is live now
   * @throws FeatureException INVALID_CONFIG, naming what takes an apply; LOCKED where another
   *     process applies changes for too long
   */
  public LiveView register(FeatureView view, List<Feature> features, String by) {
    return register(ViewDefinition.of(view, features), by);
  }

  /** As {@link #register(FeatureView, List, String)}, with what is registered as a whole. */
  public LiveView register(ViewDefinition definition, String by) {
    String view = definition.view();
    OwnDefinition own = new OwnDefinition(definition);
    switch (own.start(registered(view))) {
      case OwnDefinition.Start.Nothing nothing -> {}
      case OwnDefinition.Start.Refused refused ->
          throw new FeatureException(ErrorCode.INVALID_CONFIG, refused.why());
      case OwnDefinition.Start.TakeUp takeUp -> {
        try (Registrar registrar = registrar(REGISTRAR_PATIENCE)) {
          registrar.takeUp(takeUp.change(), by);
        }
      }
    }
    return liveView(view)
        .orElseThrow(() ->
            new FeatureException(
                ErrorCode.LOCKED, "view %s has just been removed".formatted(view)));
  }

  /** Returns all views that are registered, by name. */
  public List<RegisteredView> registered() {
    return database.work("reading what is registered", registry::all);
  }

  /** Returns all versions of a view; none where it is not registered. */
  public RegisteredView registered(String view) {
    return database.work(
        "reading what is registered of view " + view,
        connection -> registry.view(connection, view));
  }

  /**
   * Returns the hashes of the sources that a version was last computed from, by source; empty where
   * it never was.
   */
  public Map<String, String> sourceHashes(String view, int version) {
    return database.work(
        "reading the sources of view " + view,
        connection -> {
          String select =
              "SELECT source, coalesce(source_hash, '') FROM featureduck_watermarks WHERE view = ? AND version = ?";
          try (PreparedStatement statement = connection.prepareStatement(select)) {
            statement.setString(1, view);
            statement.setInt(2, version);
            try (ResultSet rows = statement.executeQuery()) {
              Map<String, String> hashes = new HashMap<>();
              while (rows.next()) {
                hashes.put(rows.getString(1), rows.getString(2));
              }
              return Map.copyOf(hashes);
            }
          }
        });
  }

  /** Returns what became of a view, the newest first. */
  public List<HistoryEntry> history(String view) {
    return database.work(
        "reading the history of view " + view, connection -> history.entries(connection, view));
  }

  /**
   * Takes the right to change what is registered.
   *
   * @param patience how long to wait while another process has it
   * @throws FeatureException LOCKED where that was not enough
   */
  public Registrar registrar(Duration patience) {
    return Registrar.take(database, patience);
  }

  /**
   * Takes the right to change what is registered, or returns empty where another process has it.
   */
  public Optional<Registrar> tryRegistrar() {
    return Registrar.tryTake(database, Duration.ZERO);
  }

  /** Returns the type of the column that holds features of {@code type}, for people. */
  public String columnType(FeatureType type) {
    return database.columnType(type);
  }

  /** Returns where the store is, for people. */
  public String place() {
    return "%s, schema %s".formatted(database.place(), database.schema());
  }

  /**
   * Makes the online table of a view where there is none, empty. It is served only once a run of
   * the view has succeeded.
   *
   * @param features the columns, in their order
   */
  public void createFeatureTable(LiveView view, List<Feature> features) {
    OnlineTable table = database.table(view, features);
    boolean ignored =
        database.work(
            "making the table of view " + view.view(),
            connection -> {
              table.create(connection);
              return true;
            });
  }

  /**
   * Returns runs, newest first.
   *
   * @param view of this view only
   * @param limit at most so many
   */
  public List<Run> runs(Optional<String> view, int limit) {
    return database.work("reading the runs", connection -> runs.runs(connection, view, limit));
  }

  /** Returns a run, or empty where there is none with that number. */
  public Optional<Run> run(long runId) {
    return database.work("reading run " + runId, connection -> runs.run(connection, runId));
  }

  /** Returns how each live view stands, by name. */
  public List<ViewStatus> statuses() {
    return database.work("reading how the views stand", runs::statuses);
  }

  /**
   * Takes the right to run a view, for as long as the result is open.
   *
   * @return empty where another session has it
   */
  public Optional<ViewLock> tryLock(String view) {
    return ViewLock.tryTake(database, view);
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
    return ViewLock.tryTake(database, view, lease);
  }

  /**
   * Asks the process that runs it to end a run, which it hears within moments.
   *
   * @return whether the run goes on
   */
  public boolean requestCancel(long runId) {
    return database.work(
        "asking run %d to end".formatted(runId),
        connection -> runs.requestCancel(connection, runId));
  }

  /**
   * Has no process run the view's schedules from now on.
   *
   * @param by who wants it so, for people
   * @return since when it is so, and by whose wish: an earlier one stands
   */
  public Pause pause(String view, String by) {
    return database.work(
        "pausing view " + view,
        connection -> {
          try (PreparedStatement statement =
              database.prepareIfNew(
                  connection, "INSERT INTO featureduck_pauses (view, paused_by) VALUES (?, ?)")) {
            statement.setString(1, view);
            statement.setString(2, by);
            int ignored = database.insertIfNew(statement);
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
    return database.work(
        "resuming view " + view,
        connection -> {
          Optional<Pause> pause = Optional.ofNullable(pauses(connection).get(view));
          try (PreparedStatement statement =
              connection.prepareStatement("DELETE FROM featureduck_pauses WHERE view = ?")) {
            statement.setString(1, view);
            return statement.executeUpdate() == 1 ? pause : Optional.empty();
          }
        });
  }

  /** Returns the views whose schedules are not run. */
  public Map<String, Pause> pauses() {
    return database.work("reading which views are paused", this::pauses);
  }

  private Map<String, Pause> pauses(Connection connection) throws SQLException {
    Map<String, Pause> pauses = new HashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT view, paused_at, paused_by FROM featureduck_pauses");
        ResultSet rows = select.executeQuery()) {
      while (rows.next()) {
        Pause pause = new Pause(database.instant(rows, 2).orElseThrow(), rows.getString(3));
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
    return database.work(
        "looking at the ticks of view " + view,
        connection -> runs.ticks(connection, view, batch, full, lease));
  }

  /** Returns what tells the store that runs live; nothing is connected before the first beat. */
  public RunHeartbeat heartbeat() {
    return new RunHeartbeat(database, runs);
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
    boolean ignored =
        database.work(
            "noting the failure of run " + runId,
            connection -> {
              runs.fail(connection, runId, status, failure, asOf, progress);
              return true;
            });
  }

  /** Has another run take the tick of one that was cancelled, as if this had had none. */
  public void giveTickBack(long runId) {
    boolean ignored =
        database.work(
            "giving the tick of run %d back".formatted(runId),
            connection -> {
              runs.giveTickBack(connection, runId);
              return true;
            });
  }

  /**
   * Removes entities from all versions of a view, and from the caches of all servers. Runs keep
   * them away from then on, also those under way, until the source no longer has them.
   *
   * @param keys canonical entity keys; those that the view has no row of are kept away as well
   * @param by who wants it so, for the record
   * @param patience how long to wait for runs that hold the view
   * @return what was done; pending where a run has held rows for longer than that
   * @throws FeatureException UNKNOWN_VIEW; READ_ONLY where this role may not write; LOCKED where a
   *     run has been committing for so long, and then nothing is done
   */
  public Erasure erase(
      String view, List<String> keys, Erasure.Origin origin, String by, Duration patience) {
    return new EntityErasure(database, view).erase(keys, origin, by, patience);
  }

  /** Returns the views that have entities whose erasure was begun so long ago, and not ended. */
  public List<String> unfinishedErasures(Duration age) {
    return database.work(
        "looking for erasures that are not ended",
        connection -> new ErasureRecords(database).viewsWithPending(connection, age.toSeconds()));
  }

  /**
   * Ends erasures of a view that were left half done, as far as no run is in the way.
   *
   * @return how many rows were deleted
   */
  public long finishErasures(String view) {
    return new EntityErasure(database, view).finish();
  }

  /**
   * Begins to remove rows whose event is too old.
   *
   * @param oldest of the events that stay
   */
  public Purge purge(LiveView view, Instant oldest) {
    return new Purge(database, view, oldest);
  }
}
