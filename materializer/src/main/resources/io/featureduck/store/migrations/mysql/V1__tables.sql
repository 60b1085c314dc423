-- FeatureDuck's own tables, in the database of the project's online store. They are those of Postgres by name
-- and column; all times are UTC. DDL can't be undone here: each statement may be run again, after a crash.

-- What is served: a row per version of a view. definition is
-- {"view": <the view as config.json has it>, "join_keys": [{"name", "type"}], "features": [{"name", "type"}]}.
-- live_view keeps two versions of a view from being live at once: where it is NULL, it equals no other.
CREATE TABLE IF NOT EXISTS featureduck_views (
  view VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  definition JSON NOT NULL,
  hash VARCHAR(64) NOT NULL,
  live BOOLEAN NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  created_by TEXT NOT NULL,
  live_view VARCHAR(64) GENERATED ALWAYS AS (CASE WHEN live THEN view END) VIRTUAL,
  PRIMARY KEY (view, version),
  UNIQUE KEY featureduck_views_live (live_view)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Each run that was ever started, apart from the transaction that writes its rows. heartbeat_at moves while the
-- run's process lives; one that stands still for longer than the lease may be taken over. cancel_requested is set
-- by whoever wants the run to end, and seen at its next heartbeat.
CREATE TABLE IF NOT EXISTS featureduck_runs (
  run_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  view VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  kind VARCHAR(16) NOT NULL CHECK (kind IN ('full', 'incremental')),
  status VARCHAR(16) NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
  engine VARCHAR(64) NOT NULL,
  scheduled_at DATETIME(6),
  started_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  finished_at DATETIME(6),
  rows_read BIGINT,
  rows_written BIGINT,
  lower_bound DATETIME(6),
  upper_bound DATETIME(6),
  error_code VARCHAR(64),
  error LONGTEXT,
  host TEXT NOT NULL,
  heartbeat_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  cancel_requested BOOLEAN NOT NULL DEFAULT false,
  progress JSON NOT NULL DEFAULT ('{}'),
  UNIQUE KEY featureduck_runs_tick (view, version, scheduled_at),
  KEY featureduck_runs_by_view (view, run_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How far each source of a view has been read, and by which run: the fence between materializers. rows, event_min
-- and event_max are of the view's online table. run_id is no foreign key: InnoDB would hold the run's row for as
-- long as the write transaction goes on, and its heartbeat would have to wait.
CREATE TABLE IF NOT EXISTS featureduck_watermarks (
  view VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  source VARCHAR(255) NOT NULL,
  watermark DATETIME(6) NOT NULL,
  source_hash VARCHAR(64),
  run_id BIGINT NOT NULL,
  `rows` BIGINT NOT NULL,
  event_min DATETIME(6),
  event_max DATETIME(6),
  PRIMARY KEY (view, version, source)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What each commit changed. generation counts up by one per view and version, without gaps; keys is the array of
-- changed entity keys, or NULL for all of them.
CREATE TABLE IF NOT EXISTS featureduck_changes (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  view VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  run_id BIGINT,
  generation BIGINT NOT NULL,
  `keys` JSON,
  at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  UNIQUE KEY featureduck_changes_generation (view, version, generation)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS featureduck_experiments (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  definition JSON NOT NULL,
  state VARCHAR(64) NOT NULL,
  changed_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Views whose schedules are not to be run, in all processes.
CREATE TABLE IF NOT EXISTS featureduck_pauses (
  view VARCHAR(64) NOT NULL PRIMARY KEY,
  paused_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  paused_by TEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
