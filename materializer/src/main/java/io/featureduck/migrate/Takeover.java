package io.featureduck.migrate;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.migrate.ChangeQueue.Page;
import io.featureduck.migrate.MigrationRecords.Copied;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Brings the rows of the old table into tables of the store and keeps them up with it. Whatever is
 * committed can be gone on from: docs/decisions/021 says how.
 */
final class Takeover {
  private static final long BYTES_MAX = 64L << 20;

  /** Then as many as are asked for, unless they are large. */
  private static final int ROWS_AT_FIRST = 128;

  private static final int SHOWN_KEYS = 5;

  private final Session old;
  private final Session store;
  private final OldTable table;
  private final MigrationRecord migration;
  private final MigrationRecords records;
  private final ChangeQueue queue;
  private final MigrationProgress progress;
  private final int batchRows;
  private final List<MigratedView> views;
  private final List<RowSql> sql;
  private final Target copies = new Copies();
  private int rowsAtOnce;
  private Optional<String> noReadersView;
  private Optional<String> readersNote = Optional.empty();
  private boolean verified;

  /**
   * @param noReadersView why no view is to have the old table's name, where that is known already
   */
  Takeover(
      Session old,
      Session store,
      OldTable table,
      MigrationRecord migration,
      MigrationRecords records,
      ChangeQueue queue,
      MigrationProgress progress,
      int batchRows,
      Optional<String> noReadersView) {
    this.old = old;
    this.store = store;
    this.table = table;
    this.migration = migration;
    this.records = records;
    this.queue = queue;
    this.progress = progress;
    this.batchRows = batchRows;
    this.rowsAtOnce = Math.min(batchRows, ROWS_AT_FIRST);
    this.noReadersView = noReadersView;
    this.views = migration.plan().views();
    this.sql = views.stream().map(view -> new RowSql(table, view, migration.startedAt())).toList();
  }

  List<RowSql> sql() {
    return sql;
  }

  /**
   * Returns why no view can stand in for the old table; empty where one can, as far as is known.
   */
  Optional<String> noReadersView() {
    return noReadersView;
  }

  /** Returns in what the view differs from the old table; empty where it doesn't. */
  Optional<String> readersNote() {
    return readersNote;
  }

  /** Copies what was not copied yet, then takes over what was queued meanwhile. */
  void follow() {
    do {
      copy();
      progress.phase("taking over what was written meanwhile");
    } while (!catchUp(copies));
  }

  /** As {@link #follow}, where that was done before and all is to be kept up. */
  void keepUp() {
    if (!catchUp(copies)) {
      follow();
    }
  }

  /** Has tables that are live already keep up with the old one. */
  void keepUp(Target live) {
    boolean ignored = catchUp(live);
  }

  /** Where rows are brought to, in transactions of the store. */
  interface Target {
    /** Returns each view's table, to be written until the transaction ends; empty: it is not. */
    List<String> begin();

    /** Ends what was written in a transaction, before it is committed. */
    void end(List<String> tables);

    /** Tells whether all is copied anew where the old table was emptied. */
    boolean isCopy();
  }

  private final class Copies implements Target {
    @Override
    public List<String> begin() {
      return IntStream.range(0, views.size()).mapToObj(migration::table).toList();
    }

    @Override
    public void end(List<String> tables) {}

    @Override
    public boolean isCopy() {
      return true;
    }
  }

  private void copy() {
    Map<String, Copied> copied = records.views(migration);
    for (int i = 0; i < views.size(); i++) {
      Copied from = copied.get(views.get(i).featureView());
      if (from != null && !from.copied()) {
        copy(i, from);
      }
    }
  }

  private void copy(int view, Copied from) {
    long ofRows =
        old.number(
            "SELECT count(*) FROM %s o WHERE %s"
                .formatted(table.quoted(), sql.get(view).isOfView()));
    Optional<String> position = from.position();
    long rows = from.rows();
    do {
      progress.copied(views.get(view).view(), rows, Math.max(rows, ofRows));
      Batch batch = batch(old, view, position);
      store.begin();
      long taken =
          store.copyIn(migration.table(view) + " (" + sql.get(view).columns() + ")", batch.rows());
      records.advance(migration, views.get(view).featureView(), batch.last(), taken);
      store.commit();
      rows += taken;
      position = batch.last();
    } while (position.isPresent());
    progress.copied(views.get(view).view(), rows, rows);
  }

  /**
   * The next rows of a view.
   *
   * @param last the last key of them; empty where they are the rest
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared, and read once.
  private record Batch(byte[] rows, Optional<String> last) {}

  private Batch batch(Session from, int view, Optional<String> after) {
    for (; ; ) {
      Optional<String> last =
          from.first(sql.get(view).bound(after, rowsAtOnce), row -> row.getString(1));
      try {
        byte[] rows =
            from.copyOut(sql.get(view).converted(sql.get(view).range(after, last)), bytesMax());
        grow(rows.length);
        return new Batch(rows, last);
      } catch (Session.TooManyBytes e) {
        takeFewerRows();
      }
    }
  }

  /** Puts all of a view's old rows in place of those in a table, in the store's transaction. */
  private void replace(int view, String into) {
    store.execute("DELETE FROM " + into);
    Optional<String> position = Optional.empty();
    do {
      Batch batch = batch(old, view, position);
      long ignored = store.copyIn(into + " (" + sql.get(view).columns() + ")", batch.rows());
      position = batch.last();
    } while (position.isPresent());
    long ignored = records.count(migration, views.get(view).featureView(), into);
  }

  /** A single row is taken whatever its size is. */
  private long bytesMax() {
    return rowsAtOnce == 1 ? Long.MAX_VALUE : BYTES_MAX;
  }

  /**
   * Takes over what is queued, until there is less of it than is taken at once.
   *
   * @return false where all has to be copied anew
   */
  private boolean catchUp(Target target) {
    for (; ; ) {
      Taken taken = inSnapshot(() -> takePage(target));
      switch (taken) {
        case ALL -> {
          return true;
        }
        case SOME -> {}
        case ANEW -> {
          return false;
        }
      }
    }
  }

  private enum Taken {
    /** Nothing is left, or little. */
    ALL,
    /** There may be more. */
    SOME,
    /** The old table was emptied, and so are ours: copying begins anew. */
    ANEW
  }

  private Taken takePage(Target target) {
    Optional<Page> page = queue.page(old, 0, rowsAtOnce);
    if (page.isEmpty()) {
      return Taken.ALL;
    }
    boolean truncated = page.get().truncated();
    if (truncated && target.isCopy()) {
      restart();
      return Taken.ANEW;
    }
    boolean full = page.get().size() >= rowsAtOnce;
    store.begin();
    List<String> tables = target.begin();
    if (truncated) {
      replace(tables);
    } else {
      apply(page.get(), old, tables);
    }
    target.end(tables);
    store.commit();
    queue.delete(old, truncated ? Long.MAX_VALUE : page.get().last());
    return full ? Taken.SOME : Taken.ALL;
  }

  private void replace(List<String> tables) {
    progress.phase("the old table was truncated: its rows are copied anew");
    for (int i = 0; i < views.size(); i++) {
      if (!tables.get(i).isEmpty()) {
        replace(i, tables.get(i));
      }
    }
  }

  private void restart() {
    verified = false;
    progress.phase("the old table was truncated: its rows are copied anew");
    store.begin();
    for (int i = 0; i < views.size(); i++) {
      store.execute("TRUNCATE " + migration.table(i));
    }
    records.restart(migration);
    store.commit();
    queue.clear(old);
  }

  /**
   * Does something in one state of the old table; with fewer rows at once where they are too large.
   */
  private Taken inSnapshot(Supplier<Taken> work) {
    for (; ; ) {
      old.beginSnapshot();
      try {
        Taken taken = work.get();
        old.commit();
        return taken;
      } catch (Session.TooManyBytes e) {
        takeFewerRows();
      } finally {
        store.rollback();
        old.rollback();
      }
    }
  }

  private void grow(int bytes) {
    if (bytes < BYTES_MAX / 4) {
      rowsAtOnce = Math.min(batchRows, rowsAtOnce * 2);
    }
  }

  /** Returns how many rows are taken at once. */
  int rowsAtOnce() {
    return rowsAtOnce;
  }

  /** Has fewer rows taken at once, for they are large. */
  void takeFewerRows() {
    rowsAtOnce = Math.max(1, rowsAtOnce / 2);
  }

  /**
   * Brings rows up with the old table and compares them with it, in the store's transaction.
   *
   * @param from the session that the old table is read in
   * @param tables as {@link Target#begin} gives them
   */
  void apply(Page page, Session from, List<String> tables) {
    page.keys()
        .forEach((featureView, keys) -> {
          int view = place(featureView);
          if (view < 0) {
            checkGone(from, featureView);
          } else if (!tables.get(view).isEmpty()) {
            apply(view, keys, from, tables.get(view));
          }
        });
  }

  private int place(String featureView) {
    for (int i = 0; i < views.size(); i++) {
      if (views.get(i).featureView().equals(featureView)) {
        return i;
      }
    }
    return -1;
  }

  private void checkGone(Session from, String featureView) {
    if (table.hasRowsOf(from, featureView)) {
      throw new FeatureException(
          ErrorCode.SOURCE_SCHEMA,
          "a view '%s' has come into %s since the migration began: delete its rows, or end the migration by --abort and begin anew"
              .formatted(featureView, table.shown()));
    }
  }

  private void apply(int view, List<String> oldKeys, Session from, String into) {
    RowSql rowSql = sql.get(view);
    List<String> keys = from.list(rowSql.keys(), row -> row.getString(1), oldKeys);
    byte[] rows = from.copyOut(rowSql.converted(rowSql.isOneOf(oldKeys)), bytesMax());
    int gone = store.update("DELETE FROM %s WHERE entity_key = ANY (?)".formatted(into), keys);
    long come = store.copyIn(into + " (" + rowSql.columns() + ")", rows);
    records.changed(migration, views.get(view).featureView(), come - gone, into, keys);
    Map<String, Long> before = hashes(from, rowSql.oldHashes(rowSql.isOneOf(oldKeys)));
    Map<String, Long> after = hashes(store, rowSql.newHashes(into, "n.entity_key = ANY (?)"), keys);
    List<String> different = different(before, after);
    if (!different.isEmpty()) {
      throw differ(view, different);
    }
    if (noReadersView.isEmpty()) {
      boolean unused =
          readsTheSame(
              view,
              leniently ->
                  different(
                      hashes(from, rowSql.oldReadHashes(rowSql.isOneOf(oldKeys), leniently)),
                      hashes(
                          store,
                          rowSql.newReadHashes(into, "n.entity_key = ANY (?)", leniently),
                          keys)));
    }
    grow(rows.length);
  }

  /** Returns the keys whose rows a reader would find different. */
  private interface ReadComparison {
    List<String> different(boolean leniently);
  }

  /** Tells whether readers find the same rows, and notes it where they don't, or not quite. */
  private boolean readsTheSame(int view, ReadComparison comparison) {
    List<String> strictly = comparison.different(false);
    if (strictly.isEmpty()) {
      return true;
    }
    List<String> different = comparison.different(true);
    if (different.isEmpty()) {
      readersNote =
          Optional.of(
              "rows of view %s have a null where they had nothing, or nothing where they had a null, or a time of update where they had none, such as %s"
                  .formatted(views.get(view).featureView(), shown(strictly)));
      return true;
    }
    noReadersView =
        Optional.of(
            "readers would find other rows of view %s than before, such as %s"
                .formatted(views.get(view).featureView(), shown(different)));
    return false;
  }

  private static Map<String, Long> hashes(Session session, String select, Object... parameters) {
    Map<String, Long> hashes = new HashMap<>();
    List<Long> ignored =
        session.list(
            select,
            row -> {
              long hash = row.getLong(2);
              hashes.put(row.getString(1), hash);
              return hash;
            },
            parameters);
    return hashes;
  }

  private static List<String> different(Map<String, Long> before, Map<String, Long> after) {
    TreeMap<String, Long> keys = new TreeMap<>(before);
    keys.putAll(after);
    List<String> different = new ArrayList<>();
    for (String key : keys.keySet()) {
      Long was = before.get(key);
      if (was == null || !was.equals(after.get(key))) {
        different.add(key);
      }
    }
    return different;
  }

  private FeatureException differ(int view, List<String> keys) {
    return new FeatureException(
        ErrorCode.INTERNAL,
        "view %s: rows are not those of %s, such as %s: end the migration by --abort and begin anew"
            .formatted(views.get(view).view(), table.shown(), shown(keys)));
  }

  private static String shown(List<String> keys) {
    return String.join(", ", keys.stream().limit(SHOWN_KEYS).toList());
  }

  /**
   * Tells whether all rows were compared: what was written since is in the queue, or was compared
   * when it was taken from there.
   */
  boolean isVerified() {
    return verified;
  }

  /**
   * Takes over what is queued and compares all rows with the old table, in one state of it. They
   * are not compared where all has to be copied anew.
   *
   * @throws FeatureException INTERNAL where rows differ
   */
  void verify() {
    progress.phase("comparing all rows");
    verified = inSnapshot(this::verifySnapshot) != Taken.ANEW;
  }

  private Taken verifySnapshot() {
    long last = 0;
    for (Optional<Page> page = queue.page(old, last, rowsAtOnce);
        page.isPresent();
        page = queue.page(old, last, rowsAtOnce)) {
      if (page.get().truncated()) {
        restart();
        return Taken.ANEW;
      }
      store.begin();
      apply(page.get(), old, copies.begin());
      store.commit();
      last = page.get().last();
    }
    for (int i = 0; i < views.size(); i++) {
      store.execute("ANALYZE " + migration.table(i));
      compare(i);
    }
    count();
    queue.delete(old, last);
    return Taken.ALL;
  }

  private void compare(int view) {
    RowSql rowSql = sql.get(view);
    String into = migration.table(view);
    // What reads the same is the same, so one comparison does where a view is to be made.
    if (noReadersView.isEmpty()
        && readsTheSame(
            view,
            leniently ->
                different(
                    rowSql.oldReadHashes("true", leniently),
                    rowSql.newReadHashes(into, "true", leniently)))) {
      return;
    }
    List<String> different = different(rowSql.oldHashes("true"), rowSql.newHashes(into, "true"));
    if (!different.isEmpty()) {
      throw differ(view, different);
    }
  }

  /**
   * Returns keys of rows that are not the same on both sides; not all of them, if there are many.
   */
  private List<String> different(String oldHashes, String newHashes) {
    CompletableFuture<Map<Long, String>> beside =
        CompletableFuture.supplyAsync(() -> buckets(old, oldHashes), Takeover::startThread);
    Map<Long, String> after;
    try {
      after = buckets(store, newHashes);
    } catch (FeatureException e) {
      // Two threads must not be at one connection.
      Map<Long, String> ignored = beside.exceptionally(failure -> Map.of()).join();
      throw e;
    }
    Map<Long, String> before = joined(beside);
    TreeMap<Long, String> buckets = new TreeMap<>(before);
    buckets.putAll(after);
    for (Long bucket : buckets.keySet()) {
      if (!String.valueOf(before.get(bucket)).equals(after.get(bucket))) {
        List<String> keys =
            different(
                hashes(old, RowSql.ofBucket(oldHashes, bucket)),
                hashes(store, RowSql.ofBucket(newHashes, bucket)));
        if (!keys.isEmpty()) {
          return keys;
        }
      }
    }
    return List.of();
  }

  /** Not in the common pool, all of whose few threads may be taken for long. */
  private static void startThread(Runnable task) {
    Thread ignored = Thread.startVirtualThread(task);
  }

  private static <T> T joined(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof FeatureException named) {
        throw named;
      }
      throw e;
    }
  }

  private static Map<Long, String> buckets(Session session, String hashes) {
    Map<Long, String> buckets = new HashMap<>();
    List<Boolean> ignored =
        session.list(
            RowSql.buckets(hashes),
            row -> buckets.put(row.getLong(1), row.getLong(2) + " " + row.getString(3)) == null);
    return buckets;
  }

  /** Compares how many rows there are, for two of the old table may have become one. */
  private void count() {
    Map<String, Long> counts = new TreeMap<>();
    List<Boolean> ignored =
        old.list(table.countByView(), row -> counts.put(row.getString(1), row.getLong(2)) == null);
    for (String featureView : counts.keySet()) {
      if (place(featureView) < 0) {
        checkGone(old, featureView);
      }
    }
    for (int i = 0; i < views.size(); i++) {
      long before = counts.getOrDefault(views.get(i).featureView(), 0L);
      long after = records.count(migration, views.get(i).featureView(), migration.table(i));
      if (before != after) {
        throw new FeatureException(
            ErrorCode.INTERNAL,
            "view %s: %s has %d rows, and %d were taken over: end the migration by --abort and begin anew"
                .formatted(views.get(i).view(), table.shown(), before, after));
      }
    }
  }
}
