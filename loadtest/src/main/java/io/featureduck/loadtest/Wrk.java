package io.featureduck.loadtest;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The HTTP load generator {@code wrk}, one thread of it. The scripts beside this class draw the
 * entities; the same script asks a server and the bare one that it is held against.
 */
final class Wrk {
  private static final Pattern RATE = Pattern.compile("Requests/sec:\\s+([0-9.]+)");
  private static final Pattern ERRORS =
      Pattern.compile("(Non-2xx or 3xx responses: \\d+|Socket errors: .*)");

  private final Path scripts;
  private final int seconds;

  Wrk(Path scripts, int seconds) {
    this.scripts = scripts;
    this.seconds = seconds;
  }

  /**
   * Measures what a server answers.
   *
   * @param script the name of one of our scripts, without its ending
   * @param view the view that is asked
   * @param entities the keys are drawn uniformly from 1 to this
   * @return requests per second
   * @throws IOException where any request failed: a rate with failures in it is no result
   */
  double run(String script, int port, int connections, String view, int entities)
      throws IOException, InterruptedException {
    String out =
        new Command(
                List.of(
                    "wrk",
                    "-t1",
                    "-c" + connections,
                    "-d" + seconds + "s",
                    "--timeout",
                    "10s",
                    "-s",
                    scripts.resolve(script + ".lua").toString(),
                    "http://127.0.0.1:" + port),
                Map.of("VIEW", view, "ENTITIES", Integer.toString(entities)))
            .run(Duration.ofSeconds(seconds + 60L));
    Matcher errors = ERRORS.matcher(out);
    if (errors.find()) {
      throw new IOException("%s on %s: %s".formatted(script, view, errors.group()));
    }
    Matcher rate = RATE.matcher(out);
    if (!rate.find()) {
      throw new IOException("wrk printed no rate: " + out);
    }
    return Double.parseDouble(rate.group(1));
  }
}
