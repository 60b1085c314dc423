package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What clients see while full refreshes replace the table that they read. */
class RefreshUnderLoadTest {
  private static final int READERS = 3;
  private static final int REFRESHES = 12;

  /** How long after a commit a value of before it may still come out of a cache. */
  private static final long CACHE_LAG_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final AtomicBoolean done = new AtomicBoolean();

  /** The generation whose commit lies a second back, so that nothing older may be answered. */
  private final AtomicLong oldestAllowed = new AtomicLong(1);

  @TempDir private Path directory;

  @Test
  void read_refreshesOneAfterTheOther_isWholeAndNeverOldAndNeverFails() throws Exception {
    GenerationStore store = GenerationStore.create(directory);
    try (FeatureDuckProcess process = store.start("serve", "--config", "config.json");
        ExecutorService readers = Executors.newFixedThreadPool(READERS)) {
      URI server = process.awaitReady();
      List<Future<Long>> reading = startReaders(readers, store, server);

      for (long generation = 2; generation < 2 + REFRESHES; generation++) {
        store.moveSourceTo(generation);
        awaitSuccess(store, server, store.startRefresh(server));
        allowNothingBefore(generation);
      }
      done.set(true);

      for (Future<Long> reader : reading) {
        assertThat(reader.get(60, TimeUnit.SECONDS)).as("rows that were read").isPositive();
      }
      assertThat(store.onlineTables()).containsExactly("online_counters");
    } finally {
      done.set(true);
    }
  }

  @Test
  void swap_readerHoldsTheTable_waitsAloneAndThenCommits() throws Exception {
    GenerationStore store = GenerationStore.create(directory);
    try (FeatureDuckProcess process = store.start("serve", "--config", "config.json");
        ExecutorService readers = Executors.newFixedThreadPool(READERS)) {
      URI server = process.awaitReady();
      List<Future<Long>> reading = startReaders(readers, store, server);
      long run;
      try (Connection holder = store.database().connect();
          Statement statement = holder.createStatement()) {
        holder.setAutoCommit(false);
        statement.execute("SELECT count(*) FROM online_counters");
        store.moveSourceTo(2);
        run = store.startRefresh(server);
        awaitLockAttempt(store);

        assertThat(store.statusOf(server, run)).isEqualTo("running");
        holder.rollback();
      }
      awaitSuccess(store, server, run);
      allowNothingBefore(2);
      done.set(true);

      for (Future<Long> reader : reading) {
        assertThat(reader.get(60, TimeUnit.SECONDS)).as("rows that were read").isPositive();
      }
      assertThat(store.storedGenerations()).containsExactly(2L);
    } finally {
      done.set(true);
    }
  }

  private List<Future<Long>> startReaders(ExecutorService pool, GenerationStore store, URI server) {
    List<Future<Long>> readers = new ArrayList<>();
    for (int i = 0; i < READERS; i++) {
      SplittableRandom random = new SplittableRandom(i);
      Callable<Long> reader = () -> readUntilDone(store, server, random);
      readers.add(pool.submit(reader));
    }
    return readers;
  }

  private long readUntilDone(GenerationStore store, URI server, SplittableRandom random)
      throws Exception {
    long rows = 0;
    while (!done.get()) {
      // Read before the request is sent: what is allowed may only grow while it is under way.
      long oldest = oldestAllowed.get();
      List<Long> generations = store.read(server, random);
      assertThat(generations).allMatch(generation -> generation >= oldest, ">= " + oldest);
      rows += generations.size();
    }
    return rows;
  }

  private static void awaitSuccess(GenerationStore store, URI server, long run) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    String status = store.statusOf(server, run);
    while (status.equals("running") && System.nanoTime() < deadline) {
      status = store.statusOf(server, run);
    }
    assertThat(status).isEqualTo("succeeded");
  }

  /** Goes on once a second has passed, in which the readers read on; then raises the bar. */
  private void allowNothingBefore(long generation) {
    long until = System.nanoTime() + CACHE_LAG_NANOS;
    while (System.nanoTime() < until) {
      LockSupport.parkNanos(until - System.nanoTime());
    }
    oldestAllowed.set(generation);
  }

  /** Waits until the swap has asked for its lock at least once. */
  private static void awaitLockAttempt(GenerationStore store) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    try (Connection connection = store.database().connect();
        Statement statement = connection.createStatement()) {
      boolean waiting = false;
      while (!waiting) {
        assertThat(System.nanoTime()).as("the swap asks for its lock").isLessThan(deadline);
        try (var rows =
            statement.executeQuery(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode ="
                    + " 'AccessExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE"
                    + " datname = current_database()))")) {
          rows.next();
          waiting = rows.getBoolean(1);
        }
      }
    }
  }
}
