package io.featureduck.lookup;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.LiveView;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.sqlclient.DatabaseException;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.Tuple;
import java.time.Duration;
import java.util.List;

/** Reads a view from MySQL or MariaDB, by a statement for each of a few lengths of key lists. */
final class MySqlFeatureTable extends SqlFeatureTable {
  /* There is no array parameter, so a statement has as many parameters as keys, and each length is
   * a statement of its own that is prepared on each connection. Lists are filled up to the next of
   * a few lengths by repeating a key, which the optimizer merges with its double. Each step being
   * four times the one before, no list of 2 to 1,000 keys has more than six lengths to go to, and
   * what is sent in vain is below three keys for one. Lengths are few because the server counts
   * prepared statements over all connections, and refuses them beyond 16,382.
   *
   * MariaDB turns a list of 1,000 into a join with a temporary table: lists stay below that. */
  private static final int KEYS_MAX = 999;
  private static final int STEP = 4;

  private static final int UNKNOWN_COLUMN = 1054;
  private static final int UNKNOWN_TABLE = 1146;
  private static final int UNKNOWN_STATEMENT = 1243;
  private static final int TABLE_CHANGED = 1412;
  private static final int STATEMENT_CHANGED = 1615;
  private static final int MARIADB_TIMEOUT = 1969;
  private static final int MYSQL_TIMEOUT = 3024;

  private final int[] lengths;
  private final String[] statements;

  /**
   * @param keysMax what one query is asked for at the most, by the settings
   */
  MySqlFeatureTable(StoreConnection connection, LiveView view, Duration timeout, int keysMax) {
    super(connection, view, timeout);
    this.lengths = lengths(Math.min(keysMax, KEYS_MAX));
    this.statements = new String[lengths.length];
    String sql = sql(view);
    for (int i = 0; i < lengths.length; i++) {
      statements[i] = sql + "?" + ", ?".repeat(lengths[i] - 1) + ")";
    }
  }

  /** Returns 1, 4, 16 … and, as the last one, {@code max}. */
  private static int[] lengths(int max) {
    int steps = 0;
    for (int length = 1; length < max; length *= STEP) {
      steps++;
    }
    int[] lengths = new int[steps + 1];
    int length = 1;
    for (int i = 0; i < steps; i++) {
      lengths[i] = length;
      length *= STEP;
    }
    lengths[steps] = max;
    return lengths;
  }

  private static String sql(LiveView view) {
    StringBuilder sql = new StringBuilder("SELECT entity_key");
    if (view.storage() == Storage.JSONB) {
      sql.append(", CAST(features AS CHAR)");
    } else {
      for (Feature feature : view.features()) {
        sql.append(", ").append(selected(identifier(feature.name()), feature.type()));
      }
    }
    // The connection's database is the project's.
    return sql.append(", event_timestamp, updated_at FROM ")
        .append(identifier(view.table()))
        .append(" WHERE entity_key IN (")
        .toString();
  }

  /**
   * Returns a column as it is selected: a DECIMAL, which the client would make a number of, and
   * JSON, which it would read with numbers as doubles, are cast to text by the server.
   */
  private static String selected(String column, FeatureType type) {
    return switch (type) {
      case FeatureType.Decimal decimal -> asText(column);
      case FeatureType.Array array -> asText(column);
      case Primitive primitive -> primitive == Primitive.JSON ? asText(column) : column;
    };
  }

  private static String asText(String column) {
    return "CAST(" + column + " AS CHAR)";
  }

  private static String identifier(String name) {
    return '`' + name.replace("`", "``") + '`';
  }

  @Override
  public int keysMax() {
    return lengths[lengths.length - 1];
  }

  @Override
  Future<RowSet<Row>> ask(SqlConnection open, List<String> entities) {
    int step = 0;
    while (lengths[step] < entities.size()) {
      step++;
    }
    return open.preparedQuery(statements[step]).execute(filledUp(entities, lengths[step]));
  }

  private static Tuple filledUp(List<String> entities, int length) {
    Object[] keys = new Object[length];
    int asked = entities.size();
    for (int i = 0; i < asked; i++) {
      // As bytes, for a text would be compared by its collation.
      keys[i] = Buffer.buffer(entities.get(i));
    }
    for (int i = asked; i < length; i++) {
      keys[i] = keys[0];
    }
    return Tuple.wrap(keys);
  }

  @Override
  String key(Row row) {
    return row.getBuffer(0).toString();
  }

  @Override
  boolean isOfAnOlderTable(DatabaseException failure) {
    return switch (failure.getErrorCode()) {
      case UNKNOWN_COLUMN, TABLE_CHANGED, STATEMENT_CHANGED -> true;
      default -> false;
    };
  }

  /** A proxy that moved the session to another server leaves its statements behind. */
  @Override
  boolean isOutOfStep(DatabaseException failure) {
    return failure.getErrorCode() == UNKNOWN_STATEMENT;
  }

  @Override
  FeatureException refused(DatabaseException failure) {
    return switch (failure.getErrorCode()) {
      case UNKNOWN_TABLE -> neverMaterialized(failure);
      case MARIADB_TIMEOUT, MYSQL_TIMEOUT -> timedOut(failure);
      default ->
          new FeatureException(
              ErrorCode.STORE_UNAVAILABLE,
              "the online store refused a lookup (error %d, SQLSTATE %s)"
                  .formatted(failure.getErrorCode(), failure.getSqlState()),
              failure);
    };
  }
}
