package io.featureduck.main;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.io.IOException;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is to be closed when the process ends, by a signal or by itself: in the opposite order of
 * being opened, each once. The JVM then exits with the signal's code, 130 or 143.
 */
final class Shutdown implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Shutdown.class);

  private final Deque<AutoCloseable> opened = new ArrayDeque<>();
  private final CountDownLatch begun = new CountDownLatch(1);

  /** Closes everything when the JVM is told to end. */
  static Shutdown onSignal() {
    Shutdown shutdown = new Shutdown();
    Runtime.getRuntime().addShutdownHook(new Thread(shutdown::close, "shutdown"));
    return shutdown;
  }

  /** Has something closed before all that was added so far; at once if the end has begun. */
  @CanIgnoreReturnValue
  synchronized <T extends AutoCloseable> T add(T resource) {
    if (hasBegun()) {
      close(resource);
    } else {
      opened.push(resource);
    }
    return resource;
  }

  /** Makes something that would outlive the process if nobody closed it. */
  @FunctionalInterface
  interface Opening<T extends AutoCloseable> {
    T open() throws IOException, SQLException;
  }

  /**
   * Opens something that goes on when the JVM ends, such as a database: a signal that comes
   * meanwhile waits until it is there, and closes it. Never returns once the end has begun.
   */
  synchronized <T extends AutoCloseable> T open(Opening<T> opening)
      throws IOException, SQLException, InterruptedException {
    if (hasBegun()) {
      // The monitor is let go while it waits, for the end needs it.
      while (true) {
        wait();
      }
    }
    return add(opening.open());
  }

  /** Tells whether the end has begun. */
  boolean hasBegun() {
    return begun.getCount() == 0;
  }

  /** Waits at most so long; true if the end has begun. */
  boolean awaitBegin(long timeout, TimeUnit unit) throws InterruptedException {
    return begun.await(timeout, unit);
  }

  /** Waits until the process is told to end, which is for ever as far as the caller sees. */
  void awaitSignal() throws InterruptedException {
    begun.await();
    // The JVM halts once everything is closed.
    Thread.currentThread().join();
  }

  @Override
  public void close() {
    // Before the monitor is had, so that who opens something at the moment knows.
    begun.countDown();
    closeAll();
  }

  private synchronized void closeAll() {
    while (!opened.isEmpty()) {
      close(opened.pop());
    }
  }

  private static void close(AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      // The rest must be closed all the same.
      LOG.warn("{} does not close", resource, e);
    }
  }
}
