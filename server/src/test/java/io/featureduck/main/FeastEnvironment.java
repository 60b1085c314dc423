package io.featureduck.main;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A virtual environment with the real Feast, below {@code target}: it takes a minute to install, so
 * it is made once for all tests and stays until the next {@code clean}.
 */
final class FeastEnvironment {
  /** With what it needs to read Postgres. */
  private static final String PACKAGE = "feast[postgres]==0.67.0";

  private static final Path FOLDER = Path.of("target", "feast-environment").toAbsolutePath();

  private FeastEnvironment() {}

  /** Returns its Python. */
  static synchronized Path python() throws IOException, InterruptedException {
    Path python = FOLDER.resolve("bin").resolve("python");
    Path installed = FOLDER.resolve("installed");
    if (!Files.exists(installed) || !Files.readString(installed).equals(PACKAGE)) {
      execute(Map.of(), "python3", "-m", "venv", "--clear", FOLDER.toString());
      execute(
          Map.of(), python.toString(), "-m", "pip", "install", "--quiet", "--no-input", PACKAGE);
      Path ignored = Files.writeString(installed, PACKAGE);
    }
    return python;
  }

  /** Makes a virtual environment without Feast, and returns its Python. */
  static Path pythonWithout(Path folder) throws IOException, InterruptedException {
    execute(Map.of(), "python3", "-m", "venv", "--without-pip", folder.toString());
    return folder.resolve("bin").resolve("python");
  }

  /** Runs a program to its end. Fails, with what it printed, if its exit code is not 0. */
  static void execute(Map<String, String> environment, String... words)
      throws IOException, InterruptedException {
    Path log = Files.createTempFile("feast-", ".log");
    ProcessBuilder builder =
        new ProcessBuilder(List.of(words)).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    if (!process.waitFor(10, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    int code = process.waitFor();
    String printed = Files.readString(log, UTF_8);
    Files.delete(log);
    if (code != 0) {
      throw new IOException(
          "%s: exit code %d\n%s".formatted(String.join(" ", words), code, printed));
    }
  }

  /** Copies a folder of the tests' resources. */
  static void copy(String resource, Path to) throws IOException {
    Path from =
        Path.of("src", "test", "resources", "io", "featureduck", "feast", resource)
            .toAbsolutePath();
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path ignored = Files.copy(file, to.resolve(from.relativize(file).toString()));
      }
    }
  }
}
