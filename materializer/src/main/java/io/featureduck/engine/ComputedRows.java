package io.featureduck.engine;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.plan.Feature;
import io.featureduck.store.Retention;
import io.featureduck.store.RowWriter;
import io.featureduck.store.Rows;
import io.featureduck.store.RunProgress;
import io.featureduck.store.RunStage;
import io.featureduck.store.UnfitValueException;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;

/**
 * The rows that DuckDB computes for a view, streamed into the store.
 *
 * <p>Hot path, once per value of a run: each column has its writer, made once. Instants and days
 * come as whole numbers, so that no calendar is used; arrays come as Java objects.
 */
public final class ComputedRows implements Rows {
  private static final int KEY_BYTES_MAX = 2_048;

  private final DuckDbSession session;
  private final String view;
  private final String sql;
  private final List<Feature> features;
  private final RunProgress progress;
  private final Retention retention;

  /**
   * @param sql gives {@code entity_key}, the features by name and {@code event_timestamp}
   * @param progress told of rows as they are written
   * @param retention which rows are left out
   */
  public ComputedRows(
      DuckDbSession session,
      String view,
      String sql,
      List<Feature> features,
      RunProgress progress,
      Retention retention) {
    this.session = session;
    this.view = view;
    this.sql = sql;
    this.features = List.copyOf(features);
    this.progress = progress;
    this.retention = retention;
  }

  @Override
  public Retention retention() {
    return retention;
  }

  @Override
  public long writeTo(RowWriter out) throws SQLException {
    progress.computed(0);
    progress.enter(RunStage.COMPUTING);
    return session.stream(select(), rows -> write(rows, out));
  }

  /** Returns the computation with each column in the form that it is read in. */
  private String select() {
    StringBuilder select = new StringBuilder("SELECT \"entity_key\"");
    for (Feature feature : features) {
      select.append(", ").append(read(DuckDb.identifier(feature.name()), feature.type()));
    }
    select.append(", ").append(read("\"event_timestamp\"", Primitive.TIMESTAMP));
    return select.append(" FROM (\n").append(sql).append("\n) AS computed").toString();
  }

  private static String read(String column, FeatureType type) {
    return switch (type) {
      case Primitive primitive ->
          switch (primitive) {
            case TIMESTAMP ->
                // epoch_us gives NULL for an infinite one.
                "CASE WHEN isinf(%1$s) THEN %2$d ELSE epoch_us(%1$s) END"
                    .formatted(column, ColumnWriter.INFINITE_MICROS);
            case DATE -> "(" + column + " - DATE '1970-01-01')::INTEGER";
            case BYTES -> "hex(" + column + ")";
            case JSON -> column + "::VARCHAR";
            case BOOL, INT32, INT64, FLOAT32, FLOAT64, STRING -> column;
          };
      case FeatureType.Decimal decimal -> column;
      case FeatureType.Array(FeatureType element) -> {
        String read = read("e", element);
        yield read.equals("e") ? column : "list_transform(" + column + ", lambda e: " + read + ")";
      }
    };
  }

  private long write(ResultSet rows, RowWriter out) throws SQLException {
    int columns = features.size() + 2;
    ColumnWriter[] writers = new ColumnWriter[features.size()];
    for (int i = 0; i < writers.length; i++) {
      writers[i] = ColumnWriter.of(features.get(i).type());
    }
    ColumnWriter time = ColumnWriter.of(Primitive.TIMESTAMP);
    long count = 0;
    boolean more = next(rows);
    // Here the computation holds most: what is grouped is all there.
    session.memoryBytes().ifPresent(progress::memory);
    progress.enter(RunStage.COPYING);
    while (more) {
      long event = rows.getLong(columns);
      boolean gone = rows.wasNull();
      byte[] key = RowWriter.utf8(rows.getString(1));
      boolean leftOut = !gone && retention.isTooOld(event);
      if (leftOut) {
        retention.leaveOut();
      }
      if ((gone && key.length > KEY_BYTES_MAX) || (leftOut && !tellsAsGone(key))) {
        // Whoever has no row and can't have had one, or is gone by not being here.
        more = next(rows);
        continue;
      }
      checkKey(key);
      out.startRow(columns);
      out.putText(key);
      if (leftOut) {
        for (int i = 1; i < columns; i++) {
          out.putNull();
        }
        count++;
        more = next(rows);
        continue;
      }
      for (int i = 0; i < writers.length; i++) {
        try {
          writers[i].write(rows, i + 2, out);
        } catch (UnfitValueException e) {
          throw unfit(rows, "feature " + features.get(i).name(), e);
        }
      }
      try {
        time.write(rows, columns, out);
      } catch (UnfitValueException e) {
        throw unfit(rows, "its event time", e);
      }
      count++;
      if ((count & 0xfff) == 0) {
        progress.computed(count);
      }
      more = next(rows);
    }
    progress.computed(count);
    return count;
  }

  private boolean tellsAsGone(byte[] key) {
    return retention.tellsWhatIsGone() && key.length <= KEY_BYTES_MAX;
  }

  private FeatureException unfit(ResultSet rows, String what, UnfitValueException e)
      throws SQLException {
    return new FeatureException(
        ErrorCode.VALUE_OUT_OF_RANGE,
        "view %s, entity '%s', %s: %s".formatted(view, rows.getString(1), what, e.getMessage()),
        e);
  }

  private boolean next(ResultSet rows) {
    try {
      return rows.next();
    } catch (SQLException e) {
      throw session.failure("computing", e);
    }
  }

  private void checkKey(byte[] key) {
    if (key.length > KEY_BYTES_MAX) {
      throw new FeatureException(
          ErrorCode.VALUE_OUT_OF_RANGE,
          "view %s, entity '%.60s…': its key has %d bytes of UTF-8, more than %d"
              .formatted(
                  view,
                  new String(key, java.nio.charset.StandardCharsets.UTF_8),
                  key.length,
                  KEY_BYTES_MAX));
    }
    if (hasZero(key)) {
      throw new FeatureException(
          ErrorCode.VALUE_OUT_OF_RANGE,
          "view %s, entity '%s': its key holds U+0000, which the online store can't keep"
              .formatted(
                  view,
                  new String(key, java.nio.charset.StandardCharsets.UTF_8)
                      .replace("\0", "\\u0000")));
    }
  }

  static boolean hasZero(byte[] utf8) {
    for (byte b : utf8) {
      if (b == 0) {
        return true;
      }
    }
    return false;
  }
}
