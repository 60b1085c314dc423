package io.featureduck.loadtest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;

/** Entities 1 to n with four features each, as a Parquet file and the config that declares it. */
final class Dataset {
  /** What a lookup of these views selects. */
  static final String COLUMNS =
      "entity_key, purchase_count, total_spent, avg_order_value, last_order_at, event_timestamp,"
          + " updated_at";

  private Dataset() {}

  /**
   * Writes {@code events.parquet} and {@code config.json}. The views {@code cached} and {@code
   * uncached} have the same rows; the store's address comes from FEATUREDUCK_STORE_URL.
   *
   * @return the config
   */
  static Path write(Path directory, int entities) throws IOException, SQLException {
    Path parquet = directory.resolve("events.parquet");
    try (Connection duckdb = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = duckdb.createStatement()) {
      boolean ignored =
          statement.execute(
              """
              COPY (
                SELECT i AS customer_id, (hash(i) %% 500)::BIGINT AS purchase_count,
                  (hash(i + 1) %% 1000000) / 100.0::DOUBLE AS total_spent,
                  (hash(i + 2) %% 1000000) / 7000.0::DOUBLE AS avg_order_value,
                  TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds((hash(i + 3) %% 8000000)::BIGINT)
                    AS last_order_at,
                  TIMESTAMPTZ '2026-06-01 00:00:00Z' + to_seconds((hash(i + 4) %% 8000000)::BIGINT)
                    AS occurred_at
                FROM range(1, %d + 1) r(i)
                ORDER BY hash(i + 5)
              ) TO '%s' (FORMAT parquet)
              """
                  .formatted(entities, parquet.toString().replace("'", "''")));
    }
    return Files.writeString(
        directory.resolve("config.json"),
        """
        {
          "project": "loadtest",
          "server": {"host": "127.0.0.1", "port": "${FEATUREDUCK_PORT:-0}"},
          "online_store": {"type": "postgres", "url": "${FEATUREDUCK_STORE_URL}"},
          "entities": [
            {"name": "customer", "join_keys": [{"name": "customer_id", "type": "INT64"}]}
          ],
          "sources": [
            {"name": "events", "source_type": "parquet", "path": "events.parquet",
             "timestamp_field": "occurred_at"}
          ],
          "views": [
            {"name": "cached", "entities": ["customer"], "source": "events",
             "cache": {"max_age": "1h"}},
            {"name": "uncached", "entities": ["customer"], "source": "events",
             "cache": {"max_age": "0s"}}
          ]
        }
        """,
        UTF_8);
  }
}
