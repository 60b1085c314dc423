package io.featureduck.lookup;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.error.Nearest;
import io.featureduck.plan.Feature;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Which of a view's features a request asks for, in the order of the answer. Immutable. */
public final class Selection {
  /** Every feature, in the view's order. */
  public static final Selection ALL = new Selection(new int[0]);

  private final int[] features;

  private Selection(int[] features) {
    this.features = features;
  }

  /**
   * Finds features by name; a name that comes twice counts once.
   *
   * @param pointer the JSON pointer of a name that is wrong, without its index, or "" where the
   *     names don't come from a body
   * @throws FeatureException UNKNOWN_FEATURE, with the nearest name
   */
  public static Selection of(ServedView view, List<String> names, String pointer) {
    List<String> known = view.definition().features().stream().map(Feature::name).toList();
    Set<Integer> indexes = new LinkedHashSet<>();
    for (int i = 0; i < names.size(); i++) {
      int index = known.indexOf(names.get(i));
      if (index < 0) {
        throw new FeatureException(
            ErrorCode.UNKNOWN_FEATURE,
            "view %s has no feature '%s'%s"
                .formatted(view.name(), names.get(i), Nearest.hint(names.get(i), known)),
            pointer.isEmpty() ? null : pointer + "/" + i,
            null);
      }
      indexes.add(index);
    }
    return new Selection(indexes.stream().mapToInt(Integer::intValue).toArray());
  }

  // Identity: a request may name no feature at all, which is not the same as all of them.
  @SuppressWarnings("ReferenceEquality")
  boolean isAll() {
    return this == ALL;
  }

  int size() {
    return features.length;
  }

  int feature(int position) {
    return features[position];
  }

  int[] features() {
    return Arrays.copyOf(features, features.length);
  }
}
