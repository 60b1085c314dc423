package io.featureduck.loadtest;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Runs of a view in a server that materializes, asked for over HTTP one after the other. */
final class Runs {
  private static final int RUN_IN_PROGRESS = 409;
  private static final long POLL_MILLIS = 20;
  private static final long RUN_NANOS_MAX = 1_200_000_000_000L;
  private static final long LOCK_NANOS_MAX = 60_000_000_000L;

  private final HttpClient http = HttpClient.newHttpClient();
  private final String server;
  private final String view;

  /**
   * @param port of the server, on this machine
   */
  Runs(int port, String view) {
    this.server = "http://127.0.0.1:" + port;
    this.view = view;
  }

  /** Has the view materialized, and returns how long that took by its record. */
  double seconds(boolean full) throws IOException, InterruptedException {
    JsonNode started =
        ask(
            HttpRequest.newBuilder(URI.create(server + "/views/" + view + "/materialize"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString("{\"full\":" + full + "}"))
                .build());
    long id = started.path("run_id").asLong();
    long end = System.nanoTime() + RUN_NANOS_MAX;
    while (System.nanoTime() < end) {
      JsonNode run = newest();
      if (run.path("run_id").asLong() == id && !run.path("status").asString().equals("running")) {
        System.err.println(run);
        String kind = full ? "full" : "incremental";
        if (!run.path("status").asString().equals("succeeded")
            || !run.path("kind").asString().equals(kind)) {
          throw new IllegalStateException("expected a successful %s run".formatted(kind));
        }
        return run.path("duration_seconds").asDouble();
      }
      Thread.sleep(POLL_MILLIS);
    }
    throw new IllegalStateException("run %d does not end".formatted(id));
  }

  private JsonNode newest() throws IOException, InterruptedException {
    return ask(HttpRequest.newBuilder(URI.create(server + "/runs?limit=1")).build())
        .path("runs")
        .path(0);
  }

  private JsonNode ask(HttpRequest request) throws IOException, InterruptedException {
    long end = System.nanoTime() + LOCK_NANOS_MAX;
    HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
    while (answer.statusCode() == RUN_IN_PROGRESS && System.nanoTime() < end) {
      // The last run is committed and about to give its lock back.
      Thread.sleep(POLL_MILLIS);
      answer = http.send(request, BodyHandlers.ofString());
    }
    if (answer.statusCode() / 100 != 2) {
      throw new IOException(request + ": " + answer.body());
    }
    return JsonMapper.shared().readTree(answer.body());
  }
}
