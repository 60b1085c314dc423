package io.featureduck.registry;

import java.time.Instant;
import java.util.Locale;

/**
 * Something that became of a view.
 *
 * @param what as {@link HistoryDetail} writes it, a JSON object
 * @param by who wanted it so; for {@link Action#PROMOTE}, which process's run did it
 */
public record HistoryEntry(
    long id, String view, int version, Action action, String what, Instant at, String by) {
  /** What it was. */
  public enum Action {
    CREATE,
    CHANGE,
    NEW_VERSION,
    /** A run computed a pending version, which so became the live one. */
    PROMOTE,
    REMOVE,
    PRUNE;

    private final String id = name().toLowerCase(Locale.ROOT);

    /** Returns the name in the store and in answers. */
    public String id() {
      return id;
    }

    /**
     * @throws IllegalArgumentException where there is none of that name
     */
    public static Action of(String id) {
      return valueOf(id.toUpperCase(Locale.ROOT));
    }
  }
}
