package io.featureduck.definition;

import io.featureduck.expression.Expression;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Features of one entity (or of several together), computed from one source and what it joins.
 *
 * @param entities the entities' definitions, in the order that makes the entity key
 * @param source the name of the source
 * @param sql the view as one SELECT, in place of the plan's parts; such a view is full refresh only
 * @param ttl how old a row's event time may be before it is answered as {@code expired}
 * @param timezone what the schedules are read in
 * @param cacheMaxAge how long a served row may be reused; zero turns the cache off
 * @param json the view as the config has it, with sorted keys: what is kept and compared
 */
public record FeatureView(
    String name,
    List<Entity> entities,
    String source,
    List<Join> joins,
    List<Expression> filters,
    List<Aggregation> aggregations,
    List<Projection> projections,
    Optional<String> sql,
    Optional<Duration> ttl,
    Optional<String> batchSchedule,
    Optional<String> fullRefreshSchedule,
    ZoneId timezone,
    Optional<Freshness> freshness,
    Storage storage,
    Duration cacheMaxAge,
    String description,
    String owner,
    Map<String, String> tags,
    String json) {
  public FeatureView {
    entities = List.copyOf(entities);
    joins = List.copyOf(joins);
    filters = List.copyOf(filters);
    aggregations = List.copyOf(aggregations);
    projections = List.copyOf(projections);
    tags = Map.copyOf(tags);
  }

  /** Returns the join keys of all entities, in the order that makes the entity key. */
  public List<JoinKey> joinKeys() {
    return entities.stream().flatMap(entity -> entity.joinKeys().stream()).toList();
  }

  /**
   * Returns the names of the features in order, or empty where only the source's columns or the
   * {@code sql} can tell.
   */
  public Optional<List<String>> featureNames() {
    if (sql.isPresent() || (aggregations.isEmpty() && projections.isEmpty())) {
      return Optional.empty();
    }
    List<String> names = new ArrayList<>();
    aggregations.forEach(aggregation -> names.addAll(aggregation.featureNames()));
    projections.forEach(projection -> names.add(projection.alias()));
    return Optional.of(names);
  }

  /** How old the newest event may be: a warning after {@code warn}, stale after {@code error}. */
  public record Freshness(Duration warn, Duration error) {
    public Freshness {
      if (error.compareTo(warn) < 0) {
        throw new IllegalArgumentException(
            "freshness error %s: must not be shorter than warn %s".formatted(error, warn));
      }
    }
  }
}
