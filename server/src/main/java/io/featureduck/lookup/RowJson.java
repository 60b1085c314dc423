package io.featureduck.lookup;

import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.buffer.Buffer;
import io.vertx.sqlclient.Row;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Base64;
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
final class RowJson {
  private static final byte[] EVENT_TIMESTAMP = JsonBytes.ascii(",\"event_timestamp\":");
  private static final byte[] UPDATED_AT = JsonBytes.ascii(",\"updated_at\":");
  private static final int FIRST_FEATURE = 1;

  private final byte[][] labels;
  private final FeatureType[] types;
  private final JsonBytes out = new JsonBytes(512);

  RowJson(List<Feature> features) {
    labels = labels(features);
    types = features.stream().map(Feature::type).toArray(FeatureType[]::new);
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
   * Returns a feature's column as it is selected: what the client would read through a lossy type
   * is cast to text by the server, whose text has each digit.
   *
   * @param column the quoted name
   */
  static String selected(String column, FeatureType type) {
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

  /**
   * @param row {@code entity_key}, each feature in order, {@code event_timestamp}, {@code
   *     updated_at}
   */
  FeatureRow read(Row row) {
    out.clear();
    int[] ends = new int[labels.length];
    if (labels.length == 0) {
      out.raw('{');
    }
    for (int i = 0; i < labels.length; i++) {
      out.raw(labels[i]);
      appendValue(types[i], row.getValue(FIRST_FEATURE + i));
      ends[i] = out.size();
    }
    out.raw('}');
    @Nullable OffsetDateTime event = (OffsetDateTime) row.getValue(FIRST_FEATURE + labels.length);
    out.raw(EVENT_TIMESTAMP);
    appendValue(Primitive.TIMESTAMP, event);
    out.raw(UPDATED_AT);
    appendValue(Primitive.TIMESTAMP, row.getValue(FIRST_FEATURE + labels.length + 1));
    return new FeatureRow(out.toArray(), ends, event == null ? FeatureRow.NO_EVENT : micros(event));
  }

  private static long micros(OffsetDateTime time) {
    return time.toEpochSecond() * 1_000_000 + time.getNano() / 1_000;
  }

  private void appendValue(FeatureType type, @Nullable Object value) {
    if (value == null) {
      out.nullValue();
      return;
    }
    switch (type) {
      case Primitive primitive -> appendPrimitive(primitive, value);
      case FeatureType.Decimal decimal -> decimal((String) value);
      case FeatureType.Array array -> appendArray(array.element(), (Object[]) value);
    }
  }

  private void appendPrimitive(Primitive type, Object value) {
    switch (type) {
      case BOOL -> out.bool((Boolean) value);
      case INT32, INT64 -> out.number(((Number) value).longValue());
      case FLOAT32 -> out.number(((Number) value).floatValue());
      case FLOAT64 -> out.number(((Number) value).doubleValue());
      case STRING -> out.string((String) value);
      case BYTES -> bytes((Buffer) value);
      case DATE -> out.date((LocalDate) value);
      case TIMESTAMP -> out.timestamp((OffsetDateTime) value);
      case JSON -> out.raw((String) value);
    }
  }

  private void appendArray(FeatureType element, @Nullable Object[] values) {
    out.raw('[');
    for (int i = 0; i < values.length; i++) {
      if (i > 0) {
        out.raw(',');
      }
      appendValue(element, values[i]);
    }
    out.raw(']');
  }

  private void decimal(String digits) {
    char last = digits.charAt(digits.length() - 1);
    if (last >= '0' && last <= '9') {
      out.raw(digits);
    } else {
      // NaN and the infinities, which JSON has no number for.
      out.string(digits);
    }
  }

  private void bytes(Buffer value) {
    out.raw('"');
    out.raw(Base64.getEncoder().encode(value.getBytes()));
    out.raw('"');
  }
}
