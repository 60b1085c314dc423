package io.featureduck.sample;

import io.featureduck.sample.SampleOrders.Order;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A shop to try FeatureDuck on: a Postgres with the shop's table {@code orders} in one database and
 * an empty online store in another, and a file of its customers. All of it is in one directory and
 * outlives the process.
 *
 * <p>The orders are moved on by whole days so that the newest are of today (UTC). Each happened at
 * the start of its day.
 */
public final class SampleStore implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SampleStore.class);

  private static final String SHOP = "shop";
  private static final String ONLINE_STORE = "featureduck";

  private static final String TABLE =
      """
      CREATE TABLE orders (
        order_id BIGINT PRIMARY KEY,
        customer_id BIGINT NOT NULL,
        ordered_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        quantity INTEGER NOT NULL,
        amount NUMERIC(10,2) NOT NULL)
      """;

  private final Path directory;
  private final FileChannel lockFile;
  private final EmbeddedDatabase database;

  private SampleStore(Path directory, FileChannel lockFile, EmbeddedDatabase database) {
    this.directory = directory;
    this.lockFile = lockFile;
    this.database = database;
  }

  /**
   * Starts the store in {@code directory}, which is made if missing, and brings its orders to
   * {@code today}.
   *
   * @throws IOException where another process has the directory, or the database doesn't start
   */
  public static SampleStore open(Path directory, LocalDate today) throws IOException, SQLException {
    Path absolute = Files.createDirectories(directory.toAbsolutePath().normalize()).toRealPath();
    FileChannel lockFile =
        FileChannel.open(
            absolute.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      // Held until the process ends, however it ends.
      FileLock lock = lockFile.tryLock();
      if (lock == null) {
        throw new IOException(absolute + " is in use by another featureduck up");
      }
      EmbeddedDatabase database = EmbeddedDatabase.open(absolute);
      SampleStore store = new SampleStore(absolute, lockFile, database);
      try {
        store.fill(today);
        return store;
      } catch (IOException | SQLException | RuntimeException e) {
        database.close();
        throw e;
      }
    } catch (IOException | SQLException | RuntimeException e) {
      lockFile.close();
      throw e;
    }
  }

  /** Returns what the sample's {@code config.json} takes from the environment. */
  public Map<String, String> environment() {
    Map<String, String> environment = new TreeMap<>();
    environment.put(
        "FEATUREDUCK_STORE_URL",
        "postgresql://postgres@127.0.0.1:" + database.port() + "/" + ONLINE_STORE);
    environment.put(
        "FEATUREDUCK_SOURCE",
        "host=127.0.0.1 port=" + database.port() + " dbname=" + SHOP + " user=postgres");
    environment.put("FEATUREDUCK_FILES", directory.resolve("files").toString());
    return environment;
  }

  /** Inserts an order of now, by a customer of the shop; returns its id. */
  public long insertOrder(RandomGenerator random) throws SQLException {
    try (Connection connection = database.connect(SHOP);
        PreparedStatement insert =
            connection.prepareStatement(
                """
                INSERT INTO orders (order_id, customer_id, ordered_at, updated_at, quantity, amount)
                SELECT max(order_id) + 1, ?, now(), now(), ?, ?::numeric / 100 FROM orders
                RETURNING order_id
                """)) {
      insert.setLong(1, random.nextLong(1, 23_571));
      insert.setInt(2, random.nextInt(1, 5));
      insert.setInt(3, random.nextInt(500, 9_000));
      try (ResultSet inserted = insert.executeQuery()) {
        boolean ignored = inserted.next();
        return inserted.getLong(1);
      }
    }
  }

  /** Stops the database. */
  @Override
  public void close() throws IOException {
    try {
      database.close();
    } finally {
      lockFile.close();
    }
  }

  private void fill(LocalDate today) throws IOException, SQLException {
    database.ensureDatabase(ONLINE_STORE);
    database.ensureDatabase(SHOP);
    try (Connection connection = database.connect(SHOP)) {
      connection.setAutoCommit(false);
      if (hasTable(connection)) {
        moveOn(connection, today);
      } else {
        load(connection, today);
      }
      connection.commit();
    }
    writeCustomers(today);
  }

  private static boolean hasTable(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery("SELECT to_regclass('public.orders')")) {
      return result.next() && result.getString(1) != null;
    }
  }

  private static void load(Connection connection, LocalDate today)
      throws IOException, SQLException {
    execute(connection, TABLE);
    CopyIn copy =
        connection
            .unwrap(PGConnection.class)
            .getCopyAPI()
            .copyIn("COPY orders FROM STDIN (FORMAT csv)");
    StringBuilder rows = new StringBuilder();
    for (Order order : SampleOrders.endingOn(today)) {
      String at = order.date() + "T00:00:00Z";
      rows.append(order.orderId()).append(',').append(order.customerId()).append(',');
      rows.append(at).append(',').append(at).append(',');
      rows.append(order.quantity()).append(',').append(order.amount()).append('\n');
    }
    byte[] bytes = rows.toString().getBytes(StandardCharsets.UTF_8);
    copy.writeToCopy(bytes, 0, bytes.length);
    long loaded = copy.endCopy();
    execute(connection, "CREATE INDEX orders_updated_at ON orders (updated_at)");
    execute(connection, "CREATE INDEX orders_ordered_at ON orders (ordered_at)");
    execute(connection, "CREATE INDEX orders_customer_id ON orders (customer_id)");
    execute(connection, "ANALYZE orders");
    LOG.info("loaded {} orders, the last of {}", loaded, today);
  }

  /**
   * Moves the sample's own orders on, so that the last are of today; those inserted since stay
   * where they happened. A moved order is a changed row, so its cursor is now.
   */
  private static void moveOn(Connection connection, LocalDate today) throws SQLException {
    LocalDate last;
    int count = SampleOrders.COUNT;
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT (max(ordered_at) AT TIME ZONE 'UTC')::date FROM orders WHERE order_id <= ?")) {
      select.setInt(1, count);
      try (ResultSet result = select.executeQuery()) {
        boolean ignored = result.next();
        last = result.getObject(1, LocalDate.class);
      }
    }
    long days = ChronoUnit.DAYS.between(last, today);
    if (days <= 0) {
      return;
    }
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE orders SET ordered_at = ordered_at + ? * INTERVAL '24 hours', updated_at = now()"
                + " WHERE order_id <= ?")) {
      update.setLong(1, days);
      update.setInt(2, count);
      int moved = update.executeUpdate();
      LOG.info("moved {} orders on by {} days, to {}", moved, days, today);
    }
  }

  /** Each customer's month and first order, as a nightly export of the shop would have them. */
  private void writeCustomers(LocalDate today) throws IOException {
    Map<Long, Order> first = new TreeMap<>();
    for (Order order : SampleOrders.endingOn(today)) {
      Order earlier = first.get(order.customerId());
      if (earlier == null || order.date().isBefore(earlier.date())) {
        first.put(order.customerId(), order);
      }
    }
    StringBuilder rows =
        new StringBuilder(
            "customer_id,cohort,first_ordered_on,first_quantity,first_amount,exported_at\n");
    for (Order order : first.values()) {
      rows.append(order.customerId()).append(',').append("joined ");
      rows.append(YearMonth.from(order.date())).append(',').append(order.date()).append(',');
      rows.append(order.quantity()).append(',').append(order.amount()).append(',');
      rows.append(today).append("T00:00:00Z\n");
    }
    Path files = Files.createDirectories(directory.resolve("files"));
    Path written = Files.writeString(files.resolve("customers.csv.new"), rows);
    Path ignored =
        Files.move(
            written,
            files.resolve("customers.csv"),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean ignored = statement.execute(sql);
    }
  }
}
