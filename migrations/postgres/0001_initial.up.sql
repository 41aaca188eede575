-- Names are found through the session's search_path: everything below lives in
-- one schema ("sched" unless told otherwise). Times are microseconds since the
-- Unix epoch; the views at the end show them, and every code, as people read them.

CREATE FUNCTION time_of(us bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN timestamptz 'epoch' + us * interval '1 microsecond';

-- Facts about the store itself.
CREATE TABLE meta (
    key   text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO meta (key, value) VALUES ('cluster_id', replace(gen_random_uuid()::text, '-', ''));

-- Who may write. Every commit locks this row for the time of its statement, so
-- raising the epoch waits for the commit that is under way. Nothing else is
-- updated here, or it would wait as well.
CREATE TABLE shard_groups (
    shard_group integer NOT NULL PRIMARY KEY,
    epoch       bigint  NOT NULL
);

-- One row for each epoch, updated by each commit under it. `last_batch` tells a
-- leader that lost its connection whether its last commit happened. Deleting old
-- runs never frees a run key, because `next_run_key` is kept and not derived.
CREATE TABLE leases (
    shard_group  integer     NOT NULL,
    epoch        bigint      NOT NULL,
    holder       text        NOT NULL,
    address      text        NOT NULL,
    acquired_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_run_key bigint      NOT NULL,
    last_batch   bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (shard_group, epoch)
) WITH (fillfactor = 50);

-- Who leads, proven by a counter that is raised twice a second by the session
-- that holds the advisory lock.
CREATE TABLE leaders (
    shard_group   integer     NOT NULL PRIMARY KEY,
    epoch         bigint      NOT NULL,
    address       text        NOT NULL,
    session_pid   integer     NOT NULL,
    session_start timestamptz NOT NULL,
    counter       bigint      NOT NULL,
    renewed_at    timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Who waits. A row counts as long as its session lives.
CREATE TABLE candidates (
    shard_group   integer     NOT NULL,
    session_pid   integer     NOT NULL,
    session_start timestamptz NOT NULL,
    address       text        NOT NULL,
    since         timestamptz NOT NULL,
    PRIMARY KEY (shard_group, session_pid, session_start)
);

-- Wait for an advisory lock as long as the session's lock_timeout says. The error
-- is caught here because the server would log each one that it sends.
CREATE FUNCTION wait_for_lock(key bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock(key);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;

-- What lists and look-ups need; written at the start and at the close of a run.
-- Text is compared byte by byte, so that a prefix of an id is a range.
CREATE TABLE runs (
    run_key          bigint   NOT NULL PRIMARY KEY,
    started_us       bigint   NOT NULL,
    closed_us        bigint   NOT NULL,
    shard            smallint NOT NULL,
    status           smallint NOT NULL,
    run_id           text     COLLATE "C" NOT NULL,
    workflow_id      text     COLLATE "C" NOT NULL,
    workflow_type    text     COLLATE "C" NOT NULL,
    task_queue       text     COLLATE "C" NOT NULL,
    start_request_id text     COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX runs_by_run_id ON runs (run_id);

-- The newest run of a workflow id, and the run that a request started.
CREATE INDEX runs_by_workflow_id ON runs (workflow_id, run_key, start_request_id);

-- Status 1 is RUNNING: at most one open run for each workflow id.
CREATE UNIQUE INDEX runs_open ON runs (workflow_id) INCLUDE (run_key) WHERE status = 1;

CREATE INDEX runs_by_start ON runs (started_us, run_key);

CREATE INDEX runs_by_status ON runs (status, started_us, run_key);

-- What changes with every commit: narrow, half-filled pages, and no index but its
-- own key, so that an update stays within its page and touches no index.
CREATE TABLE run_counters (
    run_key       bigint   NOT NULL PRIMARY KEY,
    history_bytes bigint   NOT NULL,
    last_event_id integer  NOT NULL,
    shard         smallint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE events (
    run_key  bigint   NOT NULL,
    time_us  bigint   NOT NULL,
    event_id integer  NOT NULL,
    shard    smallint NOT NULL,
    type     smallint NOT NULL,
    data     bytea    NOT NULL,
    PRIMARY KEY (run_key, event_id)
);

-- Pending tasks. Kind 1 is a workflow task, kind 2 an activity task. Rows come
-- and go, so vacuum runs by their number and not by the table's size.
CREATE TABLE tasks (
    run_key        bigint   NOT NULL,
    ready_since_us bigint   NOT NULL,
    shard_group    integer  NOT NULL,
    seq            integer  NOT NULL,
    kind           smallint NOT NULL,
    shard          smallint NOT NULL,
    ready          boolean  NOT NULL,
    task_queue     text     COLLATE "C" NOT NULL,
    name           text     COLLATE "C" NOT NULL,
    assignee       text     COLLATE "C" NOT NULL,
    record         bytea    NOT NULL,
    PRIMARY KEY (run_key, kind, seq)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE INDEX tasks_ready
    ON tasks (shard_group, task_queue, kind, name, ready_since_us, run_key, seq)
    WHERE ready;

CREATE INDEX tasks_assigned ON tasks (shard_group, run_key, seq)
    WHERE kind = 2 AND assignee <> '';

CREATE TABLE timers (
    run_key     bigint   NOT NULL,
    due_us      bigint   NOT NULL,
    shard_group integer  NOT NULL,
    seq         integer  NOT NULL,
    kind        smallint NOT NULL,
    shard       smallint NOT NULL,
    PRIMARY KEY (run_key, kind, seq)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE INDEX timers_by_due ON timers (shard_group, due_us, run_key, kind, seq);

-- ---------------------------------------------------------------- for people

CREATE TABLE event_types (
    type smallint NOT NULL PRIMARY KEY,
    name text     NOT NULL
);

INSERT INTO event_types (type, name) VALUES
    (1, 'WorkflowStarted'),
    (2, 'WorkflowTaskCompleted'),
    (3, 'WorkflowTaskFailed'),
    (4, 'ActivityScheduled'),
    (5, 'ActivityCompleted'),
    (6, 'ActivityFailed'),
    (7, 'ActivityTimedOut'),
    (8, 'ActivityCanceled'),
    (9, 'ActivityCancelRequested'),
    (10, 'ActivityRetryScheduled'),
    (11, 'TimerScheduled'),
    (12, 'TimerFired'),
    (13, 'TimerCanceled'),
    (14, 'SignalReceived'),
    (15, 'WorkflowCancelRequested'),
    (16, 'StepCompleted'),
    (17, 'StepFailed'),
    (18, 'WorkflowCompleted'),
    (19, 'WorkflowFailed'),
    (20, 'WorkflowCanceled'),
    (21, 'WorkflowTerminated'),
    (22, 'WorkflowTimedOut');

CREATE TABLE statuses (
    status smallint NOT NULL PRIMARY KEY,
    name   text     NOT NULL
);

INSERT INTO statuses (status, name) VALUES
    (1, 'RUNNING'),
    (2, 'COMPLETED'),
    (3, 'FAILED'),
    (4, 'CANCELED'),
    (5, 'TERMINATED'),
    (6, 'TIMED_OUT'),
    (7, 'CONTINUED_AS_NEW');

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
    runs.run_key
FROM runs
JOIN run_counters USING (run_key)
LEFT JOIN statuses USING (status);

-- SELECT * FROM sched.history WHERE workflow_id = '…' ORDER BY run_key, event_id
CREATE VIEW history AS
SELECT
    runs.workflow_id,
    runs.run_id,
    events.event_id,
    coalesce(event_types.name, 'type ' || events.type) AS type,
    time_of(events.time_us) AS time,
    octet_length(events.data) AS bytes,
    events.data,
    events.run_key
FROM runs
JOIN events USING (run_key)
LEFT JOIN event_types USING (type);

CREATE VIEW pending_tasks AS
SELECT
    runs.workflow_id,
    runs.run_id,
    CASE tasks.kind WHEN 1 THEN 'workflow' WHEN 2 THEN 'activity' ELSE 'kind ' || tasks.kind END
        AS kind,
    tasks.seq,
    tasks.name,
    tasks.task_queue,
    tasks.ready,
    tasks.assignee,
    time_of(tasks.ready_since_us) AS ready_since,
    tasks.run_key
FROM tasks
JOIN runs USING (run_key);

CREATE VIEW pending_timers AS
SELECT
    runs.workflow_id,
    runs.run_id,
    timers.kind,
    timers.seq,
    time_of(timers.due_us) AS due,
    timers.run_key
FROM timers
JOIN runs USING (run_key);
