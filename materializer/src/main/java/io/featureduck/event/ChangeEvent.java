package io.featureduck.event;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Rows of a view were written and committed.
 *
 * @param keys the entity keys of the rows that changed; empty stands for all of them
 */
public record ChangeEvent(
    String view,
    int version,
    long runId,
    long generation,
    Optional<List<String>> keys,
    Instant at) {
  public ChangeEvent {
    keys = keys.map(List::copyOf);
  }

  /** Returns the record for the event bus; {@code keys} is null where all changed. */
  public JsonObject toJson() {
    return new JsonObject()
        .put("type", "changed")
        .put("at", at.toString())
        .put("view", view)
        .put("version", version)
        .put("run_id", runId)
        .put("generation", generation)
        .put("keys", keys.map(JsonArray::new).orElse(null));
  }
}
