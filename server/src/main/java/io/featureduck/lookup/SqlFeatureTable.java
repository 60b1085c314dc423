package io.featureduck.lookup;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.store.LiveView;
import io.vertx.core.Future;
import io.vertx.core.VertxException;
import io.vertx.sqlclient.DatabaseException;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnection;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Reads a view from a database by one statement. What differs between databases is abstract. */
abstract sealed class SqlFeatureTable implements FeatureTable
    permits PostgresFeatureTable, MySqlFeatureTable {
  final LiveView view;
  private final StoreConnection connection;
  private final RowJson json;
  private final Duration timeout;

  SqlFeatureTable(StoreConnection connection, LiveView view, Duration timeout) {
    this.connection = connection;
    this.view = view;
    this.json =
        view.storage() == Storage.JSONB
            ? new ObjectJson(view.features())
            : new ColumnsJson(view.features());
    this.timeout = timeout;
  }

  /**
   * Asks for the rows of some entities, in any order and without duplicates.
   *
   * @return rows of {@code entity_key}, what {@link RowJson} reads, {@code event_timestamp} and
   *     {@code updated_at}
   */
  abstract Future<RowSet<Row>> ask(SqlConnection open, List<String> entities);

  /** Returns the {@code entity_key} of a row. */
  abstract String key(Row row);

  /**
   * Tells whether a query failed because its table has been replaced, and may succeed when it is
   * asked again.
   */
  abstract boolean isOfAnOlderTable(DatabaseException failure);

  /** Tells whether what the client knows of a connection can't be true any more. */
  abstract boolean isOutOfStep(DatabaseException failure);

  /** Makes a failure of the database's ours. */
  abstract FeatureException refused(DatabaseException failure);

  @Override
  public final Future<List<FeatureRow>> fetch(List<String> entities) {
    return query(entities)
        .recover(cause -> mayBeAskedAgain(cause) ? query(entities) : Future.failedFuture(cause))
        .map(rows -> inOrderOf(entities, rows))
        .recover(cause -> Future.failedFuture(classify(cause)));
  }

  private Future<RowSet<Row>> query(List<String> entities) {
    return connection.get().compose(open -> query(open, entities));
  }

  private Future<RowSet<Row>> query(SqlConnection open, List<String> entities) {
    return ask(open, entities)
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(cause -> dropIfUseless(open, cause));
  }

  private void dropIfUseless(SqlConnection open, Throwable cause) {
    // Where it is silent, what is sent behind the query would wait as long as it does.
    if (cause instanceof TimeoutException
        || (cause instanceof DatabaseException e && isOutOfStep(e))) {
      connection.drop(open);
    }
  }

  private boolean mayBeAskedAgain(Throwable cause) {
    return cause instanceof DatabaseException e && (isOfAnOlderTable(e) || isOutOfStep(e));
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
      byKey.put(key(row), json.read(row));
    }
    for (int i = 0; i < asked; i++) {
      ordered.add(byKey.getOrDefault(entities.get(i), FeatureRow.MISSING));
    }
    return ordered;
  }

  private Throwable classify(Throwable cause) {
    return switch (cause) {
      case TimeoutException e -> timedOut(e);
      case DatabaseException e -> refused(e);
      case IOException e -> unreachable(e);
      // Vert.x' own: a connection that was closed, or is about to be.
      case VertxException e -> unreachable(e);
      // Ours, and so a bug.
      default -> cause;
    };
  }

  final FeatureException timedOut(Throwable cause) {
    return new FeatureException(
        ErrorCode.STORE_TIMEOUT,
        "the online store gave no answer within %d ms".formatted(timeout.toMillis()),
        cause);
  }

  final FeatureException neverMaterialized(Throwable cause) {
    return new FeatureException(
        ErrorCode.STORE_UNAVAILABLE,
        "view %s was never materialized".formatted(view.view()),
        cause);
  }

  private static FeatureException unreachable(Throwable cause) {
    return new FeatureException(
        ErrorCode.STORE_UNAVAILABLE, "the online store can't be reached", cause);
  }
}
