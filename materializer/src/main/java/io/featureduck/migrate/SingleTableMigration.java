package io.featureduck.migrate;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.migrate.MigrationRecord.State;
import io.featureduck.migrate.MigrationRecords.Copied;
import io.featureduck.store.Cancellation;
import io.featureduck.store.ViewAdoption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Moves a store that holds all views in one table over to a table per view. Each call goes on where
 * the last one ended, however it ended; one process at a time does so. Blocking; not thread-safe.
 *
 * <p>Failures are FeatureExceptions: LOCKED where another process migrates, or a view came to be
 * meanwhile; SOURCE_SCHEMA where the table is none that can be migrated; VALUE_OUT_OF_RANGE naming
 * a row that doesn't fit the schema, which can be gone on from once that row does;
 * STORE_UNAVAILABLE and SOURCE_UNAVAILABLE.
 */
public final class SingleTableMigration implements AutoCloseable {
  private static final Duration LOCK_PATIENCE = Duration.ofSeconds(10);
  private static final long LOCK_PAUSE_MILLIS = 100;
  private static final Duration TABLE_PATIENCE = Duration.ofMinutes(10);
  private static final int TRIES_BETWEEN_PAUSES = 5;
  private static final long TABLE_PAUSE_MILLIS = 500;
  private static final long TABLE_PAUSE_MILLIS_MAX = 10_000;

  private final MigrationRequest request;
  private final MigrationProgress progress;
  private final Session store;
  private final Session old;
  private final MigrationRecords records;
  private final ViewAdoption adoption;
  private final Cancellation never = new Cancellation();

  private SingleTableMigration(
      MigrationRequest request, MigrationProgress progress, Session store, Session old) {
    this.request = request;
    this.progress = progress;
    this.store = store;
    this.old = old;
    this.records = new MigrationRecords(store);
    this.adoption = new ViewAdoption(request.store());
  }

  /** Connects, and waits a little for another process that may be ending. */
  public static SingleTableMigration open(MigrationRequest request, MigrationProgress progress) {
    return open(request, progress, LOCK_PATIENCE);
  }

  /** As the other, with how long another process is waited for. */
  static SingleTableMigration open(
      MigrationRequest request, MigrationProgress progress, Duration patience) {
    Session store = Session.ofStore(request.store());
    try {
      Session old = Session.ofOldTable(request.from().orElse(request.store()));
      try {
        SingleTableMigration migration = new SingleTableMigration(request, progress, store, old);
        migration.lock(patience);
        return migration;
      } catch (RuntimeException e) {
        old.close();
        throw e;
      }
    } catch (RuntimeException e) {
      store.close();
      throw e;
    }
  }

  /** One process at a time: what it writes goes over the session that has the lock. */
  private void lock(Duration patience) {
    String key = "featureduck single-table migration " + request.store().schema();
    long end = System.nanoTime() + patience.toNanos();
    while (!store
        .first("SELECT pg_try_advisory_lock(hashtextextended(?, 0))", row -> row.getBoolean(1), key)
        .orElse(false)) {
      if (System.nanoTime() > end) {
        throw new FeatureException(
            ErrorCode.LOCKED, "another process is migrating a table into this store");
      }
      never.pause(LOCK_PAUSE_MILLIS);
    }
  }

  /**
   * Begins or goes on, until all rows are copied and what was written meanwhile is taken over; or
   * to the end.
   *
   * @param acceptInferred whether to begin with a schema that was found from the rows alone
   * @param finish whether to switch over
   */
  public MigrationReport run(SchemaRequest schema, boolean acceptInferred, boolean finish) {
    Optional<MigrationRecord> unfinished = records.unfinished();
    if (unfinished.isPresent()) {
      checkSame(unfinished.get());
      return goOn(unfinished.get(), Optional.empty(), finish);
    }
    Optional<MigrationRecord> before =
        records
            .newest(place(), request.schema(), request.table())
            .filter(migration -> migration.state() == State.FINISHED);
    if (before.isPresent() && !OldTable.exists(old, request.schema(), request.table())) {
      return report(MigrationReport.State.FINISHED, before.get(), Optional.empty(), 0);
    }
    OldTable table = OldTable.inspect(old, request.schema(), request.table(), request.columns());
    progress.phase("looking at all rows of " + table.shown());
    Proposal found = new SchemaProposer(table, new Survey(old, table), schema).propose();
    Proposal proposal = withTargets(found, table);
    if (proposal.hasProblems() || (proposal.isInferred() && !acceptInferred)) {
      return shown(proposal);
    }
    new ChangeQueue(table, "").checkFree(old);
    progress.begins(proposal);
    return goOn(begin(table, proposal.plan()), Optional.of(proposal), finish);
  }

  private String place() {
    return request.from().map(ViewAdoption::place).orElse("");
  }

  private void checkSame(MigrationRecord migration) {
    boolean same =
        migration.place().equals(place())
            && migration.oldSchema().equals(request.schema())
            && migration.oldTable().equals(request.table());
    if (!same) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "the migration of %s is under way, and not that of %s.%s%s: name the same, and --finish or --abort it first"
              .formatted(
                  migration.shown(),
                  request.schema(),
                  request.table(),
                  place().isEmpty() ? "" : " at " + place()));
    }
  }

  /** Returns the proposal with what the store has against it. */
  private Proposal withTargets(Proposal proposal, OldTable table) {
    List<Proposal.ProposedView> views = new ArrayList<>();
    for (Proposal.ProposedView proposed : proposal.views()) {
      List<String> problems = new ArrayList<>(proposed.problems());
      String view = proposed.view().view();
      boolean free =
          store.work(c ->
              adoption
                  .registered(c, view)
                  .map(live ->
                      ViewAdoption.fits(
                          live, SwitchOver.adopted(proposed.view(), table, Instant.EPOCH)))
                  .orElse(true));
      String online = ViewAdoption.onlineTable(view);
      if (!free) {
        problems.add("the store has a view %s already".formatted(view));
      } else if (store.number("SELECT count(*) WHERE to_regclass(?) IS NOT NULL", online) > 0) {
        problems.add("the store has a table %s already".formatted(online));
      }
      views.add(
          new Proposal.ProposedView(proposed.view(), proposed.rows(), proposed.notes(), problems));
    }
    return new Proposal(views, proposal.problems());
  }

  private MigrationReport shown(Proposal proposal) {
    return new MigrationReport(
        proposal.hasProblems() ? MigrationReport.State.REFUSED : MigrationReport.State.SHOWN,
        shownTable(),
        Optional.of(proposal),
        proposal.plan(),
        List.of(),
        0,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        dependents(request.table()));
  }

  private List<String> dependents(String table) {
    return OldTable.dependents(old, OldTable.quoted(request.schema(), table));
  }

  private String shownTable() {
    String table = request.schema() + "." + request.table();
    return place().isEmpty() ? table : table + " at " + place();
  }

  private MigrationRecord begin(OldTable table, MigrationPlan plan) {
    store.begin();
    try {
      MigrationRecord migration = records.insert(place(), table, plan, request.by());
      for (int i = 0; i < plan.views().size(); i++) {
        String name = migration.table(i);
        MigratedView view = plan.views().get(i);
        store.act(c -> ViewAdoption.createTable(c, name, view.columns()));
      }
      store.commit();
      return migration;
    } finally {
      store.rollback();
    }
  }

  private MigrationReport goOn(
      MigrationRecord migration, Optional<Proposal> proposal, boolean finish) {
    switch (migration.state()) {
      case ABORTING ->
          throw new FeatureException(
              ErrorCode.LOCKED,
              "the migration of %s is being undone: end that by --abort"
                  .formatted(migration.shown()));
      case STARTING, RUNNING, SWITCHED -> {}
      case FINISHED, ABORTED -> throw new IllegalStateException("it has ended");
    }
    if (migration.state() == State.SWITCHED && !isFollowed(migration)) {
      records.enter(migration, State.FINISHED);
      return report(MigrationReport.State.FINISHED, again(migration), proposal, 0);
    }
    OldTable table =
        OldTable.inspect(old, migration.oldSchema(), migration.oldTable(), migration.oldColumns());
    ChangeQueue queue = new ChangeQueue(table, migration.token());
    if (migration.state() == State.STARTING) {
      startQueue(migration, table, queue);
    } else if (!queue.exists(old)) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "the queue of changes beside %s is gone, so some may be missing: end the migration by --abort and begin anew"
              .formatted(table.shown()));
    }
    Optional<String> noReadersView =
        place().isEmpty() ? table.noReadersView() : Optional.of(SwitchOver.OTHER_DATABASE);
    Takeover takeover =
        new Takeover(
            old,
            store,
            table,
            migration,
            records,
            queue,
            progress,
            request.batchRows(),
            noReadersView);
    SwitchOver switchOver =
        new SwitchOver(
            old,
            store,
            table,
            migration,
            records,
            queue,
            takeover,
            adoption,
            request.store().schema(),
            request.by());
    if (migration.state() == State.SWITCHED) {
      while (patiently(table, switchOver::tryToComplete) != Attempt.DONE) {
        // Its rows were copied anew, and more may have been written meanwhile.
      }
      return report(MigrationReport.State.FINISHED, again(migration), proposal, 0);
    }
    takeover.follow();
    if (!finish) {
      long queued = queue.size(old);
      return report(MigrationReport.State.FOLLOWING, migration, proposal, queued);
    }
    do {
      while (!takeover.isVerified()) {
        takeover.verify();
        // Comparing takes long, and what was written meanwhile must not be left to the switch.
        takeover.follow();
      }
      progress.phase("switching over");
    } while (patiently(table, () -> keepUpAndSwitch(takeover, switchOver)) != Attempt.DONE);
    return report(MigrationReport.State.FINISHED, again(migration), proposal, 0);
  }

  private static Attempt keepUpAndSwitch(Takeover takeover, SwitchOver switchOver) {
    takeover.keepUp();
    return takeover.isVerified() ? switchOver.tryToSwitch() : Attempt.ANEW;
  }

  /**
   * Tells whether the old table is still followed: its queue goes as it is renamed. Whether there
   * is a table of its name says nothing, for the old system may have made a new one.
   */
  private boolean isFollowed(MigrationRecord migration) {
    return OldTable.exists(old, migration.oldSchema(), migration.oldTable())
        && queue(migration).exists(old);
  }

  private static ChangeQueue queue(MigrationRecord migration) {
    return new ChangeQueue(
        OldTable.named(migration.oldSchema(), migration.oldTable(), migration.oldColumns()),
        migration.token());
  }

  private MigrationRecord again(MigrationRecord migration) {
    return records
        .newest(migration.place(), migration.oldSchema(), migration.oldTable())
        .orElseThrow();
  }

  /** A record that is STARTING has a queue or not: which, was not heard of. */
  private void startQueue(MigrationRecord migration, OldTable table, ChangeQueue queue) {
    queue.checkFree(old);
    if (!queue.exists(old)) {
      Attempt ignored =
          patiently(
              table,
              () -> {
                old.begin();
                try {
                  boolean created = queue.create(old);
                  old.commit();
                  return created ? Attempt.DONE : Attempt.IN_USE;
                } finally {
                  old.rollback();
                }
              });
    }
    records.enter(migration, State.RUNNING);
  }

  /**
   * Attempts something until it is done.
   *
   * @return DONE, or ANEW where something else is to be done first
   * @throws FeatureException LOCKED, which may pass, where it could not be done in time
   */
  private Attempt patiently(OldTable table, Supplier<Attempt> attempts) {
    long end = System.nanoTime() + TABLE_PATIENCE.toNanos();
    long pause = TABLE_PAUSE_MILLIS;
    for (int tries = 1; ; tries++) {
      Attempt attempt = attempts.get();
      if (attempt == Attempt.DONE || attempt == Attempt.ANEW) {
        return attempt;
      }
      if (System.nanoTime() > end) {
        throw FeatureException.passing(ErrorCode.LOCKED, givenUp(table, attempt), null);
      }
      // Where more waits it is taken over at once, lest still more does.
      if (attempt == Attempt.IN_USE && tries % TRIES_BETWEEN_PAUSES == 0) {
        progress.phase("waiting for long transactions on " + table.shown());
        never.pause(pause);
        pause = Math.min(TABLE_PAUSE_MILLIS_MAX, pause * 2);
      } else if (attempt == Attempt.IN_USE) {
        never.pause(LOCK_PAUSE_MILLIS);
      } else if (tries % TRIES_BETWEEN_PAUSES == 0) {
        progress.phase("too much is being written to %s: catching up".formatted(table.shown()));
      }
    }
  }

  private static String givenUp(OldTable table, Attempt attempt) {
    return attempt == Attempt.IN_USE
        ? "%s is in use by long transactions and could not be locked within %d minutes: what was done so far is kept"
            .formatted(table.shown(), TABLE_PATIENCE.toMinutes())
        : "more was written to %s all the time than could be taken over with writers waiting, for %d minutes: what was done so far is kept"
            .formatted(table.shown(), TABLE_PATIENCE.toMinutes());
  }

  /**
   * Undoes all of an unfinished migration.
   *
   * @throws FeatureException INVALID_CONFIG where none is under way; LOCKED where the views are
   *     live
   */
  public MigrationReport abort() {
    MigrationRecord migration =
        records
            .unfinished()
            .orElseThrow(
                () -> new FeatureException(ErrorCode.INVALID_CONFIG, "no migration is under way"));
    checkSame(migration);
    if (migration.state() == State.SWITCHED) {
      throw new FeatureException(
          ErrorCode.LOCKED, "the views of %s are live: --finish it".formatted(migration.shown()));
    }
    records.enter(migration, State.ABORTING);
    OldTable table =
        OldTable.named(migration.oldSchema(), migration.oldTable(), migration.oldColumns());
    Attempt ignored = patiently(table, () -> dropQueue(queue(migration)));
    store.begin();
    try {
      for (int i = 0; i < migration.plan().views().size(); i++) {
        store.execute("DROP TABLE IF EXISTS " + migration.table(i));
      }
      records.enter(migration, State.ABORTED);
      store.commit();
    } finally {
      store.rollback();
    }
    return report(MigrationReport.State.ABORTED, migration, Optional.empty(), 0);
  }

  private Attempt dropQueue(ChangeQueue queue) {
    if (queue.isOthers(old)) {
      return Attempt.DONE;
    }
    old.begin();
    try {
      if (!queue.tryDrop(old)) {
        return Attempt.IN_USE;
      }
      old.commit();
      return Attempt.DONE;
    } finally {
      old.rollback();
    }
  }

  private MigrationReport report(
      MigrationReport.State state,
      MigrationRecord migration,
      Optional<Proposal> proposal,
      long queued) {
    Map<String, Copied> copied = records.views(migration);
    List<MigrationReport.Moved> views = new ArrayList<>();
    for (MigratedView view : migration.plan().views()) {
      Copied moved = copied.getOrDefault(view.featureView(), NOTHING);
      views.add(new MigrationReport.Moved(view.view(), moved.rows(), moved.runId()));
    }
    return new MigrationReport(
        state,
        migration.shown(),
        proposal,
        migration.plan(),
        views,
        queued,
        migration.renamedTo(),
        migration.noReadersView(),
        migration.readersNote(),
        dependents(migration.renamedTo().orElse(migration.oldTable())));
  }

  private static final Copied NOTHING = new Copied(Optional.empty(), false, 0, Optional.empty());

  @Override
  public void close() {
    old.close();
    store.close();
  }
}
