package io.featureduck.store;

import java.util.Locale;

/**
 * What became of a request to erase entities.
 *
 * @param id of its record in {@code featureduck_erasures}
 * @param entities that were asked for, each once
 * @param rows of all versions of the view that this deleted
 * @param pending whether tables may still have rows of them, for a run holds them: it deletes them
 *     before it commits, or the materializer does so within seconds after it
 * @param generation of the live version once the rows were gone; 0 where it is pending, or no
 *     version is live
 */
public record Erasure(long id, long entities, long rows, boolean pending, long generation) {
  /** How a request came. */
  public enum Origin {
    COMMAND,
    HTTP;

    private final String id = name().toLowerCase(Locale.ROOT);

    /** Returns the name in records. */
    public String id() {
      return id;
    }
  }
}
