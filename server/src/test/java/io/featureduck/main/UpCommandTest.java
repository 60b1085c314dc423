package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs {@code up} as what it is: a process that is started, asked, killed and told to end. */
@Timeout(120)
class UpCommandTest {
  private static final Path CONFIG =
      Path.of(System.getProperty("featureduck.root", ".")).resolve("config.json");

  @TempDir Path directory;

  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endAll() throws Exception {
    for (Process process : started) {
      process.destroy();
      if (!process.waitFor(15, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    }
  }

  @Test
  void up_killedAndStartedAgain_servesAndEndsInOrderOnSigterm() throws Exception {
    Up first = up();
    assertThat(first.lines())
        .hasSize(5)
        .allMatch(line -> line.isEmpty() || line.contains("curl") || line.equals("Worth trying:"));
    String answer = get(first.address() + "/features/user_features/1");
    assertThat(answer)
        .contains("\"purchase_count\":1,\"total_spent\":11.77,")
        .contains("\"avg_order_value\":11.77");
    assertThat(get(first.address() + "/views/user_features/freshness")).contains("\"fresh\"");

    first.process().destroyForcibly().waitFor();
    Up second = up();

    assertThat(withoutAsOf(get(second.address() + "/features/user_features/1")))
        .isEqualTo(withoutAsOf(answer));

    second.process().destroy();
    assertThat(second.process().waitFor(15, TimeUnit.SECONDS)).isTrue();
    assertThat(second.process().exitValue()).isEqualTo(143);
    assertThat(directory.resolve("postgres/postmaster.pid")).doesNotExist();
  }

  /** A process of {@code up} that is ready, and what it printed after that line. */
  private record Up(Process process, String address, List<String> lines) {}

  private Up up() throws IOException {
    Process process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                FeatureDuck.class.getName(),
                "up",
                "--port",
                "0",
                "--config",
                CONFIG.toString(),
                "--directory",
                directory.toString())
            .redirectError(directory.resolve("log").toFile())
            .start();
    started.add(process);
    BufferedReader out = process.inputReader();
    String ready = out.readLine();
    assertThat(ready)
        .withFailMessage(() -> "not ready:\n" + log())
        .matches("ready http://127\\.0\\.0\\.1:\\d+");
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      lines.add(out.readLine());
    }
    return new Up(process, ready.substring("ready ".length()), lines);
  }

  private String log() {
    try {
      return Files.readString(directory.resolve("log"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static String get(String address) throws IOException, InterruptedException {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client
          .send(HttpRequest.newBuilder(URI.create(address)).build(), BodyHandlers.ofString())
          .body();
    }
  }

  /** The second up has computed the same features for a later instant. */
  private static String withoutAsOf(String answer) {
    return answer.replaceAll(",\"as_of\":\"[^\"]*\"", "");
  }
}
