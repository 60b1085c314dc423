package io.featureduck.loadtest;

import java.io.IOException;
import java.sql.SQLException;

/**
 * Measures a view of very many entities: its full refresh against a raw COPY, an increment of a
 * hundredth against the full run, its lookups against {@code pgbench}; and what memory all that
 * took, against what the configuration allows. Linux only. Prints a table.
 */
final class Entities {
  private static final int SECONDS = 5;
  private static final int CONNECTIONS = 64;
  private static final int BATCH_CONNECTIONS = 16;
  private static final long HEAP_MIB = 512;
  private static final long DUCKDB_MIB = 1_024;
  private static final String VIEW = "customers";
  private static final String TABLE = "online_customers";
  private static final Rounds.Source SOURCE =
      new Rounds.Source("customers", "customer_id", "seen_at", "total_spent", 100, 10_000_000);

  private final Rounds rounds;
  private final RawCopy copy;
  private final Wrk wrk;
  private final PgBench pgbench;
  private long peakMib;

  private Entities(Rounds rounds) {
    this.rounds = rounds;
    this.copy =
        new RawCopy(rounds.databases().jdbc(Rounds.STORE), rounds.directory().resolve("rows.copy"));
    this.wrk = new Wrk(rounds.root().resolve("loadtest/scripts"), SECONDS);
    this.pgbench = new PgBench(rounds.databases().port(), Rounds.STORE, SECONDS);
  }

  /** Takes the checkout, and optionally how many rounds and entities. */
  public static void main(String[] arguments) throws Exception {
    try (Rounds rounds = Rounds.start(arguments, SOURCE)) {
      new Entities(rounds).run();
    }
  }

  private void run() throws Exception {
    rounds.fill(customers(rounds.rows()));
    double first =
        rounds.materialize(
            "{\"memory_limit\": \"%dMiB\"}".formatted(DUCKDB_MIB),
            "",
            "{\"name\": \"%s\", \"entities\": [\"customer\"], \"source\": \"customers\", \"cache\": {\"max_age\": \"0s\"}}"
                .formatted(VIEW));
    copy.export(TABLE);
    Ratios ratios = rounds.measure(VIEW, "-Xmx" + HEAP_MIB + "m", this::round);
    rounds.printHead(
        "%,d entities with 4 features from Postgres".formatted(rounds.rows()),
        first,
        "FeatureDuck",
        "baseline");
    System.out.println(
        ratios.row("full run with nothing changed, to COPY and its key", "full", "copy", "s", "-"));
    System.out.println(
        ratios.row("1 % of the rows changed, to a full run", "increment", "full", "s", "-"));
    System.out.println(
        ratios.row("uncached GET, to pgbench -M prepared", "get", "pgbench", "/s", "at least 1.0"));
    System.out.println(
        ratios.row("uncached batch of 100, to pgbench", "batch", "pgbench 100", "/s", "-"));
    long allowed = HEAP_MIB + DUCKDB_MIB;
    System.out.printf(
        "| peak memory, to heap and `memory_limit` | %,d MiB | %,d MiB | **%.2f** | at most 1.25 |%n",
        peakMib, allowed, (double) peakMib / allowed);
  }

  private void round(Runs runs, Service featureduck, Ratios to)
      throws IOException, InterruptedException, SQLException {
    int entities = rounds.rows();
    to.add("increment", runs.seconds(false));
    to.add("full", runs.seconds(true));
    to.add("copy", copy.run(TABLE));
    to.add("pgbench", pgbench.run(16, Dataset.COLUMNS, TABLE, entities, 1));
    to.add("get", wrk.run("get", rounds.port(), CONNECTIONS, VIEW, entities));
    to.add("pgbench 100", pgbench.run(8, Dataset.COLUMNS, TABLE, entities, 100));
    to.add("batch", wrk.run("batch", rounds.port(), BATCH_CONNECTIONS, VIEW, entities));
    peakMib = featureduck.peakBytes() >> 20;
  }

  private static String customers(int entities) {
    return """
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
        .formatted(entities);
  }
}
