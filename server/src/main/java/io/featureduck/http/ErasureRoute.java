package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.Addresses;
import io.featureduck.event.RowsRemoved;
import io.featureduck.lookup.ServedView;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.store.Erasure;
import io.featureduck.store.OnlineStore;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code DELETE /features/{view}/{entity}}: erases an entity. 204 once no table has it and this
 * server no longer answers it; 202 where a run holds the view for longer than is waited for: it
 * deletes it before it commits, or the materializer does so within seconds after it; or where this
 * server can't see for now that it is gone. Waits for the store on threads of its own. Confined to
 * one event loop.
 */
final class ErasureRoute {
  /** How long an erasure waits for others and for runs, from its arrival. */
  static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final Logger LOG = LoggerFactory.getLogger(ErasureRoute.class);
  private static final String POOL = "featureduck-erasures";
  private static final int POOL_SIZE = 2;
  private static final int WAITING_MAX = 64;
  private static final long REREAD_MILLIS_MAX = 2_000;

  private final Context context;
  private final Vertx vertx;
  private final OnlineStore store;
  private final Supplier<Future<Void>> reread;
  private final LookupMetrics metrics;
  private final InstantSource clock;
  private final Duration patience;
  private final WorkerExecutor workers;
  private int waiting;

  /**
   * @param reread has the store asked what was committed, so that cached rows go; may complete on
   *     any thread
   */
  ErasureRoute(
      Vertx vertx,
      OnlineStore store,
      Supplier<Future<Void>> reread,
      LookupMetrics metrics,
      InstantSource clock,
      Duration patience) {
    this.context = vertx.getOrCreateContext();
    this.vertx = vertx;
    this.store = store;
    this.reread = reread;
    this.metrics = metrics;
    this.clock = clock;
    this.patience = patience;
    // One for the process: it is shared by its name.
    this.workers = vertx.createSharedWorkerExecutor(POOL, POOL_SIZE);
  }

  /**
   * Answers the request.
   *
   * @param entity as the path has it, decoded
   */
  void handle(HttpServerRequest request, ServedView view, String entity) {
    String key = EntityPath.key(view.definition().joinKeys(), entity);
    if (waiting >= WAITING_MAX) {
      throw shed("too many erasures wait for the store");
    }
    waiting++;
    long end = System.nanoTime() + patience.toNanos();
    String by = Exchange.client(request);
    workers
        .executeBlocking(() -> erase(view, key, by, end), false)
        .map(Objects::requireNonNull)
        .onComplete(done -> waiting--)
        .onSuccess(erasure -> erased(request, view, key, erasure))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private Erasure erase(ServedView view, String key, String by, long end) {
    long left = end - System.nanoTime();
    if (left <= 0) {
      throw shed("erasures before this one took too long: nothing is erased, try again");
    }
    return store.erase(view.name(), List.of(key), Erasure.Origin.HTTP, by, Duration.ofNanos(left));
  }

  private FeatureException shed(String message) {
    metrics.shed("erasures");
    return new FeatureException(ErrorCode.OVERLOADED, message);
  }

  private void erased(HttpServerRequest request, ServedView view, String key, Erasure erasure) {
    if (erasure.rows() > 0) {
      vertx
          .eventBus()
          .publish(
              Addresses.ROWS,
              new RowsRemoved(RowsRemoved.Type.ERASED, view.name(), erasure.rows(), clock.instant())
                  .toJson());
    }
    if (erasure.pending()) {
      pending(request, view, key);
      return;
    }
    // Who is answered that an entity is gone isn't to be answered its row by the same server.
    reread
        .get()
        .timeout(REREAD_MILLIS_MAX, TimeUnit.MILLISECONDS)
        .onComplete(seen ->
            context.runOnContext(nothing -> {
              if (seen.succeeded()) {
                Exchange.noContent(request);
              } else {
                LOG.debug("an erasure was not seen yet: {}", seen.cause().toString());
                pending(request, view, key);
              }
            }));
  }

  private static void pending(HttpServerRequest request, ServedView view, String key) {
    JsonObject pending =
        new JsonObject().put("view", view.name()).put("entity", key).put("status", "pending");
    Exchange.accepted(request, pending.encode().getBytes(StandardCharsets.UTF_8));
  }

  /** Ends the threads, once what is under way is answered. */
  Future<Void> close() {
    return workers.close();
  }
}
