package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** SIGKILL of a materializing process at random moments, with another process serving on. */
class KilledRefreshTest {
  private final AtomicBoolean done = new AtomicBoolean();

  @TempDir private Path directory;

  @Test
  void refresh_killedTenTimes_leavesWholeRowsAndNoStrayTable() throws Exception {
    killAndRecover(10, System.nanoTime());
  }

  @Test
  @Tag("slow")
  void refresh_killedAHundredTimes_leavesWholeRowsAndNoStrayTable() throws Exception {
    killAndRecover(100, System.nanoTime());
  }

  private void killAndRecover(int kills, long seed) throws Exception {
    System.out.println("seed " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    GenerationStore store = GenerationStore.create(directory);
    materialize(store);
    try (FeatureDuckProcess serving =
            store.start("serve", "--role", "serve", "--config", "config.json");
        ExecutorService readers = Executors.newSingleThreadExecutor()) {
      URI server = serving.awaitReady();
      Future<Long> reading = readers.submit(() -> readUntilDone(store, server));
      long runNanos = timeOfOneRun(store, 2);

      long generation = 2;
      for (int i = 0; i < kills; i++) {
        generation++;
        store.moveSourceTo(generation);
        try (FeatureDuckProcess materializing =
            store.start("materialize", "--full", "--config", "config.json")) {
          LockSupport.parkNanos(random.nextLong(runNanos));
          materializing.kill();
        }
        assertThat(store.storedGenerations()).hasSize(1).allMatch(seen(generation));
        assertThat(store.onlineTables()).containsExactly("online_counters");
      }
      materialize(store);
      done.set(true);

      assertThat(store.storedGenerations()).containsExactly(generation);
      assertThat(store.onlineTables()).containsExactly("online_counters");
      assertThat(reading.get(60, TimeUnit.SECONDS)).as("rows that were read").isPositive();
    } finally {
      done.set(true);
    }
  }

  private static java.util.function.Predicate<Long> seen(long newest) {
    return generation -> generation >= 1 && generation <= newest;
  }

  /** Rows that are half of a run fail in {@link GenerationStore#read}. */
  private long readUntilDone(GenerationStore store, URI server) throws Exception {
    SplittableRandom random = new SplittableRandom(7);
    long rows = 0;
    while (!done.get()) {
      List<Long> generations = store.read(server, random);
      rows += generations.size();
    }
    return rows;
  }

  private static long timeOfOneRun(GenerationStore store, long generation) throws Exception {
    store.moveSourceTo(generation);
    long start = System.nanoTime();
    materialize(store);
    return System.nanoTime() - start;
  }

  private static void materialize(GenerationStore store) throws Exception {
    try (FeatureDuckProcess process =
        store.start("materialize", "--full", "--config", "config.json")) {
      String ignored = process.awaitSuccess();
    }
  }
}
