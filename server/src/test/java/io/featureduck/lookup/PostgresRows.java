package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.lookup.StoredRows.Json;
import io.featureduck.store.LiveView;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestPostgres;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Rows in PostgreSQL. Values go there as text that is cast to the column's type. */
public record PostgresRows(TestPostgres.Database database, Storage storage) implements StoredRows {
  public static PostgresRows of(Storage storage) {
    try {
      return new PostgresRows(TestPostgres.newDatabase(), storage);
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
    return new OnlineStoreSettings(
        OnlineStoreSettings.Type.POSTGRES,
        "postgresql://postgres@127.0.0.1:%d/%s".formatted(port, database.name()),
        Optional.empty(),
        "public",
        timeout,
        1,
        2,
        128,
        10_000);
  }

  @Override
  public void create(LiveView view) {
    store().createFeatureTable(view, view.features());
  }

  private OnlineStore store() {
    return OnlineStore.open(settings(port(), Duration.ofSeconds(10)));
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
    List<@Nullable String> texts = new ArrayList<>(List.of(key));
    StringBuilder casts = new StringBuilder("?");
    if (storage == Storage.JSONB) {
      texts.add(StoredRows.object(view.features(), values));
      casts.append(", ?::jsonb");
    } else {
      for (int i = 0; i < values.size(); i++) {
        texts.add(text(values.get(i)));
        casts.append(", ?::").append(store().columnType(view.features().get(i).type()));
      }
    }
    texts.add(event == null ? null : StoredRows.instant(event));
    texts.add(StoredRows.instant(updated));
    casts.append(", ?::timestamptz, ?::timestamptz");
    try (Connection connection = database.connect();
        PreparedStatement insert =
            connection.prepareStatement(
                "INSERT INTO %s VALUES (%s)".formatted(view.table(), casts))) {
      for (int i = 0; i < texts.size(); i++) {
        insert.setString(i + 1, texts.get(i));
      }
      int ignored = insert.executeUpdate();
    }
  }

  @Override
  public void killSessions() throws SQLException {
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'featureduck' AND datname = current_database()");
  }

  private static @Nullable String text(@Nullable Object value) {
    return switch (value) {
      case null -> null;
      case BigDecimal d -> d.toPlainString();
      case byte[] b -> "\\x" + HexFormat.of().formatHex(b);
      case LocalDate d -> d.toString();
      case LocalDateTime t -> StoredRows.instant(t);
      case Json j -> j.text();
      case List<?> list ->
          "{" + String.join(",", list.stream().map(PostgresRows::element).toList()) + "}";
      default -> value.toString();
    };
  }

  private static String element(@Nullable Object value) {
    String text = text(value);
    return text == null ? "NULL" : '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
