package io.featureduck.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.config.ConfigReader;
import io.featureduck.definition.FeatureStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.testing.TestMariaDb;
import io.featureduck.testing.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which indexes incremental runs are said to lack, on real servers that then get them. */
final class IndexCheckTest {
  private static final String SPENT =
      """
      {"name": "spent", "entities": ["customer"], "source": "orders",
       "aggregations": [{"function": "sum", "column": "amount", "alias": "spent"}]}
      """;

  private static final String BY_COUNTRY =
      """
      {"name": "spent", "entities": ["customer"], "source": "orders",
       "joins": [{"source": "shops", "type": "left",
         "on": [{"left": "shop", "right": "name"}, {"left": "branch", "right": "number"}]}],
       "aggregations": [{"function": "count", "alias": "german", "filter": "shops.country = 'DE'"}]}
      """;

  @TempDir private Path directory = Path.of("");

  private static TestPostgres.Database shop() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE "my orders" (order_id INT PRIMARY KEY, "Customer" INT, shop TEXT, branch INT,
          amount INT, ordered_at TIMESTAMPTZ, "updated""at" TIMESTAMPTZ);
        CREATE TABLE shops (name TEXT, number INT, country TEXT, at TIMESTAMPTZ);
        """);
    return database;
  }

  private List<IndexCheck> check(TestPostgres.Database database, String view) throws Exception {
    return check(
        database,
        view,
        """
        {"name": "orders", "source_type": "postgres", "connection_string": "%1$s",
         "table": "my orders", "timestamp_field": "ordered_at", "cursor_field": "updated\\"at",
         "incremental": true},
        {"name": "shops", "source_type": "postgres", "connection_string": "%1$s",
         "table": "shops", "timestamp_field": "at", "incremental": true}
        """
            .formatted(database.connectionString()));
  }

  private List<IndexCheck> check(TestPostgres.Database store, String view, String sources)
      throws Exception {
    Path file = directory.resolve("config.json");
    Files.writeString(
        file,
        """
        {"project": "shop",
         "online_store": {"type": "postgres", "url": "%s"},
         "materializer": {"state_directory": "state", "threads": 1, "memory_limit": "500MB",
           "extension_directory": "%s"},
         "entities": [{"name": "customer", "join_keys": [{"name": "customer", "type": "INT64"}]}],
         "sources": [%s],
         "views": [%s]}
        """
            .formatted(
                store.url(),
                TestDefinitions.materializer(directory).extensionDirectory(),
                sources,
                view));
    FeatureStore definitions = ConfigReader.read(file, Map.of());
    try (Materializer materializer =
        Materializer.open(definitions, OnlineStore.open(definitions.onlineStore()))) {
      return materializer.indexes("spent");
    }
  }

  private static List<String> remedies(List<IndexCheck> checks) {
    return checks.stream().flatMap(check -> check.remedy().stream()).toList();
  }

  @Test
  void indexes_joinWithoutAny_areNamedAndSufficeOnceTheyAreMade() throws Exception {
    TestPostgres.Database database = shop();

    List<String> remedies = remedies(check(database, BY_COUNTRY));

    assertThat(remedies)
        .containsExactly(
            "CREATE INDEX CONCURRENTLY ON \"public\".\"my orders\" (\"updated\"\"at\")",
            "CREATE INDEX CONCURRENTLY ON \"public\".\"my orders\" (\"ordered_at\")",
            "CREATE INDEX CONCURRENTLY ON \"public\".\"my orders\" (\"Customer\")",
            "CREATE INDEX CONCURRENTLY ON \"public\".\"shops\" (\"name\", \"number\")",
            "CREATE INDEX CONCURRENTLY ON \"public\".\"shops\" (\"at\")",
            "CREATE INDEX CONCURRENTLY ON \"public\".\"my orders\" (\"shop\", \"branch\")");
    for (String remedy : remedies) {
      database.execute(remedy);
    }
    List<IndexCheck> after = check(database, BY_COUNTRY);
    assertThat(after).hasSize(6);
    assertThat(remedies(after)).isEmpty();
  }

  @Test
  void indexes_thatServeNoLookup_countForNothing() throws Exception {
    TestPostgres.Database database = shop();
    database.execute(
        """
        INSERT INTO "my orders" VALUES (1, 7, 'a', 1, 1, now(), now()), (2, 7, 'a', 1, 1, now(), now());
        CREATE INDEX ON "my orders" (order_id, "updated""at");
        CREATE INDEX ON "my orders" (shop, "Customer");
        CREATE INDEX ON "my orders" ("updated""at") WHERE amount > 0;
        CREATE INDEX ON "my orders" (("Customer" + 1));
        CREATE INDEX ON "my orders" USING hash ("updated""at");
        CREATE INDEX ON "my orders" USING hash (ordered_at);
        CREATE INDEX ON "my orders" USING brin ("Customer")
        """);
    // What is left over from making it is an invalid index.
    assertThatThrownBy(() ->
            database.execute("CREATE UNIQUE INDEX CONCURRENTLY ON \"my orders\" (\"Customer\")"))
        .hasMessageContaining("duplicated");

    assertThat(remedies(check(database, SPENT))).hasSize(3);
  }

  @Test
  void indexes_thatBeginWithTheColumn_serve() throws Exception {
    TestPostgres.Database database = shop();
    database.execute(
        """
        CREATE INDEX ON "my orders" ("updated""at" DESC, shop);
        CREATE INDEX ON "my orders" USING brin (ordered_at);
        CREATE INDEX ON "my orders" USING hash ("Customer");
        CREATE INDEX ON "my orders" (branch);
        CREATE INDEX ON shops (number, name);
        CREATE INDEX ON shops (at)
        """);

    List<IndexCheck> checks = check(database, BY_COUNTRY);

    assertThat(checks)
        .extracting(IndexCheck::source)
        .containsExactly("orders", "orders", "orders", "shops", "shops", "orders");
    assertThat(remedies(checks)).isEmpty();
  }

  @Test
  void indexes_partitionedTable_areMadeAndSeenOnTheWhole() throws Exception {
    TestPostgres.Database database = TestPostgres.newDatabase();
    database.execute(
        """
        CREATE TABLE "my orders" ("Customer" INT, amount INT, ordered_at TIMESTAMPTZ,
          "updated""at" TIMESTAMPTZ) PARTITION BY HASH ("Customer");
        CREATE TABLE part PARTITION OF "my orders" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        CREATE TABLE shops (at TIMESTAMPTZ)
        """);

    List<String> remedies = remedies(check(database, SPENT));

    assertThat(remedies)
        .hasSize(3)
        .contains("CREATE INDEX ON \"public\".\"my orders\" (\"Customer\")");
    for (String remedy : remedies) {
      database.execute(remedy);
    }
    assertThat(remedies(check(database, SPENT))).isEmpty();
  }

  @Test
  void indexes_ofAView_areNotAskedFor() throws Exception {
    TestPostgres.Database database = shop();
    database.execute(
        "ALTER TABLE \"my orders\" RENAME TO stored; CREATE VIEW \"my orders\" AS SELECT * FROM stored");

    List<IndexCheck> checks = check(database, SPENT);

    assertThat(checks).hasSize(3);
    assertThat(remedies(checks)).isEmpty();
  }

  @Test
  void indexes_whereEachRunReadsEverything_areNotLookedAt() throws Exception {
    TestPostgres.Database database = shop();
    String source =
        """
        {"name": "orders", "source_type": "postgres", "connection_string": "%s",
         "table": "my orders", "timestamp_field": "ordered_at"}
        """
            .formatted(database.connectionString());

    assertThat(check(database, SPENT, source)).isEmpty();
  }

  @Test
  void indexes_ofMariaDb_areNamedAndSufficeOnceTheyAreMade() throws Exception {
    TestMariaDb.Database database = TestMariaDb.newDatabase();
    database.execute(
        """
        CREATE TABLE orders (order_id INT PRIMARY KEY, customer INT, amount INT,
          ordered_at DATETIME(6), updated_at DATETIME(6), KEY (amount, updated_at))
        """);
    String source =
        """
        {"name": "orders", "source_type": "mysql", "connection_string": "%s", "schema": "%s",
         "table": "orders", "timestamp_field": "ordered_at", "cursor_field": "updated_at",
         "incremental": true}
        """
            .formatted(database.connectionString(), database.name());
    TestPostgres.Database store = TestPostgres.newDatabase();

    List<String> remedies = remedies(check(store, SPENT, source));

    String table = "ALTER TABLE `%s`.`orders` ADD INDEX ".formatted(database.name());
    assertThat(remedies)
        .containsExactly(
            table + "(`updated_at`)", table + "(`ordered_at`)", table + "(`customer`)");
    for (String remedy : remedies) {
      database.execute(remedy);
    }
    assertThat(remedies(check(store, SPENT, source))).isEmpty();
  }
}
