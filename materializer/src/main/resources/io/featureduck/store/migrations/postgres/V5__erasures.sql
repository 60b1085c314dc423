-- Entities that were erased on request, and rows that are gone without a run.

-- A row for each request to erase entities of a view; it stays. keys_hash is the SHA-256, in hexadecimal, of the
-- keys in the order of their bytes, each followed by a newline. finished_at is NULL until no table has a row of
-- them; rows_deleted counts those that there were, of all versions.
CREATE TABLE featureduck_erasures (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  view TEXT NOT NULL,
  entities INTEGER NOT NULL,
  keys_hash TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('command', 'http')),
  requested_by TEXT NOT NULL,
  requested_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  finished_at TIMESTAMPTZ,
  rows_deleted BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX featureduck_erasures_unfinished ON featureduck_erasures (view) WHERE finished_at IS NULL;

-- Entities that no run writes, until their source no longer has them. erasure_id is the newest request for one;
-- of one view they grow in the order of the commits. pending: tables may still have a row of it.
CREATE TABLE featureduck_tombstones (
  view TEXT NOT NULL,
  entity_key TEXT COLLATE "C" NOT NULL,
  erasure_id BIGINT NOT NULL,
  pending BOOLEAN NOT NULL,
  PRIMARY KEY (view, entity_key)
);

CREATE INDEX featureduck_tombstones_pending ON featureduck_tombstones (view) WHERE pending;

-- How many rows of the version's table were erased since its last run, which counted them still.
ALTER TABLE featureduck_views ADD COLUMN rows_removed BIGINT NOT NULL DEFAULT 0;

-- The shortest ttl by which rows were left out or purged since the last full run; NULL where none was. A view
-- whose ttl is longer than that is read in full.
ALTER TABLE featureduck_watermarks ADD COLUMN ttl_seconds BIGINT;
