package io.featureduck.metrics;

import io.prometheus.metrics.model.snapshots.Labels;

/** What the series of a view are labelled with. */
record ViewVersion(String view, int version) implements Comparable<ViewVersion> {
  Labels labels() {
    return Labels.of("view", view, "version", Integer.toString(version));
  }

  @Override
  public int compareTo(ViewVersion other) {
    int byView = view.compareTo(other.view);
    return byView != 0 ? byView : Integer.compare(version, other.version);
  }
}
