package io.featureduck.lookup;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.ServedStore;
import io.featureduck.http.StoreProxy;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.testing.TestPostgres;
import io.vertx.core.Vertx;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Notifications through a proxy that loses them in each way that a network and a database can. */
class ChangeListenerTest {
  private final Vertx vertx = Vertx.vertx();
  private final TestPostgres.Database database;
  private final StoreProxy proxy;
  private final LookupMetrics metrics = new LookupMetrics();
  private final AtomicInteger heard = new AtomicInteger();
  private final ChangeListener listener;

  ChangeListenerTest() throws Exception {
    database = TestPostgres.newDatabase();
    proxy = new StoreProxy(vertx, database.port());
    listener =
        new ChangeListener(
            vertx,
            ServedStore.settings(
                "postgresql://postgres@127.0.0.1:%d/%s".formatted(proxy.port(), database.name())),
            heard::incrementAndGet,
            metrics);
  }

  private void start() {
    vertx.getOrCreateContext().runOnContext(nothing -> listener.start());
  }

  @AfterEach
  void close() throws Exception {
    assertThat(vertx.close().await(10, SECONDS)).isNull();
  }

  private void notify(String channel) throws Exception {
    database.execute("NOTIFY %s, 'of whatever project'".formatted(channel));
  }

  private void awaitListening(boolean expected) {
    ServedStore.await(() -> metrics.listening().equals(Optional.of(expected)));
  }

  @Test
  void start_notified_isHeard() throws Exception {
    start();
    awaitListening(true);
    assertThat(heard.get()).as("once for what was missed before").isEqualTo(1);

    notify("featureduck");

    ServedStore.await(() -> heard.get() == 2);
    notify("featureducks");
    notify("featureduck");
    ServedStore.await(() -> heard.get() > 2);
    assertThat(heard.get()).isEqualTo(3);
  }

  @Test
  void start_backendTerminated_listensAgainAndTellsSo() throws Exception {
    start();
    awaitListening(true);

    for (int round = 1; round <= 3; round++) {
      int before = heard.get();
      database.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'featureduck listen' AND datname = current_database()");

      ServedStore.await(() -> heard.get() == before + 1);
      awaitListening(true);
      notify("featureduck");
      ServedStore.await(() -> heard.get() == before + 2);
    }
  }

  @Test
  void start_storeAway_listensOnceItIsBack() throws Exception {
    proxy.cut();
    start();
    ServedStore.await(() -> proxy.accepted() >= 3);
    assertThat(metrics.listening()).contains(false);

    proxy.heal();

    awaitListening(true);
    notify("featureduck");
    ServedStore.await(() -> heard.get() == 2);
  }

  @Test
  void start_peerFallsSilent_leavesItAndConnectsAnew() throws Exception {
    start();
    awaitListening(true);

    proxy.freeze();

    // Nobody closes that connection but the listener itself.
    awaitListening(false);
    ServedStore.await(() -> proxy.accepted() >= 2);
    proxy.heal();
    awaitListening(true);
    notify("featureduck");
    ServedStore.await(() -> heard.get() == 3);
    ServedStore.await(() -> proxy.open() == 1);
  }

  @Test
  void close_listening_endsTheConnection() throws Exception {
    start();
    awaitListening(true);

    vertx
        .getOrCreateContext()
        .runOnContext(nothing -> assertThat(listener.close().isComplete()).isFalse());

    ServedStore.await(() -> proxy.open() == 0);
    assertThat(metrics.listening()).contains(false);
  }
}
