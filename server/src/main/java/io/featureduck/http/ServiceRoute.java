package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.http.FeatureSetLookup.Status;
import io.featureduck.json.JsonBytes;
import io.featureduck.key.EntityKey;
import io.featureduck.key.EntityKeyException;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.ServedView;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * {@code POST /features/batch}: features of several views at once, by a service of the config or by
 * their names. Confined to one event loop.
 */
final class ServiceRoute {
  static final String PATH = "/features/batch";

  private static final byte[] ENTITY = JsonBytes.ascii("{\"entity\":{");
  private static final byte[] STATUS = JsonBytes.ascii("},\"status\":\"");
  private static final byte[] FEATURES = JsonBytes.ascii("\",\"features\":{");
  private static final byte[] VIEWS = JsonBytes.ascii("},\"views\":{");

  private final ServerSettings settings;
  private final FeatureSets sets;
  private final FeatureSetReader reader;
  private final JsonBytes out = new JsonBytes(4_096);

  ServiceRoute(ServerSettings settings, FeatureSets sets, FeatureSetReader reader) {
    this.settings = settings;
    this.sets = sets;
    this.reader = reader;
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
        .onSuccess(asked -> reader.read(new Asked(request, asked), startNanos))
        .onFailure(cause -> Exchange.fail(request, cause));
  }

  private final class Asked implements FeatureSetReader.Asked {
    private final HttpServerRequest request;
    private final ServiceRequest asked;

    Asked(HttpServerRequest request, ServiceRequest asked) {
      this.request = request;
      this.asked = asked;
    }

    @Override
    public FeatureSet set() {
      return asked.service() == null
          ? sets.ofNamed(asked.features(), asked.fullNames().orElse(false))
          : sets.ofService(asked.service(), asked.fullNames());
    }

    @Override
    public List<@Nullable Object[]> entities(FeatureSet set) {
      return asked.entities(set, settings.batchMax());
    }

    @Override
    public void fail(Throwable cause) {
      Exchange.fail(request, cause);
    }

    @Override
    public void answer(FeatureSetLookup found) {
      Optional<Throwable> failure = found.failure();
      if (failure.isPresent()) {
        fail(failure.get());
        return;
      }
      out.clear();
      out.raw("{\"service\":");
      if (asked.service() == null) {
        out.nullValue();
      } else {
        out.string(asked.service());
      }
      out.raw(",\"results\":[");
      for (int i = 0; i < found.size(); i++) {
        if (i > 0) {
          out.raw(',');
        }
        writeResult(found, i);
      }
      out.raw("]}");
      Exchange.ok(request, out.toArray());
    }
  }

  private void writeResult(FeatureSetLookup found, int index) {
    List<FeatureSet.Part> parts = found.set().parts();
    List<JoinKey> joinKeys = found.set().joinKeys();
    @Nullable Object[] entity = found.entity(index);
    Status worst = Status.FOUND;
    for (int i = 0; i < parts.size(); i++) {
      worst = worst.orWorse(found.status(i, index));
    }
    out.raw(ENTITY);
    for (int i = 0; i < entity.length; i++) {
      JoinKey key = joinKeys.get(i);
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
    for (int i = 0; i < parts.size(); i++) {
      FeatureRow row =
          found.status(i, index) == Status.FOUND ? found.row(i, index) : FeatureRow.MISSING;
      first = writeFeatures(parts.get(i), row, first);
    }
    out.raw(VIEWS);
    for (int i = 0; i < parts.size(); i++) {
      if (i > 0) {
        out.raw(',');
      }
      writeView(parts.get(i), found, i, index);
    }
    out.raw("}}");
  }

  /** Writes a key as it is, or where it can't be one, as it was sent. */
  private void writeKey(JoinKey key, @Nullable Object value) {
    switch (value) {
      case null -> out.nullValue();
      case String text when key.type() == Primitive.STRING -> out.string(text);
      case String text -> writeCanonical(key, text);
      case Number number when key.type() == Primitive.STRING -> out.string(number.toString());
      // A number, a boolean, or what prints as a number with a fraction.
      default -> out.raw(value.toString());
    }
  }

  private void writeCanonical(JoinKey key, String text) {
    try {
      String canonical = EntityKey.of(List.of(key), text);
      if (key.type() == Primitive.DATE) {
        out.string(canonical);
      } else {
        out.raw(canonical);
      }
    } catch (EntityKeyException e) {
      // What is wrong with it is told beside the view.
      out.string(text);
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

  private void writeView(FeatureSet.Part part, FeatureSetLookup lookup, int place, int entity) {
    ServedView view = part.view();
    out.string(part.name());
    out.raw(":{\"version\":");
    if (view == null) {
      out.nullValue();
    } else {
      out.number(view.definition().version());
    }
    out.raw(",\"status\":\"");
    out.raw(lookup.status(place, entity).text());
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
}
