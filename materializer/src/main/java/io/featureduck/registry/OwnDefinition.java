package io.featureduck.registry;

import io.featureduck.definition.FeatureView;
import io.featureduck.plan.Feature;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A view as a process that materializes it has it, before what is registered. */
/* A process takes up by itself, when it starts, what is new and destroys nothing; after that what is
 * registered goes before what it has. Else two processes with different configs would push theirs
 * again and again.
 *
 * What it has may be registered as the live or as the pending version. Where it is neither's, but
 * for settings, it computes something that nobody may be served under the view's name.
 */
public record OwnDefinition(ViewDefinition definition) {
  /** What a process does about a view when it starts. */
  public sealed interface Start {
    /** It applies the change. */
    record TakeUp(ViewChange change) implements Start {}

    /** What is registered stands. */
    record Nothing() implements Start {}

    /**
     * It leaves the view alone.
     *
     * @param why in words, with the way out
     */
    record Refused(String why) implements Start {}
  }

  public Start start(RegisteredView registered) {
    Optional<RegisteredVersion> live = registered.live();
    if (live.isEmpty()) {
      return new Start.TakeUp(new ViewChange.Addition(registered, definition));
    }
    if (target(registered).isPresent() && registered.pending().isPresent()) {
      // Someone has just applied something, and this may be older or newer.
      return new Start.Nothing();
    }
    DefinitionChange change = DefinitionChange.between(live.get().definition(), definition);
    if (change.isNone()) {
      return new Start.Nothing();
    }
    if (registered.pending().isEmpty() && change.isInPlace() && change.dropped().isEmpty()) {
      return new Start.TakeUp(
          new ViewChange.InPlace(registered, live.get(), definition, change, Optional.empty()));
    }
    return new Start.Refused(
        "view %s differs from its live version %d in what only an apply changes: %s; run 'featureduck plan', then 'featureduck apply'"
            .formatted(registered.view(), live.get().version(), differences(live.get())));
  }

  /** Returns the version that the process's runs compute; empty where there is none. */
  public Optional<RegisteredVersion> target(RegisteredView registered) {
    return registered
        .pending()
        .filter(this::computes)
        .or(() -> registered.live().filter(this::computes));
  }

  private boolean computes(RegisteredVersion version) {
    return DefinitionChange.between(version.definition(), definition).computesTheSame();
  }

  /** Says how what this computes differs from a version. */
  public String differences(RegisteredVersion version) {
    DefinitionChange change = DefinitionChange.between(version.definition(), definition);
    List<String> differences = new ArrayList<>();
    for (DefinitionChange.Remade remade : change.remade()) {
      differences.add(
          "%s: there %s, here %s"
              .formatted(
                  remade.what(),
                  remade.before().orElse("nothing"),
                  remade.after().orElse("nothing")));
    }
    for (Feature feature : change.added()) {
      differences.add("feature %s is new here".formatted(feature.name()));
    }
    for (Feature feature : change.dropped()) {
      differences.add("feature %s is gone here".formatted(feature.name()));
    }
    return String.join("; ", differences);
  }

  /**
   * Guesses which version {@link #target} will be, as long as the features' types are not known.
   */
  public static Optional<RegisteredVersion> likelyTarget(
      FeatureView view, RegisteredView registered) {
    return registered.pending().filter(version -> mayCompute(view, version)).or(registered::live);
  }

  private static boolean mayCompute(FeatureView view, RegisteredVersion version) {
    ViewDefinition likely = ViewDefinition.of(view, version.definition().features());
    return DefinitionChange.between(version.definition(), likely).isInPlace();
  }
}
