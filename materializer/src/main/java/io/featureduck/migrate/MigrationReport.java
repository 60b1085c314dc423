package io.featureduck.migrate;

import java.util.List;
import java.util.Optional;

/**
 * How a migration stands after a command.
 *
 * @param oldTable where the rows come from, for people
 * @param proposal the schema as it was found; empty where the migration had begun before
 * @param plan the schema that is used, or would be
 * @param queued how many changes of the old table wait to be taken over
 * @param renamedTo what the old table is called now; empty before the end
 * @param noReadersView why no view has taken the old table's name; empty where one has, and before
 * @param readersNote in what that view differs from the table; empty where it doesn't
 * @param dependents what was made for the old table and still goes with it, by its new name; before
 *     the end what will
 */
public record MigrationReport(
    State state,
    String oldTable,
    Optional<Proposal> proposal,
    MigrationPlan plan,
    List<Moved> views,
    long queued,
    Optional<String> renamedTo,
    Optional<String> noReadersView,
    Optional<String> readersNote,
    List<String> dependents) {
  public MigrationReport {
    views = List.copyOf(views);
    dependents = List.copyOf(dependents);
  }

  /**
   * A view and its rows.
   *
   * @param rows that its new table has
   * @param runId that stands for the takeover; empty before the view is live
   */
  public record Moved(String view, long rows, Optional<Long> runId) {}

  /** How far it came. */
  public enum State {
    /** Something keeps the table from being migrated; nothing was begun. */
    REFUSED,
    /** The schema was inferred and not accepted; nothing was begun. */
    SHOWN,
    /** All rows are copied, and changes are queued until the end. */
    FOLLOWING,
    /** The views are live. */
    FINISHED,
    /** All is as it was before. */
    ABORTED;

    private final String id = name().toLowerCase(java.util.Locale.ROOT);

    /** Returns the name in answers. */
    public String id() {
      return id;
    }
  }
}
