DROP VIEW executions;

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
    runs.run_key
FROM runs
JOIN run_counters USING (run_key)
LEFT JOIN statuses USING (status);

DROP TABLE run_details;
