package io.featureduck.run;

import io.featureduck.error.FeatureException;
import io.featureduck.store.RunHeartbeat;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the store once a second which runs of this process live, and hands on what it hears of
 * them. On a thread of its own, for the store may be slow to answer and nothing else may wait for
 * that. A store that is away ends no run: it may be back before the run needs it.
 */
final class Heartbeats implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Heartbeats.class);

  private static final long PERIOD_MILLIS = 1_000;

  private final RunHeartbeat heartbeat;
  private final Supplier<Collection<ActiveRun>> runs;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("featureduck-heartbeat").factory());
  private boolean away;

  /**
   * @param runs those that go on at the moment
   */
  Heartbeats(RunHeartbeat heartbeat, Supplier<Collection<ActiveRun>> runs) {
    this.heartbeat = heartbeat;
    this.runs = runs;
    ScheduledFuture<?> ignored =
        timer.scheduleWithFixedDelay(
            this::beat, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
  }

  private void beat() {
    try {
      Collection<ActiveRun> living = runs.get();
      if (living.isEmpty()) {
        heartbeat.close();
      }
      // One that is stuck is left to whoever takes over what is silent.
      living.stream().filter(run -> !run.isStuck()).forEach(this::beat);
      if (away && !living.isEmpty()) {
        LOG.info("the online store hears again that runs live");
        away = false;
      }
    } catch (FeatureException e) {
      // Once an outage: this is tried every second.
      if (!away) {
        LOG.warn("the online store does not hear that runs live", e);
      }
      away = true;
    } catch (RuntimeException e) {
      // Or the timer would never beat again.
      LOG.error("a heartbeat met a bug", e);
    }
  }

  private void beat(ActiveRun run) {
    RunHeartbeat.Answer answer =
        heartbeat.beat(run.runId(), run.progress().now(), run.progress().rowsRead());
    switch (answer) {
      case GO_ON -> {}
      case CANCEL -> run.cancel("its cancellation was asked for");
      case TAKEN_OVER -> run.takenOver();
    }
  }

  @Override
  public void close() {
    List<Runnable> ignored = timer.shutdownNow();
    try {
      if (timer.awaitTermination(PERIOD_MILLIS, TimeUnit.MILLISECONDS)) {
        heartbeat.close();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
