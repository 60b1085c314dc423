package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.Addresses;
import io.featureduck.event.RowsRemoved;
import io.featureduck.lookup.ServedView;
import io.featureduck.store.Erasure;
import io.featureduck.store.OnlineStore;
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

/**
 * {@code DELETE /features/{view}/{entity}}: erases an entity. 204 once no table has it and this
 * server no longer answers it; 202 where a run holds the view for longer than is waited for: it
 * deletes it before it commits, or the materializer does so within seconds after it. Waits for the
 * store on threads of its own. Confined to one event loop.
 */
final class ErasureRoute {
  private static final String POOL = "featureduck-erasures";
  private static final int POOL_SIZE = 2;
  private static final int WAITING_MAX = 64;
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final long SEEN_LOOK_MILLIS = 10;
  private static final long SEEN_LOOKS_MAX = 200;

  private final Vertx vertx;
  private final OnlineStore store;
  private final InstantSource clock;
  private final WorkerExecutor workers;
  private int waiting;

  ErasureRoute(Vertx vertx, OnlineStore store, InstantSource clock) {
    this.vertx = vertx;
    this.store = store;
    this.clock = clock;
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
      throw new FeatureException(ErrorCode.OVERLOADED, "too many erasures wait for the store");
    }
    waiting++;
    String by = Exchange.client(request);
    workers
        .executeBlocking(
            () -> store.erase(view.name(), List.of(key), Erasure.Origin.HTTP, by, PATIENCE), false)
        .map(Objects::requireNonNull)
        .onComplete(done -> waiting--)
        .onSuccess(erasure -> erased(request, view, key, erasure))
        .onFailure(cause -> Exchange.fail(request, cause));
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
      JsonObject pending =
          new JsonObject().put("view", view.name()).put("entity", key).put("status", "pending");
      Exchange.accepted(request, pending.encode().getBytes(StandardCharsets.UTF_8));
      return;
    }
    // What makes the process ask the store for changes at once.
    vertx.eventBus().publish(Addresses.CHANGES, new JsonObject().put("view", view.name()));
    answerOnceSeen(request, view, erasure.generation(), 0);
  }

  /** Who is answered that an entity is gone isn't to be answered its row by the same server. */
  private void answerOnceSeen(
      HttpServerRequest request, ServedView view, long generation, long looks) {
    if (view.hasReached(generation) || looks >= SEEN_LOOKS_MAX) {
      Exchange.noContent(request);
    } else {
      vertx.setTimer(
          SEEN_LOOK_MILLIS, timer -> answerOnceSeen(request, view, generation, looks + 1));
    }
  }

  /** Ends the threads, once what is under way is answered. */
  Future<Void> close() {
    return workers.close();
  }
}
