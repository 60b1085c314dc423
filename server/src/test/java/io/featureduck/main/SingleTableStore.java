package io.featureduck.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.testing.TestPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A store with three views in one table, whose every row tells its version in each of its features,
 * with writers that remember what they wrote and readers that know what they may find.
 */
final class SingleTableStore {
  static final List<String> VIEWS = List.of("item_stats", "user_activity", "user_features");
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final int WRITERS = 2;

  /**
   * What Postgres says of a write to a view that takes none, and of one to a table that is away.
   */
  private static final List<String> NO_TABLE = List.of("55000", "42P01");

  /** The features of version {@code %1$s} of a row, as SQL. */
  private static final Map<String, String> FEATURES =
      Map.of(
          "item_stats",
          "jsonb_build_object('n', %1$s, 'tags', jsonb_build_array('a', 'v' || %1$s), 'even', %1$s %% 2 = 0)",
          "user_activity",
          "jsonb_build_object('n', %1$s, 'emb', jsonb_build_array(%1$s, %1$s + 0.25), 'seen', 'v' || %1$s)",
          "user_features",
          "jsonb_build_object('n', %1$s, 'ratio', %1$s + 0.5, 'label', 'v' || %1$s)");

  private final TestPostgres.Database old;
  private final TestPostgres.Database store;
  private final Path directory;
  private final int rowsPerView;
  private final AtomicBoolean done = new AtomicBoolean();
  private final AtomicLong versions = new AtomicLong(1);

  /** The versions of rows that were written, by view and key; 0 for one that was deleted. */
  private final Map<String, Long> written = new ConcurrentHashMap<>();

  private SingleTableStore(
      TestPostgres.Database old, TestPostgres.Database store, Path directory, int rowsPerView) {
    this.old = old;
    this.store = store;
    this.directory = directory;
    this.rowsPerView = rowsPerView;
  }

  static SingleTableStore create(Path directory, boolean oneDatabase, int rowsPerView)
      throws SQLException, IOException {
    TestPostgres.Database store = TestPostgres.newDatabase();
    TestPostgres.Database old = oneDatabase ? store : TestPostgres.newDatabase();
    old.execute(
        """
        CREATE TABLE online_features (feature_view TEXT, entity_key TEXT, features JSONB,
          event_timestamp TIMESTAMPTZ, updated_at TIMESTAMPTZ, PRIMARY KEY (feature_view, entity_key))
        """);
    for (String view : VIEWS) {
      old.execute(
          "INSERT INTO online_features SELECT '%s', i::text, %s, '2026-01-01Z', '2026-01-02Z' FROM generate_series(1, %d) i"
              .formatted(view, features(view, 1), rowsPerView));
    }
    Path ignored =
        Files.writeString(
            directory.resolve("config.json"),
            """
            {
              "project": "old",
              "server": {"host": "127.0.0.1", "port": 0},
              "online_store": {"type": "postgres", "url": "%s"},
              "materializer": {"state_directory": "state"},
              "entities": [], "sources": [], "views": []
            }
            """
                .formatted(store.url()),
            UTF_8);
    return new SingleTableStore(old, store, directory, rowsPerView);
  }

  TestPostgres.Database store() {
    return store;
  }

  /** Starts the command; with two databases it is told where the old one is. */
  FeatureDuckProcess migrate(String... arguments) throws IOException {
    List<String> words =
        new ArrayList<>(List.of("migrate-single-table", "--config", "config.json"));
    if (!old.equals(store)) {
      words.addAll(List.of("--from", old.url()));
    }
    words.addAll(List.of(arguments));
    return FeatureDuckProcess.start(directory, Map.of(), words.toArray(String[]::new));
  }

  FeatureDuckProcess serve() throws IOException {
    return FeatureDuckProcess.start(
        directory, Map.of(), "serve", "--role", "serve", "--config", "config.json");
  }

  /** Waits until so many rows are copied, in transactions that are committed. */
  void awaitCopied(long rows, FeatureDuckProcess process) throws SQLException {
    while (copied() < rows) {
      assertThat(process.isAlive()).as("the migration goes on").isTrue();
      LockSupport.parkNanos(1_000_000);
    }
  }

  long copied() throws SQLException {
    long there =
        number(
            store, "SELECT count(*) FROM pg_class WHERE relname = 'featureduck_migration_views'");
    return there == 0
        ? 0
        : number(store, "SELECT coalesce(sum(rows), 0) FROM featureduck_migration_views");
  }

  void stop() {
    done.set(true);
  }

  /**
   * Updates, deletes and inserts rows of its own, until it is told to stop or the table is no table
   * any more. A write that was not committed isn't remembered.
   *
   * @return how many writes were committed
   */
  long write(int writer, long seed) throws SQLException {
    SplittableRandom random = new SplittableRandom(seed);
    long writes = 0;
    try (Connection connection = old.connect();
        Statement statement = connection.createStatement()) {
      while (!done.get()) {
        String view = VIEWS.get(random.nextInt(VIEWS.size()));
        // Beyond those that are there: rows that come in.
        long key = random.nextLong(rowsPerView + rowsPerView / 4) / WRITERS * WRITERS + writer;
        boolean delete = key % 5 != 0 && random.nextInt(6) == 0;
        long version = delete ? 0 : versions.incrementAndGet();
        try {
          boolean ignored = statement.execute(sql(view, key, version, random.nextInt(3)));
        } catch (SQLException e) {
          if (NO_TABLE.contains(e.getSQLState())) {
            return writes;
          }
          throw e;
        }
        written.put(view + " " + key, version);
        writes++;
        LockSupport.parkNanos(500_000);
      }
    }
    return writes;
  }

  private static String features(String view, long version) {
    return Objects.requireNonNull(FEATURES.get(view)).formatted(version);
  }

  private static String sql(String view, long key, long version, int how) {
    if (version == 0) {
      return "DELETE FROM online_features WHERE feature_view = '%s' AND entity_key = '%d'"
          .formatted(view, key);
    }
    String features = features(view, version);
    if (how == 0) {
      // One transaction, in which the row comes under another key first.
      return """
      DELETE FROM online_features WHERE feature_view = '%1$s' AND entity_key = '%2$d';
      INSERT INTO online_features VALUES ('%1$s', '-%2$d', '{"n": 0}', now(), now());
      UPDATE online_features SET entity_key = '%2$d', features = %3$s
      WHERE feature_view = '%1$s' AND entity_key = '-%2$d'
      """
          .formatted(view, key, features);
    }
    return """
    INSERT INTO online_features VALUES ('%1$s', '%2$d', %3$s, now(), now())
    ON CONFLICT (feature_view, entity_key) DO UPDATE
    SET features = excluded.features, event_timestamp = now(), updated_at = now()
    """
        .formatted(view, key, features);
  }

  /**
   * Reads rows by the old SQL until it is told to stop; whatever it finds must be whole, and no
   * older than what was written before. Prepared on the server, as most clients do.
   *
   * @return how many rows were read
   */
  long read(long seed) throws SQLException {
    SplittableRandom random = new SplittableRandom(seed);
    long rows = 0;
    try (Connection connection = old.connect();
        PreparedStatement one =
            connection.prepareStatement(
                "SELECT features FROM online_features WHERE feature_view = ? AND entity_key = ?");
        PreparedStatement several =
            connection.prepareStatement(
                "SELECT entity_key, features, event_timestamp, updated_at FROM online_features WHERE feature_view = ? AND entity_key = ANY (?)")) {
      while (!done.get()) {
        String view = VIEWS.get(random.nextInt(VIEWS.size()));
        // These are never deleted.
        long key = random.nextLong(1, rowsPerView / 5 + 1) * 5;
        rows += random.nextBoolean() ? readOne(one, view, key) : readSeveral(several, view, key);
        LockSupport.parkNanos(500_000);
      }
    }
    return rows;
  }

  private long readOne(PreparedStatement statement, String view, long key) throws SQLException {
    long before = written.getOrDefault(view + " " + key, 1L);
    statement.setString(1, view);
    statement.setString(2, Long.toString(key));
    try (ResultSet rows = statement.executeQuery()) {
      assertThat(rows.next()).as("a row of %s %d", view, key).isTrue();
      assertThat(version(view, rows.getString(1))).isGreaterThanOrEqualTo(before);
    }
    return 1;
  }

  private long readSeveral(PreparedStatement statement, String view, long key) throws SQLException {
    long before = written.getOrDefault(view + " " + key, 1L);
    statement.setString(1, view);
    List<String> keys = List.of(Long.toString(key), Long.toString(key + 1), Long.toString(key + 2));
    statement.setArray(2, statement.getConnection().createArrayOf("text", keys.toArray()));
    long read = 0;
    try (ResultSet rows = statement.executeQuery()) {
      while (rows.next()) {
        long version = version(view, rows.getString(2));
        read++;
        if (rows.getString(1).equals(Long.toString(key))) {
          assertThat(version).isGreaterThanOrEqualTo(before);
        }
      }
    }
    assertThat(read).as("rows of %s %d", view, key).isPositive();
    return read;
  }

  /** Returns the version of a row, all of whose features must tell it. */
  static long version(String view, String features) {
    JsonNode json = JSON.readTree(features);
    long version = json.path("n").asLong();
    switch (view) {
      case "item_stats" -> {
        assertThat(json.path("tags").get(1).asString()).as(features).isEqualTo("v" + version);
        assertThat(json.path("even").asBoolean()).as(features).isEqualTo(version % 2 == 0);
      }
      case "user_activity" -> {
        assertThat(json.path("seen").asString()).as(features).isEqualTo("v" + version);
        assertThat(json.path("emb").get(1).asDouble()).as(features).isEqualTo(version + 0.25);
      }
      default -> {
        assertThat(json.path("label").asString()).as(features).isEqualTo("v" + version);
        assertThat(json.path("ratio").asDouble()).as(features).isEqualTo(version + 0.5);
      }
    }
    return version;
  }

  /** Makes sure that the new tables have just what the old one has, and all that was written. */
  void checkMigrated(String renamedTo) throws SQLException {
    Map<String, Map<String, String>> before = new HashMap<>();
    collect(
        old,
        "SELECT feature_view, entity_key, features, event_timestamp, updated_at FROM " + renamedTo,
        before);
    Map<String, Map<String, String>> after = new HashMap<>();
    collect(
        store,
        """
        SELECT 'item_stats', entity_key, jsonb_build_object('n', n, 'tags', tags, 'even', even), event_timestamp, updated_at
        FROM online_item_stats
        UNION ALL SELECT 'user_activity', entity_key, jsonb_build_object('n', n, 'emb', emb, 'seen', seen), event_timestamp, updated_at
        FROM online_user_activity
        UNION ALL SELECT 'user_features', entity_key, jsonb_build_object('n', n, 'ratio', ratio, 'label', label), event_timestamp, updated_at
        FROM online_user_features
        """,
        after);
    for (String view : VIEWS) {
      assertThat(Objects.equals(after.get(view), before.get(view))).as("rows of %s", view).isTrue();
    }
    written.forEach((row, version) -> {
      String[] parts = row.split(" ", -1);
      String there = after.getOrDefault(parts[0], Map.of()).get(parts[1]);
      if (version == 0) {
        assertThat(there).as(row).isNull();
      } else {
        assertThat(there).as(row).contains("\"n\": " + version);
      }
    });
  }

  private static void collect(
      TestPostgres.Database database, String select, Map<String, Map<String, String>> views)
      throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      statement.setFetchSize(10_000);
      try (ResultSet rows = statement.executeQuery(select)) {
        while (rows.next()) {
          String values = rows.getString(3) + " " + rows.getString(4) + " " + rows.getString(5);
          String ignored =
              views
                  .computeIfAbsent(rows.getString(1), view -> new HashMap<>())
                  .put(rows.getString(2), values);
        }
      }
    }
  }

  /** Returns what a migration may have left behind but must not. */
  long strays() throws SQLException {
    String select =
        """
        SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'featureduck\\_migration\\_1%'
            OR relname LIKE 'featureduck\\_migration\\_queue%')
          + (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)
        """;
    return number(old, select) + number(store, select);
  }

  static long number(TestPostgres.Database database, String select) throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(select)) {
      assertThat(rows.next()).isTrue();
      return rows.getLong(1);
    }
  }
}
