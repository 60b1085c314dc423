package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.http.ServedStore;
import io.featureduck.store.OnlineStore;
import io.featureduck.testing.TestPostgres;

class PostgresChangesTest extends StoreChangesContract {
  private final TestPostgres.Database database;

  PostgresChangesTest() throws Exception {
    database = TestPostgres.newDatabase();
  }

  @Override
  OnlineStoreSettings settings() {
    return ServedStore.settings(database.url());
  }

  @Override
  void create() {
    OnlineStore.open(settings()).migrate();
  }

  @Override
  void execute(String sql) throws Exception {
    database.execute("SET TIME ZONE 'UTC'; " + sql);
  }

  @Override
  String backslash() {
    return "\\";
  }
}
