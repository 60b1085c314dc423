package io.featureduck.store;

import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import io.featureduck.registry.ViewDefinition;
import java.time.Instant;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;

/**
 * A view whose rows were taken over from elsewhere and are to be live.
 *
 * @param features in the order of the table's columns
 * @param definition the view as the config has it, or what stands for it until it is declared: a
 *     JSON object
 * @param source that the definition names, by which the next run finds the rows to go on from
 * @param startedAt when the takeover began
 */
public record AdoptedView(
    String view,
    List<JoinKey> joinKeys,
    List<Feature> features,
    String definition,
    String source,
    Instant startedAt) {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String NO_SOURCE = "migration";

  public AdoptedView {
    joinKeys = List.copyOf(joinKeys);
    features = List.copyOf(features);
  }

  /**
   * Returns a view that no config declares yet.
   *
   * @param from where its rows come from, for people
   */
  public static AdoptedView undeclared(
      String view, List<JoinKey> joinKeys, List<Feature> features, String from, Instant startedAt) {
    String definition =
        JSON.writeValueAsString(
            JSON.createObjectNode().put("name", view).put(ViewDefinition.MIGRATED_FROM, from));
    return new AdoptedView(view, joinKeys, features, definition, NO_SOURCE, startedAt);
  }
}
