package io.featureduck.store;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.registry.HistoryDetail;
import io.featureduck.registry.HistoryEntry;
import io.featureduck.registry.HistoryEntry.Action;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredVersion.State;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewChange;
import io.featureduck.registry.ViewDefinition;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to change what is registered, held by one process at a time. Each change is one
 * transaction of its own, and is made only where the view is still registered as it was when the
 * change was planned. Not thread-safe.
 */
/* Runs commit while this is held, and change the registry themselves when they make a version live.
 * Both lock the view's rows of featureduck_views first of all that they change there, so each sees
 * what the other did. A run holds locks of the online table from early on and takes those rows near
 * its end; so a change that finds the table locked gives everything back before it tries again, or
 * the two would wait for each other. Changing a table is the last statement, for all readers queue
 * behind it.
 *
 * A feature is dropped in two steps. First the definition goes: servers, which ask for it every 250
 * ms, stop selecting the column. Only then, in finish(), does the column go. What was ended between
 * the two leaves a column that no definition has, which hurts nobody; finish() drops it, too, for
 * whoever calls it next.
 *
 * MySQL commits DDL at once. So a column is there before the definition that has it, and a table goes
 * after the version that had it, in finishRemovals(); what was ended between the two is finished in
 * the same way.
 */
public final class Registrar implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Registrar.class);

  /** How long servers may go on to select a column whose feature is gone. */
  private static final int GRACE_SECONDS = 2;

  private static final int REWRITE_MILLIS_MAX = 600_000;
  private static final long LOOK_MILLIS = 50;
  private static final long PAUSE_MILLIS_MIN = 50;
  private static final long PAUSE_MILLIS_MAX = 1_000;
  private static final long TABLE_NANOS_MAX = TimeUnit.SECONDS.toNanos(30);

  private final StoreDatabase database;
  private final RegistryRecords registry;
  private final HistoryRecords history;
  private final ChangeRecords changes;
  private final ErasureRecords erasures;
  private final Connection connection;
  private final Cancellation never = new Cancellation();

  private Registrar(StoreDatabase database, Connection connection) {
    this.database = database;
    this.registry = new RegistryRecords(database);
    this.history = new HistoryRecords(database);
    this.changes = new ChangeRecords(database);
    this.erasures = new ErasureRecords(database);
    this.connection = connection;
  }

  /**
   * Takes the right, waiting for it where another process has it.
   *
   * @throws FeatureException LOCKED where it isn't to be had in time
   */
  static Registrar take(StoreDatabase database, Duration patience) {
    return tryTake(database, patience)
        .orElseThrow(() ->
            new FeatureException(
                ErrorCode.LOCKED,
                "another process has been applying changes for %d s: try again when it is done"
                    .formatted(patience.toSeconds())));
  }

  /** Takes the right, or returns empty where another process has it for so long. */
  static Optional<Registrar> tryTake(StoreDatabase database, Duration patience) {
    Cancellation never = new Cancellation();
    long end = System.nanoTime() + patience.toNanos();
    try {
      Connection connection = database.open();
      try {
        StoreDatabase.limitNetworkWaits(connection);
        database.limitLockWaits(connection);
        while (!database.locks().tryTake(connection, key(database))) {
          if (System.nanoTime() > end) {
            connection.close();
            return Optional.empty();
          }
          never.pause(LOOK_MILLIS);
        }
        return Optional.of(new Registrar(database, connection));
      } catch (SQLException | RuntimeException e) {
        connection.close();
        throw e;
      }
    } catch (SQLException e) {
      throw database.failure("taking the right to apply changes", e);
    }
  }

  private static String key(StoreDatabase database) {
    // No view is called so.
    return "featureduck " + database.schema() + " (apply)";
  }

  /** What became of a change. */
  public enum Applied {
    APPLIED,
    /** Someone else had made it. */
    AS_WANTED
  }

  /**
   * Makes a change, or none of it. Columns of dropped features stay until {@link #finish}, and
   * tables of versions that are gone may stay until {@link #finishRemovals}.
   *
   * @param by who wants it so, for people
   * @throws FeatureException STALE_PLAN where the view is registered in another way by now; LOCKED
   *     where it is being written for too long; INVALID_CONFIG where its table can't have such
   *     columns; STORE_UNAVAILABLE
   */
  public Applied apply(ViewChange change, String by) {
    return switch (change) {
      case ViewChange.Unchanged unchanged -> Applied.AS_WANTED;
      case ViewChange.Unplanned unplanned ->
          throw new IllegalArgumentException("view %s is not planned".formatted(unplanned.view()));
      case ViewChange.Addition addition -> {
        // A table that was left would become that of the new view, with other columns maybe.
        List<String> ignored = finishRemovals(removal -> removal.view().equals(addition.view()));
        yield transact(addition, now -> add(addition, by));
      }
      case ViewChange.InPlace inPlace -> changeInPlace(inPlace, by);
      case ViewChange.NewVersion newVersion ->
          transact(newVersion, now -> addVersion(newVersion, now, by));
      case ViewChange.Removal removal ->
          removeVersions(removal, RegisteredView::versions, Action.REMOVE, by);
      case ViewChange.Prune prune ->
          removeVersions(prune, now -> stillRetired(prune, now), Action.PRUNE, by);
    };
  }

  /** Makes a change that a process takes up by itself; where someone was quicker, that stands. */
  void takeUp(ViewChange change, String by) {
    try {
      if (apply(change, by) == Applied.APPLIED) {
        LOG.info(
            "view {} is registered as this process has it ({})", change.view(), change.action());
      }
    } catch (FeatureException e) {
      if (e.code() != ErrorCode.STALE_PLAN) {
        throw e;
      }
      LOG.info("view {} is left as it is registered: {}", change.view(), e.getMessage());
    }
  }

  /** One step of a transaction that has the view's rows locked and found them as they should be. */
  private interface Step {
    void with(RegisteredView now) throws SQLException;
  }

  private void add(ViewChange.Addition addition, String by) throws SQLException {
    int version = addition.registered().nextVersion();
    if (!registry.insert(connection, version, State.LIVE, addition.definition(), by)) {
      // There was no row to lock, and another process has just made it.
      throw stale(addition);
    }
    history.note(
        connection, addition.view(), version, Action.CREATE, HistoryDetail.of(addition), by);
    database.announce(connection, addition.view(), version, 0);
  }

  private Applied changeInPlace(ViewChange.InPlace planned, String by) {
    if (planned.live().hash().equals(planned.definition().hash())
        && planned.withdrawn().isEmpty()) {
      // The definition is there; what finish() drops is all there is to do.
      Applied ignored = transact(planned, now -> {});
      return Applied.APPLIED;
    }
    boolean adds = !planned.change().added().isEmpty();
    boolean atOnce =
        planned.definition().storage() == Storage.TYPED && database.hasTransactionalDdl();
    if (adds && !atOnce) {
      // First the columns: until the definition has them, they are remains that hurt nobody. Rows
      // with an object may be many, and nobody is to wait for the definition meanwhile.
      Applied applied = transact(planned, now -> makeRoom(planned, now));
      if (applied == Applied.AS_WANTED) {
        return applied;
      }
    }
    return transact(
        planned,
        now -> {
          redefine(planned, now, by);
          if (adds && atOnce) {
            makeRoom(planned, now);
          }
        });
  }

  private void redefine(ViewChange.InPlace planned, RegisteredView now, String by)
      throws SQLException {
    RegisteredVersion live = now.live().orElseThrow();
    boolean unfilled =
        live.isComputed() && (live.unfilled() || !planned.change().added().isEmpty());
    registry.redefine(connection, live.version(), planned.definition(), unfilled);
    Optional<String> source = planned.definition().source();
    if (live.definition().isMigrated() && source.isPresent()) {
      ViewAdoption.attach(connection, planned.view(), live.version(), source.get());
    }
    if (planned.withdrawn().isPresent()) {
      registry.delete(connection, planned.view(), planned.withdrawn().get().version());
    }
    history.note(
        connection, planned.view(), live.version(), Action.CHANGE, HistoryDetail.of(planned), by);
    long ignored =
        changes.note(
            connection, planned.view(), live.version(), Optional.empty(), Optional.empty());
  }

  private void makeRoom(ViewChange.InPlace planned, RegisteredView now) throws SQLException {
    RegisteredVersion live = now.live().orElseThrow();
    if (live.isComputed()) {
      OnlineTable table = database.table(LiveView.of(live), planned.change().added());
      patiently(() -> table.makeRoom(connection, live.strayColumns()));
    }
  }

  private interface TableChange {
    void run() throws SQLException;
  }

  /**
   * Changes a table. Where the rows have to be looked at, or older servers copy them, that takes
   * its time.
   */
  private void patiently(TableChange change) throws SQLException {
    connection.setNetworkTimeout(Runnable::run, REWRITE_MILLIS_MAX);
    change.run();
    StoreDatabase.limitNetworkWaits(connection);
  }

  private void addVersion(ViewChange.NewVersion planned, RegisteredView now, String by)
      throws SQLException {
    RegisteredVersion live = now.live().orElseThrow();
    if (planned.version() == live.version()) {
      if (live.isComputed()) {
        // Its first run was quicker.
        throw stale(planned);
      }
      registry.redefine(connection, live.version(), planned.definition(), false);
      boolean ignored = registry.forgetErasuresOfOthers(connection, now, planned.definition());
      database.announce(connection, planned.view(), live.version(), 0);
    } else {
      if (now.pending().isPresent()) {
        registry.delete(connection, planned.view(), now.pending().get().version());
      }
      boolean ignored =
          registry.insert(connection, planned.version(), State.PENDING, planned.definition(), by);
    }
    history.note(
        connection,
        planned.view(),
        planned.version(),
        Action.NEW_VERSION,
        HistoryDetail.of(planned),
        by);
  }

  /** Has versions go with all that belongs to them. */
  private Applied removeVersions(
      ViewChange planned,
      Function<RegisteredView, List<RegisteredVersion>> which,
      Action action,
      String by) {
    return transact(
        planned,
        now -> {
          List<RegisteredVersion> gone = which.apply(now);
          deleteVersions(planned, gone, action, by);
          if (database.hasTransactionalDdl()) {
            for (RegisteredVersion version : gone) {
              OnlineTable.drop(connection, version.table());
            }
            if (action == Action.REMOVE) {
              int ignored = erasures.forgetAll(connection, planned.view());
            }
          }
        });
  }

  private void deleteVersions(
      ViewChange planned, List<RegisteredVersion> versions, Action action, String by)
      throws SQLException {
    for (RegisteredVersion version : versions) {
      registry.delete(connection, planned.view(), version.version());
    }
    if (action == Action.REMOVE) {
      registry.deletePause(connection, planned.view());
    }
    int newest = versions.getLast().version();
    history.note(connection, planned.view(), newest, action, HistoryDetail.of(planned), by);
    database.announce(connection, planned.view(), newest, 0);
  }

  /**
   * Drops the columns of a view's live table that no feature has, once servers have had the time to
   * learn of that. What can't be done now is left to whoever comes next.
   *
   * @return the columns
   */
  public List<String> finish(String view) {
    while (changedJustNow(view)) {
      never.pause(LOOK_MILLIS);
    }
    return retrying(view, () -> dropStrayColumns(view));
  }

  /** As {@link #finish}, but leaves them where someone else is in the way. */
  List<String> finishWithoutWaiting(String view) {
    if (changedJustNow(view)) {
      return List.of();
    }
    try {
      return transaction(() -> dropStrayColumns(view));
    } catch (SQLException e) {
      if (isInTheWay(e)) {
        return List.of();
      }
      throw failure(view, e);
    }
  }

  private boolean changedJustNow(String view) {
    try {
      return history.isNewerThan(connection, view, GRACE_SECONDS);
    } catch (SQLException e) {
      throw database.failure("reading the history of view " + view, e);
    }
  }

  private List<String> dropStrayColumns(String view) throws SQLException {
    registry.lock(connection, view);
    Optional<RegisteredVersion> live = registry.view(connection, view).live();
    List<String> columns = live.map(RegisteredVersion::strayColumns).orElse(List.of());
    if (!columns.isEmpty()) {
      OnlineTable table = registry.table(live.orElseThrow());
      patiently(() -> table.dropColumns(connection, columns));
    }
    return columns;
  }

  /**
   * Drops the tables of versions that are gone, also of those that an earlier apply left, and
   * forgets whom views that are gone were to keep away; none where both go with the transaction.
   *
   * @return the tables
   * @throws FeatureException LOCKED where one is being written for too long: the next one drops it
   */
  public List<String> finishRemovals() {
    return finishRemovals(removal -> true);
  }

  private List<String> finishRemovals(Predicate<HistoryEntry> which) {
    if (database.hasTransactionalDdl()) {
      return List.of();
    }
    return retrying(
        "of which versions are gone",
        () -> {
          Set<String> left = new TreeSet<>();
          history.removals(connection).stream()
              .filter(which)
              .forEach(removal -> left.addAll(HistoryDetail.tables(removal)));
          for (RegisteredView view : registry.all(connection)) {
            view.versions().forEach(version -> left.remove(version.table()));
          }
          left.retainAll(tables());
          for (String table : left) {
            OnlineTable.drop(connection, table);
          }
          for (String view : erasures.viewsThatAreGone(connection)) {
            int ignored = erasures.forgetAll(connection, view);
          }
          return List.copyOf(left);
        });
  }

  private Set<String> tables() throws SQLException {
    Set<String> tables = new HashSet<>();
    try (ResultSet rows =
        connection.getMetaData().getTables(connection.getCatalog(), null, "online%", null)) {
      while (rows.next()) {
        tables.add(rows.getString("TABLE_NAME"));
      }
    }
    return tables;
  }

  private Applied transact(ViewChange change, Step step) {
    return retrying(
        change.view(),
        () -> {
          registry.lock(connection, change.view());
          RegisteredView now = registry.view(connection, change.view());
          if (isAsWanted(change, now)) {
            return Applied.AS_WANTED;
          }
          if (!isAsPlanned(change, now)) {
            throw stale(change);
          }
          step.with(now);
          return Applied.APPLIED;
        });
  }

  /** Tells whether the view is registered as the change found it. */
  private static boolean isAsPlanned(ViewChange change, RegisteredView now) {
    RegisteredView then = change.registered();
    if (destroysWhatWasNotThere(change, now)) {
      return false;
    }
    // Whatever else is planned for the view is applied before its retired versions go.
    return change instanceof ViewChange.Prune
        || (id(then.live()).equals(id(now.live())) && id(then.pending()).equals(id(now.pending())));
  }

  /** Tells whether a first run has computed values since, which nobody was asked about. */
  private static boolean destroysWhatWasNotThere(ViewChange change, RegisteredView now) {
    boolean destroys =
        change instanceof ViewChange.Removal
            || (change instanceof ViewChange.InPlace inPlace
                && !inPlace.change().dropped().isEmpty());
    return destroys
        && change.registered().live().isPresent()
        && !change.registered().live().get().isComputed()
        && now.live().filter(RegisteredVersion::isComputed).isPresent();
  }

  private static String id(Optional<RegisteredVersion> version) {
    return version.map(found -> found.version() + " " + found.hash()).orElse("");
  }

  /** Tells whether the view is registered as the change would have it. */
  private static boolean isAsWanted(ViewChange change, RegisteredView now) {
    Optional<String> wanted = change.wanted().map(ViewDefinition::hash);
    Optional<String> live = now.live().map(RegisteredVersion::hash);
    Optional<String> pending = now.pending().map(RegisteredVersion::hash);
    return switch (change) {
      case ViewChange.Unchanged unchanged -> true;
      case ViewChange.Unplanned unplanned -> false;
      case ViewChange.Addition addition -> live.equals(wanted) && pending.isEmpty();
      case ViewChange.InPlace inPlace -> live.equals(wanted) && pending.isEmpty();
      case ViewChange.NewVersion newVersion -> pending.or(() -> live).equals(wanted);
      case ViewChange.Removal removal -> now.versions().isEmpty();
      case ViewChange.Prune prune -> stillRetired(prune, now).isEmpty();
    };
  }

  private static List<RegisteredVersion> stillRetired(ViewChange.Prune prune, RegisteredView now) {
    Set<Integer> planned =
        prune.versions().stream().map(RegisteredVersion::version).collect(Collectors.toSet());
    return now.retired().stream().filter(old -> planned.contains(old.version())).toList();
  }

  private FeatureException stale(ViewChange change) {
    return new FeatureException(
        ErrorCode.STALE_PLAN,
        "view %s is not registered any more as it was when this was planned%s; plan again"
            .formatted(change.view(), registry.lastChange(connection, change.view())));
  }

  /** Does work in a transaction; where it finds something locked, again after a pause. */
  private <T> T retrying(String view, StatementsOf<T> work) {
    long end = System.nanoTime() + TABLE_NANOS_MAX;
    long pause = PAUSE_MILLIS_MIN;
    while (true) {
      try {
        return transaction(work);
      } catch (SQLException e) {
        if (!isInTheWay(e)) {
          throw failure(view, e);
        }
        if (System.nanoTime() > end) {
          throw new FeatureException(
              ErrorCode.LOCKED,
              "view %s: a run is writing it, or its table is being read, and that did not end within %d s: try again later, or cancel the run"
                  .formatted(view, TimeUnit.NANOSECONDS.toSeconds(TABLE_NANOS_MAX)),
              e);
        }
      }
      never.pause(pause);
      pause = Math.min(PAUSE_MILLIS_MAX, 2 * pause);
    }
  }

  /** Tells whether a lock was not to be had, or the transaction given up in favour of another. */
  private boolean isInTheWay(SQLException e) {
    return database.isLockTimeout(e) || String.valueOf(e.getSQLState()).startsWith("40");
  }

  private FeatureException failure(String view, SQLException e) {
    return database.failure("applying a change of view " + view, e);
  }

  private interface StatementsOf<T> {
    T run() throws SQLException;
  }

  private <T> T transaction(StatementsOf<T> work) throws SQLException {
    connection.setAutoCommit(false);
    try {
      T result = work.run();
      connection.commit();
      return result;
    } catch (SQLException | RuntimeException e) {
      try {
        connection.rollback();
      } catch (SQLException broken) {
        // What failed first says more.
        e.addSuppressed(broken);
      }
      throw e;
    }
  }

  /** Gives the right back: another process may take it at once. */
  @Override
  public void close() {
    try (connection) {
      if (!connection.isClosed()) {
        connection.setAutoCommit(true);
        database.locks().release(connection);
      }
    } catch (SQLException e) {
      LOG.warn("the connection that changes were applied over did not close", e);
    }
  }
}
