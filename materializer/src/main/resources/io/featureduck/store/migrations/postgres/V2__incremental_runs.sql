-- What incremental runs, several materializers and people who steer them need.

-- heartbeat_at moves while the run's process lives; one that stands still for longer than the lease may be
-- taken over. cancel_requested is set by whoever wants the run to end, and seen at its next heartbeat.
-- progress is {"stage", "stages": [{"name", "seconds", "rows"}], "sources": [{"source", "lower_bound",
-- "upper_bound", "rows", "files"}], "rows_computed", "bytes_written", "peak_memory_bytes"}.
ALTER TABLE featureduck_runs
  ADD COLUMN heartbeat_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  ADD COLUMN cancel_requested BOOLEAN NOT NULL DEFAULT false,
  ADD COLUMN progress JSONB NOT NULL DEFAULT '{}';

-- Which source this is the watermark of: a hash of all that its rows depend on. A source that is another one
-- by now can't be read on from here. NULL in rows of older versions, which counts as another one.
ALTER TABLE featureduck_watermarks ADD COLUMN source_hash TEXT;

-- Views whose schedules are not to be run, in all processes.
CREATE TABLE featureduck_pauses (
  view TEXT PRIMARY KEY,
  paused_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  paused_by TEXT NOT NULL
);
