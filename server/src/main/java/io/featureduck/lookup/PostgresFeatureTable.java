package io.featureduck.lookup;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.Future;
import io.vertx.sqlclient.DatabaseException;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.Tuple;
import java.time.Duration;
import java.util.List;

/** Reads a view from PostgreSQL; one array parameter, so one statement for any batch size. */
final class PostgresFeatureTable extends SqlFeatureTable {
  private static final String FEATURE_NOT_SUPPORTED = "0A000";
  private static final String UNDEFINED_TABLE = "42P01";
  private static final String DATA_EXCEPTION_CLASS = "22";

  private final String sql;

  PostgresFeatureTable(StoreConnection connection, String schema, LiveView view, Duration timeout) {
    super(connection, view, timeout);
    this.sql = sql(schema, view);
  }

  private static String sql(String schema, LiveView view) {
    StringBuilder sql = new StringBuilder("SELECT entity_key");
    if (view.storage() == Storage.JSONB) {
      sql.append(", features::text");
    } else {
      for (Feature feature : view.features()) {
        sql.append(", ").append(selected(identifier(feature.name()), feature.type()));
      }
    }
    return sql.append(", event_timestamp, updated_at FROM ")
        .append(identifier(schema))
        .append('.')
        .append(identifier(view.table()))
        .append(" WHERE entity_key = ANY($1)")
        .toString();
  }

  /**
   * Returns a column as it is selected: what the client would read through a lossy type is cast to
   * text by the server, whose text has each digit.
   */
  private static String selected(String column, FeatureType type) {
    if (isReadAsText(type)) {
      return column + "::text";
    }
    if (type instanceof FeatureType.Array(FeatureType element) && isReadAsText(element)) {
      return column + "::text[]";
    }
    return column;
  }

  private static boolean isReadAsText(FeatureType type) {
    // JSON would pass through a parser that reads numbers as doubles.
    return type instanceof FeatureType.Decimal || type == Primitive.JSON;
  }

  private static String identifier(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  @Override
  public int keysMax() {
    return Integer.MAX_VALUE;
  }

  @Override
  Future<RowSet<Row>> ask(SqlConnection open, List<String> entities) {
    return open.preparedQuery(sql).execute(Tuple.of(entities.toArray(String[]::new)));
  }

  @Override
  String key(Row row) {
    return row.getString(0);
  }

  /** "cached plan must not change result type": the client prepares the statement anew. */
  @Override
  boolean isOfAnOlderTable(DatabaseException failure) {
    return FEATURE_NOT_SUPPORTED.equals(failure.getSqlState());
  }

  @Override
  boolean isOutOfStep(DatabaseException failure) {
    return false;
  }

  @Override
  FeatureException refused(DatabaseException failure) {
    String state = String.valueOf(failure.getSqlState());
    if (state.equals(UNDEFINED_TABLE)) {
      return neverMaterialized(failure);
    }
    if (state.startsWith(DATA_EXCEPTION_CLASS)) {
      return new FeatureException(
          ErrorCode.INVALID_REQUEST, "the online store can't hold such an entity key", failure);
    }
    return new FeatureException(
        ErrorCode.STORE_UNAVAILABLE,
        "the online store refused a lookup (SQLSTATE %s)".formatted(state),
        failure);
  }
}
