package io.featureduck.lookup;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.vertx.sqlclient.Row;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads rows with one column {@code features}: the text of an object of all features by name, in
 * any order. A feature that the object lacks, since it was added after the row was written, is
 * null.
 *
 * <p>Hot path, as {@link RowJson}: the text is read once, each value going to a buffer from which
 * it is copied in the view's order. Names come in the same order in each row, so that each is
 * compared with the one expected, and looked up only where it is another.
 */
final class ObjectJson extends RowJson {
  private static final int FEATURES = 1;
  private static final int TIMES = 2;
  private static final int ABSENT = -1;

  private final FeatureType[] types;
  private final String[] quotedNames;
  private final Map<String, Integer> byName = new HashMap<>();

  /** The features in the order of the object read last. */
  private final int[] order;

  private final StoredJson json = new StoredJson();
  private final JsonBytes values = new JsonBytes(512);
  private final int[] starts;
  private final int[] ends;

  ObjectJson(List<Feature> features) {
    super(features, TIMES);
    int size = features.size();
    types = features.stream().map(Feature::type).toArray(FeatureType[]::new);
    quotedNames =
        features.stream()
            .map(f -> new String(JsonBytes.quoted(f.name()), UTF_8))
            .toArray(String[]::new);
    order = new int[size];
    starts = new int[size];
    ends = new int[size];
    for (int i = 0; i < size; i++) {
      order[i] = i;
      byName.put(features.get(i).name(), i);
    }
  }

  @Override
  void begin(Row row) throws StoredJsonException {
    Arrays.fill(starts, ABSENT);
    values.clear();
    @Nullable Object features = row.getValue(FEATURES);
    if (!(features instanceof String text)) {
      throw new StoredJsonException("it has no features");
    }
    json.open(text);
    json.beginObject();
    for (int position = 0; json.hasNextName(position == 0); position++) {
      readFeature(position);
    }
    json.end();
  }

  private void readFeature(int position) throws StoredJsonException {
    int feature = feature(position);
    if (feature == ABSENT) {
      json.skip();
      return;
    }
    starts[feature] = values.size();
    try {
      json.write(types[feature], values);
    } catch (StoredJsonException e) {
      throw new StoredJsonException(
          "feature %s: %s".formatted(quotedNames[feature], e.getMessage()));
    }
    ends[feature] = values.size();
  }

  private int feature(int position) throws StoredJsonException {
    if (position < order.length && json.skipName(quotedNames[order[position]])) {
      return order[position];
    }
    Integer found = byName.get(json.name());
    if (found == null) {
      return ABSENT;
    }
    if (position < order.length) {
      order[position] = found;
    }
    return found;
  }

  @Override
  void append(Row row, int feature, JsonBytes to) {
    int start = starts[feature];
    if (start == ABSENT) {
      to.nullValue();
    } else {
      to.raw(values.array(), start, ends[feature] - start);
    }
  }
}
