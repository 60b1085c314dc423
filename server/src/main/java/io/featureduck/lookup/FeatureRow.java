package io.featureduck.lookup;

import io.featureduck.error.FeatureException;
import io.featureduck.json.JsonBytes;
import org.jspecify.annotations.Nullable;

/**
 * An entity's features as the JSON bytes that are sent, made once when the row was read. Immutable;
 * shared between event loops.
 *
 * <p>The bytes are the object of all features, then {@code ,"event_timestamp":…,"updated_at":…}, so
 * that a row that is asked for whole is one array copy.
 */
public final class FeatureRow {
  /** What stands for an entity that the view does not have. */
  public static final FeatureRow MISSING =
      new FeatureRow(new byte[0], new int[0], FeatureRow.NO_EVENT);

  /** The event time of a row without one. */
  public static final long NO_EVENT = Long.MIN_VALUE;

  private static final int OBJECTS_BYTES = 72;

  private final byte[] json;
  private final int[] valueEnds;
  private final long eventMicros;
  private final @Nullable FeatureException failure;

  /**
   * Takes its arrays over: they must not change any more.
   *
   * @param valueEnds where the value of each feature ends in {@code json}
   * @param eventMicros microseconds since 1970, or {@link #NO_EVENT}
   */
  FeatureRow(byte[] json, int[] valueEnds, long eventMicros) {
    this(json, valueEnds, eventMicros, null);
  }

  private FeatureRow(
      byte[] json, int[] valueEnds, long eventMicros, @Nullable FeatureException failure) {
    this.json = json;
    this.valueEnds = valueEnds;
    this.eventMicros = eventMicros;
    this.failure = failure;
  }

  /** Returns what stands for a row that the store has, but not as it was written. */
  static FeatureRow unreadable(FeatureException failure) {
    return new FeatureRow(new byte[0], new int[0], NO_EVENT, failure);
  }

  /** Returns why the row can't be read, or null where it can. */
  @Nullable FeatureException failure() {
    return failure;
  }

  /** Returns the event time in microseconds since 1970, or {@link #NO_EVENT}. */
  public long eventMicros() {
    return eventMicros;
  }

  /** Returns what the row takes of the cache, in bytes. */
  int weight() {
    return OBJECTS_BYTES + json.length + 4 * valueEnds.length;
  }

  /** Appends the object of all features and the times after it. */
  public void writeWhole(JsonBytes out) {
    out.raw(json, 0, json.length);
  }

  /** Appends all features without the braces around them; nothing where there are none. */
  public void writeFeatures(JsonBytes out) {
    if (valueEnds.length > 0) {
      out.raw(json, 1, valueEnds[valueEnds.length - 1] - 1);
    }
  }

  /** Appends the times: {@code ,"event_timestamp":…,"updated_at":…}. */
  public void writeTimes(JsonBytes out) {
    int start = timesStart();
    out.raw(json, start, json.length - start);
  }

  /**
   * Appends the value of one feature.
   *
   * @param labelLength how many bytes its name with quotes, colon and the comma or brace before it
   *     takes
   */
  void writeValue(JsonBytes out, int feature, int labelLength) {
    int start = (feature == 0 ? 0 : valueEnds[feature - 1]) + labelLength;
    out.raw(json, start, valueEnds[feature] - start);
  }

  /** Tells whether the value of one feature is null; no other begins with that letter. */
  boolean isNull(int feature, int labelLength) {
    int start = (feature == 0 ? 0 : valueEnds[feature - 1]) + labelLength;
    return json[start] == 'n';
  }

  private int timesStart() {
    // Behind the brace that closes the features; an object without features is "{}".
    return valueEnds.length == 0 ? 2 : valueEnds[valueEnds.length - 1] + 1;
  }
}
