ALTER TABLE run_counters DROP COLUMN build_id;
