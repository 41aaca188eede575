-- The build id of the worker that completed a run's last workflow task: which code
-- it is on. It stands with the counters, whose row every commit writes anyway.
ALTER TABLE run_counters ADD COLUMN build_id TEXT NOT NULL DEFAULT '';
