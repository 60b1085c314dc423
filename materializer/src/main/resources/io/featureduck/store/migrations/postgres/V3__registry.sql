-- What an apply changes, and who did.

-- pending: a version that the next run computes and makes live. unfilled: it has features that no run has
-- computed yet, so the next one reads everything.
ALTER TABLE featureduck_views
  ADD COLUMN pending BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN unfilled BOOLEAN NOT NULL DEFAULT false;

CREATE UNIQUE INDEX featureduck_views_pending ON featureduck_views (view) WHERE pending;

-- A row for each change of what is registered. what has the differences, as 'plan --output json' has them,
-- and the definition that came of it.
CREATE TABLE featureduck_history (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  view TEXT NOT NULL,
  version INTEGER NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('create', 'change', 'new_version', 'promote', 'remove', 'prune')),
  what JSONB NOT NULL,
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  "by" TEXT NOT NULL
);

CREATE INDEX featureduck_history_by_view ON featureduck_history (view, id DESC);

-- What was registered before there was a history.
INSERT INTO featureduck_history (view, version, action, what, at, "by")
SELECT view, version, 'create', jsonb_build_object('definition', definition -> 'view'), created_at, created_by
FROM featureduck_views ORDER BY created_at;
