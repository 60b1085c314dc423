package io.featureduck.main;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.testing.TestPostgres;
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

/** The roles of {@code deploy/postgres/roles.sql}: one materializes, the other can but serve. */
final class RolesTest {
  private static final String SCHEMA = "featureduck";

  private final GenerationStore store;
  private final String writer;
  private final String reader;

  RolesTest(@TempDir Path directory) throws Exception {
    store = GenerationStore.create(directory);
    TestPostgres.Database database = store.database();
    String root = Objects.requireNonNull(System.getProperty("featureduck.root"));
    // Roles are the server's, which the tests share.
    writer = "writer_of_" + database.name();
    reader = "reader_of_" + database.name();
    database.execute(
        Files.readString(Path.of(root).resolve("deploy/postgres/roles.sql"))
            .replace("featureduck_writer", writer)
            .replace("featureduck_reader", reader));
    database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC");
  }

  private Map<String, String> as(String role) {
    TestPostgres.Database database = store.database();
    return Map.of(
        "STORE_SCHEMA",
        SCHEMA,
        "STORE_URL",
        "postgresql://%s@127.0.0.1:%d/%s".formatted(role, database.port(), database.name()));
  }

  @Test
  void serve_asReader_servesWhatTheWriterMaterializes() throws Exception {
    materialize();
    try (FeatureDuckProcess process =
        store.start(as(reader), "serve", "--role", "serve", "--config", "config.json")) {
      URI server = process.awaitReady();
      assertThat(store.read(server, 7)).isEqualTo(1);

      // A refresh of all rows replaces the table, which the reader may read all the same.
      store.moveSourceTo(2);
      materialize();

      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (store.read(server, 7) != 2) {
        assertThat(System.nanoTime()).as("the refresh isn't served").isLessThan(end);
      }
      assertEraseIsForbidden(server);
      assertDenied(
          "DELETE FROM featureduck.featureduck_tombstones",
          "INSERT INTO featureduck.featureduck_erasures (view, entities, keys_hash, origin, requested_by) VALUES ('v', 1, '', 'http', 'x')",
          "UPDATE featureduck.online_counters SET total = 0",
          "DELETE FROM featureduck.online_counters",
          "INSERT INTO featureduck.online_counters (entity_key) VALUES ('x')",
          "DROP TABLE featureduck.online_counters",
          "UPDATE featureduck.featureduck_views SET live = false",
          "DELETE FROM featureduck.featureduck_runs",
          "CREATE TABLE featureduck.t (n INT)");
    }
  }

  private void assertEraseIsForbidden(URI server) throws Exception {
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<String> answer =
          client.send(
              HttpRequest.newBuilder(server.resolve("/features/counters/7")).DELETE().build(),
              HttpResponse.BodyHandlers.ofString());
      assertThat(answer.statusCode()).isEqualTo(403);
      assertThat(answer.body()).contains("urn:featureduck:read_only");
    }
    assertThat(store.read(server, 7)).isPositive();
    try (FeatureDuckProcess process =
        store.start(as(reader), "delete", "counters", "7", "--config", "config.json")) {
      assertThat(process.awaitExit()).isEqualTo(1);
      assertThat(process.log()).contains("may only read the online store");
    }
    try (FeatureDuckProcess process =
        store.start(as(writer), "delete", "counters", "19999", "--config", "config.json")) {
      assertThat(process.awaitSuccess()).contains("1 row of 1 entity erased");
    }
  }

  private void assertDenied(String... statements) throws SQLException {
    TestPostgres.Database database = store.database();
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:%d/%s?user=%s"
                    .formatted(database.port(), database.name(), reader));
        Statement denied = connection.createStatement()) {
      for (String statement : statements) {
        assertThatThrownBy(() -> denied.execute(statement))
            .as(statement)
            .isInstanceOf(SQLException.class)
            .hasMessageFindingMatch("permission denied|must be owner");
      }
    }
  }

  /** What it would have to do first is not its to do. */
  @Test
  void serve_asReaderBeforeTheSchemaIsThere_saysWhoHasToMakeIt() throws Exception {
    try (FeatureDuckProcess process =
        store.start(as(reader), "serve", "--role", "serve", "--config", "config.json")) {
      assertThat(process.awaitExit()).isEqualTo(1);
      assertThat(process.log())
          .contains("let a role that may, as the one that materializes")
          .doesNotContain("\tat io.featureduck.main");
    }
  }

  private void materialize() throws Exception {
    try (FeatureDuckProcess process =
        store.start(as(writer), "materialize", "--full", "--config", "config.json")) {
      List<String> ignored = List.of(process.awaitSuccess());
    }
  }
}
