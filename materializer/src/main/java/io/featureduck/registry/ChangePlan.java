package io.featureduck.registry;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What 'apply' would do.
 *
 * @param store where the views are registered, for people
 * @param asked the views that it is about; empty for all
 * @param prune whether retired versions are to go
 * @param changes in the order of the config, then by name; a view may be there twice, to be changed
 *     and to be pruned
 * @param notes sentences on what comes by itself, with the next runs
 */
public record ChangePlan(
    String project,
    String store,
    List<String> asked,
    boolean prune,
    List<ViewChange> changes,
    List<String> notes) {
  public ChangePlan {
    asked = List.copyOf(asked);
    changes = List.copyOf(changes);
    notes = List.copyOf(notes);
  }

  /**
   * Says what is to be done about a view.
   *
   * @param wanted what the config has; empty where it has no such view
   * @param registered one version at least, or {@code wanted} is there
   * @param prune whether retired versions are to go
   */
  public static List<ViewChange> changes(
      Optional<ViewDefinition> wanted, RegisteredView registered, boolean prune) {
    List<ViewChange> changes = new ArrayList<>();
    changes.add(
        wanted
            .map(definition -> change(definition, registered))
            .orElseGet(() -> new ViewChange.Removal(registered)));
    if (wanted.isPresent() && prune && !registered.retired().isEmpty()) {
      changes.add(new ViewChange.Prune(registered, registered.retired()));
    }
    return changes;
  }

  /**
   * As {@link #changes}, of a view that the config doesn't have: it is removed; but not one whose
   * rows were taken over and that was never declared, unless it is asked for by its name.
   *
   * @param named whether it is
   */
  public static List<ViewChange> undeclared(RegisteredView registered, boolean named) {
    Optional<ViewDefinition> migrated =
        registered
            .live()
            .map(RegisteredVersion::definition)
            .filter(definition -> definition.isMigrated() && !named);
    return List.of(
        migrated.isPresent()
            ? new ViewChange.Unchanged(registered, migrated.get())
            : new ViewChange.Removal(registered));
  }

  private static ViewChange change(ViewDefinition wanted, RegisteredView registered) {
    Optional<RegisteredVersion> registeredLive = registered.live();
    if (registeredLive.isEmpty()) {
      return new ViewChange.Addition(registered, wanted);
    }
    RegisteredVersion live = registeredLive.get();
    Optional<RegisteredVersion> pending = registered.pending();
    DefinitionChange change = DefinitionChange.between(live.definition(), wanted);
    if (!change.isInPlace()) {
      boolean waits =
          pending
              .filter(version -> DefinitionChange.between(version.definition(), wanted).isNone())
              .isPresent();
      return waits
          ? new ViewChange.Unchanged(registered, wanted)
          : new ViewChange.NewVersion(registered, live, wanted, change, number(registered, live));
    }
    boolean asItShouldBe = change.isNone() && pending.isEmpty() && live.strayColumns().isEmpty();
    return asItShouldBe
        ? new ViewChange.Unchanged(registered, wanted)
        : new ViewChange.InPlace(registered, live, wanted, change, pending);
  }

  /** Returns the number of a new version: that of one without rows, if there is such a one. */
  private static int number(RegisteredView registered, RegisteredVersion live) {
    return live.isComputed()
        ? registered.pending().map(RegisteredVersion::version).orElseGet(registered::nextVersion)
        : live.version();
  }

  /** Tells whether there is anything to do. */
  public boolean changesAnything() {
    return changes.stream().anyMatch(ViewChange::changesAnything);
  }

  /** Returns what is lost for good, in words; empty where nothing is. */
  public List<String> destroys() {
    return changes.stream().flatMap(change -> change.destroys().stream()).toList();
  }

  /** Returns the views for which it could not be found out what is to be done. */
  public List<ViewChange.Unplanned> unplanned() {
    List<ViewChange.Unplanned> unplanned = new ArrayList<>();
    for (ViewChange change : changes) {
      if (change instanceof ViewChange.Unplanned missing) {
        unplanned.add(missing);
      }
    }
    return List.copyOf(unplanned);
  }
}
