package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.Window;
import io.featureduck.run.ModelDatabase.Change;
import io.featureduck.run.ModelDatabase.OnlineRow;
import io.featureduck.run.ModelTable.Column;
import io.featureduck.store.Run;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One random history of a source and of runs over it. After each run the online table is compared
 * with what {@link ModelView} computes from the rows in plain Java.
 */
/* Time is simulated and lies years back: rows are laid out around `now`, and each run is given its
 * as_of. What `incremental: true` promises is kept, by the letter: a row becomes visible with a
 * cursor that lies less than the allowed lateness before that instant, or in the future; it is never
 * deleted, and never given to another entity or, of a joined source, to another key. Where the
 * history breaks the promise, on purpose, the next run of each view that is concerned is a full one.
 */
final class ModelSequence {
  private static final Instant START = Instant.parse("2020-01-15T12:00:00Z");
  private static final Duration MICRO = Duration.of(1, ChronoUnit.MICROS);

  private static final List<String> REGIONS =
      List.of("a", "A", "ä", "a|b", "a\\", "\\|", "", "it's \"x\"", "🦆", "￿", "a b ", "NULL");
  private static final List<String> PRODUCTS = List.of("p", "P|\\2", "q'");
  private static final List<String> NOTES = List.of("x", "y", "", "Ünï|\\", "🦆");

  private final long seed;
  private final Random random;
  private final ModelDatabase database;
  private final ModelViews model = new ModelViews();
  private final List<ModelView> views;
  private final List<ModelTable> tables = new ArrayList<>();
  private final List<String> regions;
  private final List<String> history = new ArrayList<>();

  /** Whether little but time goes on, so that rows come due and leave windows by that alone. */
  private final boolean quiet;

  private final Set<String> needFull = new HashSet<>();
  private final Map<String, Instant> watermarks = new HashMap<>();
  private final Map<String, Map<String, OnlineRow>> online = new HashMap<>();
  private final Map<String, Change> changes = new HashMap<>();

  /** Views whose sources have changed since their last run. */
  private final Set<String> changed = new HashSet<>();

  private final Tally tally = new Tally();
  private Instant now;
  private Instant latestAsOf = Instant.MIN;
  private long nextId = 1;
  private Optional<Held> held = Optional.empty();

  ModelSequence(long seed, ModelDatabase database) {
    this.seed = seed;
    this.random = new Random(seed);
    this.database = database;
    this.quiet = random.nextInt(3) == 0;
    this.now = START.plus(random.nextLong(1_000_000_000_000L), ChronoUnit.MICROS);
    List<ModelView> all = new ArrayList<>(model.views);
    Collections.shuffle(all, random);
    this.views = List.copyOf(all.subList(0, quiet ? 1 : 1 + random.nextInt(3)));
    for (ModelTable table : model.tables) {
      if (views.stream().anyMatch(view -> reads(view, table))) {
        boolean ignored = tables.add(table);
      }
    }
    List<String> some = new ArrayList<>(REGIONS);
    Collections.shuffle(some, random);
    this.regions = List.copyOf(some.subList(0, 3));
  }

  /** How many runs there were of each kind. */
  static final class Tally {
    int full;
    int incremental;
    int increments;
    long rowsWritten;

    void add(Tally other) {
      full += other.full;
      incremental += other.incremental;
      increments += other.increments;
      rowsWritten += other.rowsWritten;
    }
  }

  /** A transaction that took its cursors when it began, and what it will have done. */
  private record Held(
      Instant start, Instant deadline, List<Runnable> effects, Set<ModelRow> rows) {}

  private boolean reads(ModelView view, ModelTable table) {
    return view.sources().stream().anyMatch(name -> source(name).table().is(table));
  }

  private ModelSource source(String name) {
    return Objects.requireNonNull(model.sources.get(name));
  }

  /**
   * @throws AssertionError with the seed and the whole history, where a run is wrong
   */
  Tally run() throws SQLException {
    try {
      database.reset();
      for (ModelTable table : tables) {
        int rows = random.nextInt(table.is(model.orders) ? 12 : 9);
        for (int i = 0; i < rows; i++) {
          insert(table, database.source(), Optional.empty());
        }
      }
      needFull.clear();
      for (int steps = 4 + random.nextInt(4); steps > 0; steps--) {
        changeSome();
        step();
        runOne(pick(views));
      }
      commitHeld();
      for (ModelView view : views) {
        run(view, now, false);
      }
      return tally;
    } catch (AssertionError | RuntimeException | SQLException e) {
      throw new AssertionError(
          "seed %d over %s (rerun it alone with -Dfeatureduck.model.seed=%d)\n%s\n%s"
              .formatted(seed, database.server(), seed, e, String.join("\n", history)),
          e);
    } finally {
      database.second().rollback();
    }
  }

  private void changeSome() throws SQLException {
    if (quiet && random.nextInt(6) > 0) {
      return;
    }
    int count = random.nextInt(4);
    if (count > 0
        && (random.nextInt(4) > 0 || tables.stream().anyMatch(model.shops::is))
        && !now.isAfter(latestAsOf)) {
      // Without any lateness nothing may become visible at the very instant of a run.
      move(now.plus(MICRO));
    }
    for (int i = 0; i < count; i++) {
      changeOne(database.source(), Optional.empty());
    }
    if (held.isEmpty() && random.nextInt(7) == 0) {
      hold();
    } else if (held.isPresent() && random.nextInt(3) == 0) {
      commitHeld();
    }
  }

  private void changeOne(Connection connection, Optional<Held> holder) throws SQLException {
    List<ModelTable> among =
        tables.stream().filter(table -> holder.isEmpty() || !table.is(model.shops)).toList();
    if (among.isEmpty()) {
      return;
    }
    ModelTable table = pick(among);
    List<ModelRow> free =
        table.rows().stream()
            .filter(row -> held.stream().noneMatch(one -> one.rows().contains(row)))
            .filter(row -> holder.stream().noneMatch(one -> one.rows().contains(row)))
            .toList();
    if (free.isEmpty() || random.nextBoolean()) {
      insert(table, connection, holder);
    } else if (holder.isEmpty() && random.nextInt(40) == 0) {
      delete(table, pick(free));
    } else {
      update(table, pick(free), connection, holder);
    }
  }

  private void insert(ModelTable table, Connection connection, Optional<Held> holder)
      throws SQLException {
    ModelRow row = new ModelRow();
    for (Column column : table.columns()) {
      ModelRow ignored = row.set(column.name(), value(table, column, holder));
    }
    row = row.set(table.id(), nextId++);
    table.insert(database.server(), connection, row);
    note("insert into", table, row, holder);
    ModelRow inserted = row;
    apply(
        holder,
        () -> {
          boolean ignored = table.rows().add(inserted);
          touch(table, Optional.empty(), inserted);
        });
  }

  private void update(ModelTable table, ModelRow row, Connection connection, Optional<Held> holder)
      throws SQLException {
    ModelRow next = new ModelRow(row);
    boolean wild = random.nextInt(25) == 0;
    for (Column column : table.columns()) {
      String name = column.name();
      boolean fixed = name.equals(table.id()) || (isKey(table, name) && !row.isNull(name) && !wild);
      if (isCursor(table, name) || (!fixed && random.nextInt(3) == 0)) {
        next = next.set(name, value(table, column, holder));
      }
    }
    table.update(database.server(), connection, next);
    note("update", table, next, holder);
    ModelRow updated = next;
    holder.ifPresent(one -> one.rows().add(row));
    apply(
        holder,
        () -> {
          ModelRow before = new ModelRow(row);
          row.become(updated);
          touch(table, Optional.of(before), row);
        });
  }

  private void delete(ModelTable table, ModelRow row) throws SQLException {
    table.delete(database.source(), row);
    note("delete from", table, row, Optional.empty());
    boolean ignored = table.rows().remove(row);
    for (ModelView view : views) {
      if (reads(view, table)) {
        ignored = changed.add(view.name());
        ignored = needFull.add(view.name());
      }
    }
  }

  private static void apply(Optional<Held> holder, Runnable effect) {
    if (holder.isPresent()) {
      boolean ignored = holder.get().effects().add(effect);
    } else {
      effect.run();
    }
  }

  /** Notes which views a row's change concerns, and for which it breaks the promise. */
  private void touch(ModelTable table, Optional<ModelRow> before, ModelRow after) {
    for (ModelView view : views) {
      for (String name : view.sources()) {
        ModelSource source = source(name);
        if (!source.table().is(table)) {
          continue;
        }
        boolean ignored = changed.add(view.name());
        // Who was never marked as written is looked at in each run, but has to have an event time.
        boolean vanished =
            source.cursor().equals(source.eventTime())
                && after.isNull(source.cursor())
                && before.filter(row -> !row.isNull(source.cursor())).isPresent();
        boolean moved =
            before.isPresent()
                && keysOf(view, name).stream().anyMatch(keys -> isMoved(keys, before.get(), after));
        if (vanished || moved) {
          ignored = needFull.add(view.name());
        }
      }
    }
  }

  private static boolean isMoved(List<String> keys, ModelRow before, ModelRow after) {
    return keys.stream().noneMatch(before::isNull)
        && !ModelSource.values(before, keys).equals(ModelSource.values(after, keys));
  }

  /** Returns the lists of columns that a row of the source may not change for this view. */
  private static List<List<String>> keysOf(ModelView view, String source) {
    List<List<String>> keys = new ArrayList<>();
    if (view.source().equals(source)) {
      keys.add(view.keys());
    }
    view.joins().stream()
        .filter(join -> join.source().equals(source))
        .forEach(join -> keys.add(join.right()));
    return keys;
  }

  private boolean isKey(ModelTable table, String column) {
    return views.stream()
        .flatMap(view ->
            view.sources().stream()
                .filter(name -> source(name).table().is(table))
                .flatMap(name -> keysOf(view, name).stream()))
        .anyMatch(keys -> keys.contains(column));
  }

  private boolean isCursor(ModelTable table, String column) {
    return anySource(table).cursor().equals(column);
  }

  private ModelSource anySource(ModelTable table) {
    return model.sources.values().stream()
        .filter(source -> source.table().is(table))
        .findFirst()
        .orElseThrow();
  }

  private void hold() throws SQLException {
    Held next = new Held(now, now.plus(lateness()), new ArrayList<>(), new HashSet<>());
    for (int i = 1 + random.nextInt(2); i > 0; i--) {
      changeOne(database.second(), Optional.of(next));
    }
    held = Optional.of(next);
  }

  /** Returns for how long a transaction may hold its rows back. */
  private Duration lateness() {
    return tables.stream()
        .filter(table -> !table.is(model.shops))
        .map(this::lateness)
        .min(Comparator.naturalOrder())
        .orElse(Duration.ZERO);
  }

  private Duration lateness(ModelTable table) {
    Duration lateness = anySource(table).allowedLateness();
    // A day is as old as its midnight.
    return table.type(anySource(table).cursor()) == ModelTable.Type.DATE
        ? lateness.minus(Duration.ofDays(1))
        : lateness;
  }

  private void commitHeld() throws SQLException {
    if (held.isPresent()) {
      database.second().commit();
      history.add("%s commit what was held since %s".formatted(now, held.get().start()));
      held.get().effects().forEach(Runnable::run);
      held = Optional.empty();
    }
  }

  private void note(String what, ModelTable table, ModelRow row, Optional<Held> holder) {
    history.add(
        "%s %s %s %s%s"
            .formatted(now, what, table.name(), row, holder.isPresent() ? " (held)" : ""));
  }

  private @Nullable Object value(ModelTable table, Column column, Optional<Held> holder) {
    ModelSource source = anySource(table);
    if (column.name().equals(source.cursor())) {
      Instant cursor = cursor(table, holder);
      boolean never = random.nextInt(60) == 0;
      if (column.type() == ModelTable.Type.DATE) {
        return never ? null : cursor.atZone(table.zone()).toLocalDate();
      }
      return never ? null : cursor;
    }
    if (column.name().equals(source.eventTime())) {
      return random.nextInt(30) == 0 ? null : eventTime(table);
    }
    boolean isNull = random.nextInt(isKey(table, column.name()) ? 20 : 8) == 0;
    return isNull ? null : value(column);
  }

  private Object value(Column column) {
    return switch (column.name()) {
      case "region" -> pick(regions);
      case "product" -> pick(PRODUCTS);
      case "note" -> pick(NOTES);
      case "kind" -> pick(List.of("a", "b"));
      case "page" -> pick(List.of("/", "/a|b"));
      case "shop" -> 1 + random.nextInt(2);
      case "customer_id" -> random.nextInt(3) - 1;
      default ->
          switch (column.type()) {
            case BOOLEAN -> random.nextBoolean();
            case INT -> random.nextInt(5);
            case BIGINT -> random.nextLong(5) - 1;
            case NUMERIC -> BigDecimal.valueOf(25L * (random.nextInt(60) - 8), 2);
            case DOUBLE -> random.nextInt(40) / 4.0;
            case DATE -> LocalDate.of(2020, 1, 1 + random.nextInt(2));
            case TEXT, TIMESTAMP, TIMESTAMPTZ ->
                throw new IllegalStateException("no values for " + column);
          };
    };
  }

  /** Returns a cursor that the promise allows for a row which becomes visible now, or later. */
  private Instant cursor(ModelTable table, Optional<Held> holder) {
    if (holder.isPresent()) {
      return holder.get().start();
    }
    Duration lateness = lateness(table);
    if (lateness.isZero() || random.nextInt(4) > 0) {
      return random.nextInt(20) == 0 ? now.plus(future()) : now;
    }
    long micros = lateness.toNanos() / 1_000;
    return switch (random.nextInt(4)) {
      case 0 -> now.minus(lateness).plus(MICRO);
      case 1 -> now.plus(future());
      default -> now.minus(random.nextLong(micros), ChronoUnit.MICROS);
    };
  }

  private Duration future() {
    return switch (random.nextInt(4)) {
      case 0 -> MICRO;
      case 1 -> Duration.ofSeconds(1 + random.nextInt(120));
      case 2 -> Duration.ofMinutes(15);
      default -> Duration.of(random.nextLong(7_200_000_000L), ChronoUnit.MICROS);
    };
  }

  private Instant eventTime(ModelTable table) {
    List<Instant> there = times(table);
    // A joined row that is not yet due concerns all who will be joined with it.
    boolean joined = isJoined(table);
    int kind = random.nextInt(joined || quiet ? 3 : 40) == 0 ? 18 : random.nextInt(20);
    if (kind < 6) {
      return now;
    }
    if (kind < 10) {
      return now.minusSeconds(random.nextInt(180));
    }
    if (kind < 13) {
      return now.minus(random.nextLong(10_800_000_000L), ChronoUnit.MICROS);
    }
    if (kind < 15 && !there.isEmpty()) {
      return pick(there);
    }
    if (kind < 17) {
      return now.minus(window()).plus(MICRO.multipliedBy(random.nextInt(3) - 1));
    }
    return kind < 19 ? now.plus(future()) : now.minus(Duration.ofDays(random.nextInt(5)));
  }

  private boolean isJoined(ModelTable table) {
    return table.is(model.products) || table.is(model.shops);
  }

  private List<Instant> times(ModelTable table) {
    ModelSource source = anySource(table);
    return table.rows().stream()
        .flatMap(row -> source.time(row, source.eventTime()).stream())
        .toList();
  }

  private Duration window() {
    List<Window> windows = views.stream().flatMap(view -> view.windows().stream()).toList();
    return windows.isEmpty() ? Duration.ofHours(1) : pick(windows).length();
  }

  private void step() throws SQLException {
    Instant next =
        random.nextInt(3) == 0 || (quiet && random.nextBoolean()) ? anEdge() : now.plus(aStep());
    if (held.isPresent() && random.nextInt(3) > 0) {
      Instant last = held.get().deadline().minus(MICRO);
      if (next.isAfter(last)) {
        next = last;
      }
    }
    if (next.isAfter(now)) {
      move(next);
    }
  }

  private void move(Instant to) throws SQLException {
    if (held.isPresent() && !to.isBefore(held.get().deadline())) {
      commitHeld();
    }
    now = to;
  }

  private Duration aStep() {
    return switch (random.nextInt(8)) {
      case 0 -> Duration.ZERO;
      case 1 -> MICRO;
      case 2 -> Duration.ofSeconds(1 + random.nextInt(120));
      case 3 -> window();
      case 4 -> window().minus(MICRO);
      case 5 -> Duration.of(random.nextLong(10_800_000_000L), ChronoUnit.MICROS);
      case 6 -> Duration.of(random.nextLong(600_000_000L), ChronoUnit.MICROS);
      default -> Duration.ofDays(random.nextInt(3));
    };
  }

  /** Returns an instant at which a row enters or leaves, or one beside it. */
  private Instant anEdge() {
    ModelTable table = pick(tables);
    List<Instant> times = new ArrayList<>(times(table));
    ModelSource source = anySource(table);
    table.rows().forEach(row -> source.time(row, source.cursor()).ifPresent(times::add));
    List<Instant> later = times.stream().filter(time -> time.isAfter(now)).toList();
    if (times.isEmpty()) {
      return now;
    }
    Instant edge = pick(later.isEmpty() || random.nextInt(3) == 0 ? times : later);
    // Only the view's own rows are in windows.
    Instant moved = isJoined(table) || random.nextBoolean() ? edge : edge.plus(window());
    return moved.plus(MICRO.multipliedBy(random.nextInt(3) - 1));
  }

  private void runOne(ModelView view) throws SQLException {
    Optional<Instant> last = Optional.ofNullable(watermarks.get(view.name()));
    int kind = random.nextInt(14);
    if (kind == 0) {
      run(view, now.minus(future()), false);
    } else if (kind == 1 && last.isPresent()) {
      run(view, last.get(), false);
    } else if (kind == 2 && last.filter(at -> at.isBefore(now)).isPresent()) {
      long between = ChronoUnit.MICROS.between(last.get(), now);
      run(view, last.get().plus(random.nextLong(between), ChronoUnit.MICROS), false);
    } else {
      run(view, now, kind == 3);
      if (kind < 6) {
        run(view, now, false);
      }
    }
  }

  private void run(ModelView view, Instant asOf, boolean wantFull) throws SQLException {
    String name = view.name();
    boolean full = wantFull || needFull.contains(name);
    boolean again = asOf.equals(watermarks.get(name)) && !changed.contains(name);
    Run run =
        database
            .materializer()
            .run(name, new RunRequest(full, Optional.of(asOf), Optional.empty()));
    history.add(
        "%s run %d of %s as of %s%s: %s, %s written"
            .formatted(
                now,
                run.runId(),
                name,
                asOf,
                full ? " --full" : "",
                run.kind(),
                run.rowsWritten()));
    assertThat(run.error()).as("error").isEmpty();
    assertThat(run.status()).isEqualTo(Run.Status.SUCCEEDED);
    assertThat(run.upperBound()).contains(asOf);
    if (full) {
      assertThat(run.kind()).isEqualTo(Run.Kind.FULL);
    }
    Map<String, OnlineRow> found = database.read(name);
    compare(view.compute(model.sources, asOf), found);
    Set<String> written = written(Optional.ofNullable(online.get(name)), found);
    assertThat(run.rowsWritten()).as("rows written").contains((long) written.size());
    if (again) {
      assertThat(written).as("what a repeated run wrote").isEmpty();
    }
    checkChange(name, written);
    online.put(name, found);
    watermarks.put(name, asOf);
    latestAsOf = asOf.isAfter(latestAsOf) ? asOf : latestAsOf;
    boolean ignored = needFull.remove(name);
    ignored = changed.remove(name);
    tally.full += run.kind() == Run.Kind.FULL ? 1 : 0;
    tally.incremental += run.kind() == Run.Kind.INCREMENTAL ? 1 : 0;
    tally.increments += run.kind() == Run.Kind.INCREMENTAL && !written.isEmpty() ? 1 : 0;
    tally.rowsWritten += written.size();
  }

  private static void compare(Map<String, ModelView.Row> expected, Map<String, OnlineRow> found) {
    assertThat(found.keySet()).as("entities").isEqualTo(expected.keySet());
    expected.forEach((key, row) -> {
      OnlineRow actual = Objects.requireNonNull(found.get(key));
      assertThat(actual.event()).as("event time of '%s'", key).isEqualTo(row.event());
      assertThat(actual.features().keySet()).isEqualTo(row.features().keySet());
      row.features()
          .forEach((feature, value) ->
              assertThat(isSame(value, Objects.requireNonNull(actual.features().get(feature))))
                  .as(
                      "%s of '%s': expected %s, found %s",
                      feature, key, value, actual.features().get(feature))
                  .isTrue());
    });
  }

  private static boolean isSame(Object expected, Object found) {
    if (expected instanceof Double left && found instanceof Double right) {
      return left.equals(right)
          || Math.abs(left - right) <= 1e-9 * Math.max(Math.abs(left), Math.abs(right));
    }
    return expected.equals(found);
  }

  /**
   * Returns the entities that are new, gone or different, having checked that others are as ever.
   */
  private static Set<String> written(
      Optional<Map<String, OnlineRow>> before, Map<String, OnlineRow> after) {
    Set<String> written = new TreeSet<>();
    Set<String> all = new TreeSet<>(after.keySet());
    before.ifPresent(rows -> all.addAll(rows.keySet()));
    for (String key : all) {
      OnlineRow old = before.map(rows -> rows.get(key)).orElse(null);
      OnlineRow row = after.get(key);
      if (old == null || row == null) {
        boolean ignored = written.add(key);
        continue;
      }
      boolean sameFeatures = old.features().equals(row.features());
      boolean same = sameFeatures && Objects.equals(old.event(), row.event());
      assertThat(row.updatedAt().equals(old.updatedAt()))
          .as("updated_at of '%s' stays", key)
          .isEqualTo(sameFeatures);
      assertThat(row.transaction().equals(old.transaction()))
          .as("row of '%s' is not written", key)
          .isEqualTo(same);
      if (!same) {
        boolean ignored = written.add(key);
      }
    }
    return written;
  }

  private void checkChange(String view, Set<String> written) throws SQLException {
    Change change = database.change(view);
    long before = Optional.ofNullable(changes.put(view, change)).map(Change::generation).orElse(0L);
    assertThat(change.generation()).as("generation").isEqualTo(before + 1);
    if (!change.all()) {
      assertThat(change.keys()).as("changed keys").isEqualTo(written);
    }
    assertThat(change.all()).as("names no keys").isEqualTo(before == 0);
  }

  private <T> T pick(List<T> list) {
    return list.get(random.nextInt(list.size()));
  }
}
