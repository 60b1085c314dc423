package io.featureduck.event;

/**
 * The event bus' addresses; each record on them is a JsonObject with {@code type} and {@code at}.
 */
public final class Addresses {
  /** What a commit changed: {@link ChangeEvent}. */
  public static final String CHANGES = "featureduck.changes";

  /** How runs go: {@link RunEvent}. */
  public static final String RUNS = "featureduck.runs";

  /** Which rows went without a run: {@link RowsRemoved}. */
  public static final String ROWS = "featureduck.rows";

  /** How fresh the views are, every few seconds. */
  public static final String FRESHNESS = "featureduck.freshness";

  /**
   * Takes {@code {"view", "full"}} and answers {@code {"run_id"}} once the run is noted; fails with
   * the id of an error code, a colon, and words.
   */
  public static final String MATERIALIZE = "featureduck.materialize";

  private Addresses() {}
}
