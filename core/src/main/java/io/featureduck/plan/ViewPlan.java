package io.featureduck.plan;

import java.util.List;

/**
 * How a view is computed.
 *
 * @param plan a row per entity: {@code entity_key}, each feature in order and in its type, {@code
 *     event_timestamp} (not NULL)
 * @param features in the order in which they are the plan's columns
 * @param rejected one row about the view's own source: {@code rows_read}, and how many of them were
 *     left out, each counted once, for a {@code null_join_key}, a {@code null_event_time} or, by
 *     event time or cursor, as {@code after_as_of}; all INT64
 */
public record ViewPlan(LogicalPlan plan, List<Feature> features, LogicalPlan rejected) {
  public ViewPlan {
    features = List.copyOf(features);
  }
}
