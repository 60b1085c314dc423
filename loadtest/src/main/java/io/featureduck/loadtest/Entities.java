package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Measures a view of very many entities: its full refresh against a raw COPY, an increment of a
 * hundredth against the full run, its lookups against {@code pgbench}; and what memory all that
 * took, against what the configuration allows. Linux only. Prints a table.
 */
final class Entities {
  private static final int CHANGED_FRACTION = 100;
  private static final int WARM_UP = 1;
  private static final int SECONDS = 5;
  private static final int CONNECTIONS = 64;
  private static final int BATCH_CONNECTIONS = 16;
  private static final long HEAP_MIB = 512;
  private static final long DUCKDB_MIB = 1_024;
  private static final String SOURCE = "shop";
  private static final String STORE = "store";
  private static final String VIEW = "customers";
  private static final String TABLE = "online_customers";

  private final Databases databases;
  private final Path root;
  private final Path directory;
  private final int entities;
  private final Ratios ratios = new Ratios();

  private Entities(Databases databases, Path root, Path directory, int entities) {
    this.databases = databases;
    this.root = root;
    this.directory = directory;
    this.entities = entities;
  }

  /** Takes the checkout, and optionally how many rounds and entities. */
  public static void main(String[] arguments) throws Exception {
    Path root = Path.of(arguments[0]).toAbsolutePath().normalize();
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    int entities = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 10_000_000;
    Path directory = Files.createTempDirectory("featureduck-loadtest");
    try (Databases databases = Databases.start()) {
      new Entities(databases, root, directory, entities).run(rounds);
    }
    Databases.delete(directory);
  }

  private void run(int rounds) throws Exception {
    String ignored = databases.make(SOURCE);
    System.err.printf("filling a table with %,d customers%n", entities);
    fill();
    int port = Service.freePort();
    Path config = config(port);
    String store = databases.make(STORE);
    double first =
        new Materialize(root, config, store).run(List.of()).path("duration_seconds").asDouble();
    RawCopy copy = new RawCopy(databases.jdbc(STORE), directory.resolve("rows.copy"));
    copy.export(TABLE);
    long peak;
    try (Service featureduck =
        Service.start(
            List.of(root.resolve("featureduck").toString(), "serve", "--config", config.toString()),
            Map.of(
                "FEATUREDUCK_STORE_URL", store, "FEATUREDUCK_JAVA_OPTS", "-Xmx" + HEAP_MIB + "m"),
            directory.resolve("serve.log"))) {
      Runs runs = new Runs(port, VIEW);
      round(runs, copy, port, WARM_UP, new Ratios());
      for (int round = 1; round <= rounds; round++) {
        System.err.printf("round %d of %d%n", round, rounds);
        round(runs, copy, port, WARM_UP + round, ratios);
      }
      peak = featureduck.peakBytes() >> 20;
    }
    System.out.printf(
        """

        %,d entities with 4 features from Postgres, of which %,d are changed before each round. %d rounds; medians, the ratio within rounds.
        The first full run took %.1f s. Everything on this machine: %d cores, Java %s, %s %s.

        | what | FeatureDuck | baseline | ratio | target |
        |---|---|---|---|---|
        """,
        entities,
        entities / CHANGED_FRACTION,
        rounds,
        first,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        System.getProperty("os.name"),
        System.getProperty("os.arch"));
    row("full run with nothing changed, to COPY and its key", "full", "copy", "s", "-");
    row("1 % of the rows changed, to a full run", "increment", "full", "s", "-");
    row("uncached GET, to pgbench -M prepared", "get", "pgbench", "/s", "at least 1.0");
    row("uncached batch of 100, to pgbench", "batch", "pgbench 100", "/s", "-");
    long allowed = HEAP_MIB + DUCKDB_MIB;
    System.out.printf(
        "| peak memory, to heap and `memory_limit` | %,d MiB | %,d MiB | **%.2f** | at most 1.25 |%n",
        peak, allowed, (double) peak / allowed);
  }

  private void row(String title, String name, String baseline, String unit, String target) {
    System.out.println(ratios.row(title, name, baseline, unit, target));
  }

  private void round(Runs runs, RawCopy copy, int port, int round, Ratios to) throws Exception {
    Wrk wrk = new Wrk(root.resolve("loadtest/scripts"), SECONDS);
    PgBench pgbench = new PgBench(databases.port(), STORE, SECONDS);
    change(round);
    to.add("increment", runs.seconds(false));
    to.add("full", runs.seconds(true));
    to.add("copy", copy.run(TABLE));
    to.add("pgbench", pgbench.run(16, Dataset.COLUMNS, TABLE, entities, 1));
    to.add("get", wrk.run("get", port, CONNECTIONS, VIEW, entities));
    to.add("pgbench 100", pgbench.run(8, Dataset.COLUMNS, TABLE, entities, 100));
    to.add("batch", wrk.run("batch", port, BATCH_CONNECTIONS, VIEW, entities));
  }

  private void fill() throws Exception {
    databases.execute(
        SOURCE,
        """
        CREATE TABLE customers (customer_id BIGINT, purchase_count BIGINT, total_spent DOUBLE PRECISION,
          avg_order_value DOUBLE PRECISION, last_order_at TIMESTAMPTZ, seen_at TIMESTAMPTZ,
          updated_at TIMESTAMPTZ);
        INSERT INTO customers SELECT i, i %% 500, i %% 1000003 / 100.0, i %% 1000033 / 7000.0,
            now() - interval '1 second' * (i %% 8000000), at, at
          FROM (SELECT i, now() - (%1$d - i) * (interval '30 days' / %1$d) - interval '1 hour' AS at
            FROM generate_series(1::bigint, %1$d) i) r;
        ALTER TABLE customers ADD PRIMARY KEY (customer_id);
        CREATE INDEX ON customers (seen_at);
        CREATE INDEX ON customers (updated_at);
        """
            .formatted(entities));
    // VACUUM runs in no transaction, so it can't stand among the others.
    databases.execute(SOURCE, "VACUUM ANALYZE customers");
  }

  private void change(int round) throws Exception {
    databases.execute(
        SOURCE,
        """
        UPDATE customers SET total_spent = total_spent + 1, updated_at = clock_timestamp()
        WHERE customer_id %% %d = %d
        """
            .formatted(CHANGED_FRACTION, round));
  }

  private Path config(int port) throws Exception {
    return Files.writeString(
        directory.resolve("config.json"),
        """
        {
          "project": "loadtest",
          "server": {"host": "127.0.0.1", "port": %1$d},
          "online_store": {"type": "postgres", "url": "${FEATUREDUCK_STORE_URL}"},
          "materializer": {"memory_limit": "%2$dMiB"},
          "entities": [
            {"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}
          ],
          "sources": [
            {"name": "customers", "source_type": "postgres",
             "connection_string": "host=127.0.0.1 port=%3$d user=postgres dbname=%4$s",
             "table": "customers", "timestamp_field": "seen_at", "cursor_field": "updated_at",
             "incremental": true, "allowed_lateness": "0s"}
          ],
          "views": [
            {"name": "%5$s", "entities": ["customer"], "source": "customers",
             "cache": {"max_age": "0s"}}
          ]
        }
        """
            .formatted(port, DUCKDB_MIB, databases.port(), SOURCE, VIEW),
        UTF_8);
  }
}
