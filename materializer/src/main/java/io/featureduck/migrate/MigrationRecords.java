package io.featureduck.migrate;

import io.featureduck.migrate.MigrationRecord.State;
import io.featureduck.store.AdoptedRows;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The store's record of migrations and of how far they came. */
final class MigrationRecords {
  private static final JsonMapper JSON = new JsonMapper();

  private static final String COLUMNS =
      "migration_id, token, place, old_schema, old_table, old_columns::text, state, plan::text,"
          + " started_at, renamed_to, no_readers_view, readers_note";

  private final Session store;

  MigrationRecords(Session store) {
    this.store = store;
  }

  /**
   * How far the rows of a view were copied.
   *
   * @param position the last key; empty before the first
   * @param copied whether that were all
   * @param runId that stands for the takeover, once the view is live
   */
  record Copied(Optional<String> position, boolean copied, long rows, Optional<Long> runId) {}

  Optional<MigrationRecord> unfinished() {
    return store.first(
        "SELECT %s FROM featureduck_migrations WHERE state NOT IN ('finished', 'aborted')"
            .formatted(COLUMNS),
        MigrationRecords::read);
  }

  /** Returns the newest migration of a table. */
  Optional<MigrationRecord> newest(String place, String schema, String table) {
    return store.first(
        """
        SELECT %s FROM featureduck_migrations WHERE place = ? AND old_schema = ? AND old_table = ?
        ORDER BY migration_id DESC LIMIT 1
        """
            .formatted(COLUMNS),
        MigrationRecords::read,
        place,
        schema,
        table);
  }

  private static MigrationRecord read(ResultSet row) throws SQLException {
    JsonNode columns = JSON.readTree(row.getString(6));
    return new MigrationRecord(
        row.getLong(1),
        row.getString(2),
        row.getString(3),
        row.getString(4),
        row.getString(5),
        OldColumns.of(
            Map.of(
                "feature_view", columns.path("feature_view").asString(),
                "entity_key", columns.path("entity_key").asString(),
                "features", columns.path("features").asString(),
                "event_timestamp", columns.path("event_timestamp").asString(),
                "updated_at", columns.path("updated_at").asString())),
        State.of(row.getString(7)),
        MigrationPlan.parse(row.getString(8)),
        row.getObject(9, OffsetDateTime.class).toInstant(),
        Optional.ofNullable(row.getString(10)),
        Optional.ofNullable(row.getString(11)),
        Optional.ofNullable(row.getString(12)));
  }

  /** Notes a migration that begins, and its views, within a transaction. */
  MigrationRecord insert(String place, OldTable old, MigrationPlan plan, String by) {
    ObjectNode columns =
        JSON.createObjectNode()
            .put("feature_view", old.columns().featureView())
            .put("entity_key", old.columns().entityKey())
            .put("features", old.columns().features())
            .put("event_timestamp", old.columns().eventTimestamp())
            .put("updated_at", old.columns().updatedAt());
    MigrationRecord record =
        store
            .first(
                """
                INSERT INTO featureduck_migrations
                  (token, place, old_schema, old_table, old_columns, state, plan, started_by)
                VALUES (?, ?, ?, ?, ?::jsonb, 'starting', ?::jsonb, ?) RETURNING %s
                """
                    .formatted(COLUMNS),
                MigrationRecords::read,
                "featureduck migration " + UUID.randomUUID(),
                place,
                old.schema(),
                old.name(),
                columns.toString(),
                plan.stored(),
                by)
            .orElseThrow();
    for (MigratedView view : plan.views()) {
      store.update(
          """
          INSERT INTO featureduck_migration_views (migration_id, feature_view) VALUES (?, ?)
          """,
          record.id(),
          view.featureView());
    }
    return record;
  }

  void enter(MigrationRecord migration, State state) {
    store.update(
        """
        UPDATE featureduck_migrations SET state = ?,
          finished_at = CASE WHEN ? IN ('finished', 'aborted') THEN clock_timestamp() END
        WHERE migration_id = ?
        """,
        state.id(),
        state.id(),
        migration.id());
  }

  /** Notes what became of the old table's name. */
  void noteRenamed(
      MigrationRecord migration,
      String renamedTo,
      Optional<String> noReadersView,
      Optional<String> readersNote) {
    store.update(
        """
        UPDATE featureduck_migrations
        SET renamed_to = ?, no_readers_view = ?, readers_note = ? WHERE migration_id = ?
        """,
        renamedTo,
        noReadersView.orElse(null),
        readersNote.orElse(null),
        migration.id());
  }

  /** Returns how far the views were copied, by their old names. */
  Map<String, Copied> views(MigrationRecord migration) {
    Map<String, Copied> views = new TreeMap<>();
    List<Boolean> ignored =
        store.list(
            """
            SELECT feature_view, position, copied, rows, run_id FROM featureduck_migration_views
            WHERE migration_id = ?
            """,
            row -> {
              long runId = row.getLong(5);
              boolean noRun = row.wasNull();
              Copied copied =
                  new Copied(
                      Optional.ofNullable(row.getString(2)),
                      row.getBoolean(3),
                      row.getLong(4),
                      noRun ? Optional.empty() : Optional.of(runId));
              return views.put(row.getString(1), copied) == null;
            },
            migration.id());
    return views;
  }

  /** Moves a view's position within the transaction that writes the rows up to there. */
  void advance(
      MigrationRecord migration, String featureView, Optional<String> position, long rows) {
    store.update(
        """
        UPDATE featureduck_migration_views
        SET position = coalesce(?, position), copied = ?, rows = rows + ?
        WHERE migration_id = ? AND feature_view = ?
        """,
        position.orElse(null),
        position.isEmpty(),
        rows,
        migration.id(),
        featureView);
  }

  /** Has all views copied from their beginning, within the transaction that empties the tables. */
  void restart(MigrationRecord migration) {
    store.update(
        """
        UPDATE featureduck_migration_views SET position = NULL, copied = false, rows = 0,
          event_min = NULL, event_max = NULL
        WHERE migration_id = ?
        """,
        migration.id());
  }

  /** Counts the rows of a view's table; returns how many there are. */
  long count(MigrationRecord migration, String featureView, String table) {
    return store.number(
        """
        UPDATE featureduck_migration_views SET (rows, event_min, event_max) =
          (SELECT count(*), min(n.event_timestamp), max(n.event_timestamp) FROM %s n)
        WHERE migration_id = ? AND feature_view = ? RETURNING rows
        """
            .formatted(table),
        migration.id(),
        featureView);
  }

  /**
   * Keeps the count up, within the transaction that writes rows.
   *
   * @param more how many rows there are more than before
   * @param keys of the rows that were written
   */
  void changed(
      MigrationRecord migration, String featureView, long more, String table, List<String> keys) {
    store.update(
        """
        UPDATE featureduck_migration_views v SET rows = v.rows + ?,
          event_min = least(v.event_min, t.min), event_max = greatest(v.event_max, t.max)
        FROM (SELECT min(n.event_timestamp), max(n.event_timestamp) FROM %s n
          WHERE n.entity_key = ANY (?)) t
        WHERE v.migration_id = ? AND v.feature_view = ?
        """
            .formatted(table),
        more,
        keys,
        migration.id(),
        featureView);
  }

  /** Returns what was counted of a view's rows. */
  AdoptedRows counted(MigrationRecord migration, String featureView) {
    return store
        .first(
            """
            SELECT rows, event_min, event_max FROM featureduck_migration_views
            WHERE migration_id = ? AND feature_view = ?
            """,
            row -> new AdoptedRows(row.getLong(1), instant(row, 2), instant(row, 3)),
            migration.id(),
            featureView)
        .orElseThrow();
  }

  private static Optional<Instant> instant(ResultSet row, int column) throws SQLException {
    return Optional.ofNullable(row.getObject(column, OffsetDateTime.class))
        .map(OffsetDateTime::toInstant);
  }

  /**
   * Notes the run that stands for a view's takeover, within its transaction.
   *
   * @param erased rows that were counted and have been deleted since
   */
  void noteRun(MigrationRecord migration, String featureView, long runId, long erased) {
    store.update(
        """
        UPDATE featureduck_migration_views SET run_id = ?, rows = rows - ?
        WHERE migration_id = ? AND feature_view = ?
        """,
        runId,
        erased,
        migration.id(),
        featureView);
  }
}
