package io.featureduck.definition;

import java.util.List;

/**
 * Features of several views that one model asks for together.
 *
 * @param fullFeatureNames whether they are answered as {@code <view>__<feature>}; without it no two
 *     of them have one name
 */
public record FeatureService(String name, List<Selection> views, boolean fullFeatureNames) {
  public FeatureService {
    views = List.copyOf(views);
  }

  /**
   * @param features the view's features that are taken; all of them where the list is empty
   */
  public record Selection(String view, List<String> features) {
    public Selection {
      features = List.copyOf(features);
    }
  }
}
