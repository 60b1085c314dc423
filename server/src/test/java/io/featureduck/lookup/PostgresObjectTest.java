package io.featureduck.lookup;

import io.featureduck.definition.Storage;

class PostgresObjectTest extends ObjectTableContract {
  private static final PostgresRows ROWS = PostgresRows.of(Storage.JSONB);

  @Override
  StoredRows rows() {
    return ROWS;
  }

  @Override
  void overwrite(String key, String features) throws Exception {
    ROWS.database()
        .execute(
            "UPDATE online_users SET features = '%s' WHERE entity_key = '%s'"
                .formatted(features.replace("'", "''"), key));
  }
}
