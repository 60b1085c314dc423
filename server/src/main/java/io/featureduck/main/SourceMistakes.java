package io.featureduck.main;

import io.featureduck.config.Mistake;
import io.featureduck.definition.FeatureStore;
import io.featureduck.error.ErrorCode;
import io.featureduck.registry.ChangePlan;
import io.featureduck.registry.ViewChange;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The mistakes of a config that only its sources reveal. */
final class SourceMistakes {
  private SourceMistakes() {}

  /**
   * Returns those for which views could not be planned, as 'validate' tells them.
   *
   * @param file the config
   */
  static List<Mistake> of(ChangePlan plan, FeatureStore definitions, Path file) {
    Set<String> views =
        plan.unplanned().stream()
            .filter(view -> view.code().equals(ErrorCode.SOURCE_SCHEMA.id()))
            .map(ViewChange.Unplanned::view)
            .collect(Collectors.toSet());
    return views.isEmpty() ? List.of() : ValidateCommand.check(definitions, file, views::contains);
  }
}
