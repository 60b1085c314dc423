package io.featureduck.event;

import io.vertx.core.json.JsonObject;
import java.time.Instant;
import java.util.Locale;

/**
 * Rows of a view went without a run of it.
 *
 * @param rows of all versions
 */
public record RowsRemoved(Type type, String view, long rows, Instant at) {
  /** Why they went. */
  public enum Type {
    /** Someone asked for it. */
    ERASED,
    /** Their events were too old. */
    PURGED
  }

  /** Returns the record for the event bus. */
  public JsonObject toJson() {
    return new JsonObject()
        .put("type", type.name().toLowerCase(Locale.ROOT))
        .put("at", at.toString())
        .put("view", view)
        .put("rows", rows);
  }
}
