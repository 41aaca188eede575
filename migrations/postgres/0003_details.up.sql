-- What a run says it is doing, for people. A row of its own, written only when the
-- text changes: most commits change none, and most runs have none.
CREATE TABLE run_details (
    run_key bigint   NOT NULL PRIMARY KEY,
    shard   smallint NOT NULL,
    details text     NOT NULL
) WITH (fillfactor = 70);

DROP VIEW executions;

-- SELECT * FROM sched.executions WHERE status = 'RUNNING'
CREATE VIEW executions AS
SELECT
    runs.workflow_id,
    runs.run_id,
    runs.workflow_type,
    runs.task_queue,
    coalesce(statuses.name, 'status ' || runs.status) AS status,
    time_of(runs.started_us) AS started,
    time_of(nullif(runs.closed_us, 0)) AS closed,
    run_counters.last_event_id AS events,
    run_counters.history_bytes,
    run_counters.build_id,
    run_details.details,
    runs.run_key
FROM runs
JOIN run_counters USING (run_key)
LEFT JOIN run_details USING (run_key)
LEFT JOIN statuses USING (status);
