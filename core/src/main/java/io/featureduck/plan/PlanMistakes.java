package io.featureduck.plan;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** The mistakes of one view, collected so that all of them are told at once. */
final class PlanMistakes {
  private final List<PlanMistake> found = new ArrayList<>();

  void add(String pointer, String message) {
    found.add(new PlanMistake(pointer, message));
  }

  boolean isEmpty() {
    return found.isEmpty();
  }

  List<PlanMistake> toList() {
    return List.copyOf(found);
  }

  /** Returns what the step gives, or empty where it was a mistake, which is noted. */
  <T> Optional<T> attempt(String pointer, Supplier<T> step) {
    try {
      return Optional.of(step.get());
    } catch (TypeMistake mistake) {
      add(pointer, mistake.what());
      return Optional.empty();
    }
  }

  /**
   * @throws FeatureException SOURCE_SCHEMA with all mistakes, if there are any
   */
  void throwIfAny(String view) {
    if (found.isEmpty()) {
      return;
    }
    StringBuilder message = new StringBuilder("view %s can't be computed:".formatted(view));
    found.forEach(mistake -> message.append("\n  ").append(mistake));
    throw new FeatureException(ErrorCode.SOURCE_SCHEMA, message.toString());
  }
}
