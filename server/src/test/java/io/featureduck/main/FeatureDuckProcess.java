package io.featureduck.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** FeatureDuck in a process of its own, as the launcher starts it: what a test may kill. */
final class FeatureDuckProcess implements AutoCloseable {
  private final Process process;
  private final Path errors;

  private FeatureDuckProcess(Process process, Path errors) {
    this.process = process;
    this.errors = errors;
  }

  /**
   * Starts a command.
   *
   * @param directory where it starts, and where its log {@code stderr-*.log} is kept
   */
  static FeatureDuckProcess start(
      Path directory, Map<String, String> environment, String... arguments) throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Duser.timezone=UTC",
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                "io.featureduck.main.FeatureDuck"));
    if (!arguments[0].equals("up")) {
      // DuckDB unpacks its library there, and one that is killed leaves it. (The database that "up"
      // unpacks is one for all.)
      words.add(1, "-Djava.io.tmpdir=" + directory.toAbsolutePath());
    }
    words.addAll(List.of(arguments));
    Path errors = Files.createTempFile(directory, "stderr-", ".log");
    ProcessBuilder builder =
        new ProcessBuilder(words).directory(directory.toFile()).redirectError(errors.toFile());
    builder.environment().putAll(environment);
    return new FeatureDuckProcess(builder.start(), errors);
  }

  /** Waits for the line {@code ready http://…} and returns the address in it. */
  URI awaitReady() throws IOException {
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      if (line.startsWith("ready ")) {
        return URI.create(line.substring("ready ".length()).strip());
      }
    }
    throw new IOException("it ended before it was ready:\n" + log());
  }

  /** Waits for the end; returns what went to standard output. Fails if the exit code is not 0. */
  String awaitSuccess() throws IOException, InterruptedException {
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    int code = awaitExit();
    if (code != 0) {
      throw new IOException("exit code %d\n%s\n%s".formatted(code, out, log()));
    }
    return out;
  }

  /** Waits for the end and returns the exit code. */
  int awaitExit() throws IOException, InterruptedException {
    if (!process.waitFor(120, SECONDS)) {
      process.destroyForcibly();
      throw new IOException("it did not end within 120 s:\n" + log());
    }
    return process.exitValue();
  }

  /** Sends SIGKILL and waits for the end. */
  void kill() throws InterruptedException {
    int ignored = process.destroyForcibly().waitFor();
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /** Waits until a text is in the log; fails if the process ends before. */
  void awaitLog(String text) throws IOException {
    while (!log().contains(text)) {
      if (!process.isAlive() && !log().contains(text)) {
        throw new IOException("it ended without '%s':\n%s".formatted(text, log()));
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  boolean isAlive() {
    return process.isAlive();
  }

  String log() throws IOException {
    return Files.readString(errors, UTF_8);
  }

  @Override
  public void close() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(20, SECONDS)) {
      kill();
    }
  }
}
