package io.featureduck.migrate;

import java.time.Instant;
import java.util.Optional;

/**
 * A migration as the store knows it.
 *
 * @param token by which its queue is known
 * @param place of the old table; empty where that is in the store's own database
 * @param renamedTo what the old table is called now; empty before the end
 * @param noReadersView why no view has the old table's name; empty where one has
 * @param readersNote in what the view differs from the table
 */
record MigrationRecord(
    long id,
    String token,
    String place,
    String oldSchema,
    String oldTable,
    OldColumns oldColumns,
    State state,
    MigrationPlan plan,
    Instant startedAt,
    Optional<String> renamedTo,
    Optional<String> noReadersView,
    Optional<String> readersNote) {
  enum State {
    STARTING,
    RUNNING,
    SWITCHED,
    FINISHED,
    ABORTING,
    ABORTED;

    private final String id = name().toLowerCase(java.util.Locale.ROOT);

    String id() {
      return id;
    }

    static State of(String id) {
      return valueOf(id.toUpperCase(java.util.Locale.ROOT));
    }
  }

  String shown() {
    String table = oldSchema + "." + oldTable;
    return place.isEmpty() ? table : table + " at " + place;
  }

  /** Returns the name of the table that a view's rows are copied to, until the view is live. */
  String table(int view) {
    return "featureduck_migration_%d_%d".formatted(id, view + 1);
  }
}
