package io.featureduck.run;

import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.Run;
import io.featureduck.store.TickState;
import java.time.Instant;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A view with its schedules. Only the latest tick of each counts: those that were missed before it,
 * while no process lived, the view was paused or another run of it went on, are made up for by one
 * run. Where both schedules have a tick open, one full run is for both.
 *
 * <p>{@link #settle} is called by one thread at a time; the rest may be called from any.
 */
/* Whether a tick is satisfied is asked of the store, so that it doesn't matter which process ran
 * what, and a process that starts anew knows as much as one that never ended. What is known once
 * to be satisfied stays so, and is not asked again.
 *
 * A view that was never run is Preparation's: only ticks that come while this process lives count.
 */
final class ScheduledView {
  private static final Logger LOG = LoggerFactory.getLogger(ScheduledView.class);

  private final FeatureView view;
  private final Optional<Schedule> batch;
  private final Optional<Schedule> full;
  private final Instant start;
  private volatile Instant batchSettled = Instant.MIN;
  private volatile Instant fullSettled = Instant.MIN;
  private boolean complained;

  /**
   * @param start since when this process looks after the view
   */
  ScheduledView(FeatureView view, Instant start) {
    this.view = view;
    this.batch = view.batchSchedule().map(cron -> Schedule.parse(cron, view.timezone()));
    this.full = view.fullRefreshSchedule().map(cron -> Schedule.parse(cron, view.timezone()));
    this.start = start;
  }

  String name() {
    return view.name();
  }

  /** Returns the first tick of either schedule after {@code instant}. */
  Optional<Instant> next(Instant instant) {
    return Stream.of(batch, full)
        .flatMap(Optional::stream)
        .flatMap(schedule -> schedule.next(instant).stream())
        .min(Instant::compareTo);
  }

  /** Tells whether there may be a tick that nothing satisfies yet. */
  boolean isOpen(Instant now) {
    return openBatch(now).isPresent() || openFull(now).isPresent();
  }

  private Optional<Instant> openBatch(Instant now) {
    return batch.flatMap(schedule -> schedule.last(now)).filter(t -> t.isAfter(batchSettled));
  }

  private Optional<Instant> openFull(Instant now) {
    return full.flatMap(schedule -> schedule.last(now)).filter(t -> t.isAfter(fullSettled));
  }

  /**
   * Runs the view if one of its latest ticks asks for it, and returns when that run has ended. What
   * can't be run now stays open.
   */
  void settle(Materializer materializer, Instant now) {
    try {
      Optional<RunRequest> due = due(materializer, now);
      if (due.isPresent()) {
        Run ignored = materializer.run(view.name(), due.get());
      }
      complained = false;
    } catch (FeatureException e) {
      complain(e);
    }
  }

  private Optional<RunRequest> due(Materializer materializer, Instant now) {
    Optional<Instant> batchTick = openBatch(now);
    Optional<Instant> fullTick = openFull(now);
    TickState state =
        materializer
            .store()
            .ticks(
                view.name(),
                batchTick,
                fullTick,
                materializer.definitions().materializer().runLease());
    batchTick
        .filter(tick -> state.batchDone() || isPreparations(tick, state))
        .ifPresent(tick -> batchSettled = tick);
    fullTick
        .filter(tick -> state.fullDone() || isPreparations(tick, state))
        .ifPresent(tick -> fullSettled = tick);
    if (state.paused() || state.running()) {
      return Optional.empty();
    }
    Optional<Instant> open = openFull(now);
    return open.or(() -> openBatch(now))
        .map(tick -> new RunRequest(open.isPresent(), Optional.empty(), Optional.of(tick)));
  }

  private boolean isPreparations(Instant tick, TickState state) {
    return !state.everRun() && !tick.isAfter(start);
  }

  private void complain(FeatureException e) {
    if (e.code() == ErrorCode.RUN_IN_PROGRESS) {
      LOG.debug("view {}: its tick waits: {}", view.name(), e.getMessage());
      return;
    }
    // Once until it goes again: it is tried every few seconds.
    if (!complained) {
      LOG.error("view {} can't be run by its schedule; it is tried again", view.name(), e);
    }
    complained = true;
  }
}
