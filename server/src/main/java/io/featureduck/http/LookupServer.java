package io.featureduck.http;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.ServedView;
import io.featureduck.lookup.StoreTables;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.store.OnlineStore;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Answers over HTTP. One instance per event loop; instances share the catalog, the cache and the
 * metrics, and each has its own connections to the online store.
 */
public final class LookupServer extends VerticleBase {
  private static final long SWEEP_MILLIS = 50;
  private static final int IDLE_SECONDS = 75;

  private final Parts parts;
  private final int port;
  private final IntConsumer bound;
  private @Nullable StoreTables tables;
  private @Nullable HttpServer server;
  private @Nullable ErasureRoute erasures;
  private @Nullable LookupRoutes lookupRoutes;
  private @Nullable FeastRoute feast;
  private @Nullable StatusRoutes statusRoutes;

  /**
   * What the instances of a process have in common.
   *
   * @param reread has the poller ask the store anew, and completes, on any thread, once that is
   *     done
   */
  record Parts(
      ServerSettings settings,
      List<FeatureService> services,
      OnlineStoreSettings storeSettings,
      OnlineStore store,
      ViewCatalog catalog,
      FeatureCache cache,
      LookupMetrics metrics,
      Readiness readiness,
      Supplier<Future<Void>> reread,
      PrometheusMeterRegistry registry,
      InstantSource clock) {}

  /**
   * @param port as in HttpServerOptions: a negative one is a free one that instances share
   * @param bound is told the port that it came to be
   */
  LookupServer(Parts parts, int port, IntConsumer bound) {
    this.parts = parts;
    this.port = port;
    this.bound = bound;
  }

  /** Completes once the port is bound, so that a failed bind fails the deployment. */
  @Override
  public Future<HttpServer> start() {
    tables = new StoreTables(vertx, parts.storeSettings());
    Lookups lookups =
        new Lookups(
            context,
            tables::table,
            this::outdated,
            parts.cache(),
            parts.storeSettings(),
            parts.settings().timeout(),
            parts.metrics());
    vertx.setPeriodic(SWEEP_MILLIS, timer -> lookups.sweep());
    FeatureSets sets = new FeatureSets(parts.services(), parts.catalog());
    FeatureSetReader reader =
        new FeatureSetReader(parts.cache(), lookups, parts.metrics(), parts.clock());
    feast = new FeastRoute(parts.settings(), sets, reader);
    erasures =
        new ErasureRoute(
            vertx,
            parts.store(),
            parts.reread(),
            parts.metrics(),
            parts.clock(),
            ErasureRoute.PATIENCE);
    lookupRoutes =
        new LookupRoutes(
            parts.settings(),
            parts.catalog(),
            parts.cache(),
            lookups,
            erasures,
            new ServiceRoute(parts.settings(), sets, reader),
            parts.metrics(),
            parts.clock());
    statusRoutes =
        new StatusRoutes(
            vertx,
            parts.settings(),
            parts.catalog(),
            parts.store(),
            parts.readiness(),
            parts.registry(),
            parts.clock());
    server = vertx.createHttpServer(options());
    return server
        .invalidRequestHandler(LookupServer::refuse)
        .requestHandler(this::handle)
        .listen()
        .recover(cause -> Future.failedFuture(notBound(cause)))
        .onSuccess(listening -> bound.accept(listening.actualPort()));
  }

  /** Tells whether a view is served by another definition, having asked the store. */
  private Future<Boolean> outdated(ServedView view) {
    return parts.reread().get().map(nothing -> !parts.catalog().isCurrent(view));
  }

  private IOException notBound(Throwable cause) {
    return new IOException(
        "can't listen on %s, port %d: %s"
            .formatted(
                parts.settings().host(),
                parts.settings().port(),
                String.valueOf(cause.getMessage())),
        cause);
  }

  private HttpServerOptions options() {
    int headerBytesMax = parts.settings().headerBytesMax();
    return new HttpServerOptions()
        .setHost(parts.settings().host())
        .setPort(port)
        // The longest key, percent-encoded, is longer than Netty's default for a line.
        .setMaxInitialLineLength(headerBytesMax)
        .setMaxHeaderSize(headerBytesMax)
        .setIdleTimeout(IDLE_SECONDS)
        .setTcpNoDelay(true);
  }

  private void handle(HttpServerRequest request) {
    try {
      String target = target(request.uri());
      if (target.startsWith(LookupRoutes.PREFIX)) {
        started(lookupRoutes).handle(request, target);
      } else if (isFeast(target)) {
        started(feast).handle(request);
      } else {
        started(statusRoutes).handle(request, target);
      }
    } catch (RuntimeException e) {
      // The border of a request: what is no FeatureException is logged as a bug.
      Exchange.fail(request, e);
    }
  }

  /** Feast's clients send no parameters, and its server leaves them alone. */
  private static boolean isFeast(String target) {
    int end = FeastRoute.PATH.length();
    return target.startsWith(FeastRoute.PATH)
        && (target.length() == end || target.charAt(end) == '?');
  }

  private static <T> T started(@Nullable T part) {
    if (part == null) {
      throw new IllegalStateException("not started");
    }
    return part;
  }

  /** Cuts scheme and host off, which a target may begin with (RFC 9112, 3.2.2). */
  private static String target(String uri) {
    if (uri.startsWith("/")) {
      return uri;
    }
    int authority = uri.indexOf("://");
    int path = authority < 0 ? -1 : uri.indexOf('/', authority + 3);
    if (path < 0) {
      throw new FeatureException(
          ErrorCode.UNKNOWN_PATH, "nothing is served at %s".formatted(Shown.of(uri)));
    }
    return uri.substring(path);
  }

  /** Answers what could not be read as a request. */
  private static void refuse(HttpServerRequest request) {
    Throwable cause = request.decoderResult().cause();
    int status =
        switch (cause) {
          case TooLongHttpLineException e -> 414;
          case TooLongHttpHeaderException e -> 431;
          case null, default -> 400;
        };
    String what =
        switch (status) {
          case 414 -> "the request's line is too long";
          case 431 -> "the request's headers are too long";
          default -> "this is no HTTP request";
        };
    Exchange.fail(
        request,
        new FeatureException(ErrorCode.INVALID_REQUEST, what, new DecoderException(cause)),
        status);
    request.connection().close();
  }

  /** Finishes the requests that are there, within the drain time, then closes what it opened. */
  @Override
  public Future<?> stop() {
    parts.readiness().stopping();
    return started(server)
        .shutdown(parts.settings().drain().toMillis(), TimeUnit.MILLISECONDS)
        .eventually(() -> started(erasures).close())
        .eventually(() -> started(tables).close());
  }
}
