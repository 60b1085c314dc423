package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.definition.ServerSettings;
import io.featureduck.http.Serving;
import io.featureduck.run.Materializer;
import io.featureduck.run.MaterializerVerticle;
import io.featureduck.store.OnlineStore;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.micrometer.MetricsDomain;
import io.vertx.micrometer.MicrometerMetricsFactory;
import io.vertx.micrometer.MicrometerMetricsOptions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running FeatureDuck: the event loops that serve, the worker that materializes, their metrics.
 * Everything is wired here. Blocking; for the threads of commands and tests.
 */
final class Service implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Service.class);

  private static final Duration START_TIMEOUT = Duration.ofSeconds(30);
  // With a database still to be stopped, all of it stays below 15 s.
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(11);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final Vertx vertx;
  private final PrometheusMeterRegistry registry;
  private final List<AutoCloseable> binders;
  private final Serving serving;
  private final Optional<String> materializing;
  private final String host;
  private final List<String> declared;

  private Service(
      Vertx vertx,
      PrometheusMeterRegistry registry,
      List<AutoCloseable> binders,
      Serving serving,
      Optional<String> materializing,
      String host,
      List<String> declared) {
    this.vertx = vertx;
    this.registry = registry;
    this.binders = binders;
    this.serving = serving;
    this.materializing = materializing;
    this.host = host;
    this.declared = List.copyOf(declared);
  }

  /**
   * Starts to serve, and to materialize by the schedules where there is something to do it with.
   * Returns once the port is bound.
   *
   * @param store whose tables exist
   * @param materializer closed by the caller, after this
   * @param loops event loops that serve, at least 1
   */
  static Service start(
      FeatureStore definitions, OnlineStore store, Optional<Materializer> materializer, int loops) {
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    List<AutoCloseable> binders = bind(registry);
    Vertx vertx = vertx(registry);
    try {
      Serving serving =
          await(Serving.start(vertx, definitions, store, registry, loops), START_TIMEOUT);
      Optional<String> materializing =
          materializer.map(runs ->
              await(MaterializerVerticle.deploy(vertx, definitions, store, runs), START_TIMEOUT));
      return new Service(
          vertx,
          registry,
          binders,
          serving,
          materializing,
          definitions.server().host(),
          definitions.views().stream().map(FeatureView::name).toList());
    } catch (RuntimeException e) {
      close(vertx);
      throw e;
    }
  }

  private static Vertx vertx(PrometheusMeterRegistry registry) {
    VertxOptions options =
        new VertxOptions()
            .setEventLoopPoolSize(Runtime.getRuntime().availableProcessors())
            .setPreferNativeTransport(true)
            // Nothing is served from files.
            .setFileSystemOptions(
                new FileSystemOptions()
                    .setFileCachingEnabled(false)
                    .setClassPathResolvingEnabled(false))
            // Per request and per connection, these would cost more than the lookup.
            .setMetricsOptions(
                new MicrometerMetricsOptions()
                    .setEnabled(true)
                    .addDisabledMetricsCategory(MetricsDomain.HTTP_SERVER)
                    .addDisabledMetricsCategory(MetricsDomain.HTTP_CLIENT)
                    .addDisabledMetricsCategory(MetricsDomain.NET_SERVER)
                    .addDisabledMetricsCategory(MetricsDomain.NET_CLIENT));
    return Vertx.builder()
        .with(options)
        .withMetrics(new MicrometerMetricsFactory(registry))
        .build();
  }

  private static List<AutoCloseable> bind(PrometheusMeterRegistry registry) {
    // promtool takes offence at these two names; process_cpu_usage and system_cpu_usage stay.
    registry
        .config()
        .meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"))
        .meterFilter(MeterFilter.denyNameStartsWith("system.cpu.count"));
    JvmGcMetrics collections = new JvmGcMetrics();
    List<MeterBinder> binders =
        List.of(
            collections,
            new JvmMemoryMetrics(),
            new JvmThreadMetrics(),
            new ProcessorMetrics(),
            new FileDescriptorMetrics(),
            new UptimeMetrics());
    binders.forEach(binder -> binder.bindTo(registry));
    return List.of(collections);
  }

  /** Returns where it listens, such as {@code http://127.0.0.1:8080}. */
  String address() {
    String name = host.contains(":") ? "[" + host + "]" : host;
    return "http://" + name + ":" + serving.port();
  }

  /** Tells whether {@code /health/ready} is 200 and every declared view is served. */
  boolean isReady() {
    return serving.isReady() && declared.stream().allMatch(serving::serves);
  }

  /** Finishes what is being answered and cancels what runs, then ends the event loops. */
  @Override
  public void close() {
    Future<?> lookups = serving.stop();
    Future<?> runs = materializing.map(vertx::undeploy).orElseGet(Future::succeededFuture);
    try {
      Object ignored = await(Future.join(lookups, runs), STOP_TIMEOUT);
    } catch (RuntimeException e) {
      LOG.warn("stopping anyway", e);
    }
    close(vertx);
    for (AutoCloseable binder : binders) {
      try {
        binder.close();
      } catch (Exception e) {
        LOG.warn("a metric does not end", e);
      }
    }
    registry.close();
  }

  private static void close(Vertx vertx) {
    try {
      Object ignored = await(vertx.close().map(true), CLOSE_TIMEOUT);
    } catch (RuntimeException e) {
      LOG.warn("the event loops did not end within {}", CLOSE_TIMEOUT, e);
    }
  }

  private static <T> T await(Future<T> future, Duration timeout) {
    try {
      return future.await(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new IllegalStateException("not done within " + timeout, e);
    }
  }

  /** Returns the definitions with another address to listen on. */
  static FeatureStore listeningOn(FeatureStore definitions, String host, int port) {
    ServerSettings settings = definitions.server();
    return new FeatureStore(
        definitions.project(),
        new ServerSettings(
            host,
            port,
            settings.batchMax(),
            settings.bodyBytesMax(),
            settings.headerBytesMax(),
            settings.timeout(),
            settings.drain(),
            settings.cacheBytesMax(),
            settings.staleIfError()),
        definitions.onlineStore(),
        definitions.materializer(),
        definitions.entities(),
        definitions.sources(),
        definitions.views(),
        definitions.services());
  }
}
