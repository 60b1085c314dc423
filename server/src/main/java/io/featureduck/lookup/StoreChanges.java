package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.vertx.core.Future;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.Tuple;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Asks the store how far its live views have come, and what the commits to one changed. */
final class StoreChanges {
  private static final JsonMapper JSON = new JsonMapper();

  private final String standingsSql;
  private final String changesSql;

  /**
   * A live view.
   *
   * @param hash of its definition
   * @param generation of its newest commit; 0 before the first
   * @param asOf the instant its rows were computed for; empty before the first run
   */
  record Standing(String view, int version, String hash, long generation, Optional<Instant> asOf) {}

  /**
   * A commit.
   *
   * @param keys of the entities it changed; empty where it may have changed all
   */
  record Change(long generation, Optional<List<String>> keys) {}

  StoreChanges(OnlineStoreSettings settings) {
    // MySQL's tables are in the connection's database.
    String schema =
        switch (settings.type()) {
          case POSTGRES -> '"' + settings.schema().replace("\"", "\"\"") + "\".";
          case MYSQL -> "";
        };
    standingsSql =
        """
        SELECT v.view, v.version, v.hash,
          (SELECT coalesce(max(c.generation), 0) FROM %1$sfeatureduck_changes c
           WHERE c.view = v.view AND c.version = v.version),
          (SELECT max(r.upper_bound) FROM %1$sfeatureduck_watermarks w
           JOIN %1$sfeatureduck_runs r ON r.run_id = w.run_id
           WHERE w.view = v.view AND w.version = v.version)
        FROM %1$sfeatureduck_views v WHERE v.live
        """
            .formatted(schema);
    String where =
        switch (settings.type()) {
          case POSTGRES -> "c.view = $1 AND c.version = $2 AND c.generation > $3";
          case MYSQL -> "c.view = ? AND c.version = ? AND c.generation > ?";
        };
    String keys =
        switch (settings.type()) {
          case POSTGRES -> "c.keys::text";
          case MYSQL -> "CAST(c.keys AS CHAR)";
        };
    changesSql =
        """
        SELECT c.generation, %2$s FROM %1$sfeatureduck_changes c
        WHERE %3$s ORDER BY c.generation
        """
            .formatted(schema, keys, where);
  }

  /** Returns the live views, in no particular order. */
  Future<List<Standing>> standings(SqlConnection open) {
    return open.preparedQuery(standingsSql).execute().map(StoreChanges::standings);
  }

  private static List<Standing> standings(RowSet<Row> rows) {
    List<Standing> standings = new ArrayList<>();
    for (Row row : rows) {
      @Nullable OffsetDateTime asOf = RowJson.instant(row.getValue(4));
      standings.add(
          new Standing(
              row.getString(0),
              row.getInteger(1),
              row.getString(2),
              row.getLong(3),
              Optional.ofNullable(asOf).map(OffsetDateTime::toInstant)));
    }
    return standings;
  }

  /** Returns the commits to a version of a view after a generation, in their order. */
  Future<List<Change>> after(SqlConnection open, String view, int version, long generation) {
    return open.preparedQuery(changesSql)
        .execute(Tuple.of(view, version, generation))
        .map(StoreChanges::changes);
  }

  private static List<Change> changes(RowSet<Row> rows) {
    List<Change> changes = new ArrayList<>();
    for (Row row : rows) {
      changes.add(new Change(row.getLong(0), keys(row.getString(1))));
    }
    return changes;
  }

  private static Optional<List<String>> keys(@Nullable String json) {
    if (json == null) {
      return Optional.empty();
    }
    try {
      JsonNode keys = JSON.readTree(json);
      return keys.isArray()
          ? Optional.of(keys.valueStream().map(JsonNode::asString).toList())
          : Optional.empty();
    } catch (JacksonException e) {
      // Edited by hand, or cut off: then nobody knows which they were.
      return Optional.empty();
    }
  }
}
