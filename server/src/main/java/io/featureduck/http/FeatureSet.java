package io.featureduck.http;

import io.featureduck.definition.FeatureService;
import io.featureduck.definition.JoinKey;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.json.JsonBytes;
import io.featureduck.lookup.ServedView;
import io.featureduck.lookup.ViewCatalog;
import io.featureduck.plan.Feature;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Features of several views that are asked for together, as the live views have them at a moment.
 *
 * @param parts in the order that their features are answered in
 * @param joinKeys of all the views together, each once
 */
record FeatureSet(List<Part> parts, List<JoinKey> joinKeys) {
  /**
   * What is asked of one view.
   *
   * @param view the view, or null where it can't be asked
   * @param failure why it can't
   * @param seen the view that this was made of, also where it can't be asked; null where there is
   *     none
   * @param names what its features are called in the answer
   * @param labels the names as JSON strings, with a colon behind each
   * @param features the place of each feature in the view
   * @param isWhole whether those are all of the view's, under their own names
   * @param keyPlaces the place of each of the view's join keys in the set's
   */
  @SuppressWarnings("ArrayRecordComponent") // Made once, never compared.
  record Part(
      String name,
      @Nullable ServedView view,
      @Nullable FeatureException failure,
      @Nullable ServedView seen,
      List<String> names,
      byte[][] labels,
      int[] features,
      boolean isWhole,
      int[] keyPlaces) {}

  /**
   * Finds the views and features that a service has. A view that can't be asked is a part that
   * fails, and the others stand.
   *
   * @param fullNames whether a feature is called {@code view__feature}
   * @throws FeatureException the first failure, where no view can be asked
   */
  static FeatureSet ofService(FeatureService service, boolean fullNames, ViewCatalog catalog) {
    Builder builder = new Builder(fullNames, catalog);
    List<Part> parts = builder.partsOrFailed(service.views());
    for (Part part : parts) {
      if (part.failure() == null) {
        return builder.build(parts);
      }
    }
    throw parts.stream().map(Part::failure).filter(Objects::nonNull).findFirst().orElseThrow();
  }

  /**
   * Finds views and features that a client names.
   *
   * @param fullNames whether a feature is called {@code view__feature}
   * @throws FeatureException UNKNOWN_VIEW, UNKNOWN_FEATURE, INVALID_REQUEST where two features have
   *     one name in the answer, STORE_UNAVAILABLE where the views are not known yet
   */
  static FeatureSet ofNamed(
      List<FeatureService.Selection> selections, boolean fullNames, ViewCatalog catalog) {
    Builder builder = new Builder(fullNames, catalog);
    return builder.build(selections.stream().map(builder::part).toList());
  }

  /** Tells whether this is what the same selections would give now. */
  boolean isCurrent(ViewCatalog catalog) {
    for (Part part : parts) {
      if (!catalog.isCurrent(part.name(), part.seen())) {
        return false;
      }
    }
    return true;
  }

  /** Tells whether a view's join keys are not known, so that neither are all that may be sent. */
  boolean hasFailed() {
    return parts.stream().anyMatch(part -> part.failure() != null);
  }

  private static final class Builder {
    private final boolean fullNames;
    private final ViewCatalog catalog;
    private final Map<String, String> viewOfName = new HashMap<>();
    private final Map<String, JoinKey> joinKeys = new LinkedHashMap<>();

    Builder(boolean fullNames, ViewCatalog catalog) {
      this.fullNames = fullNames;
      this.catalog = catalog;
    }

    FeatureSet build(List<Part> parts) {
      return new FeatureSet(parts, List.copyOf(joinKeys.values()));
    }

    /** Names that a part which fails would share with another are left to the other. */
    List<Part> partsOrFailed(List<FeatureService.Selection> selections) {
      List<Part> parts = new ArrayList<>();
      Map<Integer, FeatureException> failures = new LinkedHashMap<>();
      for (int i = 0; i < selections.size(); i++) {
        try {
          parts.add(part(selections.get(i)));
        } catch (FeatureException e) {
          failures.put(i, e);
        }
      }
      failures.forEach(
          (place, failure) -> parts.add(place, failed(selections.get(place), failure)));
      return List.copyOf(parts);
    }

    Part part(FeatureService.Selection selection) {
      ServedView view = catalog.view(selection.view());
      List<String> all = view.definition().features().stream().map(Feature::name).toList();
      boolean whole = selection.features().isEmpty();
      List<String> taken = whole ? all : selection.features();
      int[] features = new int[taken.size()];
      List<String> names = new ArrayList<>(taken.size());
      for (int i = 0; i < features.length; i++) {
        String feature = taken.get(i);
        features[i] = all.indexOf(feature);
        if (features[i] < 0) {
          throw new FeatureException(
              ErrorCode.UNKNOWN_FEATURE,
              "view %s has no feature '%s'%s"
                  .formatted(view.name(), Shown.of(feature), Nearest.hint(feature, all)));
        }
        names.add(answered(view.name(), feature));
      }
      checkClashes(view.name(), names);
      return new Part(
          view.name(),
          view,
          null,
          view,
          List.copyOf(names),
          labels(names),
          features,
          whole && !fullNames,
          keyPlaces(view.definition().joinKeys()));
    }

    private String answered(String view, String feature) {
      return fullNames ? view + "__" + feature : feature;
    }

    private void checkClashes(String view, List<String> names) {
      for (String name : names) {
        String other = viewOfName.get(name);
        if (other != null) {
          throw new FeatureException(
              ErrorCode.INVALID_REQUEST,
              "views %s and %s both have a feature '%s': choose between them, or ask for full_feature_names"
                  .formatted(other, view, name));
        }
      }
      names.forEach(name -> viewOfName.put(name, view));
    }

    private int[] keyPlaces(List<JoinKey> keys) {
      int[] places = new int[keys.size()];
      for (int i = 0; i < places.length; i++) {
        JoinKey ignored = joinKeys.putIfAbsent(keys.get(i).name(), keys.get(i));
        places[i] = List.copyOf(joinKeys.keySet()).indexOf(keys.get(i).name());
      }
      return places;
    }

    private Part failed(FeatureService.Selection selection, FeatureException failure) {
      List<String> names =
          selection.features().stream()
              .map(feature -> answered(selection.view(), feature))
              .filter(name -> viewOfName.putIfAbsent(name, selection.view()) == null)
              .toList();
      return new Part(
          selection.view(),
          null,
          failure,
          catalog.find(selection.view()).orElse(null),
          names,
          labels(names),
          new int[0],
          false,
          new int[0]);
    }

    private static byte[][] labels(List<String> names) {
      byte[][] labels = new byte[names.size()][];
      for (int i = 0; i < labels.length; i++) {
        JsonBytes label = new JsonBytes(64);
        label.string(names.get(i));
        label.raw(':');
        labels[i] = label.toArray();
      }
      return labels;
    }
  }
}
