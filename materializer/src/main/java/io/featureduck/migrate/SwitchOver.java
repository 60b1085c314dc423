package io.featureduck.migrate;

import io.featureduck.migrate.ChangeQueue.Page;
import io.featureduck.migrate.MigrationRecord.State;
import io.featureduck.migrate.MigrationRecords.Copied;
import io.featureduck.store.AdoptedView;
import io.featureduck.store.Cancellation;
import io.featureduck.store.ViewAdoption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * The end of a migration: with writers of the old table waiting, the last of what they wrote is
 * taken over, the views go live and the old table gets out of the way. Readers wait for moments
 * only.
 */
/* Java's order of statements is the order of locks: writers first, readers last and shortly.
 *
 * With one database all of it is one transaction. With two the store commits first: a client that
 * looks for a view in the store and then in the old table finds it in one of them at all times. The
 * state SWITCHED says that the old database has yet to commit, or has not been heard of; its queue
 * then tells which, for it is dropped in the same transaction as the table is renamed.
 */
final class SwitchOver {
  private static final int LAST_ROWS_MAX = 20_000;
  private static final int LOCK_ATTEMPTS = 5;
  private static final long PAUSE_MILLIS = 100;

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
    this.records = new MigrationRecords(store);
    this.queue = queue;
    this.takeover = takeover;
    this.adoption = adoption;
    this.storeSchema = storeSchema;
    this.by = by;
    this.views = migration.plan().views();
  }

  /**
   * Tries to switch over.
   *
   * @return false where the old table is in use, or so much was written that it is to be taken over
   *     first, without anyone waiting: nothing has changed then
   */
  boolean tryToSwitch() {
    return inTransactions(this::switchOver);
  }

  /** Goes on after the views went live; they are brought up with the old table once more. */
  boolean tryToComplete() {
    return inTransactions(this::complete);
  }

  private interface Attempt {
    boolean succeeds();
  }

  private boolean inTransactions(Attempt attempt) {
    old.begin();
    try {
      return attempt.succeeds();
    } catch (Session.TooManyBytes e) {
      takeover.takeFewerRows();
      return false;
    } finally {
      store.rollback();
      old.rollback();
    }
  }

  private boolean switchOver() {
    if (!lock("SHARE ROW EXCLUSIVE")) {
      return false;
    }
    beginStore();
    IntFunction<String> tables = migration::table;
    if (!takeLast(tables)) {
      return false;
    }
    queue.checkInForce(old);
    takeover.checkCounts(old, tables);
    for (int i = 0; i < views.size(); i++) {
      MigratedView view = views.get(i);
      long rows = store.number("SELECT count(*) FROM " + migration.table(i));
      String copied = migration.table(i);
      long runId =
          store.work(
              c -> adoption.adopt(c, adopted(view, table, migration.startedAt()), copied, by));
      records.noteRun(migration, view.featureView(), runId, rows);
    }
    return commit(takeover.noReadersView());
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

  private boolean complete() {
    if (!queue.exists(old)) {
      records.enter(migration, State.FINISHED);
      return true;
    }
    if (!lock("SHARE ROW EXCLUSIVE")) {
      return false;
    }
    beginStore();
    List<String> online = new ArrayList<>();
    Map<String, Copied> copied = records.views(migration);
    List<Long> runs = views.stream().map(view -> run(view, copied)).toList();
    for (int i = 0; i < views.size(); i++) {
      String view = views.get(i).view();
      long run = runs.get(i);
      // What a run has computed since is newer than whatever the old system wrote.
      boolean ours = store.work(c -> ViewAdoption.hold(c, view, run));
      online.add(ours ? ViewAdoption.onlineTable(view) : "");
    }
    if (!takeLast(online::get)) {
      return false;
    }
    for (int i = 0; i < views.size(); i++) {
      if (!online.get(i).isEmpty()) {
        String view = views.get(i).view();
        long run = runs.get(i);
        store.act(c -> adoption.changed(c, view, run));
      }
    }
    return commit(Optional.of(OTHER_DATABASE));
  }

  static final String OTHER_DATABASE = "the store is in another database";

  private static long run(MigratedView view, Map<String, Copied> copied) {
    return Optional.ofNullable(copied.get(view.featureView()))
        .flatMap(Copied::runId)
        .orElseThrow(() ->
            new IllegalStateException("view %s is live without a run".formatted(view.view())));
  }

  private void beginStore() {
    if (!oneDatabase) {
      store.begin();
    }
  }

  /** Takes over what is queued, while nobody can add to it. */
  private boolean takeLast(IntFunction<String> tables) {
    long last = 0;
    for (int rows = 0; ; ) {
      Optional<Page> page = queue.page(old, last, takeover.rowsAtOnce());
      if (page.isEmpty()) {
        return true;
      }
      if (page.get().truncated() && migration.state() == State.SWITCHED) {
        for (int i = 0; i < views.size(); i++) {
          if (!tables.apply(i).isEmpty()) {
            takeover.replace(i, tables.apply(i));
          }
        }
        return true;
      }
      if (page.get().truncated() || rows > LAST_ROWS_MAX) {
        return false;
      }
      takeover.apply(page.get(), old, tables);
      last = page.get().last();
      rows += page.get().size();
    }
  }

  private boolean commit(Optional<String> noReadersView) {
    List<OldTable.Column> columns = table.columns(old);
    if (!lock("ACCESS EXCLUSIVE")) {
      return false;
    }
    String renamedTo = freeName();
    queue.drop(old, table.quoted());
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
    return true;
  }

  private boolean lock(String mode) {
    Cancellation never = new Cancellation();
    for (int attempt = 1; attempt <= LOCK_ATTEMPTS; attempt++) {
      if (old.tryLock("LOCK TABLE %s IN %s MODE".formatted(table.quoted(), mode))) {
        return true;
      }
      never.pause(PAUSE_MILLIS);
    }
    return false;
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
