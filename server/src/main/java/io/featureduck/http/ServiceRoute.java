package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.http.FeatureSetLookup.Status;
import io.featureduck.json.JsonBytes;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.lookup.FeatureCache;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.Lookups;
import io.featureduck.lookup.ServedView;
import io.featureduck.metrics.LookupMetrics;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * {@code POST /features/batch}: features of several views at once, by a service of the config or by
 * their names. Confined to one event loop.
 */
final class ServiceRoute {
  static final String PATH = "/features/batch";

  private static final int ATTEMPTS_MAX = 3;
  private static final byte[] ENTITY = JsonBytes.ascii("{\"entity\":{");
  private static final byte[] STATUS = JsonBytes.ascii("},\"status\":\"");
  private static final byte[] FEATURES = JsonBytes.ascii("\",\"features\":{");
  private static final byte[] VIEWS = JsonBytes.ascii("},\"views\":{");

  private final ServerSettings settings;
  private final FeatureSets sets;
  private final FeatureCache cache;
  private final Lookups lookups;
  private final LookupMetrics metrics;
  private final InstantSource clock;
  private final JsonBytes out = new JsonBytes(4_096);

  ServiceRoute(
      ServerSettings settings,
      FeatureSets sets,
      FeatureCache cache,
      Lookups lookups,
      LookupMetrics metrics,
      InstantSource clock) {
    this.settings = settings;
    this.sets = sets;
    this.cache = cache;
    this.lookups = lookups;
    this.metrics = metrics;
    this.clock = clock;
  }

  /**
   * Answers a request for {@link #PATH}.
   *
   * @param question where the parameters begin in the target; negative where there are none
   */
  void handle(HttpServerRequest request, String target, int question) {
    long startNanos = System.nanoTime();
    if (!request.method().equals(HttpMethod.POST)) {
      Exchange.methodNotAllowed(request, "POST");
      return;
    }
    if (question >= 0) {
      QueryParameters.refuseAny(target, question + 1);
    }
    Exchange.jsonBody(request, settings.bodyBytesMax())
        .map(body -> ServiceRequest.parse(body.getBytes()))
        .onSuccess(asked -> attempt(request, asked, startNanos, 1))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private void attempt(
      HttpServerRequest request, ServiceRequest asked, long startNanos, int attempt) {
    try {
      FeatureSet set = set(asked);
      List<@Nullable Object[]> entities = asked.entities(set, settings.batchMax());
      FeatureSetLookup lookup = new FeatureSetLookup(set, entities);
      lookup.start(
          cache,
          lookups,
          attempt == 1 ? Optional.of(metrics) : Optional.empty(),
          () -> {
            if (lookup.isOutdated() && attempt < ATTEMPTS_MAX) {
              attempt(request, asked, startNanos, attempt + 1);
            } else {
              answer(request, asked, set, entities, lookup, startNanos);
            }
          });
    } catch (RuntimeException e) {
      // The border of a request: it may go on after its handler has returned.
      Exchange.fail(request, e);
    }
  }

  private FeatureSet set(ServiceRequest asked) {
    return asked.service() == null
        ? sets.ofNamed(asked.features(), asked.fullNames().orElse(false))
        : sets.ofService(asked.service(), asked.fullNames());
  }

  private void answer(
      HttpServerRequest request,
      ServiceRequest asked,
      FeatureSet set,
      List<@Nullable Object[]> entities,
      FeatureSetLookup lookup,
      long startNanos) {
    Optional<Throwable> failure = lookup.failure();
    if (failure.isPresent()) {
      Exchange.fail(request, failure.get());
    } else {
      out.clear();
      out.raw("{\"service\":");
      if (asked.service() == null) {
        out.nullValue();
      } else {
        out.string(asked.service());
      }
      out.raw(",\"results\":[");
      long now = nowMicros();
      for (int i = 0; i < entities.size(); i++) {
        if (i > 0) {
          out.raw(',');
        }
        writeResult(set, entities.get(i), lookup, i, now);
      }
      out.raw("]}");
      Exchange.ok(request, out.toArray());
    }
    long nanos = System.nanoTime() - startNanos;
    for (FeatureSet.Part part : set.parts()) {
      ServedView view = part.view();
      if (view != null) {
        view.metrics().took(nanos);
      }
    }
  }

  private void writeResult(
      FeatureSet set, @Nullable Object[] entity, FeatureSetLookup lookup, int index, long now) {
    List<FeatureSet.Part> parts = set.parts();
    Status[] statuses = new Status[parts.size()];
    Status worst = Status.FOUND;
    for (int i = 0; i < statuses.length; i++) {
      statuses[i] = lookup.status(i, index, now);
      worst = worst.orWorse(statuses[i]);
    }
    out.raw(ENTITY);
    for (int i = 0; i < entity.length; i++) {
      JoinKey key = set.joinKeys().get(i);
      if (i > 0) {
        out.raw(',');
      }
      out.string(key.name());
      out.raw(':');
      writeKey(key, entity[i]);
    }
    out.raw(STATUS);
    out.raw(worst.text());
    out.raw(FEATURES);
    boolean first = true;
    for (int i = 0; i < statuses.length; i++) {
      FeatureRow row = statuses[i] == Status.FOUND ? lookup.row(i, index) : FeatureRow.MISSING;
      first = writeFeatures(parts.get(i), row, first);
    }
    out.raw(VIEWS);
    for (int i = 0; i < statuses.length; i++) {
      if (i > 0) {
        out.raw(',');
      }
      writeView(parts.get(i), statuses[i], lookup, i, index);
    }
    out.raw("}}");
  }

  /** Writes a key as it is, or where it can't be one, as it was sent. */
  private void writeKey(JoinKey key, @Nullable Object value) {
    if (value == null) {
      out.nullValue();
      return;
    }
    String text = value.toString();
    boolean isText = value instanceof String;
    try {
      String canonical = EntityKey.of(List.of(key), value);
      isText = key.type() == Primitive.STRING || key.type() == Primitive.DATE;
      // A STRING is encoded for a composite key, and is not meant to be here.
      text = key.type() == Primitive.STRING ? text : canonical;
    } catch (EntityKeyException e) {
      // What is wrong with it is told beside the view.
    }
    if (isText) {
      out.string(text);
    } else {
      out.raw(text);
    }
  }

  private boolean writeFeatures(FeatureSet.Part part, FeatureRow row, boolean first) {
    byte[][] labels = part.labels();
    if (labels.length == 0) {
      return first;
    }
    ServedView view = row == FeatureRow.MISSING ? null : part.view();
    if (view != null && part.isWhole()) {
      comma(first);
      row.writeFeatures(out);
      return false;
    }
    boolean isFirst = first;
    for (int i = 0; i < labels.length; i++) {
      comma(isFirst);
      isFirst = false;
      out.raw(labels[i]);
      if (view == null) {
        out.nullValue();
      } else {
        view.json().writeValue(out, row, part.features()[i]);
      }
    }
    return false;
  }

  private void comma(boolean first) {
    if (!first) {
      out.raw(',');
    }
  }

  private void writeView(
      FeatureSet.Part part, Status status, FeatureSetLookup lookup, int place, int entity) {
    ServedView view = part.view();
    out.string(part.name());
    out.raw(":{\"version\":");
    if (view == null) {
      out.nullValue();
    } else {
      out.number(view.definition().version());
      count(view, status);
    }
    out.raw(",\"status\":\"");
    out.raw(status.text());
    out.raw("\",\"event_timestamp\":");
    long event = lookup.row(place, entity).eventMicros();
    if (event == FeatureRow.NO_EVENT) {
      out.nullValue();
    } else {
      out.timestamp(event);
    }
    if (lookup.isStale(place, entity)) {
      out.raw(",\"stale\":true");
    }
    Throwable failure = lookup.failure(place, entity);
    if (failure != null) {
      writeError(failure);
    }
    out.raw('}');
  }

  private void writeError(Throwable failure) {
    out.raw(",\"error\":{\"code\":");
    if (failure instanceof EntityKeyException) {
      out.string(ErrorCode.INVALID_REQUEST.id());
      out.raw(",\"detail\":");
      out.string(String.valueOf(failure.getMessage()));
    } else {
      out.string(Problem.code(failure).id());
      out.raw(",\"detail\":");
      out.string(Problem.detail(failure));
    }
    out.raw('}');
  }

  private static void count(ServedView view, Status status) {
    switch (status) {
      case FOUND -> view.metrics().found();
      case EXPIRED -> view.metrics().expired();
      case NOT_FOUND -> view.metrics().notFound();
      case ERROR -> view.metrics().error();
    }
  }

  private long nowMicros() {
    Instant now = clock.instant();
    return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
  }
}
