package io.featureduck.store;

import io.featureduck.definition.DurationText;
import io.featureduck.definition.FeatureView.Freshness;
import io.featureduck.definition.JoinKey;
import io.featureduck.definition.Storage;
import io.featureduck.plan.Feature;
import io.featureduck.registry.RegisteredVersion;
import io.featureduck.registry.ViewDefinition;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A view as it is served: the live row of {@code featureduck_views}.
 *
 * @param features in the order of the online table's columns
 * @param definition the view as the config had it: a JSON object with sorted keys
 * @param asOf the instant its rows were computed for; empty where it was never materialized, and
 *     then {@link #table()} doesn't exist
 * @param generation of its newest change; 0 before the first
 */
public record LiveView(
    String view,
    int version,
    List<JoinKey> joinKeys,
    List<Feature> features,
    Optional<Duration> ttl,
    Optional<Freshness> freshness,
    Storage storage,
    Duration cacheMaxAge,
    String definition,
    Optional<Instant> asOf,
    long generation) {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration CACHE_MAX_AGE = Duration.ofSeconds(30);

  public LiveView {
    joinKeys = List.copyOf(joinKeys);
    features = List.copyOf(features);
  }

  /** Returns the name of the online table, without its schema; it needs no quoting. */
  public String table() {
    return ViewDefinition.table(view, version);
  }

  /** Returns the definition with all that is compared of it. */
  ViewDefinition registered() {
    return new ViewDefinition(view, joinKeys, features, definition);
  }

  /** Returns a version as runs write it, whether it is live or not yet. */
  public static LiveView of(RegisteredVersion version) {
    return of(version.definition(), version.version(), Optional.empty(), 0);
  }

  /**
   * Reads what {@code featureduck_views.definition} holds.
   *
   * @param stored as {@link ViewDefinition#stored} writes it
   */
  static LiveView parse(
      String view, int version, String stored, Optional<Instant> asOf, long generation) {
    return of(ViewDefinition.parse(view, stored), version, asOf, generation);
  }

  private static LiveView of(
      ViewDefinition registered, int version, Optional<Instant> asOf, long generation) {
    JsonNode definition = JSON.readTree(registered.json());
    return new LiveView(
        registered.view(),
        version,
        registered.joinKeys(),
        registered.features(),
        duration(definition.path("ttl")),
        freshness(definition.path("freshness")),
        registered.storage(),
        duration(definition.path("cache").path("max_age")).orElse(CACHE_MAX_AGE),
        registered.json(),
        asOf,
        generation);
  }

  private static Optional<Freshness> freshness(JsonNode node) {
    Optional<Duration> warn = duration(node.path("warn"));
    Optional<Duration> error = duration(node.path("error"));
    if (warn.isEmpty() && error.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Freshness(
            warn.orElseGet(error::orElseThrow), error.orElse(Duration.ofSeconds(Long.MAX_VALUE))));
  }

  private static Optional<Duration> duration(JsonNode node) {
    return node.isString() ? Optional.of(DurationText.parse(node.asString())) : Optional.empty();
  }
}
