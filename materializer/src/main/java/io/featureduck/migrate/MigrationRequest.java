package io.featureduck.migrate;

import io.featureduck.definition.OnlineStoreSettings;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import java.util.Optional;

/**
 * What is to be migrated, and where to.
 *
 * @param store the online store; its schema and tables are up to date
 * @param from the old table's database; empty where that is the store's own
 * @param schema of the old table
 * @param batchRows how many rows are taken at once
 * @param by who does so, for people
 */
public record MigrationRequest(
    OnlineStoreSettings store,
    Optional<OnlineStoreSettings> from,
    String schema,
    String table,
    OldColumns columns,
    int batchRows,
    String by) {
  /**
   * @throws FeatureException INVALID_CONFIG where the store is not in Postgres
   */
  public MigrationRequest {
    if (store.type() != OnlineStoreSettings.Type.POSTGRES) {
      throw new FeatureException(
          ErrorCode.INVALID_CONFIG,
          "the online store is in MySQL: a single table is taken over into a store in Postgres only");
    }
    if (batchRows < 1) {
      throw new IllegalArgumentException("batches of %d rows: must be >= 1".formatted(batchRows));
    }
  }
}
