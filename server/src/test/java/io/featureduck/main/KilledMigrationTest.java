package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * SIGKILL of a process that migrates, at random moments, while the old system writes and its
 * clients read.
 */
class KilledMigrationTest {
  private static final JsonMapper JSON = JsonMapper.shared();

  @TempDir private Path directory;

  @Test
  void migration_killedTwice_losesNothingAndNoReaderSeesAnError() throws Exception {
    migrate(5_000);
  }

  @Test
  @Tag("slow")
  void migration_ofAMillionRowsKilledTwice_losesNothingAndNoReaderSeesAnError() throws Exception {
    migrate(333_334);
  }

  private void migrate(int rowsPerView) throws Exception {
    SplittableRandom random = seeded();
    SingleTableStore store = SingleTableStore.create(directory, true, rowsPerView);
    long rows = 3L * rowsPerView;
    try (FeatureDuckProcess serving = store.serve();
        ExecutorService clients = Executors.newCachedThreadPool()) {
      URI server = serving.awaitReady();
      List<Future<Long>> writing = writers(clients, store, random);
      List<Future<Long>> reading =
          List.of(
              clients.submit(() -> store.read(random.nextLong())),
              clients.submit(() -> store.read(random.nextLong())));
      try {
        kill(store, rows / 200, random.nextLong(1, rows * 2 / 5), random);
        kill(store, rows / 200, random.nextLong(rows / 2, rows * 9 / 10), random);
        try (FeatureDuckProcess process = store.migrate("--accept-inferred")) {
          String ignored = process.awaitSuccess();
        }
        assertThat(status(server, 5)).as("before the end").isEqualTo(404);

        JsonNode finished = finish(store);

        assertThat(finished.path("readers_view").asBoolean()).isTrue();
        assertThat(finished.path("readers_note").isNull()).as("%s", finished).isTrue();
        awaitServed(server);
        for (Future<Long> writer : writing) {
          assertThat(writer.get(60, TimeUnit.SECONDS)).as("writes").isPositive();
        }
        store.stop();
        for (Future<Long> reader : reading) {
          assertThat(reader.get(60, TimeUnit.SECONDS)).as("rows that were read").isPositive();
        }
        store.checkMigrated(finished.path("renamed_to").asString());
        assertThat(store.strays()).isZero();
      } finally {
        store.stop();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void finish_killed_losesNothing(boolean oneDatabase) throws Exception {
    finish(oneDatabase, 1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  @Tag("slow")
  void finish_killedOftener_losesNothing(boolean oneDatabase) throws Exception {
    finish(oneDatabase, 25);
  }

  private void finish(boolean oneDatabase, int kills) throws Exception {
    SplittableRandom random = seeded();
    SingleTableStore store = SingleTableStore.create(directory, oneDatabase, 2_000);
    try (ExecutorService clients = Executors.newCachedThreadPool()) {
      List<Future<Long>> writing = writers(clients, store, random);
      try {
        try (FeatureDuckProcess process = store.migrate("--accept-inferred")) {
          String ignored = process.awaitSuccess();
        }
        for (int i = 0; i < kills; i++) {
          try (FeatureDuckProcess process = store.migrate("--finish")) {
            process.awaitLog("taking over");
            LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(600)));
            process.kill();
          }
        }
        JsonNode finished = finish(store);

        assertThat(finished.path("readers_view").asBoolean()).isEqualTo(oneDatabase);
        for (Future<Long> writer : writing) {
          assertThat(writer.get(60, TimeUnit.SECONDS)).as("writes").isPositive();
        }
        store.checkMigrated(finished.path("renamed_to").asString());
        assertThat(store.strays()).isZero();
      } finally {
        store.stop();
      }
    }
  }

  private static SplittableRandom seeded() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    return new SplittableRandom(seed);
  }

  private static List<Future<Long>> writers(
      ExecutorService clients, SingleTableStore store, SplittableRandom random) {
    List<Future<Long>> writing = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      int writer = i;
      long seed = random.nextLong();
      writing.add(clients.submit(() -> store.write(writer, seed)));
    }
    return writing;
  }

  private static void kill(
      SingleTableStore store, long batchRows, long afterRows, SplittableRandom random)
      throws Exception {
    try (FeatureDuckProcess process =
        store.migrate("--accept-inferred", "--batch-rows", Long.toString(batchRows))) {
      store.awaitCopied(afterRows, process);
      LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(30)));
      assertThat(process.isAlive()).as("the migration goes on").isTrue();
      process.kill();
    }
  }

  private static JsonNode finish(SingleTableStore store) throws Exception {
    try (FeatureDuckProcess process = store.migrate("--finish", "--output", "json")) {
      JsonNode answer = JSON.readTree(process.awaitSuccess());
      assertThat(answer.path("state").asString()).isEqualTo("finished");
      return answer;
    }
  }

  private static int status(URI server, long key) throws Exception {
    try (HttpClient http = HttpClient.newHttpClient()) {
      return http.send(
              HttpRequest.newBuilder(server.resolve("/features/user_features/" + key)).build(),
              BodyHandlers.ofString())
          .statusCode();
    }
  }

  private static void awaitServed(URI server) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (status(server, 5) != 200) {
      assertThat(System.nanoTime()).as("served within 30 s").isLessThan(end);
      LockSupport.parkNanos(10_000_000);
    }
  }
}
