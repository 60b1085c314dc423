package io.featureduck.loadtest;

/**
 * Measures an incremental run over a large Postgres table, of which a thousandth was changed,
 * against a full run over the same rows. Prints a table of ratios.
 */
final class Increments {
  /** As in the shop whose orders are the sample's. */
  private static final int ROWS_PER_CUSTOMER = 3;

  private static final Rounds.Source SOURCE =
      new Rounds.Source("orders", "order_id", "ordered_at", "amount", 1_000, 10_000_000);

  private Increments() {}

  /** Takes the checkout, and optionally how many rounds and rows. */
  public static void main(String[] arguments) throws Exception {
    try (Rounds rounds = Rounds.start(arguments, SOURCE)) {
      int customers = rounds.rows() / ROWS_PER_CUSTOMER;
      rounds.fill(orders(rounds.rows(), customers));
      double first = rounds.materialize("{}", "\"row_id\": \"order_id\"", view());
      Ratios ratios =
          rounds.measure(
              "totals",
              "",
              (runs, featureduck, to) -> {
                to.add("increment", runs.seconds(false));
                to.add("nothing", runs.seconds(false));
                to.add("full", runs.seconds(true));
              });
      rounds.printHead(
          "%,d rows of %,d customers".formatted(rounds.rows(), customers),
          first,
          "incremental",
          "full");
      System.out.println(
          ratios.row("0.1 % of the rows changed", "increment", "full", "s", "at most 0.05"));
      System.out.println(ratios.row("nothing changed", "nothing", "full", "s", "-"));
    }
  }

  /** Orders of a year, in no order of customers. */
  private static String orders(int rows, int customers) {
    return """
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
        .formatted(rows, customers);
  }

  private static String view() {
    return """
    {"name": "totals", "entities": ["customer"], "source": "orders",
     "aggregations": [
       {"function": "count", "alias": "orders"},
       {"function": "sum", "column": "amount", "alias": "total"},
       {"function": "sum", "column": "amount", "alias": "spent", "windows": ["30d", "90d"]},
       {"function": "sum", "column": "quantity", "alias": "items"},
       {"function": "max", "column": "amount", "alias": "largest"}]}
    """;
  }
}
