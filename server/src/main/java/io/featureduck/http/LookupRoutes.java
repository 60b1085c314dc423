package io.featureduck.http;

import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.json.JsonBytes;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.OutdatedViewException;
import io.featureduck.lookup.Reading;
import io.featureduck.lookup.Selection;
import io.featureduck.lookup.ServedView;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.metrics.LookupMetrics;
import io.vertx.core.AsyncResult;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code GET} and {@code DELETE /features/{view}/{entity}} and {@code POST /features/{view}/batch}.
 * Confined to one event loop.
 *
 * <p>Hot path: the raw target is cut by index, and what the cache has is answered in the same call,
 * as one array. The bench is in the loadtest module.
 */
final class LookupRoutes {
  static final String PREFIX = "/features/";

  private static final List<String> PARAMETERS = List.of("features");
  private static final String BATCH = "batch";

  /** How often a view may be served by another definition each time that its rows are there. */
  private static final int ATTEMPTS_MAX = 3;

  private static final String OF_AN_ENTITY = "GET, HEAD, DELETE";
  private static final String OF_BATCH = "GET, HEAD, POST, DELETE";

  private final ServerSettings settings;
  private final ViewCatalog catalog;
  private final FeatureCache cache;
  private final Lookups lookups;
  private final ErasureRoute erasures;
  private final ServiceRoute services;
  private final LookupMetrics metrics;
  private final InstantSource clock;
  private final JsonBytes out = new JsonBytes(4_096);

  LookupRoutes(
      ServerSettings settings,
      ViewCatalog catalog,
      FeatureCache cache,
      Lookups lookups,
      ErasureRoute erasures,
      ServiceRoute services,
      LookupMetrics metrics,
      InstantSource clock) {
    this.settings = settings;
    this.catalog = catalog;
    this.cache = cache;
    this.lookups = lookups;
    this.erasures = erasures;
    this.services = services;
    this.metrics = metrics;
    this.clock = clock;
  }

  /**
   * Answers a request whose target begins with {@link #PREFIX}.
   *
   * @param target the raw target, without scheme and host
   */
  void handle(HttpServerRequest request, String target) {
    int question = target.indexOf('?');
    int pathEnd = question < 0 ? target.length() : question;
    int viewEnd = target.indexOf('/', PREFIX.length());
    if (viewEnd < 0 || viewEnd > pathEnd) {
      if (pathEnd == ServiceRoute.PATH.length() && target.startsWith(ServiceRoute.PATH)) {
        services.handle(request, target, question);
        return;
      }
      throw new FeatureException(
          ErrorCode.UNKNOWN_PATH,
          "expected /features/{view}/{entity}, /features/{view}/batch or /features/batch");
    }
    String view = PercentText.decode(target, PREFIX.length(), viewEnd);
    // All that follows is the entity: a slash in a key may come as it is.
    String entity = PercentText.decode(target, viewEnd + 1, pathEnd);
    HttpMethod method = request.method();
    if (method.equals(HttpMethod.GET) || method.equals(HttpMethod.HEAD)) {
      single(request, catalog.view(view), entity, target, question, System.nanoTime(), 1);
    } else if (method.equals(HttpMethod.DELETE)) {
      if (question >= 0) {
        QueryParameters.refuseAny(target, question + 1);
      }
      erasures.handle(request, catalog.view(view), entity);
    } else if (!entity.equals(BATCH)) {
      Exchange.methodNotAllowed(request, OF_AN_ENTITY);
    } else if (method.equals(HttpMethod.POST)) {
      batch(request, catalog.view(view), target, question);
    } else {
      Exchange.methodNotAllowed(request, OF_BATCH);
    }
  }

  private void single(
      HttpServerRequest request,
      ServedView view,
      String entity,
      String target,
      int question,
      long startNanos,
      int attempt) {
    Selection selection = question < 0 ? Selection.ALL : selection(view, target, question + 1);
    String key = EntityPath.key(view.definition().joinKeys(), entity);
    FeatureRow row = cache.fresh(view, key);
    if (row != FeatureCache.UNREAD) {
      if (attempt == 1) {
        metrics.cacheHit();
      }
      answer(request, view, key, selection, row, false, startNanos);
      return;
    }
    if (attempt == 1) {
      metrics.cacheMiss();
    }
    lookups.admit(view, 1);
    lookups
        .read(view, key)
        .onComplete(result ->
            guarded(
                request,
                () -> {
                  if (isOutdated(result.cause(), attempt)) {
                    ServedView now = catalog.view(view.name());
                    single(request, now, entity, target, question, startNanos, attempt + 1);
                  } else {
                    answer(request, view, key, selection, result, startNanos);
                  }
                }));
  }

  private static boolean isOutdated(@Nullable Throwable cause, int attempt) {
    return cause instanceof OutdatedViewException && attempt < ATTEMPTS_MAX;
  }

  /** Goes on with a request after its handler has returned. */
  private static void guarded(HttpServerRequest request, Runnable step) {
    try {
      step.run();
    } catch (RuntimeException e) {
      // The border of a request, as where it came in.
      Exchange.fail(request, e);
    }
  }

  private static Selection selection(ServedView view, String target, int from) {
    return new QueryParameters(target, from, PARAMETERS)
        .get("features")
        .map(names -> Selection.of(view, List.of(names.split(",", -1)), ""))
        .orElse(Selection.ALL);
  }

  private void answer(
      HttpServerRequest request,
      ServedView view,
      String key,
      Selection selection,
      AsyncResult<Reading> result,
      long startNanos) {
    if (result.failed()) {
      view.metrics().error();
      view.metrics().took(System.nanoTime() - startNanos);
      Exchange.fail(request, known(result.cause()));
      return;
    }
    Reading reading = result.result();
    answer(request, view, key, selection, reading.row(), reading.stale(), startNanos);
  }

  private void answer(
      HttpServerRequest request,
      ServedView view,
      String key,
      Selection selection,
      FeatureRow row,
      boolean stale,
      long startNanos) {
    if (row == FeatureRow.MISSING) {
      view.metrics().notFound();
      view.metrics().took(System.nanoTime() - startNanos);
      Exchange.fail(request, unknownEntity(view, key));
      return;
    }
    out.clear();
    view.json().writeHead(out);
    out.string(key);
    if (view.hasTtl() && view.isExpired(row, nowMicros())) {
      view.metrics().expired();
      view.json().writeExpired(out, row, selection, stale);
    } else {
      view.metrics().found();
      view.json().writeFound(out, row, selection, stale);
    }
    out.raw(view.tail());
    Exchange.ok(request, out.toArray());
    view.metrics().took(System.nanoTime() - startNanos);
  }

  private static Throwable known(Throwable cause) {
    return OutdatedViewException.reason(cause);
  }

  private static FeatureException unknownEntity(ServedView view, String key) {
    return new FeatureException(
        ErrorCode.UNKNOWN_ENTITY,
        "view %s has no entity '%s'".formatted(view.name(), Shown.of(key)));
  }

  private long nowMicros() {
    Instant now = clock.instant();
    return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
  }

  private void batch(HttpServerRequest request, ServedView view, String target, int question) {
    long startNanos = System.nanoTime();
    if (question >= 0) {
      QueryParameters.refuseAny(target, question + 1);
    }
    Exchange.jsonBody(request, settings.bodyBytesMax())
        .onSuccess(body -> guarded(request, () -> batch(request, view, body, startNanos, 1)))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private void batch(
      HttpServerRequest request, ServedView view, Buffer body, long startNanos, int attempt) {
    BatchRequest asked = BatchRequest.parse(body.getBytes(), view, settings.batchMax());
    new Batch(
            request,
            view,
            asked,
            startNanos,
            attempt,
            () -> batch(request, catalog.view(view.name()), body, startNanos, attempt + 1))
        .start();
  }

  /** One batch on its way. */
  private final class Batch {
    private final HttpServerRequest request;
    private final ServedView view;
    private final List<BatchRequest.Entity> entities;
    private final Selection selection;
    private final long startNanos;
    private final int attempt;
    private final Runnable again;
    private final ViewRows rows;

    Batch(
        HttpServerRequest request,
        ServedView view,
        BatchRequest asked,
        long startNanos,
        int attempt,
        Runnable again) {
      this.request = request;
      this.view = view;
      this.entities = asked.entities();
      this.selection = asked.selection();
      this.startNanos = startNanos;
      this.attempt = attempt;
      this.again = again;
      @Nullable String[] keys = new String[entities.size()];
      for (int i = 0; i < keys.length; i++) {
        BatchRequest.Entity entity = entities.get(i);
        keys[i] = entity.mistake() == null ? entity.key() : null;
      }
      this.rows = new ViewRows(view, keys);
    }

    void start() {
      int misses = rows.takeCached(cache);
      if (attempt == 1) {
        metrics.cache(rows.asked() - misses, misses);
      }
      if (misses == 0) {
        answer();
      } else {
        lookups.admit(view, misses);
        rows.readMissing(lookups, this::received);
      }
    }

    private void received() {
      guarded(request, rows.isOutdated() && attempt < ATTEMPTS_MAX ? again : this::answer);
    }

    private void answer() {
      Throwable failure = rows.failureOfAll();
      if (failure != null) {
        // Nothing could be read: that is the store's failure, not the entities'.
        view.metrics().took(System.nanoTime() - startNanos);
        Exchange.fail(request, failure);
        return;
      }
      long now = view.hasTtl() ? nowMicros() : 0;
      out.clear();
      view.json().writeBatchHead(out, view.asOf());
      for (int i = 0; i < entities.size(); i++) {
        out.raw(i == 0 ? "{\"entity\":" : ",{\"entity\":");
        out.string(entities.get(i).key());
        writeRow(i, now);
        out.raw('}');
      }
      out.raw("]}");
      Exchange.ok(request, out.toArray());
      view.metrics().took(System.nanoTime() - startNanos);
    }

    private void writeRow(int i, long now) {
      FeatureRow row = rows.row(i);
      boolean stale = rows.isStale(i);
      String mistake = entities.get(i).mistake();
      Throwable failure = rows.failure(i);
      if (mistake != null) {
        view.metrics().error();
        view.json().writeError(out, ErrorCode.INVALID_REQUEST.id(), mistake, selection);
      } else if (failure != null) {
        view.metrics().error();
        view.json().writeError(out, Problem.code(failure).id(), Problem.detail(failure), selection);
      } else if (row == FeatureRow.MISSING) {
        view.metrics().notFound();
        view.json().writeNotFound(out, selection, stale);
      } else if (view.isExpired(row, now)) {
        view.metrics().expired();
        view.json().writeExpired(out, row, selection, stale);
      } else {
        view.metrics().found();
        view.json().writeFound(out, row, selection, stale);
      }
    }
  }
}
