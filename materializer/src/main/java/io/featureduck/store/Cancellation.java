package io.featureduck.store;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a run is to stop. What waits registers how it is interrupted, and asks between its steps.
 * All methods may be called from any thread; the first reason stands.
 */
public final class Cancellation {
  private static final Logger LOG = LoggerFactory.getLogger(Cancellation.class);

  private static final long AGAIN_MILLIS = 100;
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final List<Waiting> interrupts = new ArrayList<>();
  private Optional<FeatureException> reason = Optional.empty();
  private long cancelledNanos;

  /** Interrupts a wait of another thread. */
  public interface Interrupt {
    void run() throws Exception;
  }

  private record Waiting(Interrupt gently, Interrupt byForce) {}

  /** Undoes a registration. */
  public interface Registration extends AutoCloseable {
    @Override
    void close();
  }

  /** Stops the run; what it waits for is interrupted at once. */
  public void cancel(ErrorCode code, String why) {
    synchronized (this) {
      if (reason.isPresent()) {
        return;
      }
      reason = Optional.of(new FeatureException(code, why));
      cancelledNanos = System.nanoTime();
      notifyAll();
      if (interrupts.isEmpty()) {
        return;
      }
    }
    Thread ignored =
        Thread.ofVirtual().name("featureduck-cancellation").start(this::interruptUntilTheyEnd);
  }

  /** An interrupt that comes just before its statement starts has no effect: so more than one. */
  private void interruptUntilTheyEnd() {
    List<Waiting> waiting = waiting();
    while (!waiting.isEmpty()) {
      boolean byForce = age().compareTo(PATIENCE) > 0;
      waiting.forEach(one -> interrupt(byForce ? one.byForce() : one.gently()));
      waiting = stillWaiting();
    }
  }

  private synchronized List<Waiting> waiting() {
    return List.copyOf(interrupts);
  }

  /** Returns what still waits after a moment; at once when nothing does. */
  private synchronized List<Waiting> stillWaiting() {
    long end = System.nanoTime() + AGAIN_MILLIS * 1_000_000;
    try {
      while (!interrupts.isEmpty()) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          break;
        }
        wait(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
    return waiting();
  }

  private static void interrupt(Interrupt interrupt) {
    try {
      interrupt.run();
    } catch (Exception e) {
      // The run then ends at its next step instead.
      LOG.warn("a wait of a cancelled run could not be interrupted", e);
    }
  }

  /**
   * Has {@code interrupt} called when the run is cancelled, until the registration is closed.
   *
   * @throws FeatureException the reason, if it is cancelled already
   */
  public Registration onCancel(Interrupt interrupt) {
    return onCancel(interrupt, interrupt);
  }

  /**
   * As {@link #onCancel(Interrupt)}; after some seconds without effect {@code byForce} is called
   * instead, which ends the wait even where the other side says nothing any more.
   */
  public synchronized Registration onCancel(Interrupt interrupt, Interrupt byForce) {
    check();
    Waiting waiting = new Waiting(interrupt, byForce);
    interrupts.add(waiting);
    return () -> {
      synchronized (this) {
        interrupts.remove(waiting);
        notifyAll();
      }
    };
  }

  /** Returns how long ago the run was cancelled; zero while it may go on. */
  public synchronized Duration age() {
    return reason.isEmpty() ? Duration.ZERO : Duration.ofNanos(System.nanoTime() - cancelledNanos);
  }

  /** Returns why the run was cancelled, or empty while it may go on. */
  public synchronized Optional<FeatureException> reason() {
    return reason;
  }

  /**
   * @throws FeatureException the reason, once cancelled
   */
  public synchronized void check() {
    if (reason.isPresent()) {
      FeatureException first = reason.get();
      throw new FeatureException(first.code(), String.valueOf(first.getMessage()), first);
    }
  }

  /** Waits so long, or less if cancelled meanwhile. */
  public synchronized void pause(long millis) {
    long end = System.nanoTime() + millis * 1_000_000;
    try {
      while (reason.isEmpty()) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return;
        }
        wait(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      if (reason.isEmpty()) {
        reason = Optional.of(new FeatureException(ErrorCode.CANCELLED, "interrupted", e));
        cancelledNanos = System.nanoTime();
      }
    }
    check();
  }
}
