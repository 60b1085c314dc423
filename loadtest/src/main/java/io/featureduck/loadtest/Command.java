package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** Another program that is run to its end; its errors stand in the exception. */
final class Command {
  private final List<String> words;
  private final Map<String, String> environment;

  Command(List<String> words, Map<String, String> environment) {
    this.words = List.copyOf(words);
    this.environment = Map.copyOf(environment);
  }

  /**
   * Runs the program.
   *
   * @return its standard output
   * @throws IOException where it can't be started, doesn't end in time or exits with anything but 0
   */
  String run(Duration timeout) throws IOException, InterruptedException {
    Path out = Files.createTempFile("featureduck-loadtest", ".out");
    Path err = Files.createTempFile("featureduck-loadtest", ".err");
    try {
      ProcessBuilder builder =
          new ProcessBuilder(words).redirectOutput(out.toFile()).redirectError(err.toFile());
      builder.environment().putAll(environment);
      Process process = builder.start();
      if (!process.waitFor(timeout.toSeconds(), SECONDS)) {
        process.destroyForcibly().waitFor();
        throw new IOException("%s did not end within %s".formatted(words.getFirst(), timeout));
      }
      if (process.exitValue() != 0) {
        throw new IOException(
            "%s exited with %d: %s"
                .formatted(words.getFirst(), process.exitValue(), Files.readString(err, UTF_8)));
      }
      return Files.readString(out, UTF_8);
    } finally {
      Files.deleteIfExists(out);
      Files.deleteIfExists(err);
    }
  }
}
