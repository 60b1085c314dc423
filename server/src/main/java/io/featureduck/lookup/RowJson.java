package io.featureduck.lookup;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.vertx.sqlclient.Row;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns the rows of one view into the bytes of {@link FeatureRow}, as {@code
 * {"spent_7d":3.0,"score":"NaN"},"event_timestamp":"…","updated_at":"…"}. Confined to one thread.
 *
 * <p>Hot path, once per row read from the store: names are escaped once per view, then each value
 * costs one array copy and one number, by column index. No map, no tree. The bench is the uncached
 * GET of the loadtest module.
 */
abstract sealed class RowJson permits ColumnsJson, ObjectJson {
  private static final byte[] EVENT_TIMESTAMP = JsonBytes.ascii(",\"event_timestamp\":");
  private static final byte[] UPDATED_AT = JsonBytes.ascii(",\"updated_at\":");

  private final byte[][] labels;
  private final int timesColumn;
  private final JsonBytes out = new JsonBytes(512);

  /**
   * @param timesColumn where {@code event_timestamp} is, with {@code updated_at} behind it
   */
  RowJson(List<Feature> features, int timesColumn) {
    this.labels = labels(features);
    this.timesColumn = timesColumn;
  }

  /** Returns each name in quotes with a colon behind it and a brace, or then a comma, before it. */
  static byte[][] labels(List<Feature> features) {
    byte[][] labels = new byte[features.size()][];
    for (int i = 0; i < labels.length; i++) {
      JsonBytes label = new JsonBytes(64);
      label.raw(i == 0 ? '{' : ',');
      label.string(features.get(i).name());
      label.raw(':');
      labels[i] = label.toArray();
    }
    return labels;
  }

  /**
   * Takes a row up, before its values are appended.
   *
   * @throws StoredJsonException where what the store holds is no value of its feature's type
   */
  abstract void begin(Row row) throws StoredJsonException;

  /**
   * Appends the value of a feature, or {@code null}.
   *
   * @throws StoredJsonException where what the store holds is no value of its feature's type
   */
  abstract void append(Row row, int feature, JsonBytes to) throws StoredJsonException;

  /**
   * Reads a row, which begins with its {@code entity_key}. One that does not hold what the view has
   * comes with a {@link FeatureRow#failure}.
   */
  final FeatureRow read(Row row) {
    try {
      return written(row);
    } catch (StoredJsonException e) {
      return FeatureRow.unreadable(
          new FeatureException(
              ErrorCode.STORE_UNAVAILABLE,
              "the online store's row can't be read: " + e.getMessage(),
              e));
    }
  }

  private FeatureRow written(Row row) throws StoredJsonException {
    out.clear();
    begin(row);
    int[] ends = new int[labels.length];
    if (labels.length == 0) {
      out.raw('{');
    }
    for (int i = 0; i < labels.length; i++) {
      out.raw(labels[i]);
      append(row, i, out);
      ends[i] = out.size();
    }
    out.raw('}');
    OffsetDateTime event = instant(row.getValue(timesColumn));
    out.raw(EVENT_TIMESTAMP);
    appendTime(event);
    out.raw(UPDATED_AT);
    appendTime(instant(row.getValue(timesColumn + 1)));
    return new FeatureRow(out.toArray(), ends, event == null ? FeatureRow.NO_EVENT : micros(event));
  }

  private void appendTime(@Nullable OffsetDateTime time) {
    if (time == null) {
      out.nullValue();
    } else {
      out.timestamp(time);
    }
  }

  private static long micros(OffsetDateTime time) {
    return time.toEpochSecond() * 1_000_000 + time.getNano() / 1_000;
  }

  /** Returns an instant, which MySQL's client gives as the time in UTC; null for null. */
  static @Nullable OffsetDateTime instant(@Nullable Object time) {
    return time instanceof LocalDateTime utc ? utc.atOffset(ZoneOffset.UTC) : (OffsetDateTime) time;
  }
}
