-- What an apply changes, and who did. It has the number that it has in Postgres; V1 is that of V2 there, too.

-- pending: a version that the next run computes and makes live; pending_view keeps two versions of a view from being
-- that. unfilled: it has features that no run has computed yet, so the next one reads everything. There is no ADD
-- COLUMN IF NOT EXISTS in MySQL, and each statement may be run again, after a crash.
SET @add_columns = IF(
  EXISTS (SELECT 1 FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'featureduck_views' AND column_name = 'unfilled'),
  'DO 0',
  'ALTER TABLE featureduck_views
    ADD COLUMN pending BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN unfilled BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN pending_view VARCHAR(64) GENERATED ALWAYS AS (CASE WHEN pending THEN view END) VIRTUAL,
    ADD UNIQUE KEY featureduck_views_pending (pending_view)');
PREPARE add_columns FROM @add_columns;
EXECUTE add_columns;
DEALLOCATE PREPARE add_columns;

-- A row for each change of what is registered. what has the differences, as 'plan --output json' has them,
-- and the definition that came of it.
CREATE TABLE IF NOT EXISTS featureduck_history (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  view VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  action VARCHAR(16) NOT NULL
    CHECK (action IN ('create', 'change', 'new_version', 'promote', 'remove', 'prune')),
  what JSON NOT NULL,
  at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  `by` TEXT NOT NULL,
  KEY featureduck_history_by_view (view, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What was registered before there was a history.
INSERT INTO featureduck_history (view, version, action, what, at, `by`)
SELECT v.view, v.version, 'create', JSON_OBJECT('definition', JSON_EXTRACT(v.definition, '$.view')), v.created_at,
  v.created_by
FROM featureduck_views v
WHERE NOT EXISTS (SELECT 1 FROM featureduck_history h WHERE h.view = v.view AND h.version = v.version)
ORDER BY v.created_at;
