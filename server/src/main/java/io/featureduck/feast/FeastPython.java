package io.featureduck.feast;

import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The Python that runs a repository. Failures are FeatureExceptions, SOURCE_UNAVAILABLE: there is
 * no such program, it lacks Feast, the repository raises.
 */
final class FeastPython {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String SCRIPT = "definitions.py";

  /** Importing Feast takes ten seconds on a slow machine; the rest is the repository's own. */
  private static final Duration TIMEOUT = Duration.ofMinutes(5);

  private final String program;

  private FeastPython(String program) {
    this.program = program;
  }

  /**
   * Returns the Python that was asked for; else that of a virtual environment in the repository, or
   * of the one that is active, or {@code python3}.
   */
  static FeastPython of(Optional<String> asked, Path repository, Map<String, String> environment) {
    Stream<Path> folders =
        Stream.concat(
            Stream.of(repository.resolve(".venv"), repository.resolve("venv")),
            Optional.ofNullable(environment.get("VIRTUAL_ENV"))
                .filter(folder -> !folder.isEmpty())
                .map(Path::of)
                .stream());
    return new FeastPython(
        asked.orElseGet(() ->
            folders
                .map(folder -> folder.resolve("bin").resolve("python"))
                .filter(Files::isExecutable)
                .findFirst()
                .map(Path::toString)
                .orElse("python3")));
  }

  /** Runs a repository, and returns what it defines. */
  FeastRepository run(Path repository) throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("featureduck-feast");
    try {
      return run(repository, folder);
    } finally {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  private FeastRepository run(Path repository, Path folder)
      throws IOException, InterruptedException {
    Path script = folder.resolve(SCRIPT);
    try (InputStream resource =
        Objects.requireNonNull(FeastPython.class.getResourceAsStream(SCRIPT), SCRIPT)) {
      long ignored = Files.copy(resource, script);
    }
    Path document = folder.resolve("definitions.json");
    Path log = folder.resolve("log");
    int exitCode = execute(List.of(script.toString(), repository.toString(), "" + document), log);
    if (!Files.exists(document)) {
      throw failed(
          "%s ended with exit code %d and no word about the repository%s"
              .formatted(program, exitCode, lastLine(log)));
    }
    JsonNode definitions = JSON.readTree(document);
    if (definitions.has("error")) {
      throw failed(described(definitions.path("error")));
    }
    return FeastRepository.of(definitions);
  }

  /** What the repository itself prints is no answer of ours: it goes to the log. */
  private int execute(List<String> arguments, Path log) throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(Stream.concat(Stream.of(program), arguments.stream()).toList())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    // A database that doesn't answer is waited for as long as a source of ours.
    String unused = builder.environment().putIfAbsent("PGCONNECT_TIMEOUT", "10");
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new FeatureException(
          ErrorCode.SOURCE_UNAVAILABLE,
          "there is no program '%s': name a Python with --python that has the package feast"
              .formatted(program),
          e);
    }
    process.getOutputStream().close();
    try {
      if (!process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        throw failed(
            "%s has not read the repository within %d minutes"
                .formatted(program, TIMEOUT.toMinutes()));
      }
      return process.exitValue();
    } finally {
      Process ended = process.destroyForcibly();
      int ignored = ended.waitFor();
    }
  }

  private String described(JsonNode error) {
    if (error.path("kind").asString().equals("no_feast")) {
      return "%s (Python %s) has no package feast: install it there, with '%s -m pip install feast', or name a Python that has it with --python"
          .formatted(
              error.path("python").asString(),
              error.path("version").asString(),
              error.path("python").asString());
    }
    String file = error.path("file").asString();
    String place =
        file.isEmpty() ? "" : "%s, line %d: ".formatted(file, error.path("line").asInt());
    return "the repository can't be run: %s%s: %s"
        .formatted(place, error.path("type").asString(), error.path("message").asString().strip());
  }

  private static String lastLine(Path log) throws IOException {
    List<String> lines =
        new String(Files.readAllBytes(log), StandardCharsets.UTF_8)
            .lines()
            .filter(line -> !line.isBlank())
            .toList();
    return lines.isEmpty() ? "" : ": " + lines.getLast().strip();
  }

  private static FeatureException failed(String message) {
    return new FeatureException(ErrorCode.SOURCE_UNAVAILABLE, message);
  }
}
