package io.featureduck.migrate;

import io.featureduck.migrate.ChangeQueue.Page;
import io.featureduck.migrate.MigrationRecord.State;
import io.featureduck.migrate.MigrationRecords.Copied;
import io.featureduck.store.AdoptedRows;
import io.featureduck.store.AdoptedView;
import io.featureduck.store.ViewAdoption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The end of a migration: with readers and writers of the old table waiting for moments, the last
 * of what was written is taken over, the views go live and the old table gets out of the way.
 */
/* Whatever takes time, or may have to wait for others, comes before the lock of the old table: rows
 * are compared and counted, and the views are put into the registry, in a transaction that is given
 * up where too much was written meanwhile.
 *
 * With one database all of it is one transaction. With two the store commits first: a client that
 * looks for a view in the store and then in the old table finds it in one of them at all times. The
 * state SWITCHED says that the old database has yet to commit, or has not been heard of; its queue
 * then tells which, for it is dropped in the same transaction as the table is renamed.
 */
final class SwitchOver {
  private static final int LAST_ROWS_MAX = 1_000;

  private final Session old;
  private final Session store;
  private final boolean oneDatabase;
  private final OldTable table;
  private final MigrationRecord migration;
  private final MigrationRecords records;
  private final ChangeQueue queue;
  private final Takeover takeover;
  private final ViewAdoption adoption;
  private final String storeSchema;
  private final String by;
  private final List<MigratedView> views;

  SwitchOver(
      Session old,
      Session store,
      OldTable table,
      MigrationRecord migration,
      MigrationRecords records,
      ChangeQueue queue,
      Takeover takeover,
      ViewAdoption adoption,
      String storeSchema,
      String by) {
    this.oneDatabase = migration.place().isEmpty();
    this.old = oneDatabase ? store : old;
    this.store = store;
    this.table = table;
    this.migration = migration;
    this.records = records;
    this.queue = queue;
    this.takeover = takeover;
    this.adoption = adoption;
    this.storeSchema = storeSchema;
    this.by = by;
    this.views = migration.plan().views();
  }

  /** Tries to switch over, with all rows compared and kept up. */
  Attempt tryToSwitch() {
    return inTransactions(this::switchOver);
  }

  /** Goes on after the views went live; they are brought up with the old table once more. */
  Attempt tryToComplete() {
    takeover.keepUp(new Live());
    return inTransactions(this::complete);
  }

  private Attempt inTransactions(Supplier<Attempt> attempt) {
    old.begin();
    if (!oneDatabase) {
      store.begin();
    }
    try {
      return attempt.get();
    } catch (Session.TooManyBytes e) {
      takeover.takeFewerRows();
      return Attempt.MORE;
    } finally {
      store.rollback();
      old.rollback();
    }
  }

  private Attempt switchOver() {
    List<String> online = new ArrayList<>();
    List<Long> runs = new ArrayList<>();
    for (int i = 0; i < views.size(); i++) {
      MigratedView view = views.get(i);
      String copied = migration.table(i);
      runs.add(
          store.work(
              c -> adoption.adopt(c, adopted(view, table, migration.startedAt()), copied, by)));
      online.add(ViewAdoption.onlineTable(view.view()));
    }
    Attempt attempt = takeLast(online);
    if (attempt == Attempt.DONE) {
      queue.checkInForce(old);
      settle(online, runs);
      commit(takeover.noReadersView());
    }
    return attempt;
  }

  static AdoptedView adopted(MigratedView view, OldTable table, Instant startedAt) {
    return view.definition().isPresent()
        ? new AdoptedView(
            view.view(),
            view.joinKeys(),
            view.columns(),
            view.definition().get(),
            view.source().orElseThrow(),
            startedAt)
        : AdoptedView.undeclared(
            view.view(), view.joinKeys(), view.columns(), table.shown(), startedAt);
  }

  private Attempt complete() {
    Live live = new Live();
    List<String> online = live.begin();
    Attempt attempt = takeLast(online);
    if (attempt == Attempt.DONE) {
      live.end(online);
      commit(Optional.of(OTHER_DATABASE));
    }
    return attempt;
  }

  /** The online tables, as far as no run has written them: that is newer than the old table. */
  private final class Live implements Takeover.Target {
    private final List<Long> runs;

    Live() {
      Map<String, Copied> copied = records.views(migration);
      this.runs = views.stream().map(view -> run(view, copied)).toList();
    }

    @Override
    public List<String> begin() {
      List<String> online = new ArrayList<>();
      for (int i = 0; i < views.size(); i++) {
        String view = views.get(i).view();
        long run = runs.get(i);
        boolean ours = store.work(c -> ViewAdoption.hold(c, view, run));
        online.add(ours ? ViewAdoption.onlineTable(view) : "");
      }
      return online;
    }

    @Override
    public void end(List<String> tables) {
      settle(tables, runs);
    }

    @Override
    public boolean isCopy() {
      return false;
    }
  }

  private void settle(List<String> tables, List<Long> runs) {
    for (int i = 0; i < views.size(); i++) {
      if (!tables.get(i).isEmpty()) {
        MigratedView view = views.get(i);
        long run = runs.get(i);
        AdoptedRows rows = records.counted(migration, view.featureView());
        long erased = store.work(c -> adoption.settle(c, view.view(), run, rows));
        records.noteRun(migration, view.featureView(), run, erased);
      }
    }
  }

  static final String OTHER_DATABASE = "the store is in another database";

  private static long run(MigratedView view, Map<String, Copied> copied) {
    return Optional.ofNullable(copied.get(view.featureView()))
        .flatMap(Copied::runId)
        .orElseThrow(() ->
            new IllegalStateException("view %s is live without a run".formatted(view.view())));
  }

  /** Locks the old table and takes over what is queued, which is little and stays so. */
  private Attempt takeLast(List<String> tables) {
    // No weaker lock first: two who have one and want more would wait for each other.
    if (!old.tryLock(table.quoted(), "ACCESS EXCLUSIVE")) {
      return Attempt.IN_USE;
    }
    if (queue.isLonger(old, LAST_ROWS_MAX)) {
      return Attempt.MORE;
    }
    int rowsAtOnce = Math.min(LAST_ROWS_MAX, takeover.rowsAtOnce());
    long last = 0;
    for (Optional<Page> page = queue.page(old, last, rowsAtOnce);
        page.isPresent();
        page = queue.page(old, last, rowsAtOnce)) {
      if (page.get().truncated()) {
        return Attempt.ANEW;
      }
      takeover.apply(page.get(), old, tables);
      last = page.get().last();
    }
    return Attempt.DONE;
  }

  private void commit(Optional<String> noReadersView) {
    List<OldTable.Column> columns = table.columns(old);
    String renamedTo = freeName();
    if (!queue.tryDrop(old)) {
      throw new IllegalStateException("the table that is locked is in use");
    }
    old.execute(
        "ALTER TABLE %s RENAME TO %s"
            .formatted(table.quoted(), ViewAdoption.identifier(renamedTo)));
    if (noReadersView.isEmpty()) {
      new ReadersView(table, views, takeover.sql(), storeSchema)
          .create(old, columns, table.beside(renamedTo));
    }
    records.noteRenamed(
        migration,
        renamedTo,
        noReadersView,
        takeover.readersNote().filter(note -> noReadersView.isEmpty()));
    records.enter(migration, oneDatabase ? State.FINISHED : State.SWITCHED);
    store.commit();
    if (!oneDatabase) {
      old.commit();
      records.enter(migration, State.FINISHED);
    }
  }

  private String freeName() {
    String date =
        old.first("SELECT to_char(now(), 'YYYYMMDD')", row -> row.getString(1)).orElseThrow();
    for (int i = 1; ; i++) {
      String name = ReadersView.cut(table.name(), "_migrated_" + date + (i == 1 ? "" : "_" + i));
      if (old.number("SELECT count(*) WHERE to_regclass(?) IS NOT NULL", table.beside(name)) == 0) {
        return name;
      }
    }
  }
}
