package io.featureduck.main;

import io.featureduck.definition.FeatureStore;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import java.util.List;

/** The views of a config, by the names that a command was given. */
final class DeclaredViews {
  private DeclaredViews() {}

  /**
   * @throws FeatureException UNKNOWN_VIEW, with the nearest name that there is
   */
  static FeatureView view(FeatureStore definitions, String name) {
    return definitions
        .view(name)
        .orElseThrow(() ->
            new FeatureException(
                ErrorCode.UNKNOWN_VIEW,
                "no view is called '%s'%s"
                    .formatted(
                        name,
                        Nearest.hint(
                            name, definitions.views().stream().map(FeatureView::name).toList()))));
  }

  /** Returns the views of these names in the order of the names; all where none is given. */
  static List<FeatureView> views(FeatureStore definitions, List<String> names) {
    return names.isEmpty()
        ? definitions.views()
        : names.stream().map(name -> view(definitions, name)).toList();
  }
}
