package io.featureduck.lookup;

import io.featureduck.definition.Storage;
import java.sql.Connection;
import java.sql.PreparedStatement;

class MySqlObjectTest extends ObjectTableContract {
  private static final MariaDbRows ROWS = MariaDbRows.of(Storage.JSONB);

  @Override
  StoredRows rows() {
    return ROWS;
  }

  @Override
  void overwrite(String key, String features) throws Exception {
    try (Connection connection = ROWS.database().connect();
        PreparedStatement update =
            connection.prepareStatement(
                "UPDATE online_users SET features = ? WHERE entity_key = ?")) {
      update.setString(1, features);
      update.setString(2, key);
      int ignored = update.executeUpdate();
    }
  }
}
