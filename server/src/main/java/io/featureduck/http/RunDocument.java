package io.featureduck.http;

import io.featureduck.store.Progress;
import io.featureduck.store.Run;
import java.time.Instant;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A run as {@code /runs} and {@code --output json} show it. */
public final class RunDocument {
  private static final JsonMapper JSON = new JsonMapper();

  private RunDocument() {}

  /** Returns the run with the names of its columns; what isn't known yet is null. */
  public static ObjectNode of(Run run) {
    ObjectNode root = JSON.createObjectNode();
    root.put("run_id", run.runId());
    root.put("view", run.view());
    root.put("version", run.version());
    root.put("kind", run.kind().id());
    root.put("why_full", run.progress().flatMap(Progress::whyFull).orElse(null));
    root.put("status", run.status().id());
    root.put("engine", run.engine());
    put(root, "scheduled_at", run.scheduledAt());
    root.put("started_at", run.startedAt().toString());
    put(root, "finished_at", run.finishedAt());
    run.duration()
        .ifPresentOrElse(
            took -> root.put("duration_seconds", took.toMillis() / 1_000.0),
            () -> root.putNull("duration_seconds"));
    root.put("stage", stage(run).orElse(null));
    putNumber(root, "rows_read", run.rowsRead());
    putNumber(root, "rows_computed", run.progress().map(Progress::rowsComputed));
    putNumber(root, "rows_written", run.rowsWritten());
    putNumber(root, "bytes_written", run.progress().map(Progress::bytesWritten));
    putNumber(root, "peak_memory_bytes", run.progress().map(Progress::peakMemoryBytes));
    root.put("attempts", run.progress().map(Progress::attempts).orElse(null));
    put(root, "lower_bound", run.lowerBound());
    put(root, "upper_bound", run.upperBound());
    run.error()
        .ifPresentOrElse(
            message ->
                root.putObject("error")
                    .put("code", run.errorCode().orElse("internal"))
                    .put("detail", message),
            () -> root.putNull("error"));
    ObjectNode progress = run.progress().map(Progress::toJson).orElseGet(JSON::createObjectNode);
    root.set("sources", list(progress, "sources"));
    root.set("stages", list(progress, "stages"));
    return root;
  }

  /** Returns what a run is doing; empty once it has ended. */
  public static Optional<String> stage(Run run) {
    return run.status() == Run.Status.RUNNING
        ? run.progress().map(Progress::stage)
        : Optional.empty();
  }

  private static ArrayNode list(ObjectNode progress, String name) {
    return progress.get(name) instanceof ArrayNode list ? list : JSON.createArrayNode();
  }

  private static void put(ObjectNode root, String name, Optional<Instant> instant) {
    instant.ifPresentOrElse(time -> root.put(name, time.toString()), () -> root.putNull(name));
  }

  private static void putNumber(ObjectNode root, String name, Optional<Long> number) {
    number.ifPresentOrElse(value -> root.put(name, value), () -> root.putNull(name));
  }
}
