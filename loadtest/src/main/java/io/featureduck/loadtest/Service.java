package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A server in a process of its own, for the time of the measurement. */
final class Service implements AutoCloseable {
  private final Process process;

  private Service(Process process) {
    this.process = process;
  }

  /**
   * Starts a server and waits until it prints a line that starts with {@code ready}.
   *
   * @param log where its standard error goes
   */
  static Service start(List<String> words, Map<String, String> environment, Path log)
      throws IOException {
    ProcessBuilder builder = new ProcessBuilder(words).redirectError(log.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = out.readLine();
    while (line != null && !line.startsWith("ready")) {
      line = out.readLine();
    }
    if (line == null) {
      process.destroyForcibly();
      throw new IOException("%s ended before it was ready; see %s".formatted(words, log));
    }
    return new Service(process);
  }

  /**
   * Returns the most memory that the process has held so far, by Linux; its children's is not in
   * it.
   *
   * @return bytes
   */
  long peakBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + process.pid() + "/status"))) {
      if (line.startsWith("VmHWM:")) {
        return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("Linux tells no VmHWM of process " + process.pid());
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  @Override
  public void close() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(20, SECONDS)) {
      process.destroyForcibly().waitFor();
    }
  }
}
