package io.featureduck.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An alert on a series that no server has never fires, and nothing says so; hence this test. */
@Timeout(120)
class AlertRulesTest {
  private static final Path ROOT = Path.of(System.getProperty("featureduck.root", ".."));
  private static final Pattern SERIES = Pattern.compile("featureduck_\\w+(\\{[^}]*})?");
  private static final Pattern LABEL = Pattern.compile("\\w+=\"[^\"]*\"");

  @TempDir Path directory;

  @Test
  void rules_everySeriesTheyName_isInTheMetricsOfALiveServer() throws Exception {
    Set<String> named = seriesOf(ROOT.resolve("deploy/prometheus/featureduck.rules.yml"));
    assertThat(named)
        .contains(
            "featureduck_view_freshness_seconds",
            "featureduck_view_last_success_timestamp_seconds",
            "featureduck_runs_total{status=\"failed\"}");

    assertThat(missingFromALiveServer(named)).isEmpty();
  }

  /** Tells whether a line of /metrics has the name and all labels of a series in a rule. */
  private static boolean isOf(String series, String line) {
    String name = series.replaceFirst("\\{.*", "");
    Matcher labels = LABEL.matcher(series);
    boolean fits = line.startsWith(name + "{") || line.startsWith(name + " ");
    while (labels.find()) {
      fits &= line.contains(labels.group());
    }
    return fits;
  }

  private static Set<String> seriesOf(Path rules) throws IOException {
    Set<String> series = new TreeSet<>();
    for (String line : Files.readAllLines(rules)) {
      // Names of commands and of alerts stand in other lines than expressions do.
      if (line.stripLeading().startsWith("#") || line.contains("description:")) {
        continue;
      }
      Matcher matcher = SERIES.matcher(line);
      while (matcher.find()) {
        boolean ignored = series.add(matcher.group());
      }
    }
    return series;
  }

  /** Returns those series that a server, once it is ready, doesn't have within some seconds. */
  private Set<String> missingFromALiveServer(Set<String> named)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "io.featureduck.main.FeatureDuck",
                "up",
                "--port",
                "0",
                "--config",
                ROOT.resolve("config.json").toString(),
                "--directory",
                directory.toString())
            .redirectError(directory.resolve("log").toFile())
            .start();
    try {
      String ready = process.inputReader().readLine();
      assertThat(ready)
          .as(() -> "what up printed, with its log in " + directory.resolve("log"))
          .startsWith("ready http://");
      URI metrics = URI.create(ready.substring("ready ".length()) + "/metrics");
      try (HttpClient client = HttpClient.newHttpClient()) {
        // How old views are is asked every five seconds.
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        Set<String> missing = named;
        while (!missing.isEmpty() && System.nanoTime() < deadline) {
          String body =
              client.send(HttpRequest.newBuilder(metrics).build(), BodyHandlers.ofString()).body();
          missing = new TreeSet<>(named);
          missing.removeIf(series -> body.lines().anyMatch(line -> isOf(series, line)));
        }
        return missing;
      }
    } finally {
      process.destroy();
      if (!process.waitFor(15, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    }
  }
}
