package io.featureduck.event;

import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * How a run goes.
 *
 * @param stage what it is doing, by {@link io.featureduck.store.RunStage#id}
 * @param rowsRead rows of the sources; 0 until they are counted
 * @param rowsComputed so far, by the attempt that goes on
 * @param rowsWritten while it runs, rows that were sent to the store; at its end, rows that are
 *     new, changed or gone
 * @param bytesWritten sent to the store so far
 * @param elapsed since it started
 * @param rejected at the end of a success, how many rows of the source were left out, by reason
 */
public record RunEvent(
    Type type,
    long runId,
    String view,
    int version,
    String stage,
    long rowsRead,
    long rowsComputed,
    long rowsWritten,
    long bytesWritten,
    Duration elapsed,
    Optional<String> error,
    Map<String, Long> rejected,
    Instant at) {
  public RunEvent {
    rejected = Map.copyOf(rejected);
  }

  /** What happened. */
  public enum Type {
    STARTED,
    PROGRESSED,
    SUCCEEDED,
    FAILED,
    CANCELLED
  }

  /** Returns the record for the event bus. */
  public JsonObject toJson() {
    JsonObject json =
        new JsonObject()
            .put("type", type.name().toLowerCase(Locale.ROOT))
            .put("at", at.toString())
            .put("run_id", runId)
            .put("view", view)
            .put("version", version)
            .put("stage", stage)
            .put("rows_read", rowsRead)
            .put("rows_computed", rowsComputed)
            .put("rows_written", rowsWritten)
            .put("bytes_written", bytesWritten)
            .put("seconds", elapsed.toNanos() / 1e9);
    error.ifPresent(message -> json.put("error", message));
    if (!rejected.isEmpty()) {
      JsonObject reasons = new JsonObject();
      rejected.forEach(reasons::put);
      json.put("rejected", reasons);
    }
    return json;
  }
}
