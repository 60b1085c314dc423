package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.store.Run;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an increment asks MariaDB for, where what it takes for equal could leave rows out. A full
 * run after it must find nothing to write.
 */
final class MySqlIncrementTest {
  private static final String SOURCE =
      """
      {"name": "%s", "source_type": "mysql", "connection_string": "%s", "table": "%s",
       "timestamp_field": "at", "cursor_field": "written", "incremental": true}
      """;

  @TempDir private Path directory = Path.of("");

  private final RunRequest full = new RunRequest(true, Optional.empty(), Optional.empty());

  /** The joined source's names don't all fit into the character set of the orders' shops. */
  @Test
  void run_textsOfDifferentCharacterSets_findsAllWhoAreTouched() throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    source.execute(
        """
        SET time_zone = '+00:00';
        CREATE TABLE orders (name VARCHAR(20) CHARACTER SET latin1, nr INT, shop VARCHAR(20) CHARACTER SET latin1,
          amount DECIMAL(5,0), at TIMESTAMP(6), written TIMESTAMP(6), KEY (name), KEY (written), KEY (shop));
        INSERT INTO orders VALUES ('Zoë', 1, 'Café', 1, '2026-01-01', '2026-01-01'),
          ('Zoë', 2, 'Shop', 2, '2026-01-01', '2026-01-01'), ('Ann', 1, 'shop', 3, '2026-01-01', '2026-01-01'),
          ('zoë ', 1, 'None', 4, '2026-01-01', '2026-01-01'), ('Ann', 2, NULL, 99999, '2026-01-01', '2026-01-01');
        CREATE TABLE shops (name VARCHAR(20) CHARACTER SET utf8mb4, country VARCHAR(9), at TIMESTAMP(6), written TIMESTAMP(6));
        INSERT INTO shops VALUES ('Café', 'FR', '2026-01-01', '2026-01-01'), ('Shop', 'DE', '2026-01-01', '2026-01-01')
        """);

    try (Materializer materializer =
        open(
            """
            {"name": "customer", "join_keys": [{"name": "name", "type": "STRING"}, {"name": "nr", "type": "INT64"}]}
            """,
            SOURCE.formatted("orders", source.connectionString(), "orders")
                + ","
                + SOURCE.formatted("shops", source.connectionString(), "shops"),
            """
            {"name": "v", "entities": ["customer"], "source": "orders",
             "joins": [{"source": "shops", "type": "left", "on": [{"left": "shop", "right": "name"}]}],
             "aggregations": [{"function": "sum", "column": "amount", "alias": "total"},
               {"function": "max", "column": "shops.country", "alias": "country"}]}
            """)) {
      assertThat(run(materializer, RunRequest.now()).rowsWritten()).contains(5L);
      source.execute(
          """
          INSERT INTO shops VALUES ('Café', 'CH', now(6), now(6)), ('🦆', 'XX', now(6), now(6)), ('shop', 'AT', now(6), now(6));
          INSERT INTO orders VALUES ('Zoë', 2, 'Shop', 5, now(6), now(6))
          """);

      Run increment = run(materializer, RunRequest.now());

      assertThat(increment.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      // Zoë 1 (country), Zoë 2 (total), Ann 1 (country).
      assertThat(increment.rowsWritten()).contains(3L);
      assertThat(run(materializer, full).rowsWritten()).contains(0L);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,IGNORE_SPACE",
        "ORACLE"
      })
  void run_anySqlMode_findsKeysOfAnyCharacters(String mode) throws Exception {
    TestMariaDb.Database source = TestMariaDb.newDatabase();
    String names = "(0x615C2762), (0x5C5C), (0x27), (0x22), (0x25), (0x60), (0x615F)";
    source.execute(
        """
        CREATE TABLE orders (name VARCHAR(20), letter CHAR(3), at DATETIME(6), written DATETIME(6), flag TINYINT(1), id BIGINT UNSIGNED);
        INSERT INTO orders SELECT CONVERT(n USING utf8mb4), 'a', utc_timestamp(6), utc_timestamp(6), 2, 7
          FROM (WITH v(n) AS (VALUES %s) SELECT n FROM v) x
        """
            .formatted(names));
    source.execute("SET GLOBAL sql_mode = '" + mode + "'");
    try (Materializer materializer =
        open(
            """
            {"name": "customer", "join_keys": [{"name": "name", "type": "STRING"},
              {"name": "letter", "type": "STRING"}, {"name": "flag", "type": "BOOL"}, {"name": "id", "type": "INT64"}]}
            """,
            SOURCE
                .formatted("orders", source.connectionString(), "orders")
                .replace("\"incremental\"", "\"columns\": {\"id\": \"INT64\"}, \"incremental\""),
            """
            {"name": "v", "entities": ["customer"], "source": "orders",
             "aggregations": [{"function": "count", "alias": "n"}]}
            """)) {
      assertThat(run(materializer, RunRequest.now()).rowsWritten()).contains(7L);
      source.execute(
          "INSERT INTO orders SELECT name, letter, utc_timestamp(6), utc_timestamp(6), flag, id FROM orders");

      Run increment = run(materializer, RunRequest.now());

      assertThat(increment.kind()).isEqualTo(Run.Kind.INCREMENTAL);
      assertThat(increment.rowsWritten()).contains(7L);
      assertThat(run(materializer, full).rowsWritten()).contains(0L);
    } finally {
      source.execute("SET GLOBAL sql_mode = DEFAULT");
    }
  }

  private static Run run(Materializer materializer, RunRequest request) {
    Run run = materializer.run("v", request);
    assertThat(run.error()).isEmpty();
    return run;
  }

  private Materializer open(String entity, String sources, String view) throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 2, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [%s], "sources": [%s], "views": [%s]}
        """
            .formatted(
                TestPostgres.newDatabase().url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                entity,
                sources,
                view));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    OnlineStore store = OnlineStore.open(definitions.onlineStore());
    store.migrate();
    return Materializer.open(definitions, store);
  }
}
