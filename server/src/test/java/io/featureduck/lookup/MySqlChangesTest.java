package io.featureduck.lookup;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.definition.Storage;
import io.featureduck.store.OnlineStore;
import java.time.Duration;

class MySqlChangesTest extends StoreChangesContract {
  private final MariaDbRows rows = MariaDbRows.of(Storage.TYPED);

  @Override
  OnlineStoreSettings settings() {
    return rows.settings(rows.port(), Duration.ofSeconds(10));
  }

  @Override
  void create() {
    OnlineStore.open(settings()).migrate();
  }

  @Override
  void execute(String sql) throws Exception {
    rows.database().execute(sql.replace(" keys)", " `keys`)").replace(" rows)", " `rows`)"));
  }

  @Override
  String backslash() {
    return "\\\\";
  }
}
