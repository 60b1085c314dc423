package io.featureduck.lookup;

import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import io.vertx.core.buffer.Buffer;
import io.vertx.sqlclient.Row;
import java.time.LocalDate;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads rows with a column of its own type for each feature, as the clients of PostgreSQL and MySQL
 * give them. DECIMAL and JSON are read as text, MySQL's ARRAY as JSON text.
 */
final class ColumnsJson extends RowJson {
  private static final int FIRST_FEATURE = 1;

  private final FeatureType[] types;
  private final StoredJson stored = new StoredJson();

  ColumnsJson(List<Feature> features) {
    super(features, FIRST_FEATURE + features.size());
    types = features.stream().map(Feature::type).toArray(FeatureType[]::new);
  }

  @Override
  void begin(Row row) {}

  @Override
  void append(Row row, int feature, JsonBytes to) throws StoredJsonException {
    appendValue(types[feature], row.getValue(FIRST_FEATURE + feature), to);
  }

  private void appendValue(FeatureType type, @Nullable Object value, JsonBytes to)
      throws StoredJsonException {
    if (value == null) {
      to.nullValue();
      return;
    }
    switch (type) {
      case Primitive primitive -> appendPrimitive(primitive, value, to);
      case FeatureType.Decimal decimal -> decimal((String) value, to);
      case FeatureType.Array array -> appendArray(array, value, to);
    }
  }

  private static void appendPrimitive(Primitive type, Object value, JsonBytes to) {
    switch (type) {
      // MySQL's BOOLEAN is a small integer.
      case BOOL -> to.bool(value instanceof Boolean b ? b : ((Number) value).intValue() != 0);
      case INT32, INT64 -> to.number(((Number) value).longValue());
      case FLOAT32 -> to.number(((Number) value).floatValue());
      case FLOAT64 -> to.number(((Number) value).doubleValue());
      case STRING -> to.string((String) value);
      case BYTES -> bytes((Buffer) value, to);
      case DATE -> to.date((LocalDate) value);
      case TIMESTAMP -> to.timestamp(Objects.requireNonNull(instant(value)));
      case JSON -> to.raw((String) value);
    }
  }

  private void appendArray(FeatureType.Array type, Object value, JsonBytes to)
      throws StoredJsonException {
    if (value instanceof String json) {
      stored.open(json);
      stored.write(type, to);
      stored.end();
      return;
    }
    @Nullable Object[] values = (Object[]) value;
    to.raw('[');
    for (int i = 0; i < values.length; i++) {
      if (i > 0) {
        to.raw(',');
      }
      appendValue(type.element(), values[i], to);
    }
    to.raw(']');
  }

  private static void decimal(String digits, JsonBytes to) {
    char last = digits.charAt(digits.length() - 1);
    if (last >= '0' && last <= '9') {
      to.raw(digits);
    } else {
      // NaN and the infinities, which JSON has no number for.
      to.string(digits);
    }
  }

  private static void bytes(Buffer value, JsonBytes to) {
    to.raw('"');
    to.raw(Base64.getEncoder().encode(value.getBytes()));
    to.raw('"');
  }
}
