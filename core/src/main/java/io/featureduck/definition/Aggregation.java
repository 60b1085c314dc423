package io.featureduck.definition;

import io.featureduck.expression.Expression;
import io.featureduck.type.FeatureType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One aggregation of a view. Without windows it makes one feature, named {@code alias}, over all
 * rows; with windows one per window, named {@code <alias>_<window>}.
 *
 * @param input what is aggregated; empty only for COUNT, which then counts rows
 * @param filter which rows count for this aggregation alone; NULL is false
 * @param n how many values LAST_N keeps, newest first
 * @param percentile of APPROX_PERCENTILE, between 0 and 1
 * @param type what the result is cast to, where the function's own type is not wanted
 */
public record Aggregation(
    Function function,
    Optional<Expression> input,
    String alias,
    List<Window> windows,
    Optional<Expression> filter,
    Optional<Integer> n,
    Optional<Double> percentile,
    Optional<FeatureType> type) {
  public Aggregation {
    windows = List.copyOf(windows);
    if (input.isEmpty() && function != Function.COUNT) {
      throw new IllegalArgumentException(
          "%s needs a column or an expression".formatted(function.id()));
    }
    if (n.isPresent() != (function == Function.LAST_N)) {
      throw new IllegalArgumentException("n goes with last_n, and last_n needs it");
    }
    if (percentile.isPresent() != (function == Function.APPROX_PERCENTILE)) {
      throw new IllegalArgumentException(
          "percentile goes with approx_percentile, and approx_percentile needs it");
    }
  }

  /** Returns the names of the features that this makes, in the order of the windows. */
  public List<String> featureNames() {
    if (windows.isEmpty()) {
      return List.of(alias);
    }
    List<String> names = new ArrayList<>();
    for (Window window : windows) {
      names.add(alias + "_" + window.text());
    }
    return names;
  }

  /** What is computed; NULL inputs are passed over by all but FIRST, LAST and LAST_N. */
  public enum Function {
    COUNT,
    SUM,
    AVG,
    MIN,
    MAX,
    STDDEV,
    COUNT_DISTINCT,
    APPROX_COUNT_DISTINCT,
    FIRST,
    LAST,
    LAST_N,
    APPROX_PERCENTILE;

    private final String id = name().toLowerCase(java.util.Locale.ROOT);

    /** Returns the name in the config, such as {@code count_distinct}. */
    public String id() {
      return id;
    }
  }
}
