package io.featureduck.run;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.SourceDatabase;
import io.featureduck.testing.SourceServer;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * A source's database and an online store with all views of {@link ModelViews}. Not thread-safe.
 */
final class ModelDatabase implements AutoCloseable {
  private final SourceServer server;
  private final Connection source;
  private final Connection second;
  private final Connection target;
  private final Materializer materializer;

  /**
   * @param server of the source; the online store is on Postgres
   */
  ModelDatabase(SourceServer server, Path directory) throws SQLException, IOException {
    this.server = server;
    SourceDatabase from = server.newDatabase();
    TestPostgres.Database to = TestPostgres.newDatabase();
    ModelViews model = new ModelViews();
    for (ModelTable table : model.tables) {
      from.execute(table.ddl(server));
    }
    source = connect(from);
    second = connect(from);
    second.setAutoCommit(false);
    target = to.connect();
    Files.createDirectories(directory);
    Path config = directory.resolve("config.json");
    Files.writeString(config, config(model, from, to.url(), directory));
    FeatureStore definitions = ConfigReader.read(config, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    materializer = Materializer.open(definitions, store);
  }

  private Connection connect(SourceDatabase database) throws SQLException {
    Connection connection = database.connect();
    try (Statement statement = connection.createStatement()) {
      boolean ignored =
          switch (server) {
            case POSTGRES -> false;
            case MARIADB -> statement.execute("SET time_zone = '+00:00'");
          };
    }
    return connection;
  }

  private static String config(ModelViews model, SourceDatabase from, String to, Path directory) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("project", "shop");
    json.put("online_store", Map.of("type", "postgres", "url", to));
    json.put(
        "materializer",
        Map.of(
            "state_directory",
            "state",
            "threads",
            1,
            "memory_limit",
            "500MB",
            "extension_directory",
            TestDefinitions.materializer(directory).extensionDirectory().toString()));
    json.put(
        "entities",
        ModelViews.ENTITIES.entrySet().stream()
            .map(entity ->
                Map.of(
                    "name",
                    entity.getKey(),
                    "join_keys",
                    entity.getValue().entrySet().stream()
                        .map(key -> Map.of("name", key.getKey(), "type", key.getValue()))
                        .toList()))
            .toList());
    json.put("sources", model.sources.values().stream().map(one -> one.json(from)).toList());
    json.put("views", model.views.stream().map(ModelView::json).toList());
    return new JsonMapper().writeValueAsString(json);
  }

  SourceServer server() {
    return server;
  }

  Connection source() {
    return source;
  }

  /** Returns a connection for a transaction that stays open for a while. */
  Connection second() {
    return second;
  }

  Materializer materializer() {
    return materializer;
  }

  /** Empties all tables, and forgets all runs; views stay registered. */
  void reset() throws SQLException {
    second.rollback();
    try (Statement statement = source.createStatement()) {
      boolean ignored =
          statement.execute(
              switch (server) {
                case POSTGRES -> "TRUNCATE orders, products, shops, clicks, visits";
                case MARIADB ->
                    "DELETE FROM orders; DELETE FROM products; DELETE FROM shops; DELETE FROM clicks; DELETE FROM visits";
              });
    }
    try (Statement statement = target.createStatement()) {
      boolean ignored =
          statement.execute(
              """
              DO $$ DECLARE t TEXT; BEGIN
                FOR t IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'online\\_%' LOOP
                  EXECUTE 'DROP TABLE ' || t;
                END LOOP;
              END $$;
              DELETE FROM featureduck_watermarks; DELETE FROM featureduck_changes;
              DELETE FROM featureduck_runs
              """);
    }
  }

  /** A row of an online table; {@code transaction} is the one that wrote it. */
  record OnlineRow(
      Map<String, Object> features,
      @Nullable Instant event,
      Instant updatedAt,
      String transaction) {}

  /** Returns the online table of a view, by entity key. */
  Map<String, OnlineRow> read(String view) throws SQLException {
    Map<String, OnlineRow> table = new TreeMap<>();
    try (Statement statement = target.createStatement();
        ResultSet rows =
            statement.executeQuery("SELECT xmin::text AS x, o.* FROM online_" + view + " o")) {
      ResultSetMetaData columns = rows.getMetaData();
      while (rows.next()) {
        Map<String, Object> features = new TreeMap<>();
        Map<String, Instant> times = new HashMap<>();
        for (int i = 3; i <= columns.getColumnCount(); i++) {
          String name = columns.getColumnName(i);
          Object value = value(rows, i, columns.getColumnType(i));
          if (!name.equals("event_timestamp") && !name.equals("updated_at")) {
            Object ignored = features.put(name, ModelView.canonical(value));
          } else if (value instanceof Instant instant) {
            Instant ignored = times.put(name, instant);
          }
        }
        OnlineRow ignored =
            table.put(
                rows.getString(2),
                new OnlineRow(
                    features,
                    times.get("event_timestamp"),
                    Objects.requireNonNull(times.get("updated_at")),
                    rows.getString(1)));
      }
    }
    return table;
  }

  private static @Nullable Object value(ResultSet rows, int column, int type) throws SQLException {
    Object value =
        switch (type) {
          case Types.TIMESTAMP, Types.TIMESTAMP_WITH_TIMEZONE -> {
            OffsetDateTime time = rows.getObject(column, OffsetDateTime.class);
            yield time == null ? null : time.toInstant();
          }
          case Types.DATE -> rows.getObject(column, LocalDate.class);
          default -> rows.getObject(column);
        };
    if (value instanceof Array array) {
      return Arrays.asList((Object[]) array.getArray());
    }
    return value;
  }

  /** What the newest change of a view says. */
  record Change(long generation, boolean all, Set<String> keys) {}

  Change change(String view) throws SQLException {
    try (Statement statement = target.createStatement();
        ResultSet rows =
            statement.executeQuery(
                """
                SELECT c.generation, keys IS NULL, ARRAY(SELECT jsonb_array_elements_text(keys))
                FROM featureduck_changes c WHERE view = '%s' ORDER BY generation DESC LIMIT 1
                """
                    .formatted(view))) {
      if (!rows.next()) {
        return new Change(0, true, Set.of());
      }
      List<String> keys = new ArrayList<>();
      for (Object key : (Object[]) rows.getArray(3).getArray()) {
        keys.add((String) key);
      }
      return new Change(rows.getLong(1), rows.getBoolean(2), new TreeSet<>(keys));
    }
  }

  @Override
  public void close() throws SQLException {
    materializer.close();
    source.close();
    second.close();
    target.close();
  }
}
