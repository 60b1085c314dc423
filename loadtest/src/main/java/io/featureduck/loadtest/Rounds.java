package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;

/**
 * Rounds of measurements of one view of a large Postgres table, in a process that materializes and
 * serves it. Before each round a fraction of the table's rows is changed in place; a first one goes
 * before those that count. Owns the databases and the files, and removes them in the end.
 */
final class Rounds implements AutoCloseable {
  /** The database that has the view's online table. */
  static final String STORE = "store";

  private static final String SHOP = "shop";
  private static final int WARM_UP = 1;

  private final Databases databases;
  private final Path root;
  private final Path directory;
  private final Source source;
  private final int rounds;
  private final int rows;
  private final int port;

  /**
   * The table that the view is of. It has {@code updated_at}, by which it is read incrementally.
   *
   * @param key a column of whole numbers, from 1 to the number of rows
   * @param eventTime the column with the time of the event
   * @param value the column that a change counts up
   * @param changedFraction one of so many rows is changed before each round
   * @param rows how many there are unless it is said
   */
  record Source(
      String table, String key, String eventTime, String value, int changedFraction, int rows) {}

  /** What is measured in each round, after the changes. */
  interface Round {
    void measure(Runs runs, Service featureduck, Ratios to)
        throws IOException, InterruptedException, SQLException;
  }

  private Rounds(Databases databases, Path directory, Source source, String[] arguments)
      throws IOException {
    this.databases = databases;
    this.directory = directory;
    this.source = source;
    this.root = Path.of(arguments[0]).toAbsolutePath().normalize();
    this.rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    this.rows = arguments.length > 2 ? Integer.parseInt(arguments[2]) : source.rows();
    this.port = Service.freePort();
  }

  /**
   * Starts a database.
   *
   * @param arguments the checkout, and optionally how many rounds and rows
   */
  static Rounds start(String[] arguments, Source source) throws IOException {
    Path directory = Files.createTempDirectory("featureduck-loadtest");
    return new Rounds(Databases.start(), directory, source, arguments);
  }

  Path root() {
    return root;
  }

  Path directory() {
    return directory;
  }

  Databases databases() {
    return databases;
  }

  int rows() {
    return rows;
  }

  /** Returns the port of the server, on this machine. */
  int port() {
    return port;
  }

  /**
   * Fills the source.
   *
   * @param sql makes its table with its rows and indexes
   */
  void fill(String sql) throws SQLException {
    System.err.printf("filling table %s with %,d rows%n", source.table(), rows);
    String ignored = databases.make(SHOP);
    databases.execute(SHOP, sql);
    // VACUUM runs in no transaction, so it can't stand among the others.
    databases.execute(SHOP, "VACUUM ANALYZE " + source.table());
  }

  /**
   * Materializes the view for the first time.
   *
   * @param materializer of the config, a JSON object
   * @param more further keys of the source, such as {@code "row_id": "id"}, or ""
   * @param view of the config, a JSON object
   * @return the run's seconds by its record
   */
  double materialize(String materializer, String more, String view)
      throws IOException, InterruptedException, SQLException {
    Path config =
        Files.writeString(
            config(),
            """
            {
              "project": "loadtest",
              "server": {"host": "127.0.0.1", "port": %d},
              "online_store": {"type": "postgres", "url": "${FEATUREDUCK_STORE_URL}"},
              "materializer": %s,
              "entities": [
                {"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}
              ],
              "sources": [
                {"name": "%5$s", "source_type": "postgres",
                 "connection_string": "host=127.0.0.1 port=%3$d user=postgres dbname=%4$s",
                 "table": "%5$s", "timestamp_field": "%6$s", "cursor_field": "updated_at",
                 "incremental": true, "allowed_lateness": "0s"%7$s}
              ],
              "views": [%8$s]
            }
            """
                .formatted(
                    port,
                    materializer,
                    databases.port(),
                    SHOP,
                    source.table(),
                    source.eventTime(),
                    more.isEmpty() ? "" : ", " + more,
                    view),
            UTF_8);
    return new Materialize(root, config, databases.make(STORE))
        .run(List.of())
        .path("duration_seconds")
        .asDouble();
  }

  private Path config() {
    return directory.resolve("config.json");
  }

  /**
   * Measures in a process that serves, as by a schedule: a new process would be measured with its
   * start.
   *
   * @param view its name
   * @param javaOptions of that process
   */
  Ratios measure(String view, String javaOptions, Round round)
      throws IOException, InterruptedException, SQLException {
    Ratios ratios = new Ratios();
    String launcher = root.resolve("featureduck").toString();
    try (Service featureduck =
        Service.start(
            List.of(launcher, "serve", "--config", config().toString()),
            Map.of(
                "FEATUREDUCK_STORE_URL",
                databases.url(STORE),
                "FEATUREDUCK_JAVA_OPTS",
                javaOptions),
            directory.resolve("serve.log"))) {
      Runs runs = new Runs(port, view);
      change(WARM_UP);
      round.measure(runs, featureduck, new Ratios());
      for (int i = 1; i <= rounds; i++) {
        System.err.printf("round %d of %d%n", i, rounds);
        change(WARM_UP + i);
        round.measure(runs, featureduck, ratios);
      }
    }
    return ratios;
  }

  private void change(int round) throws SQLException {
    databases.execute(
        SHOP,
        "UPDATE %1$s SET %2$s = %2$s + 1, updated_at = clock_timestamp() WHERE %3$s %% %4$d = %5$d"
            .formatted(
                source.table(), source.value(), source.key(), source.changedFraction(), round));
  }

  /**
   * Prints what was measured on what, and the head of the table.
   *
   * @param what the view's rows and what they come from
   * @param first the seconds of the first full run
   */
  void printHead(String what, double first, String column, String baseline) {
    System.out.printf(
        """

        %s, of which %,d rows are changed before each round. %d rounds; medians, the ratio within rounds.
        The first full run took %.1f s. Everything on this machine: %d cores, Java %s, %s %s.

        | what | %s | %s | ratio | target |
        |---|---|---|---|---|
        """,
        what,
        rows / source.changedFraction(),
        rounds,
        first,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        System.getProperty("os.name"),
        System.getProperty("os.arch"),
        column,
        baseline);
  }

  @Override
  public void close() throws IOException {
    databases.close();
    Databases.delete(directory);
  }
}
