package io.featureduck.source;

import io.featureduck.definition.Source;
import io.featureduck.dialect.DuckDbDialect;
import io.featureduck.dialect.ServerSql;
import io.featureduck.engine.DuckDb;
import io.featureduck.engine.DuckDbSession;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.List;

/**
 * The database of a source, as one session has it attached. Failures are FeatureExceptions that
 * name the source.
 */
final class AttachedServer {
  static final DuckDbDialect DIALECT = new DuckDbDialect();

  private final DuckDbSession session;
  private final Source source;
  private final Source.Table table;

  AttachedServer(DuckDbSession session, Source source, Source.Table table) {
    this.session = session;
    this.source = source;
    this.table = table;
  }

  Source source() {
    return source;
  }

  Source.Table table() {
    return table;
  }

  ServerSql sql() {
    return ServerSql.of(table.database());
  }

  /** Asks the server itself. */
  <T> List<T> ask(String sql, DuckDbSession.RowReader<T> reader) {
    return askSession("SELECT * FROM " + sql().from(DIALECT.attachedName(source), sql), reader);
  }

  /** Asks the session, about what it sees of the server. */
  <T> List<T> askSession(String sql, DuckDbSession.RowReader<T> reader) {
    try {
      return session.list(sql, reader);
    } catch (FeatureException e) {
      throw named(source, e);
    }
  }

  /**
   * Has what the session reads of Postgres from now on be read over its transaction's connection.
   */
  void scanOnOneConnection() {
    session.execute("SET pg_use_ctid_scan = false");
  }

  /** Has MySQL run a statement that gives no rows. */
  void execute(String sql) {
    try {
      session.execute(
          "CALL mysql_execute(%s, %s)"
              .formatted(DuckDb.literal(DIALECT.attachedName(source)), DuckDb.literal(sql)));
    } catch (FeatureException e) {
      throw named(source, e);
    }
  }

  /** Returns a failure with the source's name before it; what is missing makes it unavailable. */
  static FeatureException named(Source source, FeatureException e) {
    ErrorCode code = e.code() == ErrorCode.SOURCE_SCHEMA ? ErrorCode.SOURCE_UNAVAILABLE : e.code();
    return e.retold(code, "source %s: %s".formatted(source.name(), e.getMessage()));
  }
}
