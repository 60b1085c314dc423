package io.featureduck.source;

import io.featureduck.definition.Source;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.plan.SourceSchema.Column;
import io.featureduck.source.SourceReader.Snapshot;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** How the tables of one kind of server are reached, and what the server says of them. */
abstract sealed class ServerTables permits PostgresTables, MySqlTables {
  ServerTables() {}

  static ServerTables of(Source.Database database) {
    return switch (database) {
      case POSTGRES -> new PostgresTables();
      case MYSQL -> new MySqlTables();
    };
  }

  /** Refuses a table whose name can't be asked for. */
  abstract void checkName(Source.Table table);

  /** Attaches the source's database; gives up on a server that doesn't answer. */
  abstract void attach(DuckDbSession session, Source source, Source.Table table);

  /** Has the rest of the session's transaction see one snapshot. Called once in a transaction. */
  abstract Snapshot snapshot(AttachedServer server);

  /**
   * Returns all columns of the table in its order by name, with those that DuckDB would see as
   * something else; none where there is no such table.
   */
  abstract Map<String, Optional<Column>> columns(AttachedServer server);

  /**
   * Looks for an index that serves a way in which rows are looked up: valid, not partial, and
   * beginning with one of the columns.
   *
   * @return the statement that makes one; empty where there is one, and where what is read is no
   *     table of this server's, so that nobody can make one
   */
  abstract Optional<String> missingIndex(AttachedServer server, LookupPath path);

  /** Returns the names of tables there are, each with its schema's before it. */
  abstract List<String> names(AttachedServer server);

  static Instant fromMicros(long micros) {
    return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
  }
}
