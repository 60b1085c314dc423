package io.featureduck.http;

import io.featureduck.definition.JoinKey;
import io.featureduck.definition.ServerSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.http.FeatureSetLookup.Status;
import io.featureduck.json.JsonBytes;
import io.featureduck.key.EntityKeyException;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.ServedView;
import io.featureduck.plan.Feature;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Feast's {@code POST /get-online-features}, as its feature server (version 0.67) answers it:
 * entities and features as columns. Confined to one event loop.
 *
 * <p>Where Feast's own server is known to err, the true status is sent: {@code OUTSIDE_MAX_AGE}
 * follows the view's ttl, and a request for no entities has an answer with empty columns.
 */
final class FeastRoute {
  static final String PATH = "/get-online-features";

  private static final long NO_TIME = 0;

  private final ServerSettings settings;
  private final FeatureSets sets;
  private final FeatureSetReader reader;
  private final JsonBytes out = new JsonBytes(4_096);

  FeastRoute(ServerSettings settings, FeatureSets sets, FeatureSetReader reader) {
    this.settings = settings;
    this.sets = sets;
    this.reader = reader;
  }

  /** Answers a request for {@link #PATH}. */
  void handle(HttpServerRequest request) {
    long startNanos = System.nanoTime();
    if (!request.method().equals(HttpMethod.POST)) {
      Exchange.methodNotAllowed(request, "POST");
      return;
    }
    // Feast's own server takes any content type, and known clients send none.
    Exchange.body(request, settings.bodyBytesMax())
        .map(body -> FeastRequest.parse(body.getBytes(), settings.batchMax()))
        .onSuccess(asked -> reader.read(new Asked(request, asked), startNanos))
        .onFailure(cause -> fail(request, cause));
  }

  private static void fail(HttpServerRequest request, Throwable cause) {
    switch (cause) {
      case FeastRequest.Malformed e ->
          Exchange.fail(
              request, e, 422, FeastError.malformed(e.place(), String.valueOf(e.getMessage())));
      case FeatureException e when e.code() == ErrorCode.INVALID_REQUEST ->
          Exchange.fail(request, e, 422, FeastError.malformed(List.of("body"), Problem.detail(e)));
      case FeatureException e when isNotFound(e.code()) ->
          Exchange.fail(request, e, 404, FeastError.notFound(e, exception(e.code())));
      case FeastRequest.NoSuchVersion e ->
          Exchange.fail(request, e, 404, FeastError.notFound(e, "FeatureViewVersionNotFound"));
      default -> Exchange.fail(request, cause);
    }
  }

  private static String exception(ErrorCode code) {
    return switch (code) {
      case UNKNOWN_SERVICE -> "FeatureServiceNotFoundException";
      case UNKNOWN_VIEW -> "FeatureViewNotFoundException";
      default -> "FeastObjectNotFoundException";
    };
  }

  private static boolean isNotFound(ErrorCode code) {
    return code == ErrorCode.UNKNOWN_SERVICE
        || code == ErrorCode.UNKNOWN_VIEW
        || code == ErrorCode.UNKNOWN_FEATURE;
  }

  private final class Asked implements FeatureSetReader.Asked {
    private final HttpServerRequest request;
    private final FeastRequest asked;

    Asked(HttpServerRequest request, FeastRequest asked) {
      this.request = request;
      this.asked = asked;
    }

    @Override
    public FeatureSet set() {
      return FeastRoute.this.set(asked);
    }

    @Override
    public List<@Nullable Object[]> entities(FeatureSet set) {
      return rows(set, asked);
    }

    @Override
    public void fail(Throwable cause) {
      FeastRoute.fail(request, cause);
    }

    @Override
    public void answer(FeatureSetLookup found) {
      Optional<Throwable> failure = unread(found);
      if (failure.isPresent()) {
        fail(failure.get());
        return;
      }
      out.clear();
      write(asked, found);
      Exchange.ok(request, out.toArray());
    }
  }

  private FeatureSet set(FeastRequest asked) {
    FeatureSet set =
        asked.service().isPresent()
            ? sets.ofService(asked.service().get(), Optional.of(asked.fullNames()))
            : sets.ofNamed(asked.features(), asked.fullNames());
    for (FeatureSet.Part part : set.parts()) {
      // Feast's answer has no place for a view that fails beside others that don't.
      if (part.failure() != null) {
        throw part.failure();
      }
      Integer wanted = asked.versions().get(part.name());
      ServedView view = part.view();
      if (view != null && wanted != null && wanted != view.definition().version()) {
        throw new FeastRequest.NoSuchVersion(
            "Version v%d of feature view %s is not served: v%d is"
                .formatted(wanted, view.name(), view.definition().version()));
      }
    }
    return set;
  }

  private List<@Nullable Object[]> rows(FeatureSet set, FeastRequest asked) {
    List<List<@Nullable Object>> columns = new ArrayList<>();
    for (JoinKey key : set.joinKeys()) {
      List<@Nullable Object> column = asked.columns().get(key.name());
      if (column == null) {
        throw new FeastRequest.Malformed(List.of("body", "entities", key.name()), "Field required");
      }
      columns.add(column);
    }
    List<@Nullable Object[]> rows = new ArrayList<>(asked.rows());
    for (int i = 0; i < asked.rows(); i++) {
      @Nullable Object[] row = new Object[columns.size()];
      for (int k = 0; k < row.length; k++) {
        row[k] = columns.get(k).get(i);
      }
      rows.add(row);
    }
    return rows;
  }

  /**
   * Returns why a row could not be read, unless that is for its key: a client would take it for one
   * that isn't there.
   */
  private static Optional<Throwable> unread(FeatureSetLookup lookup) {
    for (int part = 0; part < lookup.set().parts().size(); part++) {
      for (int row = 0; row < lookup.size(); row++) {
        Throwable failure = lookup.failure(part, row);
        if (failure != null
            && !(failure instanceof EntityKeyException)
            && Problem.code(failure) != ErrorCode.INVALID_REQUEST) {
          return Optional.of(failure);
        }
      }
    }
    return Optional.empty();
  }

  private void write(FeastRequest asked, FeatureSetLookup lookup) {
    FeatureSet set = lookup.set();
    out.raw("{\"results\":[");
    boolean first = true;
    List<String> keys = joinKeys(asked, set);
    for (String key : keys) {
      comma(first);
      first = false;
      writeKeys(asked.columns().getOrDefault(key, List.of()));
    }
    for (int part = 0; part < set.parts().size(); part++) {
      ServedView view = set.parts().get(part).view();
      if (view == null) {
        continue;
      }
      for (int feature : set.parts().get(part).features()) {
        comma(first);
        first = false;
        writeFeature(view, feature, part, lookup);
      }
    }
    out.raw("],\"metadata\":{\"feature_names\":[");
    writeNames(asked, set, keys);
    out.raw(']');
    if (asked.metadata()) {
      writeVersions(set);
    }
    out.raw("}}");
  }

  /** Returns the join keys of the set, in the order that the request has them in. */
  private static List<String> joinKeys(FeastRequest asked, FeatureSet set) {
    Set<String> names =
        set.joinKeys().stream().map(JoinKey::name).collect(Collectors.toUnmodifiableSet());
    return asked.columns().keySet().stream().filter(names::contains).toList();
  }

  private void comma(boolean first) {
    if (!first) {
      out.raw(',');
    }
  }

  private void writeKeys(List<@Nullable Object> values) {
    out.raw("{\"values\":[");
    for (int i = 0; i < values.size(); i++) {
      comma(i == 0);
      Object value = values.get(i);
      if (value instanceof String text) {
        out.string(text);
      } else {
        // A number, a boolean or null, as it was sent.
        out.raw(String.valueOf(value));
      }
    }
    out.raw("],\"statuses\":[");
    for (int i = 0; i < values.size(); i++) {
      out.raw(i == 0 ? "\"PRESENT\"" : ",\"PRESENT\"");
    }
    out.raw("],\"event_timestamps\":[");
    for (int i = 0; i < values.size(); i++) {
      comma(i == 0);
      out.timestamp(NO_TIME);
    }
    out.raw("]}");
  }

  private void writeFeature(ServedView view, int feature, int part, FeatureSetLookup lookup) {
    Feature described = view.definition().features().get(feature);
    boolean[] isNull = new boolean[lookup.size()];
    out.raw("{\"values\":[");
    for (int i = 0; i < lookup.size(); i++) {
      comma(i == 0);
      FeatureRow row = lookup.row(part, i);
      isNull[i] = lookup.status(part, i) != Status.FOUND || view.json().isNull(row, feature);
      if (isNull[i]) {
        out.nullValue();
      } else {
        FeastValue.write(out, described.type(), view.json(), row, feature);
      }
    }
    out.raw("],\"statuses\":[");
    for (int i = 0; i < lookup.size(); i++) {
      comma(i == 0);
      out.raw(status(lookup.status(part, i), isNull[i]));
    }
    out.raw("],\"event_timestamps\":[");
    for (int i = 0; i < lookup.size(); i++) {
      comma(i == 0);
      long event = lookup.row(part, i).eventMicros();
      out.timestamp(event == FeatureRow.NO_EVENT ? NO_TIME : event);
    }
    out.raw("]}");
  }

  private static String status(Status status, boolean isNull) {
    return switch (status) {
      case FOUND -> isNull ? "\"NULL_VALUE\"" : "\"PRESENT\"";
      case EXPIRED -> "\"OUTSIDE_MAX_AGE\"";
      case NOT_FOUND -> "\"NOT_FOUND\"";
      case ERROR -> "\"INVALID\"";
    };
  }

  private void writeNames(FeastRequest asked, FeatureSet set, List<String> keys) {
    boolean first = true;
    for (String key : keys) {
      comma(first);
      first = false;
      out.string(key);
    }
    for (FeatureSet.Part part : set.parts()) {
      Integer version = asked.fullNames() ? asked.versions().get(part.name()) : null;
      for (String name : part.names()) {
        comma(first);
        first = false;
        // A view that was asked for with its version is called by it, too: view@v2__feature.
        out.string(
            version == null
                ? name
                : part.name() + "@v" + version + name.substring(part.name().length()));
      }
    }
  }

  private void writeVersions(FeatureSet set) {
    out.raw(",\"feature_view_metadata\":[");
    for (int i = 0; i < set.parts().size(); i++) {
      ServedView view = set.parts().get(i).view();
      comma(i == 0);
      out.raw("{\"name\":");
      out.string(set.parts().get(i).name());
      out.raw(",\"version\":");
      out.number(view == null ? 0 : view.definition().version());
      out.raw('}');
    }
    out.raw(']');
  }
}
