package io.featureduck.main;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.StoreProxy;
import io.featureduck.http.StoreProxy.Kind;
import io.featureduck.main.GenerationStore.Change;
import io.vertx.core.Vertx;
import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Three servers on one database, which keep rows for an hour unless they hear that these have
 * changed. Each reaches the database through a proxy of its own.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FleetTest {
  private static final Duration BOUND = Duration.ofSeconds(1);
  private static final Duration TAKEN_UP = Duration.ofSeconds(2);
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final long READ_PAUSE_NANOS = 5_000_000;
  private static final List<Long> ALL = List.of();

  private final Vertx vertx = Vertx.vertx();
  private final ExecutorService clients = Executors.newCachedThreadPool();
  private final GenerationStore store;
  private final List<Server> servers = new ArrayList<>();
  private long generation = 1;

  /** A process and its way to the database. */
  private record Server(String name, FeatureDuckProcess process, StoreProxy proxy, URI address) {}

  FleetTest(@TempDir Path directory) throws Exception {
    store = GenerationStore.create(directory);
    try {
      // The first one materializes the view, and is ready then.
      servers.add(start("all"));
      servers.add(start("serve"));
      servers.add(start("serve"));
    } catch (Exception e) {
      stop();
      throw e;
    }
  }

  private Server start(String role) throws Exception {
    StoreProxy proxy = new StoreProxy(vertx, store.database().port());
    String url =
        "postgresql://postgres@127.0.0.1:%d/%s".formatted(proxy.port(), store.database().name());
    FeatureDuckProcess process =
        store.start(
            // Longer than any answer is kept back here.
            Map.of("STORE_URL", url, "STORE_TIMEOUT", "20s", "SERVER_TIMEOUT", "20s"),
            "serve",
            "--role",
            role,
            "--config",
            "config.json");
    return new Server(role, process, proxy, process.awaitReady());
  }

  @AfterAll
  void stop() throws Exception {
    for (Server server : servers) {
      server.process().close();
    }
    clients.shutdownNow();
    assertThat(vertx.close().await(10, SECONDS)).isNull();
  }

  private Server committing() {
    return servers.get(0);
  }

  private Server other() {
    return servers.get(1);
  }

  @Test
  void commit_ofEveryRow_isServedByAllWithinASecond() throws Exception {
    awaitListening();

    assertServedInTime("every row", ALL, 1, this::refresh);
  }

  @Test
  void commit_ofAFewKeys_isServedByAllWithinASecond() throws Exception {
    awaitListening();

    assertServedInTime("a few keys", List.of(100L, 101L, 102L), 100, this::refresh);
  }

  @Test
  void commit_byAProcessThatServesNothing_isServedByAllWithinASecond() throws Exception {
    awaitListening();

    assertServedInTime("by a command", ALL, 2, this::materialize);
  }

  @Test
  void delete_byAProcessThatServesNothing_isAnsweredUnknownByAllWithinASecond() throws Exception {
    awaitListening();
    for (Server server : servers) {
      assertThat(store.read(server.address(), 900)).isPositive();
    }

    Change before = store.newestChange();
    try (FeatureDuckProcess command =
        store.start("delete", "counters", "900", "--config", "config.json")) {
      Change erased = awaitChangeAfter(before);
      for (Server server : servers) {
        await(() -> store.status(server.address(), 900) == 404);
      }
      assertThat(Instant.now()).isBefore(erased.at().plus(BOUND));
      assertThat(command.awaitSuccess()).contains("1 row of 1 entity erased");
    }
    for (Server server : servers) {
      assertThat(store.read(server.address(), 901)).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void commit_rightAfterEachListenerWasCut_isServedByAllWithinASecond(boolean all)
      throws Exception {
    awaitListening();

    assertServedInTime(
        "listeners cut", all ? ALL : List.of(200L, 201L), 200, this::refreshWhileListenersAreCut);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void commit_thatNoServerIsNotifiedOf_isServedByAllWithinASecond(boolean all) throws Exception {
    awaitListening();
    servers.forEach(server -> server.proxy().swallow(Kind.LISTENING));
    try {
      assertServedInTime("never notified", all ? ALL : List.of(300L, 301L), 300, this::materialize);

      for (Server server : servers) {
        assertThat(server.proxy().bytesSwallowed()).as(server.name()).isPositive();
      }
    } finally {
      for (Server server : servers) {
        heal(server);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void lookup_heldBackAcrossACommit_leavesNoOldRowInTheCache(boolean all) throws Exception {
    long first = all ? 400 : 500;
    long asked = first;
    long askedAgain = first + 1;
    URI server = other().address();
    // So that the connection knows the statement, and the database has answered what is held.
    for (long i = 10; i < 20; i++) {
      assertThat(store.read(server, first + i)).isPositive();
    }
    long old = sourceGeneration(asked);
    assertThat(sourceGeneration(askedAgain)).isEqualTo(old);
    try {
      other().proxy().hold(Kind.LOOKUPS);
      Future<Long> before = clients.submit(() -> store.read(server, asked));
      await(() -> other().proxy().bytesHeld() > 0);
      long heldBytes = other().proxy().bytesHeld();
      Future<Long> beforeAgain = clients.submit(() -> store.read(server, askedAgain));
      await(() -> other().proxy().bytesHeld() > heldBytes);
      String known = store.asOf(server);

      long fresh = move(all ? ALL : List.of(asked, askedAgain));
      refresh();
      await(() -> !store.asOf(server).equals(known));
      Future<Long> after = clients.submit(() -> store.read(server, askedAgain));
      assertThat(before.isDone()).isFalse();
      other().proxy().release();

      // What was asked for before the commit may be old, and here it must be, or nothing was held.
      assertThat(before.get(20, SECONDS)).isEqualTo(old);
      assertThat(beforeAgain.get(20, SECONDS)).isEqualTo(old);
      assertThat(after.get(20, SECONDS)).isEqualTo(fresh);
      for (int i = 0; i < 100; i++) {
        assertThat(store.read(server, asked)).isEqualTo(fresh);
        assertThat(store.read(server, askedAgain)).isEqualTo(fresh);
      }
      assertCached(other(), asked, fresh);
      assertCached(other(), askedAgain, fresh);
    } finally {
      heal(other());
    }
  }

  @Test
  void read_serverWasCutOffWhileChangesWerePruned_isNewOnceItIsBack() throws Exception {
    awaitListening();
    URI server = other().address();
    long old = sourceGeneration(600);
    for (long entity = 600; entity < 603; entity++) {
      assertThat(store.read(server, entity)).isEqualTo(old);
    }
    String known = store.asOf(server);
    other().proxy().cut();
    try {
      Change first = store.newestChange();
      long fresh = move(List.of(600L));
      refresh();
      Change pruned = awaitChangeAfter(first);
      // The next commit prunes what is older than an hour.
      store.database().execute("UPDATE featureduck_changes SET at = at - INTERVAL '2 hours'");
      long fresher = move(List.of(601L));
      refresh();
      Change kept = awaitChangeAfter(pruned);
      assertThat(changes()).containsExactly(kept.generation());
      // Nobody can tell it; whoever asks again later than a second isn't bound by the old row.
      assertThat(store.read(server, 600)).isEqualTo(old);

      heal(other());

      await(() -> !store.asOf(server).equals(known));
      assertThat(store.read(server, 600)).isEqualTo(fresh);
      assertThat(store.read(server, 601)).isEqualTo(fresher);
      assertThat(store.read(server, 602)).isEqualTo(old);
    } finally {
      heal(other());
    }
  }

  /** None of the servers has the view in its config. */
  @Test
  void apply_aViewComesAndGoes_isTakenUpByAllWithinTwoSeconds() throws Exception {
    Path more = store.configWith("extra");
    Path fewer = store.configWith();

    CommandOutcome.of(more, "apply").assertSuccess();
    // Live, but without rows.
    awaitStatusOfAll("/features/extra/7", 503);
    CommandOutcome.of(more, "materialize", "extra").assertSuccess();
    awaitStatusOfAll("/features/extra/7", 200);
    CommandOutcome.of(fewer, "apply", "--yes").assertSuccess();
    awaitStatusOfAll("/features/extra/7", 404);

    for (Server server : servers) {
      assertThat(store.statusOf(server.address(), "/health/ready")).isEqualTo(200);
    }
  }

  /** Waits until each server answers so, no longer than an apply may take to be taken up. */
  private void awaitStatusOfAll(String target, int status) throws Exception {
    Instant bound = Instant.now().plus(TAKEN_UP);
    for (Server server : servers) {
      int found = store.statusOf(server.address(), target);
      while (found != status) {
        assertThat(Instant.now()).as("%s answers %d", server.name(), found).isBefore(bound);
        LockSupport.parkNanos(READ_PAUSE_NANOS);
        found = store.statusOf(server.address(), target);
      }
    }
  }

  /** Commits, and returns once that is done or under way. */
  @FunctionalInterface
  private interface Commit {
    void run() throws Exception;
  }

  private void refresh() throws Exception {
    await(() -> store.tryRefresh(committing().address()));
  }

  private void materialize() throws Exception {
    try (FeatureDuckProcess command =
        store.start("materialize", "--full", "--config", "config.json")) {
      String ignored = command.awaitSuccess();
    }
  }

  /**
   * Cuts the listeners again and again until the commit is there, so that one cut is just before.
   */
  private void refreshWhileListenersAreCut() throws Exception {
    Change before = store.newestChange();
    refresh();
    try (Connection connection = store.database().connect();
        Statement statement = connection.createStatement()) {
      assertThat(cutListeners(statement)).isEqualTo(servers.size());
      await(() -> {
        int ignored = cutListeners(statement);
        return store.newestChange().generation() > before.generation();
      });
    }
  }

  private static int cutListeners(Statement statement) throws Exception {
    try (ResultSet rows =
        statement.executeQuery(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'featureduck listen' AND datname = current_database()
            """)) {
      assertThat(rows.next()).isTrue();
      return rows.getInt(1);
    }
  }

  private long move(List<Long> entities) throws Exception {
    generation++;
    if (entities.equals(ALL)) {
      store.moveSourceTo(generation);
    } else {
      store.moveSourceTo(generation, entities);
    }
    return generation;
  }

  private static void heal(Server server) throws Exception {
    int before = server.proxy().accepted();
    server.proxy().heal();
    await(() -> server.proxy().accepted() > before);
  }

  private void awaitListening() throws Exception {
    for (Server server : servers) {
      await(() -> store.isListening(server.address()));
    }
  }

  /** What a server answered, and between which instants. */
  private record Answer(Instant asked, Instant answered, long generation) {}

  /**
   * Has each server cache an entity's row, commits another one, and reads on all the time.
   *
   * @param entities whose rows are changed, {@code entity} among them; ALL for all of them
   */
  private void assertServedInTime(String what, List<Long> entities, long entity, Commit commit)
      throws Exception {
    long old = sourceGeneration(entity);
    for (Server server : servers) {
      assertThat(store.read(server.address(), entity)).isEqualTo(old);
      assertCached(server, entity, old);
    }
    Change before = store.newestChange();
    AtomicBoolean done = new AtomicBoolean();
    List<Future<List<Answer>>> reading = new ArrayList<>();
    long fresh;
    Change change;
    try {
      for (Server server : servers) {
        reading.add(clients.submit(() -> readUntil(done, server, entity)));
      }
      fresh = move(entities);
      commit.run();
      change = awaitChangeAfter(before);
      // Until there are requests that were sent after the bound.
      Instant end = change.at().plus(BOUND).plusMillis(200);
      await(() -> Instant.now().isAfter(end));
    } finally {
      done.set(true);
    }
    List<String> delays = new ArrayList<>();
    for (int i = 0; i < servers.size(); i++) {
      List<Answer> answers = reading.get(i).get(20, SECONDS);
      delays.add(assertNewInTime(servers.get(i), answers, old, fresh, change.at()));
    }
    System.out.printf(
        "%s, %s: served after %s%n",
        what, entities.equals(ALL) ? "all" : "keyed", String.join(", ", delays));
  }

  private List<Answer> readUntil(AtomicBoolean done, Server server, long entity) throws Exception {
    List<Answer> answers = new ArrayList<>();
    while (!done.get()) {
      Instant asked = Instant.now();
      long seen = store.read(server.address(), entity);
      answers.add(new Answer(asked, Instant.now(), seen));
      LockSupport.parkNanos(READ_PAUSE_NANOS);
    }
    return answers;
  }

  /** Returns how long after the commit a server answered with the new row. */
  private static String assertNewInTime(
      Server server, List<Answer> answers, long old, long fresh, Instant committed) {
    assertThat(answers.getFirst().generation()).as("before the commit").isEqualTo(old);
    Instant bound = committed.plus(BOUND);
    List<Answer> late = answers.stream().filter(answer -> answer.asked().isAfter(bound)).toList();
    assertThat(late).as("requests after the bound").isNotEmpty();
    assertThat(late)
        .as("%s, asked later than a second after %s", server.name(), committed)
        .allMatch(answer -> answer.generation() == fresh);
    boolean seen = false;
    Instant first = Instant.MAX;
    for (Answer answer : answers) {
      assertThat(answer.generation()).isIn(old, fresh);
      if (seen) {
        assertThat(answer.generation()).as("after a new row was answered").isEqualTo(fresh);
      } else if (answer.generation() == fresh) {
        seen = true;
        first = answer.answered();
      }
    }
    return "%d ms".formatted(Duration.between(committed, first).toMillis());
  }

  /** Asserts that a row is answered while the database answers no lookup. */
  private void assertCached(Server server, long entity, long expected) throws Exception {
    server.proxy().hold(Kind.LOOKUPS);
    try {
      Future<Long> cached = clients.submit(() -> store.read(server.address(), entity));
      assertThat(cached.get(10, SECONDS)).as("from the cache").isEqualTo(expected);
      assertThat(server.proxy().bytesHeld()).isZero();
    } finally {
      server.proxy().release();
    }
  }

  private long sourceGeneration(long entity) throws Exception {
    return numbers("SELECT generation FROM counters WHERE id = " + entity).getFirst();
  }

  private List<Long> changes() throws Exception {
    return numbers("SELECT generation FROM featureduck_changes ORDER BY generation");
  }

  private List<Long> numbers(String select) throws Exception {
    try (Connection connection = store.database().connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      List<Long> numbers = new ArrayList<>();
      while (rows.next()) {
        numbers.add(rows.getLong(1));
      }
      return numbers;
    }
  }

  private Change awaitChangeAfter(Change before) throws Exception {
    await(() -> store.newestChange().generation() > before.generation());
    return store.newestChange();
  }

  private static void await(Callable<Boolean> condition) throws Exception {
    Instant end = Instant.now().plus(LIMIT);
    while (!condition.call()) {
      assertThat(Instant.now()).as("what is waited for").isBefore(end);
      LockSupport.parkNanos(READ_PAUSE_NANOS);
    }
  }
}
