package io.featureduck.http;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.MaterializerSettings;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.ServerSettings;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestPostgres;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** An online store in a database of its own, filled by hand, and a server before it. */
public final class ServedStore implements AutoCloseable {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration LIMIT = Duration.ofSeconds(20);

  private final TestPostgres.Database database;
  private final OnlineStore store;
  private final Vertx vertx = Vertx.vertx();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final List<FeatureService> services = new ArrayList<>();
  private @Nullable Serving serving;

  public ServedStore() throws SQLException {
    database = TestPostgres.newDatabase();
    store = OnlineStore.open(settings(database.url()));
    store.migrate();
  }

  /** Returns settings with a short timeout, so that tests of failures are quick. */
  public static OnlineStoreSettings settings(String url) {
    return new OnlineStoreSettings(
        OnlineStoreSettings.Type.POSTGRES,
        url,
        Optional.empty(),
        "public",
        Duration.ofSeconds(1),
        1,
        2,
        128,
        10_000);
  }

  public static ServerSettings server(int batchMax, int bodyBytesMax) {
    return new ServerSettings(
        "127.0.0.1",
        0,
        batchMax,
        bodyBytesMax,
        16 * 1024,
        Duration.ofSeconds(2),
        Duration.ofSeconds(5),
        64 << 20,
        Duration.ofMinutes(5));
  }

  public TestPostgres.Database database() {
    return database;
  }

  public OnlineStore store() {
    return store;
  }

  public Vertx vertx() {
    return vertx;
  }

  /**
   * Makes a view live, with an empty table and a successful run.
   *
   * @param joinKeys {@code name TYPE, …}
   * @param features {@code name TYPE column-type, …}
   * @param more further keys of the definition, such as {@code "ttl": "7d"}, or ""
   */
  @CanIgnoreReturnValue
  public ServedStore view(
      String view, List<String[]> joinKeys, List<String[]> features, String more)
      throws SQLException {
    StringBuilder columns = new StringBuilder();
    for (String[] feature : features) {
      columns.append('"').append(feature[0]).append("\" ").append(feature[2]).append(", ");
    }
    register(view, joinKeys, features, more);
    database.execute(
        "CREATE TABLE online_%s (entity_key TEXT COLLATE \"C\" PRIMARY KEY, %sevent_timestamp TIMESTAMPTZ, updated_at TIMESTAMPTZ NOT NULL DEFAULT now())"
            .formatted(view, columns));
    commit(view, "", "NULL");
    return this;
  }

  /** Makes a view live that was never materialized. */
  public void register(String view, List<String[]> joinKeys, List<String[]> features, String more)
      throws SQLException {
    database.execute(
        "INSERT INTO featureduck_views (view, version, definition, hash, live, created_by) VALUES ('%s', 1, '{\"view\": {\"name\": \"%s\"%s}, \"join_keys\": %s, \"features\": %s}', '%s', true, 'test')"
            .formatted(
                view,
                view,
                more.isEmpty() ? "" : ", " + more,
                typed(joinKeys),
                typed(features),
                more.hashCode()));
  }

  private static String typed(List<String[]> named) {
    List<String> items =
        named.stream()
            .map(item -> "{\"name\": \"%s\", \"type\": \"%s\"}".formatted(item[0], item[1]))
            .toList();
    return "[" + String.join(", ", items) + "]";
  }

  /**
   * Commits what a run does: rows, run, watermark and change generation in one transaction.
   *
   * @param sql what it does to the rows
   * @param keys the changed keys as JSON in quotes, or NULL for all
   */
  public void commit(String view, String sql, String keys) throws SQLException {
    database.execute(
        """
        BEGIN;
        %2$s;
        WITH run AS (
          INSERT INTO featureduck_runs (view, version, kind, status, engine, finished_at, upper_bound, host)
          VALUES ('%1$s', 1, 'full', 'succeeded', 'duckdb', now(), now(), 'test') RETURNING run_id, upper_bound),
        mark AS (
          INSERT INTO featureduck_watermarks (view, version, source, watermark, run_id, rows, event_min, event_max)
          SELECT '%1$s', 1, 'source', upper_bound, run_id, 1, now() - interval '1 hour', now() - interval '1 minute' FROM run
          ON CONFLICT (view, version, source) DO UPDATE SET watermark = excluded.watermark, run_id = excluded.run_id)
        INSERT INTO featureduck_changes (view, version, run_id, generation, keys)
        SELECT '%1$s', 1, run_id,
          (SELECT coalesce(max(generation), 0) + 1 FROM featureduck_changes WHERE view = '%1$s'), %3$s FROM run
        RETURNING pg_notify('featureduck',
          json_build_object('view', view, 'version', version, 'generation', generation)::text);
        COMMIT
        """
            .formatted(view, sql, keys));
  }

  /** Declares a service of the config that the server will be started with. */
  @CanIgnoreReturnValue
  public ServedStore service(FeatureService service) {
    services.add(service);
    return this;
  }

  @CanIgnoreReturnValue
  public ServedStore start() throws TimeoutException {
    return start(server(1_000, 64 * 1_024), settings(database.url()));
  }

  @CanIgnoreReturnValue
  public ServedStore start(ServerSettings server, OnlineStoreSettings online)
      throws TimeoutException {
    FeatureStore definitions =
        new FeatureStore(
            "test",
            server,
            online,
            new MaterializerSettings(
                1,
                "1GB",
                1,
                Duration.ofMinutes(1),
                Duration.ofSeconds(15),
                0,
                Duration.ofSeconds(5),
                Path.of("state"),
                Path.of("extensions")),
            List.of(),
            List.of(),
            List.of(),
            services);
    serving =
        Serving.start(
                vertx,
                definitions,
                OnlineStore.open(online),
                new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
                2)
            .await(20, SECONDS);
    return this;
  }

  public Serving serving() {
    Serving started = serving;
    if (started == null) {
      throw new IllegalStateException("not started");
    }
    return started;
  }

  @CanIgnoreReturnValue
  public Answer get(String target) {
    return send(request(target).GET());
  }

  public Answer post(String target, String json) {
    return send(
        request(target)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(json)));
  }

  public HttpRequest.Builder request(String target) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + serving().port() + target))
        .timeout(LIMIT);
  }

  public Answer send(HttpRequest.Builder request) {
    try {
      HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
      return new Answer(response);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Waits until a condition holds that another thread brings about. */
  public static void await(BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("not within " + LIMIT);
      }
      Thread.onSpinWait();
    }
  }

  @Override
  public void close() throws TimeoutException {
    if (serving != null) {
      stopped(serving.stop());
    }
    stopped(vertx.close());
  }

  private static void stopped(Future<Void> stopping) throws TimeoutException {
    assertThat(stopping.await(20, SECONDS)).isNull();
  }

  /** What came back. */
  public record Answer(HttpResponse<String> response) {
    public int status() {
      return response.statusCode();
    }

    public String body() {
      return response.body();
    }

    public JsonNode json() {
      return JSON.readTree(body());
    }

    public String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }
  }
}
