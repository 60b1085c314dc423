package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Two processes with the same schedules on one database. */
@Execution(ExecutionMode.CONCURRENT)
final class TwoMaterializersTest {
  private static final int VIEWS = 60 / ScheduledMaterializer.TICK_SECONDS;
  private static final int TICKS = 4;
  private static final Duration TICK = Duration.ofSeconds(ScheduledMaterializer.TICK_SECONDS);
  private static final Duration RUN_MAX = Duration.ofSeconds(20);

  @TempDir private Path directory = Path.of("");

  @Test
  void tick_twoProcesses_isRunOnceAndByTheOtherAfterAKill() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    OnlineStore store = OnlineStore.open(TestDefinitions.store(database, "public"));
    store.migrate();
    Path config = config(database);
    try (Materializing first = Materializing.start(config);
        Materializing second = Materializing.start(config)) {
      List<Run> together = awaitTicks(store, Instant.now());

      // The one that ran the last tick, so that the other one has to see to the next.
      Materializing killed = first.ran(together.getLast()) ? first : second;
      killed.close();
      Instant alone = Instant.now();
      List<Run> after = awaitTicks(store, alone);

      assertThat(together).allMatch(run -> first.ran(run) || second.ran(run));
      Materializing left = killed.equals(first) ? second : first;
      assertThat(after).allMatch(left::ran);
      List<Run> all = store.runs(Optional.empty(), 1_000);
      assertThat(all).extracting(Run::scheduledAt).doesNotHaveDuplicates();
      assertThat(all).allMatch(run -> run.status() == Run.Status.SUCCEEDED);
      System.out.printf(
          "%d of %d ticks were run by the first process%n",
          together.stream().filter(first::ran).count(), together.size());
    }
  }

  private Path config(TestPostgres.Database database) throws Exception {
    Files.writeString(
        directory.resolve("orders.csv"), "customer_id,ordered_at\n1,2026-01-01T00:00:00Z\n");
    List<String> views = new ArrayList<>();
    for (int i = 0; i < VIEWS; i++) {
      views.add(
          """
          {"name": "orders_%d", "entities": ["customer"], "source": "orders",
           "batch_schedule": "* * * * *",
           "aggregations": [{"function": "count", "alias": "orders"}]}
          """
              .formatted(i));
    }
    return Files.writeString(
        directory.resolve("config.json"),
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state-${PID}", "threads": 1,
           "memory_limit": "500MB", "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}],
         "sources": [{"name": "orders", "source_type": "csv", "path": "orders.csv",
           "timestamp_field": "ordered_at"}],
         "views": [%s]}
        """
            .formatted(
                database.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                String.join(", ", views)));
  }

  /** Waits for the next ticks; returns the one run of each, in order. */
  private static List<Run> awaitTicks(OnlineStore store, Instant after) {
    long step = TICK.toSeconds();
    Instant tick = Instant.ofEpochSecond((after.getEpochSecond() / step + 1) * step);
    List<Run> runs = new ArrayList<>();
    for (int i = 0; i < TICKS; i++) {
      runs.add(awaitEnd(store, tick));
      tick = tick.plus(TICK);
    }
    return runs;
  }

  private static Run awaitEnd(OnlineStore store, Instant tick) {
    while (true) {
      List<Run> runs =
          store.runs(Optional.empty(), 1_000).stream()
              .filter(run -> run.scheduledAt().equals(Optional.of(tick)))
              .toList();
      if (runs.stream().anyMatch(run -> run.status() != Run.Status.RUNNING)) {
        return runs.getFirst();
      }
      assertThat(Instant.now()).as("the tick of %s", tick).isBefore(tick.plus(RUN_MAX));
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  /** A process that runs the schedules. */
  private record Materializing(Process process) implements AutoCloseable {
    static Materializing start(Path config) throws Exception {
      Process process =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                      "--enable-native-access=ALL-UNNAMED",
                      "-XX:TieredStopAtLevel=1",
                      "-Duser.timezone=UTC",
                      "-Djava.io.tmpdir=" + config.getParent(),
                      "-cp",
                      System.getProperty(
                          "surefire.test.class.path", System.getProperty("java.class.path")),
                      ScheduledMaterializer.class.getName(),
                      config.toString()))
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      // Not to be closed: who prints into a closed pipe dies of it.
      BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
      String line = out.readLine();
      while (line != null && !line.startsWith("deployed ")) {
        line = out.readLine();
      }
      assertThat(line).startsWith("deployed ");
      return new Materializing(process);
    }

    boolean ran(Run run) {
      return run.host().endsWith(":" + process.pid());
    }

    /** Sends SIGKILL. */
    @Override
    public void close() throws InterruptedException {
      assertThat(process.destroyForcibly().waitFor(10, TimeUnit.SECONDS)).isTrue();
    }
  }
}
