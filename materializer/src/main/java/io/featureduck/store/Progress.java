package io.featureduck.store;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * How far a run had come at an instant, as {@code featureduck_runs.progress} has it.
 *
 * @param stage what the run was doing, by {@link RunStage#id}; in a run that ended, the last thing
 * @param stages those that it came through, in their order
 * @param sources what was read so far
 * @param whyFull why everything is read; empty in an increment, and until it is known
 * @param rowsComputed by the attempt that goes on, or that ended the run
 * @param bytesWritten sent to the store, by all attempts
 * @param peakMemoryBytes the most that the engine was seen to hold; it is looked at once a second
 * @param attempts how often the run's work was begun
 */
public record Progress(
    String stage,
    List<StageTime> stages,
    List<SourceRead> sources,
    Optional<String> whyFull,
    long rowsComputed,
    long bytesWritten,
    long peakMemoryBytes,
    int attempts) {
  private static final JsonMapper JSON = new JsonMapper();

  public Progress {
    stages = List.copyOf(stages);
    sources = List.copyOf(sources);
  }

  /**
   * How long a run was in a stage.
   *
   * @param rows that the stage had to do with; 0 where it has to do with none
   */
  public record StageTime(String name, double seconds, long rows) {}

  /**
   * What a run read of a source.
   *
   * @param lowerBound the cursor after which rows were read; empty where all were
   * @param upperBound the run's {@code as_of}
   * @param rows empty where they were not counted
   * @param files empty for a table
   */
  public record SourceRead(
      String source,
      Optional<Instant> lowerBound,
      Optional<Instant> upperBound,
      Optional<Long> rows,
      Optional<Long> files) {}

  /** Reads what {@link #toJson} wrote; empty where an older version noted nothing. */
  static Optional<Progress> parse(String json) {
    JsonNode root = JSON.readTree(json);
    if (!root.has("stage")) {
      return Optional.empty();
    }
    List<StageTime> stages = new ArrayList<>();
    for (JsonNode stage : root.path("stages")) {
      stages.add(
          new StageTime(
              stage.path("name").asString(),
              stage.path("seconds").asDouble(),
              stage.path("rows").asLong()));
    }
    List<SourceRead> sources = new ArrayList<>();
    for (JsonNode source : root.path("sources")) {
      sources.add(
          new SourceRead(
              source.path("source").asString(),
              instant(source.path("lower_bound")),
              instant(source.path("upper_bound")),
              number(source.path("rows")),
              number(source.path("files"))));
    }
    return Optional.of(
        new Progress(
            root.path("stage").asString(),
            stages,
            sources,
            Optional.of(root.path("why_full")).filter(JsonNode::isString).map(JsonNode::asString),
            root.path("rows_computed").asLong(),
            root.path("bytes_written").asLong(),
            root.path("peak_memory_bytes").asLong(),
            root.path("attempts").asInt()));
  }

  private static Optional<Instant> instant(JsonNode node) {
    return node.isString() ? Optional.of(Instant.parse(node.asString())) : Optional.empty();
  }

  private static Optional<Long> number(JsonNode node) {
    return node.isNumber() ? Optional.of(node.asLong()) : Optional.empty();
  }

  /** Returns it as a JSON object; what isn't known is null. */
  public ObjectNode toJson() {
    ObjectNode root = JSON.createObjectNode();
    root.put("stage", stage);
    ArrayNode times = root.putArray("stages");
    for (StageTime time : stages) {
      times
          .addObject()
          .put("name", time.name())
          .put("seconds", time.seconds())
          .put("rows", time.rows());
    }
    ArrayNode reads = root.putArray("sources");
    for (SourceRead read : sources) {
      reads
          .addObject()
          .put("source", read.source())
          .put("lower_bound", read.lowerBound().map(Instant::toString).orElse(null))
          .put("upper_bound", read.upperBound().map(Instant::toString).orElse(null))
          .put("rows", read.rows().orElse(null))
          .put("files", read.files().orElse(null));
    }
    root.put("why_full", whyFull.orElse(null));
    return root.put("rows_computed", rowsComputed)
        .put("bytes_written", bytesWritten)
        .put("peak_memory_bytes", peakMemoryBytes)
        .put("attempts", attempts);
  }
}
