package io.featureduck.lookup;

import io.featureduck.json.JsonBytes;
import io.featureduck.plan.Feature;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;

/**
 * Writes the rows of one view's answers. Immutable; shared between event loops.
 *
 * <p>Hot path, once per entity of a request: each fixed part is made once per view, and a row that
 * is asked for whole is one array copy. The bench is the cached GET of the loadtest module.
 */
public final class ViewJson {
  private static final byte[] NULL = JsonBytes.ascii("null");
  private static final byte[] FOUND = JsonBytes.ascii(",\"status\":\"found\",\"features\":");
  private static final byte[] EXPIRED = JsonBytes.ascii(",\"status\":\"expired\",\"features\":");
  private static final byte[] NOT_FOUND =
      JsonBytes.ascii(",\"status\":\"not_found\",\"features\":");
  private static final byte[] ERROR = JsonBytes.ascii(",\"status\":\"error\",\"features\":");
  private static final byte[] NO_TIMES =
      JsonBytes.ascii(",\"event_timestamp\":null,\"updated_at\":null");
  private static final byte[] STALE = JsonBytes.ascii(",\"stale\":true");
  private static final byte[] ERROR_CODE = JsonBytes.ascii(",\"error\":{\"code\":");
  private static final byte[] ERROR_DETAIL = JsonBytes.ascii(",\"detail\":");

  private final byte[] head;
  private final byte[] batchHead;
  private final byte[][] labels;
  private final byte[][] names;
  private final byte[] allNull;

  ViewJson(String view, int version, List<Feature> features) {
    JsonBytes out = new JsonBytes(128);
    out.raw("{\"view\":");
    out.string(view);
    out.raw(",\"version\":");
    out.number(version);
    out.raw(",\"entity\":");
    head = out.toArray();
    labels = RowJson.labels(features);
    names = features.stream().map(f -> JsonBytes.quoted(f.name())).toArray(byte[][]::new);
    out.clear();
    out.raw("{\"view\":");
    out.string(view);
    out.raw(",\"version\":");
    out.number(version);
    batchHead = out.toArray();
    out.clear();
    writeNulls(out, all(features.size()));
    allNull = out.toArray();
  }

  private static int[] all(int features) {
    int[] indexes = new int[features];
    for (int i = 0; i < features; i++) {
      indexes[i] = i;
    }
    return indexes;
  }

  /** Returns the end of a single answer: {@code as_of} and the closing brace. */
  static byte[] tail(Optional<Instant> asOf) {
    JsonBytes out = new JsonBytes(48);
    out.raw(",\"as_of\":");
    writeAsOf(out, asOf);
    out.raw('}');
    return out.toArray();
  }

  private static void writeAsOf(JsonBytes out, Optional<Instant> asOf) {
    asOf.ifPresentOrElse(
        instant -> out.timestamp(instant.atOffset(ZoneOffset.UTC)), out::nullValue);
  }

  /** Begins the answer to a request for one entity, up to its key. */
  public void writeHead(JsonBytes out) {
    out.raw(head);
  }

  /** Begins the answer to a batch, up to its first row. */
  public void writeBatchHead(JsonBytes out, Optional<Instant> asOf) {
    out.raw(batchHead);
    out.raw(",\"as_of\":");
    writeAsOf(out, asOf);
    out.raw(",\"results\":[");
  }

  /** Appends what follows the entity's key, up to where {@code as_of} or the brace follows. */
  public void writeFound(JsonBytes out, FeatureRow row, Selection selection, boolean stale) {
    out.raw(FOUND);
    if (selection.isAll()) {
      row.writeWhole(out);
    } else {
      writeSelected(out, row, selection);
      row.writeTimes(out);
    }
    writeStale(out, stale);
  }

  private void writeSelected(JsonBytes out, FeatureRow row, Selection selection) {
    out.raw('{');
    for (int i = 0; i < selection.size(); i++) {
      int feature = selection.feature(i);
      writeName(out, i, feature);
      writeValue(out, row, feature);
    }
    out.raw('}');
  }

  /** Appends the value of one feature. */
  public void writeValue(JsonBytes out, FeatureRow row, int feature) {
    row.writeValue(out, feature, labels[feature].length);
  }

  /** Tells whether the value of one feature is null. */
  public boolean isNull(FeatureRow row, int feature) {
    return row.isNull(feature, labels[feature].length);
  }

  /** Appends a row that is older than the view's ttl: its times, but no features. */
  public void writeExpired(JsonBytes out, FeatureRow row, Selection selection, boolean stale) {
    out.raw(EXPIRED);
    writeNulls(out, selection);
    row.writeTimes(out);
    writeStale(out, stale);
  }

  /** Appends the row of an entity that the view does not have. */
  public void writeNotFound(JsonBytes out, Selection selection, boolean stale) {
    out.raw(NOT_FOUND);
    writeNulls(out, selection);
    out.raw(NO_TIMES);
    writeStale(out, stale);
  }

  /** Appends the row of an entity that could not be looked up. */
  public void writeError(JsonBytes out, String code, String detail, Selection selection) {
    out.raw(ERROR);
    writeNulls(out, selection);
    out.raw(NO_TIMES);
    out.raw(ERROR_CODE);
    out.string(code);
    out.raw(ERROR_DETAIL);
    out.string(detail);
    out.raw('}');
  }

  private static void writeStale(JsonBytes out, boolean stale) {
    if (stale) {
      out.raw(STALE);
    }
  }

  private void writeNulls(JsonBytes out, Selection selection) {
    if (selection.isAll()) {
      out.raw(allNull);
    } else {
      writeNulls(out, selection.features());
    }
  }

  private void writeNulls(JsonBytes out, int[] features) {
    out.raw('{');
    for (int i = 0; i < features.length; i++) {
      writeName(out, i, features[i]);
      out.raw(NULL);
    }
    out.raw('}');
  }

  private void writeName(JsonBytes out, int position, int feature) {
    if (position > 0) {
      out.raw(',');
    }
    out.raw(names[feature]);
    out.raw(':');
  }
}
