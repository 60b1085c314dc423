-- Takeovers of a table that holds the rows of all views, into a table per view.

-- One at a time is under way. token is the comment on the queue beside the old table: it tells whose that is.
-- place is host:port/database where the old table is in another one, else ''. plan is the schema that was
-- accepted. state: 'starting' until the old table's changes are queued; 'running' while rows are copied and
-- followed; 'switched' where the views are live and the old table, in another database, is not yet renamed;
-- 'aborting' until both sides are as before. no_readers_view says why no view took the old table's name,
-- readers_note in what such a view differs from it.
CREATE TABLE featureduck_migrations (
  migration_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token TEXT NOT NULL,
  place TEXT NOT NULL,
  old_schema TEXT NOT NULL,
  old_table TEXT NOT NULL,
  old_columns JSONB NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('starting', 'running', 'switched', 'finished', 'aborting', 'aborted')),
  plan JSONB NOT NULL,
  started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  started_by TEXT NOT NULL,
  finished_at TIMESTAMPTZ,
  renamed_to TEXT,
  no_readers_view TEXT,
  readers_note TEXT
);

CREATE UNIQUE INDEX featureduck_migrations_unfinished
  ON featureduck_migrations ((true)) WHERE state NOT IN ('finished', 'aborted');

-- How far the rows of each view were copied. position is the last entity key, in the order that the old
-- table's server has for it; NULL before the first. It moves in the transaction that writes the rows.
-- rows is how many the new table has; once all were compared, no event of them is before event_min or after event_max.
CREATE TABLE featureduck_migration_views (
  migration_id BIGINT NOT NULL REFERENCES featureduck_migrations (migration_id),
  feature_view TEXT NOT NULL,
  position TEXT,
  copied BOOLEAN NOT NULL DEFAULT false,
  rows BIGINT NOT NULL DEFAULT 0,
  event_min TIMESTAMPTZ,
  event_max TIMESTAMPTZ,
  run_id BIGINT REFERENCES featureduck_runs (run_id),
  PRIMARY KEY (migration_id, feature_view)
);
