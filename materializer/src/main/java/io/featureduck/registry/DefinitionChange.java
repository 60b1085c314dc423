package io.featureduck.registry;

import io.featureduck.plan.Feature;
import java.util.List;
import java.util.Optional;

/**
 * What differs between two definitions of a view, by what it takes to get from the one to the
 * other.
 *
 * @param settings what no computed value depends on, by name
 * @param added features of the second definition alone, in its order
 * @param dropped features of the first definition alone, in its order
 * @param remade what gives other values under a name that stays, or other rows: only a new version
 *     can have it
 */
public record DefinitionChange(
    List<Setting> settings, List<Feature> added, List<Feature> dropped, List<Remade> remade) {
  public DefinitionChange {
    settings = List.copyOf(settings);
    added = List.copyOf(added);
    dropped = List.copyOf(dropped);
    remade = List.copyOf(remade);
  }

  /**
   * A setting that differs.
   *
   * @param name such as {@code freshness.warn}
   * @param before as JSON; empty where it wasn't set
   * @param after as JSON; empty where it isn't set
   */
  public record Setting(String name, Optional<String> before, Optional<String> after) {}

  /**
   * Something that is computed in another way.
   *
   * @param what such as {@code filters} or {@code feature spent_7d: column}
   * @param before as JSON or in words; empty where there was none
   * @param after as JSON or in words; empty where there is none
   */
  public record Remade(String what, Optional<String> before, Optional<String> after) {}

  /** Compares two definitions of one view. */
  public static DefinitionChange between(ViewDefinition before, ViewDefinition after) {
    return new DefinitionComparison(before, after).change();
  }

  /** Tells whether the definitions are the same, but for how the JSON is written. */
  public boolean isNone() {
    return settings.isEmpty() && computesTheSame();
  }

  /** Tells whether both definitions give the same rows with the same features. */
  public boolean computesTheSame() {
    return added.isEmpty() && dropped.isEmpty() && remade.isEmpty();
  }

  /** Tells whether a live view can become the other one without being computed anew beside it. */
  public boolean isInPlace() {
    return remade.isEmpty();
  }
}
