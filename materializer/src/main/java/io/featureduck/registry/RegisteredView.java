package io.featureduck.registry;

import io.featureduck.registry.RegisteredVersion.State;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * All versions of a view that the online store has.
 *
 * @param versions by number; empty where the view is not registered
 */
public record RegisteredView(String view, List<RegisteredVersion> versions) {
  public RegisteredView {
    versions =
        versions.stream().sorted(Comparator.comparingInt(RegisteredVersion::version)).toList();
  }

  public Optional<RegisteredVersion> live() {
    return in(State.LIVE).stream().findFirst();
  }

  public Optional<RegisteredVersion> pending() {
    return in(State.PENDING).stream().findFirst();
  }

  public List<RegisteredVersion> retired() {
    return in(State.RETIRED);
  }

  private List<RegisteredVersion> in(State state) {
    return versions.stream().filter(version -> version.state() == state).toList();
  }

  /** Returns the number of a version after all that there are. */
  public int nextVersion() {
    return versions.isEmpty() ? 1 : versions.getLast().version() + 1;
  }

  /**
   * Returns what each apply changes, and a run that makes a version live, as one text to be
   * compared.
   */
  public String state() {
    return versions.stream()
        .map(v -> "%d %s %s".formatted(v.version(), v.state().id(), v.hash()))
        .collect(Collectors.joining(", "));
  }
}
