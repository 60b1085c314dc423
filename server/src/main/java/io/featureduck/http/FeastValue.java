package io.featureduck.http;

import io.featureduck.json.JsonBytes;
import io.featureduck.lookup.FeatureRow;
import io.featureduck.lookup.ViewJson;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Values as Feast's feature server sends them: a TIMESTAMP is the number of whole seconds since
 * 1970 (its UNIX_TIMESTAMP), JSON is a string. All others are as in our own answers.
 */
final class FeastValue {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).build();

  private FeastValue() {}

  /** Appends the value of a feature, which is not null. */
  static void write(JsonBytes out, FeatureType type, ViewJson json, FeatureRow row, int feature) {
    FeatureType innermost = type instanceof FeatureType.Array array ? array.element() : type;
    if (innermost != Primitive.TIMESTAMP && innermost != Primitive.JSON) {
      json.writeValue(out, row, feature);
      return;
    }
    JsonBytes own = new JsonBytes(64);
    json.writeValue(own, row, feature);
    if (type == Primitive.TIMESTAMP) {
      timestamp(out, new String(own.array(), 1, own.size() - 2, StandardCharsets.US_ASCII));
    } else if (type == Primitive.JSON) {
      out.string(own.toArray());
    } else {
      array(out, innermost, JSON.readTree(own.toArray()));
    }
  }

  private static void timestamp(JsonBytes out, String text) {
    out.number(Instant.parse(text).getEpochSecond());
  }

  private static void array(JsonBytes out, FeatureType element, JsonNode values) {
    out.raw('[');
    for (int i = 0; i < values.size(); i++) {
      if (i > 0) {
        out.raw(',');
      }
      JsonNode value = values.get(i);
      if (value.isNull()) {
        out.nullValue();
      } else if (element == Primitive.TIMESTAMP) {
        timestamp(out, value.asString());
      } else {
        out.string(value.toString());
      }
    }
    out.raw(']');
  }
}
