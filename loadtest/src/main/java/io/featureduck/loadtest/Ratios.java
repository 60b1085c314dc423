package io.featureduck.loadtest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Figures of interleaved rounds. A ratio is taken within each round, so that it holds when the
 * machine's speed drifts between them; the median of the rounds is what is told.
 */
final class Ratios {
  private final Map<String, List<Double>> figures = new LinkedHashMap<>();

  void add(String name, double figure) {
    figures.computeIfAbsent(name, unused -> new ArrayList<>()).add(figure);
  }

  /** Returns the median of one figure over all rounds. */
  double median(String name) {
    return median(figuresOf(name));
  }

  /** Returns the median over all rounds of {@code name / baseline}, each of one round. */
  double ratio(String name, String baseline) {
    return median(ratios(name, baseline));
  }

  /**
   * One line of a Markdown table: what was measured, the medians, the ratio with its smallest and
   * largest round, and what it is held to.
   */
  String row(String title, String name, String baseline, String unit, String target) {
    List<Double> ratios = ratios(name, baseline);
    return String.format(
        Locale.ROOT,
        "| %s | %,.1f %s | %,.1f %s | **%.2f** (%.2f to %.2f) | %s |",
        title,
        median(name),
        unit,
        median(baseline),
        unit,
        median(ratios),
        Collections.min(ratios),
        Collections.max(ratios),
        target);
  }

  private List<Double> ratios(String name, String baseline) {
    List<Double> over = figuresOf(name);
    List<Double> under = figuresOf(baseline);
    List<Double> ratios = new ArrayList<>();
    for (int round = 0; round < over.size(); round++) {
      ratios.add(over.get(round) / under.get(round));
    }
    return ratios;
  }

  private List<Double> figuresOf(String name) {
    List<Double> all = figures.get(name);
    if (all == null) {
      throw new IllegalArgumentException("nothing was measured under the name " + name);
    }
    return all;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}
