package io.featureduck.http;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The parameters of a request's target, of which each may come once. */
final class QueryParameters {
  private final Map<String, String> values = new HashMap<>();

  /**
   * Reads what stands behind the question mark.
   *
   * @param target the raw target
   * @param from where the parameters begin in it; its length where there are none
   * @param known the names that may come
   * @throws FeatureException INVALID_REQUEST for another name, or one that comes twice
   */
  QueryParameters(String target, int from, List<String> known) {
    int start = from;
    while (start < target.length()) {
      int ampersand = target.indexOf('&', start);
      int end = ampersand < 0 ? target.length() : ampersand;
      if (end > start) {
        add(target, start, end, known);
      }
      start = end + 1;
    }
  }

  /** Refuses every parameter, with INVALID_REQUEST. */
  static void refuseAny(String target, int from) {
    QueryParameters none = new QueryParameters(target, from, List.of());
    if (!none.values.isEmpty()) {
      throw new AssertionError("a parameter that is not known was taken");
    }
  }

  private void add(String target, int start, int end, List<String> known) {
    int equals = target.indexOf('=', start);
    int nameEnd = equals < 0 || equals > end ? end : equals;
    String name = PercentText.decode(target, start, nameEnd);
    if (!known.contains(name)) {
      throw new FeatureException(
          ErrorCode.INVALID_REQUEST,
          "unknown parameter '%s': expected %s"
              .formatted(Shown.of(name), known.isEmpty() ? "none" : String.join(" or ", known)));
    }
    String value = PercentText.decode(target, Math.min(nameEnd + 1, end), end);
    if (values.put(name, value) != null) {
      throw new FeatureException(
          ErrorCode.INVALID_REQUEST, "parameter '%s' comes twice".formatted(name));
    }
  }

  Optional<String> get(String name) {
    return Optional.ofNullable(values.get(name));
  }
}
