package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Measures FeatureDuck against what it is built of, everything on this machine: a bare Vert.x
 * server, {@code pgbench} on the same rows, a raw COPY of them. Prints one table of ratios.
 */
final class Compare {
  private static final int HOT_ENTITIES = 10_000;
  private static final int CONNECTIONS = 64;
  private static final int BATCH_CONNECTIONS = 16;
  private static final String DATABASE = "loadtest";

  private final Path root;
  private final Path directory;
  private final int entities;
  private final int seconds;
  private final Ratios ratios = new Ratios();
  private final HttpClient http = HttpClient.newHttpClient();
  private final Databases databases;

  private Compare(Path root, Path directory, Databases databases, int entities, int seconds) {
    this.root = root;
    this.directory = directory;
    this.databases = databases;
    this.entities = entities;
    this.seconds = seconds;
  }

  /** Takes the checkout, and optionally how many rounds, seconds a measurement and entities. */
  public static void main(String[] arguments) throws Exception {
    Path root = Path.of(arguments[0]).toAbsolutePath().normalize();
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    int seconds = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 5;
    int entities = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 1_000_000;
    Path directory = Files.createTempDirectory("featureduck-loadtest");
    try (Databases databases = Databases.start()) {
      new Compare(root, directory, databases, entities, seconds).run(rounds);
    }
    // Only now: what a failed comparison left behind tells why.
    Databases.delete(directory);
  }

  private void run(int rounds) throws Exception {
    String store = databases.make(DATABASE);
    Path config = Dataset.write(directory, entities);
    say("materializing %,d entities", entities);
    double ignored = materialize(config, store, "cached", "uncached");
    RawCopy copy = new RawCopy(databases.jdbc(DATABASE), directory.resolve("rows.copy"));
    copy.export("online_uncached");

    int port = Service.freePort();
    try (Service featureduck = serve(config, store, port)) {
      int getPort = Service.freePort();
      int batchPort = Service.freePort();
      try (Service bareGet = bare(getPort, getLength(port));
          Service bareBatch = bare(batchPort, batchLength(port))) {
        Measure measure = new Measure(port, getPort, batchPort);
        say("warming up");
        measure.lookups(new Ratios());
        for (int round = 1; round <= rounds; round++) {
          say("round %d of %d", round, rounds);
          measure.lookups(ratios);
          materialization(config, copy, round);
        }
      }
    }
    print(rounds);
  }

  /** The measurements of lookups, one after the other: a round. */
  private final class Measure {
    private final Wrk wrk = new Wrk(root.resolve("loadtest/scripts"), seconds);
    private final int port;
    private final int bareGetPort;
    private final int bareBatchPort;
    private final PgBench pgbench;

    Measure(int port, int bareGetPort, int bareBatchPort) {
      this.port = port;
      this.bareGetPort = bareGetPort;
      this.bareBatchPort = bareBatchPort;
      this.pgbench = new PgBench(databases.port(), DATABASE, seconds);
    }

    void lookups(Ratios to) throws IOException, InterruptedException {
      to.add("bare get", wrk.run("get", bareGetPort, CONNECTIONS, "cached", HOT_ENTITIES));
      to.add("cached get", wrk.run("get", port, CONNECTIONS, "cached", HOT_ENTITIES));
      to.add("pgbench", pgbench.run(16, Dataset.COLUMNS, "online_uncached", entities, 1));
      to.add("uncached get", wrk.run("get", port, CONNECTIONS, "uncached", entities));
      to.add("pgbench 100", pgbench.run(8, Dataset.COLUMNS, "online_uncached", entities, 100));
      to.add("uncached batch", wrk.run("batch", port, BATCH_CONNECTIONS, "uncached", entities));
      to.add("bare batch", wrk.run("batch", bareBatchPort, CONNECTIONS, "cached", HOT_ENTITIES));
      to.add("cached batch", wrk.run("batch", port, CONNECTIONS, "cached", HOT_ENTITIES));
    }
  }

  private void materialization(Path config, RawCopy copy, int round)
      throws SQLException, IOException, InterruptedException {
    ratios.add("copy", copy.run("online_uncached"));
    String database = "fill_" + round;
    String store = databases.make(database);
    ratios.add("fill", materialize(config, store, "uncached"));
    ratios.add("refresh", materialize(config, store, "uncached"));
    databases.execute("postgres", "DROP DATABASE " + database);
  }

  /** Materializes in full; returns the seconds of the last view's run. */
  private double materialize(Path config, String store, String... views)
      throws IOException, InterruptedException {
    List<String> words = new ArrayList<>(List.of(views));
    boolean ignored = words.add("--full");
    return new Materialize(root, config, store).run(words).path("duration_seconds").asDouble();
  }

  private Service serve(Path config, String store, int port) throws IOException {
    return Service.start(
        List.of(
            root.resolve("featureduck").toString(),
            "serve",
            "--role",
            "serve",
            "--config",
            config.toString()),
        Map.of("FEATUREDUCK_STORE_URL", store, "FEATUREDUCK_PORT", Integer.toString(port)),
        directory.resolve("serve.log"));
  }

  private Service bare(int port, int bytes) throws IOException {
    return Service.start(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            BareServer.class.getName(),
            Integer.toString(port),
            Integer.toString(bytes)),
        Map.of(),
        directory.resolve("bare-" + port + ".log"));
  }

  private int getLength(int port) throws IOException, InterruptedException {
    return lengthOf(HttpRequest.newBuilder(uri(port, "/features/cached/5000")).build());
  }

  private int batchLength(int port) throws IOException, InterruptedException {
    StringBuilder body = new StringBuilder("{\"entities\":[");
    for (int i = 0; i < 100; i++) {
      body.append(i == 0 ? "" : ",").append('"').append(5000 + i).append('"');
    }
    return lengthOf(
        HttpRequest.newBuilder(uri(port, "/features/cached/batch"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body.append("]}").toString()))
            .build());
  }

  private int lengthOf(HttpRequest request) throws IOException, InterruptedException {
    var response = http.send(request, BodyHandlers.ofByteArray());
    if (response.statusCode() != 200) {
      throw new IOException(
          "%s answered %d: %s"
              .formatted(request.uri(), response.statusCode(), new String(response.body(), UTF_8)));
    }
    return response.body().length;
  }

  private void print(int rounds) {
    System.out.printf(
        """

        %,d entities, 4 features, %d rounds of %d s a measurement; medians, the ratio within rounds.
        Everything on this machine: %d cores, Java %s, %s %s.

        | what | FeatureDuck | baseline | ratio | target |
        |---|---|---|---|---|
        """,
        entities,
        rounds,
        seconds,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        System.getProperty("os.name"),
        System.getProperty("os.arch"));
    row("cached GET, to a constant body", "cached get", "bare get", "/s", "at least 0.7");
    row("uncached GET, to pgbench -M prepared", "uncached get", "pgbench", "/s", "at least 1.0");
    row("uncached batch of 100, to pgbench", "uncached batch", "pgbench 100", "/s", "-");
    row("cached batch of 100, to a constant body", "cached batch", "bare batch", "/s", "-");
    row("first full run, to COPY and its key", "fill", "copy", "s", "at most 2");
    row("full run with nothing changed, to the same", "refresh", "copy", "s", "-");
  }

  private void row(String title, String name, String baseline, String unit, String target) {
    System.out.println(ratios.row(title, name, baseline, unit, target));
  }

  private static URI uri(int port, String path) {
    return URI.create("http://127.0.0.1:" + port + path);
  }

  private static void say(String format, Object... values) {
    System.err.printf(format + "%n", values);
  }
}
