package io.featureduck.lookup;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.vertx.core.Future;
import io.vertx.core.VertxException;
import io.vertx.pgclient.PgConnection;
import io.vertx.pgclient.PgException;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Reads a view from PostgreSQL; one array parameter, so one statement for any batch size. */
final class PostgresFeatureTable implements FeatureTable {
  private static final String FEATURE_NOT_SUPPORTED = "0A000";
  private static final String UNDEFINED_TABLE = "42P01";
  private static final String DATA_EXCEPTION_CLASS = "22";

  private final StoreConnection connection;
  private final LiveView view;
  private final String sql;
  private final RowJson json;
  private final Duration timeout;

  PostgresFeatureTable(StoreConnection connection, String schema, LiveView view, Duration timeout) {
    this.connection = connection;
    this.view = view;
    this.sql = sql(schema, view);
    this.json = new RowJson(view.features());
    this.timeout = timeout;
  }

  private static String sql(String schema, LiveView view) {
    StringBuilder sql = new StringBuilder("SELECT entity_key");
    for (Feature feature : view.features()) {
      sql.append(", ").append(RowJson.selected(identifier(feature.name()), feature.type()));
    }
    return sql.append(", event_timestamp, updated_at FROM ")
        .append(identifier(schema))
        .append('.')
        .append(identifier(view.table()))
        .append(" WHERE entity_key = ANY($1)")
        .toString();
  }

  private static String identifier(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  @Override
  public Future<List<FeatureRow>> fetch(List<String> entities) {
    return query(entities)
        .recover(cause -> isOfAnOlderTable(cause) ? query(entities) : Future.failedFuture(cause))
        .map(rows -> inOrderOf(entities, rows))
        .recover(cause -> Future.failedFuture(classify(cause)));
  }

  private Future<RowSet<Row>> query(List<String> entities) {
    return connection.get().compose(open -> query(open, entities));
  }

  private Future<RowSet<Row>> query(PgConnection open, List<String> entities) {
    return open.preparedQuery(sql)
        .execute(Tuple.of(entities.toArray(String[]::new)))
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(cause -> dropIfSilent(open, cause));
  }

  private void dropIfSilent(PgConnection open, Throwable cause) {
    if (cause instanceof TimeoutException) {
      // What is pipelined behind the query would wait as long as it does.
      connection.drop(open);
    }
  }

  /**
   * Tells whether the statement was prepared against a table that has been replaced by one with
   * other types ("cached plan must not change result type"); the client prepares it anew the next
   * time.
   */
  private static boolean isOfAnOlderTable(Throwable cause) {
    return cause instanceof PgException e && FEATURE_NOT_SUPPORTED.equals(e.getSqlState());
  }

  private List<FeatureRow> inOrderOf(List<String> entities, RowSet<Row> rows) {
    int asked = entities.size();
    List<FeatureRow> ordered = new ArrayList<>(asked);
    if (asked == 1) {
      ordered.add(rows.size() == 0 ? FeatureRow.MISSING : json.read(rows.iterator().next()));
      return ordered;
    }
    Map<String, FeatureRow> byKey = HashMap.newHashMap(asked);
    for (Row row : rows) {
      byKey.put(row.getString(0), json.read(row));
    }
    for (int i = 0; i < asked; i++) {
      ordered.add(byKey.getOrDefault(entities.get(i), FeatureRow.MISSING));
    }
    return ordered;
  }

  private Throwable classify(Throwable cause) {
    return switch (cause) {
      case TimeoutException e ->
          new FeatureException(
              ErrorCode.STORE_TIMEOUT,
              "the online store gave no answer within %d ms".formatted(timeout.toMillis()),
              e);
      case PgException e -> classify(e);
      case IOException e -> unreachable(e);
      // Vert.x' own: a connection that was closed, or is about to be.
      case VertxException e -> unreachable(e);
      // Ours, and so a bug.
      default -> cause;
    };
  }

  private static FeatureException unreachable(Throwable cause) {
    return new FeatureException(
        ErrorCode.STORE_UNAVAILABLE, "the online store can't be reached", cause);
  }

  private FeatureException classify(PgException e) {
    String state = String.valueOf(e.getSqlState());
    if (state.equals(UNDEFINED_TABLE)) {
      return new FeatureException(
          ErrorCode.STORE_UNAVAILABLE, "view %s was never materialized".formatted(view.view()), e);
    }
    if (state.startsWith(DATA_EXCEPTION_CLASS)) {
      return new FeatureException(
          ErrorCode.INVALID_REQUEST, "the online store can't hold such an entity key", e);
    }
    return new FeatureException(
        ErrorCode.STORE_UNAVAILABLE,
        "the online store refused a lookup (SQLSTATE %s)".formatted(state),
        e);
  }
}
