package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.event.Addresses;
import io.featureduck.lookup.ServedView;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.plan.Feature;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Pause;
import io.featureduck.store.Run;
import io.featureduck.store.ViewStatus;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What there is and how it is doing: {@code /views}, {@code /runs}, {@code /health}, {@code
 * /metrics}, and runs on demand. What asks the store waits on a worker thread.
 */
final class StatusRoutes {
  private static final Logger LOG = LoggerFactory.getLogger(StatusRoutes.class);

  private static final CharSequence METRICS_TEXT =
      HttpHeaders.createOptimized("text/plain; version=0.0.4; charset=utf-8");
  private static final JsonMapper JSON = new JsonMapper();
  private static final int RUNS = 100;
  private static final int RUNS_MAX = 1_000;
  private static final long RUN_START_TIMEOUT_MILLIS = 30_000;
  private static final String GET = "GET, HEAD";

  private final Vertx vertx;
  private final ServerSettings settings;
  private final ViewCatalog catalog;
  private final OnlineStore store;
  private final Readiness readiness;
  private final PrometheusMeterRegistry registry;
  private final InstantSource clock;
  private final SharedQuestion<Map<String, Pause>> pauses;
  private final SharedQuestion<List<ViewStatus>> statuses;

  StatusRoutes(
      Vertx vertx,
      ServerSettings settings,
      ViewCatalog catalog,
      OnlineStore store,
      Readiness readiness,
      PrometheusMeterRegistry registry,
      InstantSource clock) {
    this.vertx = vertx;
    this.settings = settings;
    this.catalog = catalog;
    this.store = store;
    this.readiness = readiness;
    this.registry = registry;
    this.clock = clock;
    this.pauses = new SharedQuestion<>(() -> asking(store::pauses));
    this.statuses = new SharedQuestion<>(() -> asking(store::statuses));
  }

  /**
   * Answers any request that is no lookup.
   *
   * @param target the raw target, without scheme and host
   */
  void handle(HttpServerRequest request, String target) {
    int question = target.indexOf('?');
    String path = question < 0 ? target : target.substring(0, question);
    int parameters = question < 0 ? target.length() : question + 1;
    List<String> segments = List.of(path.substring(1).split("/", -1));
    boolean isGet =
        request.method().equals(HttpMethod.GET) || request.method().equals(HttpMethod.HEAD);
    Route route = route(segments);
    if (route == Route.MATERIALIZE) {
      if (!request.method().equals(HttpMethod.POST)) {
        Exchange.methodNotAllowed(request, "POST");
        return;
      }
    } else if (!isGet) {
      Exchange.methodNotAllowed(request, GET);
      return;
    }
    QueryParameters query =
        new QueryParameters(
            target, parameters, route == Route.RUNS ? List.of("view", "limit") : List.of());
    switch (route) {
      case VIEWS -> views(request);
      case VIEW -> view(request, named(segments));
      case FRESHNESS -> freshness(request, named(segments));
      case MATERIALIZE -> materialize(request, name(segments));
      case RUNS -> runs(request, query);
      case LIVE -> Exchange.ok(request, bytes(JSON.createObjectNode().put("status", "live")));
      case READY -> ready(request);
      case METRICS -> metrics(request);
    }
  }

  private enum Route {
    VIEWS,
    VIEW,
    FRESHNESS,
    MATERIALIZE,
    RUNS,
    LIVE,
    READY,
    METRICS
  }

  private static Route route(List<String> segments) {
    boolean isView = segments.getFirst().equals("views");
    if (isView && segments.size() == 2) {
      return Route.VIEW;
    }
    if (isView && segments.size() == 3 && segments.get(2).equals("freshness")) {
      return Route.FRESHNESS;
    }
    if (isView && segments.size() == 3 && segments.get(2).equals("materialize")) {
      return Route.MATERIALIZE;
    }
    return switch (String.join("/", segments)) {
      case "views" -> Route.VIEWS;
      case "runs" -> Route.RUNS;
      case "health/live" -> Route.LIVE;
      case "health/ready" -> Route.READY;
      case "metrics" -> Route.METRICS;
      default ->
          throw new FeatureException(
              ErrorCode.UNKNOWN_PATH,
              "nothing is served at /%s".formatted(Shown.of(String.join("/", segments))));
    };
  }

  private ServedView named(List<String> segments) {
    return catalog.view(name(segments));
  }

  private static String name(List<String> segments) {
    String name = segments.get(1);
    return PercentText.decode(name, 0, name.length());
  }

  private void views(HttpServerRequest request) {
    answer(request, pauses().map(this::views));
  }

  private byte[] views(Optional<Map<String, Pause>> pauses) {
    ObjectNode root = JSON.createObjectNode();
    ArrayNode list = root.putArray("views");
    catalog.views().forEach(view -> list.add(description(view, pauses)));
    return bytes(root);
  }

  private void view(HttpServerRequest request, ServedView view) {
    answer(request, pauses().map(pauses -> view(view, pauses)));
  }

  private static byte[] view(ServedView view, Optional<Map<String, Pause>> pauses) {
    ObjectNode root = description(view, pauses);
    root.set("definition", JSON.readTree(view.definition().definition()));
    return bytes(root);
  }

  /** Returns which views are paused; empty where the store doesn't tell. */
  private Future<Optional<Map<String, Pause>>> pauses() {
    return pauses
        .answer()
        .timeout(settings.timeout().toMillis(), TimeUnit.MILLISECONDS)
        .map(known -> Optional.of(known))
        .recover(StatusRoutes::withoutPauses);
  }

  /** Definitions are known here without the store. */
  private static Future<Optional<Map<String, Pause>>> withoutPauses(Throwable cause) {
    LOG.debug("which views are paused is not known", cause);
    return Future.succeededFuture(Optional.empty());
  }

  private static ObjectNode description(ServedView view, Optional<Map<String, Pause>> pauses) {
    JsonNode definition = JSON.readTree(view.definition().definition());
    ObjectNode root = JSON.createObjectNode();
    root.put("view", view.name());
    root.put("version", view.definition().version());
    root.put("description", definition.path("description").asString(""));
    root.put("owner", definition.path("owner").asString(""));
    root.set(
        "tags",
        definition.path("tags").isObject() ? definition.path("tags") : JSON.createObjectNode());
    ArrayNode keys = root.putArray("join_keys");
    for (JoinKey key : view.definition().joinKeys()) {
      keys.addObject().put("name", key.name()).put("type", key.type().toString());
    }
    ArrayNode features = root.putArray("features");
    for (Feature feature : view.definition().features()) {
      features.addObject().put("name", feature.name()).put("type", feature.type().toString());
    }
    put(root, "as_of", view.asOf());
    putPause(root, pauses, view.name());
    return root;
  }

  /** All three are null where it isn't known. */
  private static void putPause(ObjectNode root, Optional<Map<String, Pause>> pauses, String view) {
    Optional<Pause> pause = pauses.flatMap(known -> Optional.ofNullable(known.get(view)));
    root.put("paused", pauses.map(known -> known.containsKey(view)).orElse(null));
    put(root, "paused_at", pause.map(Pause::at));
    root.put("paused_by", pause.map(Pause::by).orElse(null));
  }

  private void freshness(HttpServerRequest request, ServedView view) {
    answer(request, statuses.answer().map(all -> bytes(freshness(status(all, view.name())))));
  }

  private static ViewStatus status(List<ViewStatus> statuses, String view) {
    return statuses.stream()
        .filter(status -> status.view().view().equals(view))
        .findFirst()
        .orElseThrow(
            () -> new FeatureException(ErrorCode.UNKNOWN_VIEW, "view %s is gone".formatted(view)));
  }

  private ObjectNode freshness(ViewStatus status) {
    Instant now = clock.instant();
    ObjectNode root = JSON.createObjectNode();
    root.put("view", status.view().view());
    root.put("version", status.view().version());
    root.put("state", state(status, now));
    putAge(root, "event_age_seconds", status.eventMax(), now);
    putAge(root, "run_age_seconds", status.lastSuccess(), now);
    root.put("rows", status.rows());
    put(root, "last_success", status.lastSuccess());
    put(root, "as_of", status.asOf());
    put(root, "oldest_event", status.eventMin());
    put(root, "newest_event", status.eventMax());
    ObjectNode limits = root.putObject("freshness");
    putSeconds(limits, "warn_seconds", status.view().freshness().map(limit -> limit.warn()));
    putSeconds(limits, "error_seconds", status.view().freshness().map(limit -> limit.error()));
    return root;
  }

  private static String state(ViewStatus status, Instant now) {
    if (status.lastSuccess().isEmpty()) {
      return "never";
    }
    Instant newest = status.eventMax().orElse(status.lastSuccess().get());
    Duration age = Duration.between(newest, now);
    return status
        .view()
        .freshness()
        .map(limit ->
            age.compareTo(limit.error()) > 0
                ? "stale"
                : age.compareTo(limit.warn()) > 0 ? "warn" : "fresh")
        .orElse("fresh");
  }

  /**
   * Takes any name: a view that never could be run is not served yet, and may be run all the same.
   */
  private void materialize(HttpServerRequest request, String view) {
    answerAccepted(
        request,
        Exchange.jsonBody(request, settings.bodyBytesMax())
            .map(StatusRoutes::isFull)
            .compose(full -> startRun(view, full)));
  }

  private static boolean isFull(Buffer body) {
    if (body.length() == 0) {
      return false;
    }
    JsonNode root;
    try {
      root = JSON.readTree(body.getBytes());
    } catch (JacksonException e) {
      throw BatchRequest.malformed(e);
    }
    for (String name : root.propertyNames()) {
      if (!name.equals("full")) {
        throw invalid(
            "/" + Shown.of(name), "unknown key '%s': expected \"full\"".formatted(Shown.of(name)));
      }
    }
    JsonNode full = root.path("full");
    if (!root.isObject() || !(full.isMissingNode() || full.isBoolean())) {
      throw invalid("/full", "expected {\"full\": true} or {\"full\": false}");
    }
    return full.asBoolean(false);
  }

  private static FeatureException invalid(String pointer, String message) {
    return new FeatureException(ErrorCode.INVALID_REQUEST, message, pointer, null);
  }

  private Future<byte[]> startRun(String view, boolean full) {
    return vertx
        .eventBus()
        .<JsonObject>request(
            Addresses.MATERIALIZE,
            new JsonObject().put("view", view).put("full", full),
            new DeliveryOptions().setSendTimeout(RUN_START_TIMEOUT_MILLIS))
        .map(reply -> bytes(JSON.createObjectNode().put("run_id", reply.body().getLong("run_id"))))
        .recover(cause -> Future.failedFuture(refusal(view, cause)));
  }

  /** The materializer fails with the id of an error code, a colon and words for the client. */
  private Throwable refusal(String view, Throwable cause) {
    if (!(cause instanceof ReplyException reply)) {
      return cause;
    }
    if (reply.failureType() == ReplyFailure.NO_HANDLERS) {
      return catalog
          .unknown(view)
          .orElseGet(() ->
              new FeatureException(
                  ErrorCode.STORE_UNAVAILABLE, "nothing materializes in this process", cause));
    }
    if (reply.failureType() == ReplyFailure.TIMEOUT) {
      return new FeatureException(
          ErrorCode.DEADLINE_EXCEEDED, "no run of view %s began".formatted(view), cause);
    }
    String message = String.valueOf(reply.getMessage());
    String id = message.split(":", 2)[0].strip();
    return Arrays.stream(ErrorCode.values())
        .filter(code -> code.id().equals(id))
        .findFirst()
        .<Throwable>map(code ->
            new FeatureException(
                code == ErrorCode.LOCKED ? ErrorCode.RUN_IN_PROGRESS : code,
                message.contains(":")
                    ? message.substring(id.length() + 1).strip()
                    : "view %s: %s".formatted(view, code.title()),
                cause))
        .orElse(cause);
  }

  private void runs(HttpServerRequest request, QueryParameters query) {
    Optional<String> view = query.get("view");
    int limit = query.get("limit").map(StatusRoutes::limit).orElse(RUNS);
    answer(request, asking(() -> runs(view, limit)));
  }

  private static int limit(String text) {
    try {
      int limit = Integer.parseInt(text);
      if (limit >= 1 && limit <= RUNS_MAX) {
        return limit;
      }
    } catch (NumberFormatException e) {
      throw badLimit(text, e);
    }
    throw badLimit(text, null);
  }

  private static FeatureException badLimit(String text, @Nullable Throwable cause) {
    return new FeatureException(
        ErrorCode.INVALID_REQUEST,
        "limit '%s': expected a number from 1 to %d".formatted(Shown.of(text), RUNS_MAX),
        cause);
  }

  private byte[] runs(Optional<String> view, int limit) {
    ObjectNode root = JSON.createObjectNode();
    ArrayNode list = root.putArray("runs");
    List<Run> runs = store.runs(view, limit);
    // A view that is not served, or not any more, may have runs: they tell why.
    if (runs.isEmpty()) {
      view.flatMap(catalog::unknown)
          .ifPresent(unknown -> {
            throw unknown;
          });
    }
    for (Run run : runs) {
      list.add(RunDocument.of(run));
    }
    return bytes(root);
  }

  private void ready(HttpServerRequest request) {
    readiness.check();
    Exchange.ok(request, bytes(JSON.createObjectNode().put("status", "ready")));
  }

  private void metrics(HttpServerRequest request) {
    asking(() -> registry.scrape().getBytes(StandardCharsets.UTF_8))
        .onSuccess(text -> Exchange.ok(request, METRICS_TEXT, text))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private <T> Future<T> asking(Callable<T> work) {
    return vertx.executeBlocking(work, false).map(Objects::requireNonNull);
  }

  private static void answer(HttpServerRequest request, Future<byte[]> json) {
    json.onSuccess(body -> Exchange.ok(request, body))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private static void answerAccepted(HttpServerRequest request, Future<byte[]> json) {
    json.onSuccess(body -> Exchange.accepted(request, body))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private static byte[] bytes(ObjectNode root) {
    return JSON.writeValueAsBytes(root);
  }

  private static void put(ObjectNode root, String name, Optional<Instant> instant) {
    instant.ifPresentOrElse(time -> root.put(name, time.toString()), () -> root.putNull(name));
  }

  private static void putAge(ObjectNode root, String name, Optional<Instant> since, Instant now) {
    putSeconds(root, name, since.map(instant -> Duration.between(instant, now)));
  }

  private static void putSeconds(ObjectNode root, String name, Optional<Duration> duration) {
    duration.ifPresentOrElse(
        value -> root.put(name, value.toMillis() / 1_000.0), () -> root.putNull(name));
  }
}
