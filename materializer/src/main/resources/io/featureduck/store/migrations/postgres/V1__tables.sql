-- FeatureDuck's own tables, in the schema of the project's online store.

-- What is served: a row per version of a view. definition is
-- {"view": <the view as config.json has it>, "join_keys": [{"name", "type"}], "features": [{"name", "type"}]}.
CREATE TABLE featureduck_views (
  view TEXT NOT NULL,
  version INTEGER NOT NULL,
  definition JSONB NOT NULL,
  hash TEXT NOT NULL,
  live BOOLEAN NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  created_by TEXT NOT NULL,
  PRIMARY KEY (view, version)
);

CREATE UNIQUE INDEX featureduck_views_live ON featureduck_views (view) WHERE live;

-- Each run that was ever started, apart from the transaction that writes its rows.
CREATE TABLE featureduck_runs (
  run_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  view TEXT NOT NULL,
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('full', 'incremental')),
  status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
  engine TEXT NOT NULL,
  scheduled_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  finished_at TIMESTAMPTZ,
  rows_read BIGINT,
  rows_written BIGINT,
  lower_bound TIMESTAMPTZ,
  upper_bound TIMESTAMPTZ,
  error_code TEXT,
  error TEXT,
  host TEXT NOT NULL,
  UNIQUE (view, version, scheduled_at)
);

CREATE INDEX featureduck_runs_by_view ON featureduck_runs (view, run_id DESC);

-- How far each source of a view has been read, and by which run: the fence between materializers.
-- rows, event_min and event_max are of the view's online table.
CREATE TABLE featureduck_watermarks (
  view TEXT NOT NULL,
  version INTEGER NOT NULL,
  source TEXT NOT NULL,
  watermark TIMESTAMPTZ NOT NULL,
  run_id BIGINT NOT NULL REFERENCES featureduck_runs (run_id),
  rows BIGINT NOT NULL,
  event_min TIMESTAMPTZ,
  event_max TIMESTAMPTZ,
  PRIMARY KEY (view, version, source)
);

-- What each commit changed. generation counts up by one per view and version, without gaps; keys is
-- the array of changed entity keys, or NULL for all of them.
CREATE TABLE featureduck_changes (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  view TEXT NOT NULL,
  version INTEGER NOT NULL,
  run_id BIGINT,
  generation BIGINT NOT NULL,
  keys JSONB,
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (view, version, generation)
);

CREATE TABLE featureduck_experiments (
  name TEXT PRIMARY KEY,
  definition JSONB NOT NULL,
  state TEXT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
