package io.featureduck.run;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.Source;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.engine.Extensions;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.plan.Feature;
import io.featureduck.plan.PlanMistake;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.OwnDefinition;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.RegisteredView;
import io.featureduck.registry.ViewChange;
import io.featureduck.registry.ViewDefinition;
import io.featureduck.store.Cancellation;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Operator;
import io.featureduck.store.Run;
import io.featureduck.store.RunStart;
import io.featureduck.store.ViewLock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Computes views and writes them to the online store. Blocking; all methods may be called from any
 * thread but an event loop. At most {@code materializer.concurrentRuns} runs compute at once, and
 * the others wait.
 */
public final class Materializer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Materializer.class);

  static final String ENGINE = "duckdb";
  private static final int PREVIEW_ROWS = 20;
  private static final Duration CANCEL_PATIENCE = Duration.ofSeconds(20);
  private static final long CANCEL_LOOK_MILLIS = 250;
  private static final long CLOSE_MILLIS_MAX = 8_000;

  private final FeatureStore definitions;
  private final OnlineStore store;
  private final InstantSource clock;
  private final DuckDb duckDb;
  private final Semaphore permits;
  private final String host;
  private final List<RunListener> listeners = new CopyOnWriteArrayList<>();
  private final Map<Long, ActiveRun> active = new ConcurrentHashMap<>();
  private final Heartbeats heartbeats;
  private final Registrations registrations;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("featureduck-run-timer").factory());

  private Materializer(FeatureStore definitions, OnlineStore store, InstantSource clock) {
    MaterializerSettings settings = definitions.materializer();
    this.definitions = definitions;
    this.store = store;
    this.clock = clock;
    this.duckDb = new DuckDb(settings, new Extensions(settings.extensionDirectory()));
    this.permits = new Semaphore(Math.max(1, settings.concurrentRuns()), true);
    this.host = Operator.machine() + ":" + ProcessHandle.current().pid();
    this.registrations = new Registrations(store, Operator.ofProcess());
    this.heartbeats = new Heartbeats(store.heartbeat(), active::values);
  }

  /**
   * @param store of the same definitions; migrated before the first run
   */
  public static Materializer open(FeatureStore definitions, OnlineStore store) {
    return open(definitions, store, InstantSource.system());
  }

  /**
   * @param clock that files are read by, for they have none of their own
   */
  public static Materializer open(
      FeatureStore definitions, OnlineStore store, InstantSource clock) {
    return new Materializer(definitions, store, clock);
  }

  /** Has {@code listener} hear of all runs from now on. */
  public void listen(RunListener listener) {
    boolean ignored = listeners.add(listener);
  }

  /**
   * Runs a view to its end.
   *
   * @return the run as it ended: succeeded, failed or cancelled
   * @throws FeatureException UNKNOWN_VIEW; RUN_IN_PROGRESS where the view is being run, here or
   *     elsewhere, or its tick was taken; STORE_UNAVAILABLE where no run could be noted
   */
  public Run run(String view, RunRequest request) {
    return begin(view, request).finish();
  }

  /** Notes that a run begins, so that it has a number; {@link ActiveRun#finish} does the rest. */
  ActiveRun begin(String name, RunRequest request) {
    FeatureView view = view(name);
    ViewLock lock =
        store
            .tryLock(name, definitions.materializer().runLease())
            .orElseThrow(() ->
                new FeatureException(
                    ErrorCode.RUN_IN_PROGRESS, "view %s is being run".formatted(name)));
    try {
      int version =
          OwnDefinition.likelyTarget(view, lock.registered())
              .map(RegisteredVersion::version)
              .orElse(1);
      RunStart start =
          new RunStart(version, kind(view, request), ENGINE, request.scheduledAt(), host);
      long runId =
          lock.start(start)
              .orElseThrow(() ->
                  new FeatureException(
                      ErrorCode.RUN_IN_PROGRESS,
                      "view %s: another run has the tick of %s"
                          .formatted(name, request.scheduledAt().orElseThrow())));
      ActiveRun run = new ActiveRun(this, view, version, runId, request, lock);
      ActiveRun ignored = active.put(runId, run);
      return run;
    } catch (RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  /** Returns how much a run is going to read; what it finds may still make it a full one. */
  private Run.Kind kind(FeatureView view, RunRequest request) {
    boolean incremental =
        definitions.source(view.source()).map(Source::incremental).orElse(false)
            && view.sql().isEmpty();
    return incremental && !request.full() ? Run.Kind.INCREMENTAL : Run.Kind.FULL;
  }

  /**
   * Has a run end, whichever process it goes on in, and waits for that. Where no process is there
   * any more to hear it, the run is closed.
   *
   * @return the run as it ended: cancelled, unless it ended by itself before
   * @throws FeatureException UNKNOWN_RUN; DEADLINE_EXCEEDED where it goes on all the same
   */
  public Run cancel(long runId) {
    ActiveRun here = active.get(runId);
    if (here != null) {
      here.cancel("cancelled");
    } else if (!store.requestCancel(runId)) {
      return noted(runId);
    }
    Duration lease = definitions.materializer().runLease();
    Duration patience = lease.plus(CANCEL_PATIENCE);
    long end = System.nanoTime() + patience.toNanos();
    Cancellation never = new Cancellation();
    Run run = noted(runId);
    while (run.status() == Run.Status.RUNNING) {
      if (System.nanoTime() > end) {
        throw new FeatureException(
            ErrorCode.DEADLINE_EXCEEDED,
            "run %d was asked to end, and goes on after %d s"
                .formatted(runId, patience.toSeconds()));
      }
      if (here == null) {
        store.tryLock(run.view(), lease).ifPresent(this::closeLeftBehind);
      }
      never.pause(CANCEL_LOOK_MILLIS);
      run = noted(runId);
    }
    return run;
  }

  private void closeLeftBehind(ViewLock free) {
    try (free) {
      free.cancelLeftBehind(host);
    }
  }

  private Run noted(long runId) {
    return store
        .run(runId)
        .orElseThrow(() ->
            new FeatureException(ErrorCode.UNKNOWN_RUN, "there is no run %d".formatted(runId)));
  }

  /**
   * Computes some rows of a view and writes nothing.
   *
   * @param entityKey of the one row to compute, in any form of it; a few rows where empty
   * @param asOf the source's clock where empty
   * @throws FeatureException UNKNOWN_VIEW, UNKNOWN_ENTITY where the key can't be one, SOURCE_SCHEMA
   *     and what else keeps a view from being computed
   */
  public Preview preview(String view, Optional<String> entityKey, Optional<Instant> asOf) {
    FeatureView definition = view(view);
    Optional<String> key = entityKey.map(text -> canonical(definition, text));
    return compute(definition, asOf, computation -> preview(computation, key));
  }

  private Preview preview(Opened opened, Optional<String> key) {
    opened.computation().checkValues();
    List<String> columns = new ArrayList<>();
    columns.add("entity_key");
    opened.computation().features().stream().map(Feature::name).forEach(columns::add);
    columns.add("event_timestamp");
    String where = key.map(text -> "WHERE entity_key = " + DuckDb.literal(text)).orElse("");
    String select =
        "SELECT %s FROM (\n%s\n) AS computed %s ORDER BY entity_key LIMIT %d"
            .formatted(
                String.join(", ", columns.stream().map(DuckDb::identifier).toList()),
                opened.computation().sql(),
                where,
                PREVIEW_ROWS);
    List<List<@Nullable String>> rows =
        opened
            .session()
            .list(
                select,
                row -> {
                  List<@Nullable String> values = new ArrayList<>();
                  for (int i = 1; i <= columns.size(); i++) {
                    values.add(row.getString(i));
                  }
                  return values;
                });
    return new Preview(opened.computation().asOf(), columns, rows);
  }

  private static String canonical(FeatureView view, String text) {
    try {
      return EntityKey.canonical(view.joinKeys(), text);
    } catch (EntityKeyException e) {
      throw new FeatureException(
          ErrorCode.UNKNOWN_ENTITY, "view %s: %s".formatted(view.name(), e.getMessage()), e);
    }
  }

  /**
   * Returns the SQL that computes a view, without passwords.
   *
   * @param asOf the source's clock where empty
   */
  public String sql(String view, Optional<Instant> asOf) {
    return compute(view(view), asOf, opened -> opened.computation().shownSql());
  }

  /**
   * Looks whether a view can be computed from its sources as they are.
   *
   * @return all its mistakes; empty where there is none
   * @throws FeatureException SOURCE_UNAVAILABLE, EXTENSION_MISSING where a source can't be asked
   */
  public List<PlanMistake> check(String view) {
    FeatureView definition = view(view);
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      return Computation.check(definitions, definition, session, clock);
    }
  }

  /**
   * Looks whether the servers of a view's sources have indexes for what its incremental runs ask.
   *
   * @return what was looked at; nothing where each run of the view reads everything
   * @throws FeatureException UNKNOWN_VIEW; as {@link #sql}
   */
  public List<IndexCheck> indexes(String view) {
    FeatureView definition = view(view);
    boolean incremental = definitions.source(definition.source()).orElseThrow().incremental();
    return incremental
        ? compute(definition, Optional.empty(), opened -> opened.computation().indexes())
        : List.of();
  }

  /**
   * Returns why each run of a view reads everything, though its source is declared incremental;
   * empty where some need not, or the source isn't.
   *
   * @throws FeatureException UNKNOWN_VIEW; as {@link #sql}
   */
  public Optional<String> alwaysFull(String view) {
    FeatureView definition = view(view);
    boolean incremental = definitions.source(definition.source()).orElseThrow().incremental();
    return incremental
        ? compute(definition, Optional.empty(), opened -> opened.computation().alwaysFull())
        : Optional.empty();
  }

  /**
   * Registers a view as far as a process may by itself, the first time that it has to do with it:
   * what is new and destroys nothing.
   *
   * @throws FeatureException UNKNOWN_VIEW; INVALID_CONFIG where it takes an apply; as {@link #sql}
   */
  public void takeUp(String view) {
    FeatureView definition = view(view);
    registrations.takeUp(definition, features(definition));
  }

  /**
   * Returns a view's features with their types, as its sources make them.
   *
   * @throws FeatureException as {@link #sql}
   */
  public List<Feature> features(String view) {
    return features(view(view));
  }

  private List<Feature> features(FeatureView view) {
    return compute(view, Optional.empty(), opened -> opened.computation().features());
  }

  /**
   * Says what it takes to have views registered as the config has them.
   *
   * @param asked which views, of the config or registered; empty for all
   * @param prune whether retired versions are to go
   * @throws FeatureException UNKNOWN_VIEW, with the nearest name
   */
  public ChangePlan plan(List<String> asked, boolean prune) {
    Map<String, RegisteredView> registered = new TreeMap<>();
    store.registered().forEach(view -> registered.put(view.view(), view));
    Set<String> known = new TreeSet<>(registered.keySet());
    definitions.views().forEach(view -> known.add(view.name()));
    for (String name : asked) {
      if (!known.contains(name)) {
        throw unknown(name, known);
      }
    }
    List<ViewChange> changes = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    for (FeatureView view : definitions.views()) {
      RegisteredView found = registered.remove(view.name());
      if (asked.isEmpty() || asked.contains(view.name())) {
        changes.addAll(
            changes(
                view, found == null ? new RegisteredView(view.name(), List.of()) : found, prune));
      }
    }
    changes.forEach(change -> notes.addAll(changedSources(change)));
    for (RegisteredView view : registered.values()) {
      if (asked.isEmpty() || asked.contains(view.view())) {
        changes.addAll(ChangePlan.undeclared(view, !asked.isEmpty()));
      }
    }
    return new ChangePlan(definitions.project(), store.place(), asked, prune, changes, notes);
  }

  /**
   * Says which sources of a view are declared in another way than when its rows were computed: no
   * definition of the view has that, so there is nothing to apply.
   */
  private List<String> changedSources(ViewChange change) {
    Optional<RegisteredVersion> live =
        change.registered().live().filter(RegisteredVersion::isComputed);
    boolean stays = change instanceof ViewChange.Unchanged || change instanceof ViewChange.InPlace;
    if (live.isEmpty() || !stays || waits(change)) {
      return List.of();
    }
    return store.sourceHashes(change.view(), live.get().version()).entrySet().stream()
        .filter(read ->
            definitions
                .source(read.getKey())
                .filter(source -> !SourceHash.of(source).equals(read.getValue()))
                .isPresent())
        .map(read ->
            "View %s: source %s is declared otherwise than when it was last read, so the next run computes all rows anew."
                .formatted(change.view(), read.getKey()))
        .sorted()
        .toList();
  }

  /** Tells whether the next run computes another version. */
  private static boolean waits(ViewChange change) {
    return change instanceof ViewChange.Unchanged && change.registered().pending().isPresent();
  }

  private List<ViewChange> changes(FeatureView view, RegisteredView registered, boolean prune) {
    try {
      ViewDefinition wanted = ViewDefinition.of(view, features(view));
      return ChangePlan.changes(Optional.of(wanted), registered, prune);
    } catch (FeatureException e) {
      return List.of(new ViewChange.Unplanned(registered, e.code().id(), e.getMessage()));
    }
  }

  private record Opened(DuckDbSession session, Computation computation) {}

  private <T> T compute(FeatureView view, Optional<Instant> asOf, Function<Opened, T> work) {
    try (DuckDbSession session = duckDb.open(new Cancellation())) {
      return work.apply(
          new Opened(session, Computation.of(definitions, view, session, clock, asOf)));
    }
  }

  private FeatureView view(String name) {
    return definitions
        .view(name)
        .orElseThrow(
            () -> unknown(name, definitions.views().stream().map(FeatureView::name).toList()));
  }

  private static FeatureException unknown(String name, Collection<String> known) {
    return new FeatureException(
        ErrorCode.UNKNOWN_VIEW, "unknown view '%s'%s".formatted(name, Nearest.hint(name, known)));
  }

  Registrations registrations() {
    return registrations;
  }

  FeatureStore definitions() {
    return definitions;
  }

  OnlineStore store() {
    return store;
  }

  InstantSource clock() {
    return clock;
  }

  DuckDb duckDb() {
    return duckDb;
  }

  Semaphore permits() {
    return permits;
  }

  String hostName() {
    return host;
  }

  ScheduledExecutorService timer() {
    return timer;
  }

  void ended(ActiveRun run) {
    boolean ignored = active.remove(run.runId(), run);
    synchronized (active) {
      active.notifyAll();
    }
  }

  void tell(RunEvent event) {
    for (RunListener listener : listeners) {
      try {
        listener.onRun(event);
      } catch (RuntimeException e) {
        LOG.error("a listener failed on {}", event, e);
      }
    }
  }

  void tell(ChangeEvent event) {
    for (RunListener listener : listeners) {
      try {
        listener.onChange(event);
      } catch (RuntimeException e) {
        LOG.error("a listener failed on the change of view {}", event.view(), e);
      }
    }
  }

  /** Cancels what runs, and waits a few seconds for it to end. */
  void cancelAll() {
    active.values().forEach(ActiveRun::stop);
    long end = System.nanoTime() + CLOSE_MILLIS_MAX * 1_000_000;
    synchronized (active) {
      while (!active.isEmpty()) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          LOG.warn("runs {} did not end in time", active.keySet());
          return;
        }
        try {
          active.wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }

  /** Cancels what runs, and waits a few seconds for it to end. */
  @Override
  public void close() {
    cancelAll();
    List<Runnable> ignored = timer.shutdownNow();
    heartbeats.close();
    duckDb.close();
  }
}
