package io.featureduck.http;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.ServerSettings;
import io.featureduck.event.Addresses;
import io.featureduck.lookup.ChangePoller;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.metrics.FreshnessMetrics;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.metrics.PrometheusSeries;
import io.featureduck.metrics.RunMetrics;
import io.featureduck.store.OnlineStore;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A process's serving side: its lookup servers and what they share, started and stopped as one. */
public final class Serving {
  private static final int HEAP_SHARE = 4;

  /** Numbers the free ports: instances with the same negative port share one. */
  private static final AtomicInteger FREE_PORTS = new AtomicInteger();

  private final Vertx vertx;
  private final LookupServer.Parts parts;
  private final String pollerId;
  private final String serverId;
  private final int port;
  private @Nullable Future<Void> stopping;

  private Serving(
      Vertx vertx, LookupServer.Parts parts, String pollerId, String serverId, int port) {
    this.vertx = vertx;
    this.parts = parts;
    this.pollerId = pollerId;
    this.serverId = serverId;
    this.port = port;
  }

  /**
   * Serves what is live in the online store. Completes once the port is bound, also while the store
   * is away; {@code /health/ready} tells the rest.
   *
   * @param store the blocking side, whose tables exist
   * @param loops event loops to serve with, at least 1
   */
  public static Future<Serving> start(
      Vertx vertx,
      FeatureStore definitions,
      OnlineStore store,
      PrometheusMeterRegistry registry,
      int loops) {
    ServerSettings settings = definitions.server();
    LookupMetrics metrics = new LookupMetrics();
    ViewCatalog catalog = new ViewCatalog(metrics);
    FeatureCache cache =
        new FeatureCache(cacheBytes(settings), settings.staleIfError(), System::nanoTime);
    List<String> declared = definitions.views().stream().map(FeatureView::name).toList();
    FreshnessMetrics freshness = new FreshnessMetrics(declared);
    RunMetrics runs = new RunMetrics();
    declared.forEach(view -> runs.declare(view, 1));
    vertx.eventBus().<JsonObject>consumer(Addresses.RUNS, message -> runs.record(message.body()));
    vertx
        .eventBus()
        .<JsonObject>consumer(Addresses.ROWS, message -> runs.recordRemoved(message.body()));
    InstantSource clock = InstantSource.system();
    registry
        .getPrometheusRegistry()
        .register(new PrometheusSeries(metrics, freshness, runs, cache::bytes, cache::size, clock));
    ChangePoller poller =
        new ChangePoller(definitions.onlineStore(), store, catalog, cache, metrics, freshness);
    LookupServer.Parts parts =
        new LookupServer.Parts(
            settings,
            definitions.services(),
            definitions.onlineStore(),
            store,
            catalog,
            cache,
            metrics,
            new Readiness(declared, catalog, metrics, settings.staleIfError()),
            poller::reread,
            registry,
            clock);
    return vertx
        .deployVerticle(poller)
        .compose(pollerId -> startServers(vertx, parts, pollerId, loops));
  }

  private static long cacheBytes(ServerSettings settings) {
    return settings.cacheBytesMax() > 0
        ? settings.cacheBytesMax()
        : Runtime.getRuntime().maxMemory() / HEAP_SHARE;
  }

  private static Future<Serving> startServers(
      Vertx vertx, LookupServer.Parts parts, String pollerId, int loops) {
    int port =
        parts.settings().port() == 0 ? -FREE_PORTS.incrementAndGet() : parts.settings().port();
    AtomicInteger bound = new AtomicInteger();
    return vertx
        .deployVerticle(
            () -> new LookupServer(parts, port, bound::set),
            new DeploymentOptions().setInstances(loops))
        .map(serverId -> new Serving(vertx, parts, pollerId, serverId, bound.get()))
        .recover(cause ->
            vertx
                .undeploy(pollerId)
                .compose(nothing -> Future.failedFuture(cause), Future::failedFuture));
  }

  /** Returns the port that is listened on. */
  public int port() {
    return port;
  }

  /**
   * Tells whether {@code /health/ready} answers 200: the store answers, and each live view has a
   * table.
   */
  public boolean isReady() {
    return parts.readiness().isReady();
  }

  /**
   * Tells whether lookups of a view are answered here. A view that was materialized a moment ago,
   * by this process or another, is when the next poll has seen it.
   */
  public boolean serves(String view) {
    return parts.catalog().serves(view);
  }

  /**
   * Fails readiness, finishes what is being answered within the drain time, then closes. A second
   * call waits for the first.
   */
  public synchronized Future<Void> stop() {
    Future<Void> known = stopping;
    if (known == null) {
      parts.readiness().stopping();
      known = vertx.undeploy(serverId).eventually(() -> vertx.undeploy(pollerId));
      stopping = known;
    }
    return known;
  }
}
