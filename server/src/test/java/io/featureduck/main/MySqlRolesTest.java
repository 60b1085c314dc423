package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.testing.TestMariaDb;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The users of {@code deploy/mysql/roles.sql}: one materializes, the other can but serve. */
final class MySqlRolesTest {
  private final HttpClient http = HttpClient.newHttpClient();
  private final Path directory;
  private final TestMariaDb.Database database;
  private final String writer;
  private final String reader;

  MySqlRolesTest(@TempDir Path directory) throws Exception {
    this.directory = directory;
    database = TestMariaDb.newDatabase();
    // Users are the server's, which the tests share.
    writer = "writer_of_" + database.name();
    reader = "reader_of_" + database.name();
    String root = Objects.requireNonNull(System.getProperty("featureduck.root"));
    database.execute(
        Files.readString(Path.of(root).resolve("deploy/mysql/roles.sql"))
            .replace("featureduck_writer", writer)
            .replace("featureduck_reader", reader)
            .replace("EXISTS featureduck ", "EXISTS " + database.name() + " ")
            .replace("ON featureduck.", "ON " + database.name() + "."));
    for (String user : List.of(writer, reader)) {
      database.execute(
          "ALTER USER %s@'%%' IDENTIFIED BY '%s' ACCOUNT UNLOCK"
              .formatted(user, TestMariaDb.PASSWORD));
    }
    Path ignored =
        Files.writeString(
            directory.resolve("config.json"),
            """
            {"project": "shop", "server": {"host": "127.0.0.1", "port": 0},
             "online_store": {"type": "mysql", "url": "${STORE_URL}", "password": "%s"},
             "materializer": {"state_directory": "state", "threads": 1},
             "entities": [{"name": "customer", "join_keys": [{"name": "id", "type": "INT64"}]}],
             "sources": [{"name": "totals", "source_type": "csv", "path": "totals.csv", "timestamp_field": "at"}],
             "views": [{"name": "totals", "entities": ["customer"], "source": "totals"}]}
            """
                .formatted(TestMariaDb.PASSWORD));
  }

  private FeatureDuckProcess start(String user, String... arguments) throws IOException {
    String url = "mysql://%s@127.0.0.1:%d/%s".formatted(user, database.port(), database.name());
    return FeatureDuckProcess.start(directory, Map.of("STORE_URL", url), arguments);
  }

  private void materialize(int total) throws Exception {
    Path ignored =
        Files.writeString(
            directory.resolve("totals.csv"), "id,total,at\n7,%d,2026-01-01\n".formatted(total));
    try (FeatureDuckProcess process =
        start(writer, "materialize", "--full", "--config", "config.json")) {
      String out = process.awaitSuccess();
      assertThat(out).contains("totals");
    }
  }

  private String read(URI server) throws Exception {
    return http.send(
            HttpRequest.newBuilder(server.resolve("/features/totals/7")).build(),
            HttpResponse.BodyHandlers.ofString())
        .body();
  }

  @Test
  void serve_asReader_servesWhatTheWriterMaterializes() throws Exception {
    materialize(1);
    try (FeatureDuckProcess process =
        start(reader, "serve", "--role", "serve", "--config", "config.json")) {
      URI server = process.awaitReady();
      assertThat(read(server)).contains("\"total\":1}");

      materialize(2);

      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (!read(server).contains("\"total\":2}")) {
        assertThat(System.nanoTime()).as("the refresh isn't served").isLessThan(end);
      }
      assertDenied(
          "UPDATE online_totals SET total = 0",
          "DELETE FROM online_totals",
          "DROP TABLE online_totals",
          "UPDATE featureduck_views SET live = false",
          "DELETE FROM featureduck_runs",
          "CREATE TABLE t (n INT)");
    }
  }

  private void assertDenied(String... statements) throws SQLException {
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:mariadb://127.0.0.1:%d/%s?user=%s&password=%s"
                    .formatted(database.port(), database.name(), reader, TestMariaDb.PASSWORD));
        Statement denied = connection.createStatement()) {
      for (String statement : statements) {
        assertThatThrownBy(() -> denied.execute(statement))
            .as(statement)
            .isInstanceOf(SQLException.class)
            .hasMessageContaining("command denied");
      }
    }
  }
}
