package io.featureduck.plan;

import java.util.List;
import java.util.Optional;

/**
 * How a view is computed.
 *
 * @param plan a row per entity: {@code entity_key}, each feature in order and in its type, {@code
 *     event_timestamp} (not NULL)
 * @param features in the order in which they are the plan's columns
 * @param rejected one row about the view's own source: {@code rows_read}, and how many of them were
 *     left out, each counted once, for a {@code null_join_key}, a {@code null_event_time} or, by
 *     event time or cursor, as {@code after_as_of}; all INT64
 * @param entities {@code entity_key} of each row of the view's own source, whatever its time and
 *     the view's filters; NULL where it has none. Empty where the source doesn't have the join keys
 * @param increment how it is computed from changes; empty where it can't be
 * @param fullOnly why it can't be, in words; empty where it can
 */
public record ViewPlan(
    LogicalPlan plan,
    List<Feature> features,
    LogicalPlan rejected,
    Optional<LogicalPlan> entities,
    Optional<Increment> increment,
    String fullOnly) {
  public ViewPlan {
    features = List.copyOf(features);
  }
}
