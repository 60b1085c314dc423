package io.featureduck.run;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
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
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
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
  private static final String RUN_POOL = "featureduck-runs";

  private final FeatureStore definitions;
  private final OnlineStore store;
  private final Materializer materializer;
  private Optional<WorkerExecutor> runs = Optional.empty();
  private boolean stopped;
  private boolean storeAway;

  private MaterializerVerticle(
      FeatureStore definitions, OnlineStore store, Materializer materializer) {
    this.definitions = definitions;
    this.store = store;
    this.materializer = materializer;
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
    for (FeatureView view : definitions.views()) {
      view.batchSchedule().ifPresent(cron -> schedule(view, cron, false));
      view.fullRefreshSchedule().ifPresent(cron -> schedule(view, cron, true));
    }
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
          materializer.cancelAll();
          return true;
        })
        .eventually(() -> runs.map(WorkerExecutor::close).orElseGet(Future::succeededFuture));
  }

  private void schedule(FeatureView view, String cron, boolean full) {
    Schedule schedule = Schedule.parse(cron, view.timezone());
    awaitTick(view, schedule, full, materializer.clock().instant());
  }

  private void awaitTick(FeatureView view, Schedule schedule, boolean full, Instant after) {
    Optional<Instant> tick = schedule.next(after);
    if (tick.isEmpty()) {
      return;
    }
    Instant due = tick.get();
    long wait = Math.max(1, Duration.between(materializer.clock().instant(), due).toMillis());
    long ignored = vertx.setTimer(wait, timer -> atTick(view, schedule, full, due));
  }

  private void atTick(FeatureView view, Schedule schedule, boolean full, Instant due) {
    if (stopped) {
      return;
    }
    if (materializer.clock().instant().isBefore(due)) {
      // Timers and the clock differ by a little; a tick is never early.
      long ignored = vertx.setTimer(1, timer -> atTick(view, schedule, full, due));
      return;
    }
    RunRequest request = new RunRequest(full, Optional.empty(), Optional.of(due));
    Future<?> ignored =
        runs.orElseThrow()
            .executeBlocking(() -> materializer.run(view.name(), request), false)
            .onFailure(cause -> skipped(view, due, cause));
    // Ticks that passed meanwhile are not made up for: the next run brings all of it.
    awaitTick(view, schedule, full, materializer.clock().instant());
  }

  private static void skipped(FeatureView view, Instant due, Throwable cause) {
    if (cause instanceof FeatureException e && e.code() == ErrorCode.RUN_IN_PROGRESS) {
      LOG.debug("view {}: the tick of {} is left out: {}", view.name(), due, e.getMessage());
    } else {
      LOG.error("view {}: the tick of {} could not be run", view.name(), due, cause);
    }
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
            .onFailure(this::freshnessUnknown);
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
