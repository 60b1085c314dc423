package io.featureduck.run;

import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.Addresses;
import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.freshness.ViewFreshness;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.ViewStatus;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.eventbus.Message;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs views by their schedules and on request, and tells on the event bus how runs and views do.
 * One in a process. Everything that waits is on worker threads; runs have a pool of their own.
 */
public final class MaterializerVerticle extends VerticleBase {
  private static final Logger LOG = LoggerFactory.getLogger(MaterializerVerticle.class);

  private static final String POOL = "featureduck-materializer";
  private static final int POOL_SIZE = 2;

  /** How soon it is noticed that a view was resumed, or that the run a tick waited for ended. */
  private static final long LOOK_MILLIS = 1_000;

  private static final String RUN_POOL = "featureduck-runs";

  private final FeatureStore definitions;
  private final OnlineStore store;
  private final Materializer materializer;
  private Optional<WorkerExecutor> runs = Optional.empty();
  private final Set<ScheduledView> settling = new HashSet<>();
  private List<ScheduledView> scheduled = List.of();
  private final Upkeep upkeep;
  private boolean stopped;
  private boolean storeAway;
  private boolean purging;

  private MaterializerVerticle(
      FeatureStore definitions, OnlineStore store, Materializer materializer) {
    this.definitions = definitions;
    this.store = store;
    this.materializer = materializer;
    this.upkeep =
        new Upkeep(
            store,
            materializer.clock(),
            removed -> vertx.eventBus().publish(Addresses.ROWS, removed.toJson()));
  }

  /**
   * Deploys the verticle.
   *
   * @param materializer of the same definitions and store; it stays the caller's to close
   * @return the deployment's id
   */
  public static Future<String> deploy(
      Vertx vertx, FeatureStore definitions, OnlineStore store, Materializer materializer) {
    DeploymentOptions options =
        new DeploymentOptions()
            .setThreadingModel(ThreadingModel.WORKER)
            .setWorkerPoolName(POOL)
            .setWorkerPoolSize(POOL_SIZE);
    return vertx.deployVerticle(
        new MaterializerVerticle(definitions, store, materializer), options);
  }

  @Override
  public Future<?> start() {
    Duration timeout = definitions.materializer().runTimeout();
    // Each view runs once at a time, so no more threads than views are ever needed; how many of
    // them compute at once the materializer decides.
    runs =
        Optional.of(
            vertx.createSharedWorkerExecutor(
                RUN_POOL,
                Math.max(1, definitions.views().size()),
                timeout.toMillis() * 2,
                TimeUnit.MILLISECONDS));
    materializer.listen(new Publisher());
    vertx.eventBus().<JsonObject>consumer(Addresses.MATERIALIZE, this::materialize);
    Instant start = materializer.clock().instant();
    scheduled =
        definitions.views().stream()
            .filter(view -> view.batchSchedule().or(view::fullRefreshSchedule).isPresent())
            .map(view -> new ScheduledView(view, start))
            .toList();
    lookAtSchedules();
    long ignored =
        vertx.setPeriodic(
            definitions.materializer().freshnessInterval().toMillis(), timer -> tellFreshness());
    return Future.succeededFuture();
  }

  /** Cancels what runs; completes when it has ended. */
  @Override
  public Future<?> stop() {
    stopped = true;
    return vertx
        .executeBlocking(() -> {
          upkeep.close();
          materializer.cancelAll();
          return true;
        })
        .eventually(() -> runs.map(WorkerExecutor::close).orElseGet(Future::succeededFuture));
  }

  /** Looks after the schedules, now and again when the next tick comes. */
  private void lookAtSchedules() {
    if (stopped) {
      return;
    }
    Instant now = materializer.clock().instant();
    scheduled.stream().filter(view -> view.isOpen(now)).forEach(view -> settle(view, now));
    // Reckoned from the clock each time, so that nothing adds up.
    long wait =
        scheduled.stream()
            .flatMap(view -> view.next(now).stream())
            .mapToLong(tick -> Duration.between(now, tick).toMillis() + 1)
            .min()
            .orElse(LOOK_MILLIS);
    long ignored = vertx.setTimer(Math.clamp(wait, 1, LOOK_MILLIS), timer -> lookAtSchedules());
  }

  private void settle(ScheduledView view, Instant now) {
    if (!settling.add(view)) {
      return;
    }
    Future<?> ignored =
        runs.orElseThrow()
            .executeBlocking(
                () -> {
                  view.settle(materializer, now);
                  return true;
                },
                false)
            .onFailure(cause -> LOG.error("the schedule of view {} met a bug", view.name(), cause))
            .onComplete(end -> settling.remove(view));
  }

  private void materialize(Message<JsonObject> message) {
    String view = message.body().getString("view", "");
    boolean full = message.body().getBoolean("full", false);
    RunRequest request = new RunRequest(full, Optional.empty(), Optional.empty());
    Future<?> ignored =
        vertx
            .executeBlocking(() -> materializer.begin(view, request), false)
            .onSuccess(run -> message.reply(new JsonObject().put("run_id", run.runId())))
            .onFailure(cause -> refuse(message, cause))
            .compose(run -> runs.orElseThrow().executeBlocking(run::finish, false));
  }

  private static void refuse(Message<JsonObject> message, Throwable cause) {
    if (cause instanceof FeatureException e) {
      message.fail(e.code().status(), e.code().id() + ": " + e.getMessage());
    } else {
      LOG.error("a run could not be started", cause);
      message.fail(ErrorCode.INTERNAL.status(), ErrorCode.INTERNAL.id() + ": see the log");
    }
  }

  private void tellFreshness() {
    Future<?> ignored =
        vertx
            .executeBlocking(store::statuses)
            .onSuccess(this::publishFreshness)
            .onFailure(this::freshnessUnknown)
            .onSuccess(this::keepUp);
  }

  /** Looks after the rows; one thing after the other, as blocking work of one context is done. */
  private void keepUp(List<ViewStatus> statuses) {
    Future<?> ignored =
        vertx
            .executeBlocking(() -> {
              upkeep.look(statuses);
              return true;
            })
            .onFailure(cause -> LOG.warn("rows are looked after later", cause))
            .onSuccess(looked -> purge());
  }

  /** Begins to purge, unless that still goes on. */
  private void purge() {
    if (!purging && !stopped) {
      purging = true;
      purgeNextPages();
    }
  }

  private void purgeNextPages() {
    // Those whose tick is being run, or is about to be.
    Set<String> busy = settling.stream().map(ScheduledView::name).collect(Collectors.toSet());
    Future<?> ignored =
        vertx
            .executeBlocking(() -> upkeep.purge(busy))
            .onSuccess(this::purgeAfter)
            .onFailure(cause -> {
              LOG.warn("rows are purged later", cause);
              purging = false;
            });
  }

  private void purgeAfter(Duration pause) {
    if (pause.isZero() || stopped) {
      purging = false;
    } else {
      long ignored = vertx.setTimer(pause.toMillis(), timer -> purgeNextPages());
    }
  }

  private void publishFreshness(List<ViewStatus> statuses) {
    if (storeAway) {
      LOG.info("the online store is back");
    }
    storeAway = false;
    Instant now = materializer.clock().instant();
    for (ViewStatus status : statuses) {
      vertx.eventBus().publish(Addresses.FRESHNESS, ViewFreshness.of(status, now).toJson());
    }
  }

  private void freshnessUnknown(Throwable cause) {
    // Once an outage: this is asked every few seconds.
    if (!storeAway) {
      LOG.warn("how fresh the views are is not known", cause);
    }
    storeAway = true;
  }

  /** Puts what the materializer tells on the event bus. */
  private final class Publisher implements RunListener {
    @Override
    public void onRun(RunEvent event) {
      vertx.eventBus().publish(Addresses.RUNS, event.toJson());
    }

    @Override
    public void onChange(ChangeEvent event) {
      vertx.eventBus().publish(Addresses.CHANGES, event.toJson());
    }
  }
}
