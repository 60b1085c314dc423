-- Entities that were erased on request, and rows that are gone without a run. Each statement may be run again.

-- A row for each request to erase entities of a view; it stays. keys_hash is the SHA-256, in hexadecimal, of the
-- keys in the order of their bytes, each followed by a newline. finished_at is NULL until no table has a row of
-- them; rows_deleted counts those that there were, of all versions.
CREATE TABLE IF NOT EXISTS featureduck_erasures (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  view VARCHAR(64) NOT NULL,
  entities INTEGER NOT NULL,
  keys_hash VARCHAR(64) NOT NULL,
  origin VARCHAR(16) NOT NULL CHECK (origin IN ('command', 'http')),
  requested_by TEXT NOT NULL,
  requested_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  finished_at DATETIME(6),
  rows_deleted BIGINT NOT NULL DEFAULT 0,
  KEY featureduck_erasures_unfinished (view, finished_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Entities that no run writes, until their source no longer has them. erasure_id is the newest request for one;
-- of one view they grow in the order of the commits. pending: tables may still have a row of it.
CREATE TABLE IF NOT EXISTS featureduck_tombstones (
  view VARCHAR(64) NOT NULL,
  entity_key VARBINARY(2048) NOT NULL,
  erasure_id BIGINT NOT NULL,
  pending BOOLEAN NOT NULL,
  PRIMARY KEY (view, entity_key),
  KEY featureduck_tombstones_pending (pending, view)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How many rows of the version's table were erased since its last run, which counted them still. Only MariaDB
-- can be told to add what is missing alone.
SET @add_rows_removed = (SELECT CASE WHEN count(*) = 0
  THEN 'ALTER TABLE featureduck_views ADD COLUMN rows_removed BIGINT NOT NULL DEFAULT 0' ELSE 'DO 0' END
  FROM information_schema.columns
  WHERE table_schema = database() AND table_name = 'featureduck_views' AND column_name = 'rows_removed');
PREPARE add_rows_removed FROM @add_rows_removed;
EXECUTE add_rows_removed;
DEALLOCATE PREPARE add_rows_removed;

-- The shortest ttl by which rows were left out or purged since the last full run; NULL where none was. A view
-- whose ttl is longer than that is read in full.
SET @add_ttl_seconds = (SELECT CASE WHEN count(*) = 0
  THEN 'ALTER TABLE featureduck_watermarks ADD COLUMN ttl_seconds BIGINT' ELSE 'DO 0' END
  FROM information_schema.columns
  WHERE table_schema = database() AND table_name = 'featureduck_watermarks' AND column_name = 'ttl_seconds');
PREPARE add_ttl_seconds FROM @add_ttl_seconds;
EXECUTE add_ttl_seconds;
DEALLOCATE PREPARE add_ttl_seconds;
