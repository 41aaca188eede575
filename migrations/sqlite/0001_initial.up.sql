-- Facts about the store itself.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('cluster_id', lower(hex(randomblob(16))));

-- Who leads each shard group. Every commit checks the epoch. `next_run_key` is
-- kept here, not derived, so that deleting old runs never frees a key.
CREATE TABLE shard_groups (
    shard_group  INTEGER PRIMARY KEY,
    epoch        INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    acquired_us  INTEGER NOT NULL,
    next_run_key INTEGER NOT NULL
);

-- What lists and look-ups need; written at the start and at the close of a run.
CREATE TABLE runs (
    run_key          INTEGER PRIMARY KEY,
    run_id           TEXT    NOT NULL,
    workflow_id      TEXT    NOT NULL,
    shard            INTEGER NOT NULL,
    workflow_type    TEXT    NOT NULL,
    task_queue       TEXT    NOT NULL,
    status           INTEGER NOT NULL,
    start_request_id TEXT    NOT NULL,
    started_us       INTEGER NOT NULL,
    closed_us        INTEGER NOT NULL
);

CREATE UNIQUE INDEX runs_by_run_id ON runs (run_id);

-- The newest run of a workflow id, and the run that a request started: the
-- request id is there to be compared without reading the row.
CREATE INDEX runs_by_workflow_id ON runs (workflow_id, run_key, start_request_id);

-- Status 1 is RUNNING: at most one open run for each workflow id.
CREATE UNIQUE INDEX runs_open ON runs (workflow_id) WHERE status = 1;

CREATE INDEX runs_by_start ON runs (started_us, run_key);

CREATE INDEX runs_by_status ON runs (status, started_us, run_key);

-- What changes with every commit: narrow, and no index but its own key.
CREATE TABLE run_counters (
    run_key       INTEGER PRIMARY KEY,
    shard         INTEGER NOT NULL,
    last_event_id INTEGER NOT NULL,
    history_bytes INTEGER NOT NULL
);

-- A rowid table, so that events of any size are appended at its end and the
-- index stays small.
CREATE TABLE events (
    run_key  INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    shard    INTEGER NOT NULL,
    type     INTEGER NOT NULL,
    time_us  INTEGER NOT NULL,
    data     BLOB    NOT NULL
);

CREATE UNIQUE INDEX events_by_run ON events (run_key, event_id);

-- Pending tasks. Kind 1 is a workflow task, kind 2 an activity task.
CREATE TABLE tasks (
    run_key        INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    shard_group    INTEGER NOT NULL,
    shard          INTEGER NOT NULL,
    task_queue     TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    ready          INTEGER NOT NULL,
    assignee       TEXT    NOT NULL,
    ready_since_us INTEGER NOT NULL,
    record         BLOB    NOT NULL,
    PRIMARY KEY (run_key, kind, seq)
) WITHOUT ROWID;

CREATE INDEX tasks_ready
    ON tasks (shard_group, task_queue, kind, name, ready_since_us, run_key, seq)
    WHERE ready = 1;

CREATE INDEX tasks_assigned ON tasks (shard_group, run_key, seq)
    WHERE kind = 2 AND assignee <> '';

CREATE TABLE timers (
    run_key     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    shard_group INTEGER NOT NULL,
    shard       INTEGER NOT NULL,
    due_us      INTEGER NOT NULL,
    PRIMARY KEY (run_key, kind, seq)
) WITHOUT ROWID;

CREATE INDEX timers_by_due ON timers (shard_group, due_us, run_key, kind, seq);
