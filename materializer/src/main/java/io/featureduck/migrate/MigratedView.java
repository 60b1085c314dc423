package io.featureduck.migrate;

import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import java.util.List;
import java.util.Optional;

/**
 * A view as the old table has it and as it becomes.
 *
 * @param featureView its name in the old table
 * @param keySeparator between the values of a composite key in the old table
 * @param features in the order of the online table's columns
 * @param ignored what the old JSON has and is left behind
 * @param definition the view as the config declares it; empty where it doesn't
 * @param source of the declared view
 * @param inferred whether something of this was found from the rows alone
 */
public record MigratedView(
    String featureView,
    String view,
    List<JoinKey> joinKeys,
    Optional<String> keySeparator,
    List<MigratedFeature> features,
    List<String> ignored,
    Optional<String> definition,
    Optional<String> source,
    boolean inferred) {
  public MigratedView {
    joinKeys = List.copyOf(joinKeys);
    features = List.copyOf(features);
    ignored = List.copyOf(ignored);
  }

  List<Feature> columns() {
    return features.stream().map(MigratedFeature::feature).toList();
  }
}
