package io.featureduck.migrate;

import io.featureduck.definition.FeatureView;
import io.featureduck.plan.Feature;
import java.util.List;

/**
 * A view that the config declares.
 *
 * @param features with their types, as the planner finds them
 */
public record DeclaredView(FeatureView definition, List<Feature> features) {
  public DeclaredView {
    features = List.copyOf(features);
  }
}
