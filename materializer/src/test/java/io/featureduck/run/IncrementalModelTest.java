package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.run.ModelSequence.Tally;
import io.featureduck.testing.SourceServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Random histories of sources and runs: after each run the online table is what plain Java
 * computes. {@code -Dfeatureduck.model.seed=42} runs one history alone, {@code
 * -Dfeatureduck.model.base=100000} others than the usual ones, {@code -Dfeatureduck.model.count=20}
 * so many.
 */
@Execution(ExecutionMode.CONCURRENT)
final class IncrementalModelTest {
  private static final Logger LOG = LoggerFactory.getLogger(IncrementalModelTest.class);

  private static final int PARALLEL = 2;
  private static final long SEEDS_OF_THE_LONG_ONE = 1_000_000;

  /** Few histories, so those in which each of an increment's searches alone finds someone. */
  private static final long SEEDS_OVER_MARIADB = 45;

  @TempDir private Path directory = Path.of("");

  @Test
  void run_randomHistories_leaveWhatPlainJavaComputes() throws Exception {
    runAll(SourceServer.POSTGRES, 0, 300);
  }

  @Test
  void run_randomHistoriesOverMariaDb_leaveWhatPlainJavaComputes() throws Exception {
    runAll(SourceServer.MARIADB, SEEDS_OVER_MARIADB, 20);
  }

  @Test
  @Tag("slow")
  void run_manyRandomHistories_leaveWhatPlainJavaComputes() throws Exception {
    runAll(SourceServer.POSTGRES, SEEDS_OF_THE_LONG_ONE, 5_000);
  }

  @Test
  @Tag("slow")
  void run_manyRandomHistoriesOverMariaDb_leaveWhatPlainJavaComputes() throws Exception {
    runAll(SourceServer.MARIADB, SEEDS_OF_THE_LONG_ONE, 300);
  }

  private void runAll(SourceServer server, long from, long count) throws Exception {
    Long only = Long.getLong("featureduck.model.seed");
    long first = only != null ? only : from + Long.getLong("featureduck.model.base", 0);
    long end = first + (only != null ? 1 : Long.getLong("featureduck.model.count", count));
    AtomicLong next = new AtomicLong(first);
    Tally all = new Tally();
    try (ExecutorService threads = Executors.newFixedThreadPool(PARALLEL)) {
      List<Future<Tally>> workers = new ArrayList<>();
      for (int i = 0; i < PARALLEL; i++) {
        Path folder = directory.resolve("worker" + i);
        workers.add(threads.submit(() -> work(server, folder, next, end)));
      }
      for (Future<Tally> worker : workers) {
        all.add(worker.get(3, TimeUnit.HOURS));
      }
    }
    LOG.info(
        "over {}: {} full runs, {} incremental ones, of which {} wrote; {} rows written",
        server,
        all.full,
        all.incremental,
        all.increments,
        all.rowsWritten);
    if (only == null) {
      assertThat(all.increments).as("increments that wrote").isPositive();
    }
  }

  private static Tally work(SourceServer server, Path folder, AtomicLong next, long end)
      throws Exception {
    Tally tally = new Tally();
    try (ModelDatabase database = new ModelDatabase(server, folder)) {
      for (long seed = next.getAndIncrement(); seed < end; seed = next.getAndIncrement()) {
        try {
          tally.add(new ModelSequence(seed, database).run());
        } catch (AssertionError e) {
          // The others need not go on for long.
          next.set(end);
          throw e;
        }
      }
    }
    return tally;
  }
}
