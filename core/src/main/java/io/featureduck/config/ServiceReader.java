package io.featureduck.config;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.FeatureService.Selection;
import io.featureduck.definition.FeatureView;
import io.featureduck.error.Nearest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads services. */
final class ServiceReader {
  private final References references;
  private final Map<String, FeatureView> views;

  /**
   * @param views whose features are known, by name
   */
  ServiceReader(References references, Map<String, FeatureView> views) {
    this.references = references;
    this.views = views;
  }

  FeatureService read(Node service) {
    boolean fullNames = service.flag("full_feature_names");
    List<Selection> selections = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    Map<String, String> viewOfFeature = new HashMap<>();
    for (Node node : service.items("views")) {
      Node view = node.child("view");
      references.check(view);
      String name = view.text().orElse("");
      if (view.text().isPresent() && !seen.add(name)) {
        view.mistake("view %s is there twice".formatted(view.shown()));
        continue;
      }
      List<String> features =
          node.items("features").stream().flatMap(feature -> feature.text().stream()).toList();
      Optional<List<String>> known =
          Optional.ofNullable(views.get(name)).flatMap(FeatureView::featureNames);
      known.ifPresent(all -> checkFeatures(node, name, all));
      if (!fullNames) {
        for (String feature : features.isEmpty() ? known.orElse(List.of()) : features) {
          String other = viewOfFeature.putIfAbsent(feature, name);
          if (other != null && !other.equals(name)) {
            node.mistake(
                "views '%s' and '%s' both have a feature %s: choose with 'features', or set 'full_feature_names'"
                    .formatted(other, name, Node.quoted(feature)));
          }
        }
      }
      selections.add(new Selection(name, features));
    }
    return new FeatureService(service.name("name"), selections, fullNames);
  }

  private static void checkFeatures(Node selection, String view, List<String> all) {
    Set<String> seen = new HashSet<>();
    for (Node feature : selection.items("features")) {
      Optional<String> name = feature.text();
      if (name.isEmpty()) {
        continue;
      }
      if (!all.contains(name.get())) {
        feature.mistake(
            "view '%s' has no feature %s%s"
                .formatted(view, feature.shown(), Nearest.hint(name.get(), all)));
      } else if (!seen.add(name.get())) {
        feature.mistake("feature %s is there twice".formatted(feature.shown()));
      }
    }
  }
}
