package io.featureduck.lookup;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Secret;
import io.featureduck.definition.Storage;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestMariaDb;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Rows in MariaDB. */
record MariaDbRows(TestMariaDb.Database database, Storage storage) implements StoredRows {
  static MariaDbRows of(Storage storage) {
    try {
      return new MariaDbRows(TestMariaDb.newDatabase(), storage);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public int port() {
    return database.port();
  }

  @Override
  public OnlineStoreSettings settings(int port, Duration timeout) {
    return settings("duck", port, "", timeout, 128);
  }

  /**
   * @param parameters of the address, such as {@code ?ssl-mode=required}
   */
  OnlineStoreSettings settings(
      String user, int port, String parameters, Duration timeout, int keysPerQuery) {
    return new OnlineStoreSettings(
        OnlineStoreSettings.Type.MYSQL,
        "mysql://%s@127.0.0.1:%d/%s%s".formatted(user, port, database.name(), parameters),
        Optional.of(new Secret(TestMariaDb.PASSWORD)),
        database.name(),
        timeout,
        1,
        2,
        keysPerQuery,
        10_000);
  }

  @Override
  public void create(LiveView view) {
    OnlineStore.open(settings(port(), Duration.ofSeconds(10)))
        .createFeatureTable(view, view.features());
  }

  @Override
  public void drop(LiveView view) throws SQLException {
    database.execute("DROP TABLE IF EXISTS " + view.table());
  }

  @Override
  public void put(
      LiveView view,
      String key,
      List<@Nullable Object> values,
      @Nullable LocalDateTime event,
      LocalDateTime updated)
      throws SQLException {
    List<@Nullable Object> parameters = new ArrayList<>(List.of(key.getBytes(UTF_8)));
    if (storage == Storage.JSONB) {
      parameters.add(StoredRows.object(view.features(), values));
    } else {
      values.forEach(value -> parameters.add(parameter(value)));
    }
    parameters.add(event == null ? null : time(event));
    parameters.add(time(updated));
    try (Connection connection = database.connect();
        PreparedStatement insert =
            connection.prepareStatement(
                "INSERT INTO %s VALUES (?%s)"
                    .formatted(view.table(), ", ?".repeat(parameters.size() - 1)))) {
      for (int i = 0; i < parameters.size(); i++) {
        insert.setObject(i + 1, parameters.get(i));
      }
      int ignored = insert.executeUpdate();
    }
  }

  private static @Nullable Object parameter(@Nullable Object value) {
    return switch (value) {
      case null -> null;
      case Boolean b -> b;
      case byte[] b -> b;
      case String s -> s;
      case BigDecimal d -> d.toPlainString();
      // The shortest text of the largest FLOAT is a DOUBLE beyond it.
      case Float f -> Double.toString(f);
      case LocalDateTime t -> time(t);
      case Json j -> j.text();
      case List<?> list -> StoredRows.json(list);
      default -> value.toString();
    };
  }

  private static String time(LocalDateTime utc) {
    return StoredRows.instant(utc).replace('T', ' ').replace("Z", "");
  }

  @Override
  public void killSessions() throws SQLException {
    try (Connection connection = database.connect();
        Statement statement = connection.createStatement()) {
      List<Long> sessions = new ArrayList<>();
      try (ResultSet rows =
          statement.executeQuery(
              "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()")) {
        while (rows.next()) {
          sessions.add(rows.getLong(1));
        }
      }
      for (long session : sessions) {
        boolean ignored = statement.execute("KILL " + session);
      }
    }
  }
}
