package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import java.time.Duration;

class MySqlChangesTest extends StoreChangesContract {
  private final MariaDbRows rows = MariaDbRows.of(Storage.TYPED);

  @Override
  OnlineStoreSettings settings() {
    return rows.settings(rows.port(), Duration.ofSeconds(10));
  }

  @Override
  void create() throws Exception {
    rows.database()
        .execute(
            """
            CREATE TABLE featureduck_views (view VARCHAR(64) NOT NULL, version INT NOT NULL,
              definition JSON NOT NULL, hash VARCHAR(64) NOT NULL, live BOOLEAN NOT NULL,
              created_by TEXT NOT NULL, PRIMARY KEY (view, version));
            CREATE TABLE featureduck_runs (run_id BIGINT AUTO_INCREMENT PRIMARY KEY,
              view VARCHAR(64) NOT NULL, version INT NOT NULL, kind TEXT, status TEXT, engine TEXT,
              upper_bound DATETIME(6), host TEXT);
            CREATE TABLE featureduck_changes (id BIGINT AUTO_INCREMENT PRIMARY KEY,
              view VARCHAR(64) NOT NULL, version INT NOT NULL, run_id BIGINT,
              generation BIGINT NOT NULL, `keys` JSON, UNIQUE (view, version, generation))
            """);
  }

  @Override
  void execute(String sql) throws Exception {
    rows.database().execute(sql.replace(" keys)", " `keys`)"));
  }

  @Override
  String backslash() {
    return "\\\\";
  }
}
