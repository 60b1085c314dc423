package io.featureduck.http;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.http.ServedStore.Answer;
import io.featureduck.lookup.ServedView;
import io.featureduck.metrics.FreshnessMetrics;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.metrics.PrometheusSeries;
import io.featureduck.metrics.RunMetrics;
import io.featureduck.store.Erasure;
import io.featureduck.store.OnlineStore;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.http.HttpServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ErasureRouteTest {
  private static final List<String[]> NAME = List.<String[]>of(new String[] {"name", "STRING"});
  private static final List<String[]> SCORE =
      List.<String[]>of(new String[] {"score", "INT32", "INTEGER"});

  private final ServedStore served;

  ErasureRouteTest() throws Exception {
    served = new ServedStore();
    served.view("users", NAME, SCORE, "\"cache\": {\"max_age\": \"1h\"}");
    served
        .database()
        .execute(
            """
            INSERT INTO online_users VALUES ('a', 1, now(), now()), ('b c ', 2, now(), now()),
              ('x\\|\\\\y', 3, now(), now()), ('batch', 4, now(), now())
            """);
  }

  @AfterEach
  void stop() throws Exception {
    served.close();
  }

  private Answer delete(String target) {
    return served.send(served.request(target).DELETE());
  }

  private List<String> query(String sql) throws SQLException {
    try (Connection connection = served.database().connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      List<String> found = new ArrayList<>();
      while (rows.next()) {
        found.add(String.valueOf(rows.getString(1)));
      }
      return found;
    }
  }

  @Test
  void delete_cachedEntity_isAnsweredOnceItIsGone() throws Exception {
    served.start();
    for (String entity : List.of("a", "b%20c%20", "x%7C%5Cy", "batch")) {
      String target = "/features/users/" + entity;
      assertThat(served.get(target).status()).as(entity).isEqualTo(200);

      Answer answer =
          served.send(served.request(target).header("X-Request-Id", "r-" + entity).DELETE());

      assertThat(answer.status()).as(answer.body()).isEqualTo(204);
      assertThat(answer.header("X-Request-Id")).isEqualTo("r-" + entity);
      assertThat(answer.body()).isEmpty();
      // The very next request, and not only in a while.
      assertThat(served.get(target).status()).as(entity).isEqualTo(404);
    }
    assertThat(query("SELECT count(*) FROM online_users")).containsExactly("0");
    assertThat(
            query(
                "SELECT view || ' ' || origin || ' ' || requested_by || ' ' || rows_deleted FROM"
                    + " featureduck_erasures WHERE finished_at IS NOT NULL ORDER BY id LIMIT 1"))
        .containsExactly("users http 127.0.0.1, request r-a 1");
    ServedStore.await(() ->
        served
            .get("/metrics")
            .body()
            .contains("featureduck_rows_erased_total{view=\"users\"} 4.0"));
  }

  @Test
  void delete_twiceOrOfNobody_isDoneAllTheSame() throws Exception {
    served.start();

    assertThat(delete("/features/users/a").status()).isEqualTo(204);
    assertThat(delete("/features/users/a").status()).isEqualTo(204);
    assertThat(delete("/features/users/nobody").status()).isEqualTo(204);

    assertThat(query("SELECT entity_key FROM featureduck_tombstones ORDER BY 1"))
        .containsExactly("a", "nobody");
  }

  @Test
  void delete_whatCannotBe_isRefused() throws Exception {
    served.view("numbered", List.<String[]>of(new String[] {"id", "INT64"}), SCORE, "").start();

    Answer view = delete("/features/nothing/a");
    assertThat(view.status()).isEqualTo(404);
    assertThat(view.json().path("code").asString()).isEqualTo("unknown_view");
    Answer key = delete("/features/numbered/abc");
    assertThat(key.status()).isEqualTo(404);
    assertThat(key.json().path("code").asString()).isEqualTo("unknown_entity");
    Answer parameter = delete("/features/users/a?features=score");
    assertThat(parameter.status()).isEqualTo(400);
    assertThat(query("SELECT entity_key FROM featureduck_tombstones")).isEmpty();
  }

  @Test
  void delete_runHoldsTheRow_isPendingAndEndedLater() throws Exception {
    served.start();
    try (Connection run = served.database().connect();
        Statement statement = run.createStatement()) {
      run.setAutoCommit(false);
      boolean ignored =
          statement.execute("UPDATE online_users SET score = 9 WHERE entity_key = 'a'");

      Answer answer = delete("/features/users/a");

      assertThat(answer.status()).isEqualTo(202);
      assertThat(answer.json().path("status").asString()).isEqualTo("pending");
      run.rollback();
    }
    assertThat(served.get("/features/users/a").status()).isEqualTo(200);

    assertThat(served.store().finishErasures("users")).isEqualTo(1);

    ServedStore.await(() -> served.get("/features/users/a").status() == 404);
  }

  @Test
  void delete_serverCannotSeeTheCommit_isPendingAndNotSaidToBeGone() throws Exception {
    StoreProxy proxy = new StoreProxy(served.vertx(), served.database().port());
    served.start(
        ServedStore.server(1_000, 64 * 1_024),
        ServedStore.settings(
            "postgresql://postgres@127.0.0.1:%d/%s"
                .formatted(proxy.port(), served.database().name())));
    assertThat(served.get("/features/users/a").status()).isEqualTo(200);
    proxy.hold(StoreProxy.Kind.POLLS);

    Answer answer = delete("/features/users/a");

    assertThat(query("SELECT entity_key FROM online_users WHERE entity_key = 'a'")).isEmpty();
    assertThat(served.get("/features/users/a").status()).isEqualTo(200);
    assertThat(answer.status()).as(answer.body()).isEqualTo(202);
    assertThat(answer.json().path("status").asString()).isEqualTo("pending");

    proxy.heal();

    assertThat(delete("/features/users/a").status()).isEqualTo(204);
    assertThat(served.get("/features/users/a").status()).isEqualTo(404);
  }

  private boolean isBegun(String entity) {
    try {
      return query("SELECT entity_key FROM featureduck_tombstones").contains(entity);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void delete_manyWaitForARun_areRefusedOnceTheirTimeIsOver() throws Exception {
    LookupMetrics metrics = new LookupMetrics();
    ServedView view =
        new ServedView(served.store().liveView("users").orElseThrow(), metrics.view("users", 1));
    ErasureRoute route =
        new ErasureRoute(
            served.vertx(),
            served.store(),
            Future::succeededFuture,
            metrics,
            InstantSource.system(),
            Duration.ofMillis(300));
    HttpServer server =
        served
            .vertx()
            .createHttpServer()
            .requestHandler(request -> route.handle(request, view, request.uri().substring(1)))
            .listen(0, "127.0.0.1")
            .await(10, SECONDS);
    List<Integer> statuses = new ArrayList<>();
    try (HttpClient client = HttpClient.newHttpClient();
        Connection run = served.database().connect();
        Statement statement = run.createStatement()) {
      run.setAutoCommit(false);
      boolean ignored =
          statement.execute("UPDATE online_users SET score = 9 WHERE entity_key = 'a'");
      List<CompletableFuture<HttpResponse<String>>> asked = new ArrayList<>();
      for (String entity : List.of("a", "b", "c", "d", "e", "f", "g", "h")) {
        // Once that of the row that is held has begun, the others have to wait for it as well.
        ServedStore.await(() -> asked.isEmpty() || isBegun("a"));
        asked.add(
            client.sendAsync(
                HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + server.actualPort() + "/" + entity))
                    .DELETE()
                    .build(),
                BodyHandlers.ofString()));
      }
      for (CompletableFuture<HttpResponse<String>> answer : asked) {
        statuses.add(answer.get(20, SECONDS).statusCode());
      }
      run.rollback();
    }
    // Two at a time wait that long; others may begin in their last moment.
    assertThat(statuses).startsWith(202).containsOnly(202, 503);
    long refused = statuses.stream().filter(status -> status == 503).count();
    assertThat(refused).isGreaterThanOrEqualTo(4);
    // What is refused is not begun, either.
    assertThat(query("SELECT count(*) FROM featureduck_tombstones"))
        .containsExactly(String.valueOf(statuses.size() - refused));
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    registry
        .getPrometheusRegistry()
        .register(
            new PrometheusSeries(
                metrics,
                new FreshnessMetrics(List.of()),
                new RunMetrics(),
                () -> 0,
                () -> 0,
                InstantSource.system()));
    assertThat(registry.scrape())
        .contains("featureduck_shed_total{reason=\"erasures\"} %d.0".formatted(refused));
  }

  @Test
  void delete_byAnotherProcess_isHeardOfWithinASecond() throws Exception {
    served.start();
    assertThat(served.get("/features/users/a").status()).isEqualTo(200);
    OnlineStore other = OnlineStore.open(ServedStore.settings(served.database().url()));

    assertThat(
            other
                .erase(
                    "users", List.of("a"), Erasure.Origin.COMMAND, "a test", Duration.ofSeconds(10))
                .rows())
        .isEqualTo(1);
    long erased = System.nanoTime();

    ServedStore.await(() -> served.get("/features/users/a").status() == 404);
    assertThat(System.nanoTime() - erased).isLessThan(SECONDS.toNanos(1));
  }

  @Test
  void delete_roleMayOnlyRead_isForbidden() throws Exception {
    String role = "reader_of_" + served.database().name();
    served
        .database()
        .execute(
            "CREATE ROLE %1$s LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO %1$s"
                .formatted(role));
    String url = served.database().url().replace("postgres@", role + "@");
    served.start(ServedStore.server(1_000, 64 * 1_024), ServedStore.settings(url));

    Answer answer =
        served.send(served.request("/features/users/a").method("DELETE", BodyPublishers.noBody()));

    assertThat(answer.status()).isEqualTo(403);
    assertThat(answer.json().path("type").asString()).isEqualTo("urn:featureduck:read_only");
    assertThat(answer.json().path("detail").asString())
        .contains("may only read")
        .contains("whose database role may write");
    assertThat(served.get("/features/users/a").status()).isEqualTo(200);
  }
}
