package io.featureduck.run;

import io.featureduck.definition.FeatureView;
import io.featureduck.engine.ComputedRows;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.ChangeEvent;
import io.featureduck.event.RunEvent;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.source.SourceReader.Rejected;
import io.featureduck.store.Basis;
import io.featureduck.store.Cancellation;
import io.featureduck.store.KnownErasures;
import io.featureduck.store.LiveView;
import io.featureduck.store.Progress;
import io.featureduck.store.Retention;
import io.featureduck.store.Run;
import io.featureduck.store.RunCommit;
import io.featureduck.store.RunProgress;
import io.featureduck.store.RunStage;
import io.featureduck.store.ViewLock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A run that is noted in the store and holds the view's lock. Finished once, by one thread. */
final class ActiveRun {
  private static final Logger LOG = LoggerFactory.getLogger(ActiveRun.class);

  private static final long RETRY_PAUSE_MILLIS = 500;
  private static final long RETRY_PAUSE_MILLIS_MAX = 60_000;
  private static final long PROGRESS_SECONDS = 1;
  private static final Duration STUCK_AFTER = Duration.ofSeconds(30);
  private static final String TAKEN_OVER =
      "another process has closed this run: nothing of it is kept";

  private final Materializer materializer;
  private final FeatureView view;
  private final long runId;
  private final RunRequest request;
  private final Cancellation cancellation = new Cancellation();
  private final RunProgress progress = new RunProgress();
  private final long startNanos = System.nanoTime();
  private ViewLock lock;
  private volatile int version;
  private Optional<Instant> asOf = Optional.empty();
  private Rejected rejected = new Rejected(0, 0, 0, 0);
  private long expired;
  private volatile Optional<DuckDbSession> open = Optional.empty();
  private volatile boolean stopped;

  ActiveRun(
      Materializer materializer,
      FeatureView view,
      int version,
      long runId,
      RunRequest request,
      ViewLock lock) {
    this.materializer = materializer;
    this.view = view;
    this.version = version;
    this.runId = runId;
    this.request = request;
    this.lock = lock;
  }

  long runId() {
    return runId;
  }

  RunProgress progress() {
    return progress;
  }

  /** Tells whether it was cancelled so long ago that whatever it waits for doesn't hear of it. */
  boolean isStuck() {
    return cancellation.age().compareTo(STUCK_AFTER) > 0;
  }

  void cancel(String why) {
    cancellation.cancel(ErrorCode.CANCELLED, why);
  }

  /** Ends the run, for its process does; its tick is open again. */
  void stop() {
    stopped = true;
    cancel("the materializer is being stopped");
  }

  /** Ends the run, for another process counts it as ended. */
  void takenOver() {
    cancellation.cancel(ErrorCode.LOCKED, TAKEN_OVER);
  }

  /** Computes and writes; returns the run as it ended. */
  Run finish() {
    materializer.tell(event(RunEvent.Type.STARTED));
    LOG.info("run {} of view {} started", runId, view.name());
    try {
      computeAndTell();
      Run ended = noted();
      if (ended.status() == Run.Status.SUCCEEDED) {
        lock.clearUp();
      }
      return ended;
    } finally {
      lock.close();
      materializer.ended(this);
    }
  }

  private void computeAndTell() {
    try {
      waitForPermit();
      try {
        Done done = withTimeout();
        succeeded(done);
      } finally {
        materializer.permits().release();
      }
    } catch (FeatureException e) {
      committed(e)
          .ifPresentOrElse(run -> succeeded(new Done(written(run), rejected)), () -> failed(e));
    } catch (RuntimeException e) {
      LOG.error("run {} of view {} met a bug", runId, view.name(), e);
      failed(new FeatureException(ErrorCode.INTERNAL, "internal error: see the log", e));
    }
  }

  /** Returns the run as the store has it, over the lock's connection where that is still good. */
  private Run noted() {
    Optional<Run> noted;
    try {
      noted = lock.run(runId);
    } catch (FeatureException e) {
      LOG.debug("the lock's connection is gone", e);
      noted = materializer.store().run(runId);
    }
    return noted.orElseThrow(
        () -> new IllegalStateException("run %d is not noted".formatted(runId)));
  }

  private record Done(RunCommit.Written written, Rejected rejected) {}

  private void waitForPermit() {
    try {
      while (!materializer.permits().tryAcquire(100, TimeUnit.MILLISECONDS)) {
        cancellation.check();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FeatureException(ErrorCode.CANCELLED, "interrupted", e);
    }
  }

  private Done withTimeout() {
    Duration timeout = materializer.definitions().materializer().runTimeout();
    ScheduledFuture<?> limit =
        materializer
            .timer()
            .schedule(
                () ->
                    cancellation.cancel(
                        ErrorCode.DEADLINE_EXCEEDED, "not done within %s".formatted(timeout)),
                timeout.toMillis(),
                TimeUnit.MILLISECONDS);
    ScheduledFuture<?> ticks =
        materializer
            .timer()
            .scheduleAtFixedRate(
                this::tellProgress, PROGRESS_SECONDS, PROGRESS_SECONDS, TimeUnit.SECONDS);
    try {
      return withRetries();
    } finally {
      boolean ignored = limit.cancel(false);
      ignored = ticks.cancel(false);
    }
  }

  private void tellProgress() {
    open.ifPresent(session -> session.memoryBytes().ifPresent(progress::memory));
    materializer.tell(event(RunEvent.Type.PROGRESSED));
  }

  /** Tries again what may have passed, after a pause that grows. */
  private Done withRetries() {
    int retries = materializer.definitions().materializer().retries();
    for (int retry = 0; ; retry++) {
      try {
        return retry == 0 ? compute() : computeAgain();
      } catch (FeatureException e) {
        cancellation.check();
        if (!e.mayPass() || retry == retries) {
          throw e;
        }
        long pause = pauseMillis(retry);
        LOG.warn(
            "run {} of view {} is tried again in {} ms, for the {}. of {} times: {}",
            runId,
            view.name(),
            pause,
            retry + 1,
            retries,
            e.getMessage(),
            e);
        progress.enter(RunStage.WAITING);
        cancellation.pause(pause);
      }
    }
  }

  /** Returns a pause that no two runs have in common, lest they all come back at once. */
  private static long pauseMillis(int retry) {
    long longest = Math.min(RETRY_PAUSE_MILLIS_MAX, RETRY_PAUSE_MILLIS << (2 * Math.min(retry, 8)));
    return ThreadLocalRandom.current().nextLong(longest / 2, longest);
  }

  /**
   * Computes from the start, if that is still this run's to do: the lock may have been lost and the
   * run closed by another process, and a commit may have been the last thing that came through.
   */
  private Done computeAgain() {
    if (!lock.isHeld()) {
      lock =
          lock.takeAgain()
              .orElseThrow(() ->
                  new FeatureException(
                      ErrorCode.LOCKED,
                      "the lock was lost with its connection, and another process has it"));
    }
    Run noted =
        materializer
            .store()
            .run(runId)
            .orElseThrow(() -> new FeatureException(ErrorCode.LOCKED, TAKEN_OVER));
    return switch (noted.status()) {
      case RUNNING -> compute();
      case SUCCEEDED -> new Done(written(noted), rejected);
      case FAILED, CANCELLED -> throw new FeatureException(ErrorCode.LOCKED, TAKEN_OVER);
    };
  }

  /** Returns what was written by a commit whose answer never came. */
  private RunCommit.Written written(Run noted) {
    long generation =
        materializer.store().liveView(view.name()).map(LiveView::generation).orElse(0L);
    return new RunCommit.Written(
        progress.rowsComputed(), noted.rowsWritten().orElse(0L), generation, Optional.empty());
  }

  private Done compute() {
    progress.enter(RunStage.PLANNING);
    progress.attempt();
    // Before anything is read of the sources.
    KnownErasures erasures = lock.erasures();
    try (DuckDbSession session = materializer.duckDb().open(cancellation)) {
      open = Optional.of(session);
      Computation computation =
          Computation.of(
              materializer.definitions(), view, session, materializer.clock(), request.asOf());
      asOf = Optional.of(computation.asOf());
      RegisteredVersion target = target(computation);
      LiveView live = LiveView.of(target);
      progress.enter(RunStage.READING);
      Optional<Basis> basis = lock.basis(live.version());
      Selected selected = select(computation, target, basis);
      rejected = selected.rejected();
      RunCommit commit =
          new RunCommit(
              runId,
              live,
              computation.features(),
              selected.kind(),
              basis.map(Basis::runId),
              selected.lowerBound(),
              selected.rowsRead(),
              computation.asOf(),
              computation.watermarks(),
              progress,
              session.folder());
      Retention retention =
          Retention.of(
              selected.kind(),
              live.ttl(),
              computation.asOf(),
              erasures,
              keys -> request.asOf().isPresent() ? keys : computation.inSource(keys));
      ComputedRows rows =
          new ComputedRows(
              session, view.name(), selected.sql(), computation.features(), progress, retention);
      RunCommit.Written written = lock.write(commit, rows, cancellation);
      expired = retention.leftOut();
      return new Done(written, selected.rejected());
    } finally {
      open = Optional.empty();
    }
  }

  /** Returns the version that this computes. */
  private RegisteredVersion target(Computation computation) {
    materializer.registrations().takeUp(view, computation.features());
    RegisteredVersion target =
        materializer.registrations().target(view, computation.features(), lock.registered());
    if (target.version() != version) {
      // Someone has applied it since the run began, which waited maybe. It has the tick.
      LOG.info(
          "run {} of view {} computes version {}, which was applied since it began",
          runId,
          view.name(),
          target.version());
      lock.correctVersion(runId, target.version());
      version = target.version();
    }
    return target;
  }

  /** What a run computes: every entity, or those that changes touch. */
  private record Selected(
      Run.Kind kind, String sql, Optional<Instant> lowerBound, long rowsRead, Rejected rejected) {}

  private Selected select(
      Computation computation, RegisteredVersion target, Optional<Basis> basis) {
    LiveView live = LiveView.of(target);
    String whyFull = request.full() ? "it was asked for" : computation.whyFull(basis, live.ttl());
    if (whyFull.isEmpty() && target.unfilled()) {
      whyFull = "it has features that no run has computed";
    }
    if (whyFull.isEmpty() && !lock.hasTable(live, computation.features())) {
      whyFull = "the online table has other columns";
    }
    if (whyFull.isEmpty()) {
      Changes changes = computation.changesSince(basis.orElseThrow());
      Optional<Long> touched = changes.findTouched();
      if (touched.isPresent()) {
        LOG.info("run {} of view {}: {} entities are touched", runId, view.name(), touched.get());
        if (changes.fetchRows()) {
          changes.reads().forEach(progress::read);
          return new Selected(
              Run.Kind.INCREMENTAL,
              changes.sql(computation.features()),
              Optional.of(changes.lowerBound()),
              progress.rowsRead(),
              changes.rejected());
        }
      }
      whyFull = "so many entities are touched that reading everything once is cheaper";
    }
    LOG.info("run {} of view {} is a full one: {}", runId, view.name(), whyFull);
    progress.full(whyFull);
    computation.checkValues();
    Rejected rejected = computation.rejected();
    computation.reads(rejected).forEach(progress::read);
    return new Selected(
        Run.Kind.FULL, computation.sql(), Optional.empty(), rejected.rows(), rejected);
  }

  private void succeeded(Done done) {
    LOG.info(
        "run {} of view {}: {} rows read, {} of {} written, {} s, rejected {}",
        runId,
        view.name(),
        progress.rowsRead(),
        done.written().rowsWritten(),
        done.written().rows(),
        elapsed().toMillis() / 1_000.0,
        reasons(done.rejected()));
    materializer.tell(
        new ChangeEvent(
            view.name(),
            version,
            runId,
            done.written().generation(),
            done.written().changedKeys(),
            materializer.clock().instant()));
    materializer.tell(
        event(
            RunEvent.Type.SUCCEEDED,
            done.written().rowsWritten(),
            Optional.empty(),
            reasons(done.rejected())));
  }

  private Map<String, Long> reasons(Rejected rejected) {
    Map<String, Long> reasons = new TreeMap<>();
    add(reasons, "null_join_key", rejected.nullKey());
    add(reasons, "null_event_time", rejected.nullEventTime());
    add(reasons, "after_as_of", rejected.afterAsOf());
    add(reasons, "expired", expired);
    return reasons;
  }

  private static void add(Map<String, Long> reasons, String reason, long count) {
    if (count > 0) {
      reasons.put(reason, count);
    }
  }

  /** Tells whether the run was committed, though no answer came. */
  private Optional<Run> committed(FeatureException failure) {
    try {
      return materializer
          .store()
          .run(runId)
          .filter(noted -> noted.status() == Run.Status.SUCCEEDED);
    } catch (FeatureException e) {
      failure.addSuppressed(e);
      return Optional.empty();
    }
  }

  private void failed(FeatureException failure) {
    boolean cancelled = failure.code() == ErrorCode.CANCELLED;
    if (cancelled) {
      LOG.info("run {} of view {}: {}", runId, view.name(), failure.getMessage());
    } else {
      LOG.error(
          "run {} of view {} failed ({}): {}",
          runId,
          view.name(),
          failure.code().id(),
          failure.getMessage(),
          failure);
    }
    try {
      materializer
          .store()
          .fail(
              runId,
              cancelled ? Run.Status.CANCELLED : Run.Status.FAILED,
              failure,
              asOf,
              progress.now());
      if (stopped && cancelled) {
        materializer.store().giveTickBack(runId);
      }
    } catch (FeatureException e) {
      // The next run of the view closes this one as an orphan.
      LOG.warn("the failure of run {} could not be noted", runId, e);
    }
    materializer.tell(
        event(
            cancelled ? RunEvent.Type.CANCELLED : RunEvent.Type.FAILED,
            0,
            Optional.of(failure.getMessage()),
            Map.of()));
  }

  private RunEvent event(RunEvent.Type type) {
    return event(type, progress.rowsComputed(), Optional.empty(), Map.of());
  }

  private RunEvent event(
      RunEvent.Type type, long rowsWritten, Optional<String> error, Map<String, Long> rejected) {
    Progress now = progress.now();
    return new RunEvent(
        type,
        runId,
        view.name(),
        version,
        now.stage(),
        progress.rowsRead(),
        now.rowsComputed(),
        rowsWritten,
        now.bytesWritten(),
        elapsed(),
        error,
        rejected,
        materializer.clock().instant());
  }

  private Duration elapsed() {
    return Duration.ofNanos(System.nanoTime() - startNanos);
  }
}
