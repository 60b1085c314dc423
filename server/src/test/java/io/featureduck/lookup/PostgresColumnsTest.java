package io.featureduck.lookup;

import io.featureduck.definition.Storage;

class PostgresColumnsTest extends FeatureTableContract {
  private static final StoredRows ROWS = PostgresRows.of(Storage.TYPED);

  @Override
  StoredRows rows() {
    return ROWS;
  }
}
