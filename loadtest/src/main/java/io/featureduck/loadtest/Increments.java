package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Measures an incremental run over a large Postgres table, of which a thousandth was changed,
 * against a full run over the same rows. Prints a table of ratios.
 */
final class Increments {
  /** As in the shop whose orders are the sample's. */
  private static final int ROWS_PER_CUSTOMER = 3;

  private static final int CHANGED_FRACTION = 1_000;
  private static final int WARM_UP = 1;
  private static final String SOURCE = "shop";
  private static final String STORE = "store";

  private final Databases databases;
  private final Path root;
  private final Path directory;
  private final int rows;
  private final Ratios ratios = new Ratios();

  private Increments(Databases databases, Path root, Path directory, int rows) {
    this.databases = databases;
    this.root = root;
    this.directory = directory;
    this.rows = rows;
  }

  /** Takes the checkout, and optionally how many rounds and rows. */
  public static void main(String[] arguments) throws Exception {
    Path root = Path.of(arguments[0]).toAbsolutePath().normalize();
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    int rows = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 10_000_000;
    Path directory = Files.createTempDirectory("featureduck-loadtest");
    try (Databases databases = Databases.start()) {
      new Increments(databases, root, directory, rows).run(rounds);
    }
    Databases.delete(directory);
  }

  private void run(int rounds) throws Exception {
    String ignored = databases.make(SOURCE);
    System.err.printf("filling a table with %,d rows%n", rows);
    fill();
    int port = Service.freePort();
    Path config = config(port);
    String store = databases.make(STORE);
    double first =
        new Materialize(root, config, store).run(List.of()).path("duration_seconds").asDouble();
    // In the process that serves, as by a schedule: a new process would be measured with its start.
    try (Service featureduck =
        Service.start(
            List.of(root.resolve("featureduck").toString(), "serve", "--config", config.toString()),
            Map.of("FEATUREDUCK_STORE_URL", store),
            directory.resolve("serve.log"))) {
      Runs runs = new Runs(port, "totals");
      round(runs, WARM_UP, new Ratios());
      for (int round = 1; round <= rounds; round++) {
        System.err.printf("round %d of %d%n", round, rounds);
        round(runs, WARM_UP + round, ratios);
      }
    }
    System.out.printf(
        """

        %,d rows of %,d customers, of which %,d are changed before each round. %d rounds; medians, the ratio within rounds.
        The first full run took %.1f s. Everything on this machine: %d cores, Java %s, %s %s.

        | what | incremental | full | ratio | target |
        |---|---|---|---|---|
        """,
        rows,
        rows / ROWS_PER_CUSTOMER,
        rows / CHANGED_FRACTION,
        rounds,
        first,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        System.getProperty("os.name"),
        System.getProperty("os.arch"));
    System.out.println(
        ratios.row("0.1 % of the rows changed", "increment", "full", "s", "at most 0.05"));
    System.out.println(ratios.row("nothing changed", "nothing", "full", "s", "-"));
  }

  private void round(Runs runs, int round, Ratios to) throws Exception {
    change(round);
    to.add("increment", runs.seconds(false));
    to.add("nothing", runs.seconds(false));
    to.add("full", runs.seconds(true));
  }

  /** Orders of a year, in no order of customers. */
  private void fill() throws Exception {
    databases.execute(
        SOURCE,
        """
        CREATE TABLE orders (order_id BIGINT, customer_id BIGINT, amount NUMERIC(10,2), quantity INT,
          ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
        INSERT INTO orders SELECT i, 1 + abs(hashint8(i)::bigint) %% %2$d, (i %% 10007) / 100.0, 1 + i %% 5,
            at, at
          FROM (SELECT i, now() - (%1$d - i) * (interval '365 days' / %1$d) - interval '1 hour' AS at
            FROM generate_series(1::bigint, %1$d) i) r;
        ALTER TABLE orders ADD PRIMARY KEY (order_id);
        CREATE INDEX ON orders (customer_id);
        CREATE INDEX ON orders (ordered_at);
        CREATE INDEX ON orders (updated_at);
        """
            .formatted(rows, rows / ROWS_PER_CUSTOMER));
    // VACUUM runs in no transaction, so it can't stand among the others.
    databases.execute(SOURCE, "VACUUM ANALYZE orders");
  }

  private void change(int round) throws Exception {
    databases.execute(
        SOURCE,
        """
        UPDATE orders SET amount = amount + 1, updated_at = clock_timestamp()
        WHERE order_id %% %d = %d
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
          "entities": [
            {"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}
          ],
          "sources": [
            {"name": "orders", "source_type": "postgres",
             "connection_string": "host=127.0.0.1 port=%2$d user=postgres dbname=%3$s",
             "table": "orders", "timestamp_field": "ordered_at", "cursor_field": "updated_at",
             "incremental": true, "allowed_lateness": "0s", "row_id": "order_id"}
          ],
          "views": [
            {"name": "totals", "entities": ["customer"], "source": "orders",
             "aggregations": [
               {"function": "count", "alias": "orders"},
               {"function": "sum", "column": "amount", "alias": "total"},
               {"function": "sum", "column": "amount", "alias": "spent", "windows": ["30d", "90d"]},
               {"function": "sum", "column": "quantity", "alias": "items"},
               {"function": "max", "column": "amount", "alias": "largest"}]}
          ]
        }
        """
            .formatted(port, databases.port(), SOURCE),
        UTF_8);
  }
}
