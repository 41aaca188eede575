"""Every statement of the SQLite store, each with its purpose.

The inserts say OR FAIL: a batch is rolled back as a whole on any error, so
SQLite need not be able to undo a single statement. Without it, a statement of
many rows copies every page that it touches to a statement journal, which
quadruples its cost.
"""

from __future__ import annotations

from sched_server.store.sqlite.bulk import BulkStatement

ACTIVITY_KIND = 2
"""ACTIVITY_TASK, as stored. The index `tasks_assigned` has it too."""

# Which cluster this is: made with the schema, and never changed.
READ_CLUSTER_ID = "SELECT value FROM meta WHERE key = 'cluster_id'"

# --- leadership ---------------------------------------------------------------

# Become the leader of a shard group: (shard_group, address, acquired_us, next_run_key).
ACQUIRE = """
INSERT INTO shard_groups (shard_group, epoch, address, acquired_us, next_run_key)
VALUES (?, 1, ?, ?, ?)
ON CONFLICT (shard_group) DO UPDATE
SET epoch = epoch + 1, address = excluded.address, acquired_us = excluded.acquired_us
"""

# The lease just taken.
READ_LEASE = "SELECT epoch, next_run_key FROM shard_groups WHERE shard_group = ?"

# How far the clock was moved ahead.
READ_ADVANCED = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'clock_advanced_us'"

# The same, from now on: (microseconds).
WRITE_ADVANCED = """
INSERT INTO meta (key, value) VALUES ('clock_advanced_us', CAST(? AS TEXT))
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""

# The fence: is this still the leader's epoch?
READ_EPOCH = "SELECT epoch FROM shard_groups WHERE shard_group = ?"

# Run keys below this are used: (next_run_key, shard_group).
RAISE_NEXT_RUN_KEY = """
UPDATE shard_groups SET next_run_key = max(next_run_key, ?) WHERE shard_group = ?
"""

# --- the batch ----------------------------------------------------------------

# Which runs are not where the batch expects them: (run_key, last_event_id or -1
# for "does not exist"). No row in the common case.
UNEXPECTED_RUNS = BulkStatement(
    "WITH expected (run_key, last_event_id) AS (VALUES",
    2,
    """)
SELECT expected.run_key
FROM expected LEFT JOIN run_counters ON run_counters.run_key = expected.run_key
WHERE ifnull(run_counters.last_event_id, -1) <> expected.last_event_id""",
)

# The open runs of these workflow ids: (workflow_id). At most one for each.
OPEN_RUNS = BulkStatement(
    """SELECT workflow_id, run_key FROM runs INDEXED BY runs_open
WHERE status = 1 AND workflow_id IN (VALUES""",
    1,
    ")",
)

# Close runs: (run_key, status, closed_us).
CLOSE_RUNS = BulkStatement(
    "WITH closing (run_key, status, closed_us) AS (VALUES",
    3,
    """)
UPDATE OR FAIL runs SET status = closing.status, closed_us = closing.closed_us
FROM closing WHERE runs.run_key = closing.run_key""",
)

# New runs.
INSERT_RUNS = BulkStatement(
    """INSERT OR FAIL INTO runs (run_key, run_id, workflow_id, shard, workflow_type, task_queue,
    status, start_request_id, started_us, closed_us) VALUES""",
    10,
)

# The counters of every run in the batch, new or not.
PUT_COUNTERS = BulkStatement(
    """INSERT OR FAIL INTO run_counters (run_key, shard, last_event_id, history_bytes, build_id)
    VALUES""",
    5,
    """ON CONFLICT (run_key) DO UPDATE
SET last_event_id = excluded.last_event_id, history_bytes = excluded.history_bytes,
    build_id = excluded.build_id""",
)

# What runs say they are doing, where that is news: (run_key, shard, details).
PUT_DETAILS = BulkStatement(
    "INSERT OR FAIL INTO run_details (run_key, shard, details) VALUES",
    3,
    "ON CONFLICT (run_key) DO UPDATE SET details = excluded.details",
)

# New events.
INSERT_EVENTS = BulkStatement(
    "INSERT OR FAIL INTO events (run_key, event_id, shard, type, time_us, data) VALUES", 6
)

# Tasks that became pending or changed.
PUT_TASKS = BulkStatement(
    """REPLACE INTO tasks (run_key, kind, seq, shard_group, shard, task_queue, name,
    ready, assignee, ready_since_us, record) VALUES""",
    11,
)

# Tasks that are done: (run_key, kind, seq).
DELETE_TASKS = BulkStatement(
    "WITH gone (run_key, kind, seq) AS (VALUES",
    3,
    ") DELETE FROM tasks WHERE (run_key, kind, seq) IN (SELECT run_key, kind, seq FROM gone)",
)

# Timers that were set.
PUT_TIMERS = BulkStatement(
    "REPLACE INTO timers (run_key, kind, seq, shard_group, shard, due_us) VALUES", 6
)

# Timers that fired or were cleared: (run_key, kind, seq).
DELETE_TIMERS = BulkStatement(
    "WITH gone (run_key, kind, seq) AS (VALUES",
    3,
    ") DELETE FROM timers WHERE (run_key, kind, seq) IN (SELECT run_key, kind, seq FROM gone)",
)

# --- runs ---------------------------------------------------------------------

# The columns of a RunRow. The order of the tables is fixed: the counters are
# looked up for the runs that were found.
_RUN = """
SELECT runs.run_key, runs.run_id, runs.workflow_id, runs.shard, runs.workflow_type,
    runs.task_queue, runs.status, runs.start_request_id, runs.started_us, runs.closed_us,
    run_counters.last_event_id, run_counters.history_bytes, run_counters.build_id
"""
_FROM_RUNS = "FROM runs CROSS JOIN run_counters ON run_counters.run_key = runs.run_key\n"

# One run by its key.
READ_RUN = _RUN + _FROM_RUNS + "WHERE runs.run_key = ?"

# One run by its id for people.
FIND_RUN_BY_ID = _RUN + _FROM_RUNS + "WHERE runs.run_id = ?"

# The run that a start request made: (workflow_id, request_id). An empty
# request id names no request.
FIND_START = (
    _RUN
    + _FROM_RUNS
    + """WHERE runs.workflow_id = ? AND runs.start_request_id = ? AND runs.start_request_id <> ''
ORDER BY runs.run_key DESC LIMIT 1"""
)

_FROM_WANTED = """FROM wanted
CROSS JOIN runs ON runs.run_key IN (
    SELECT newest.run_key FROM runs AS newest WHERE newest.workflow_id = wanted.workflow_id
    ORDER BY newest.run_key DESC LIMIT ?)
CROSS JOIN run_counters ON run_counters.run_key = runs.run_key
ORDER BY runs.run_key DESC
"""

# The newest runs of each of many workflow ids: (workflow_id) …, limit.
FIND_RUNS = BulkStatement(
    "WITH wanted (workflow_id) AS (VALUES",
    1,
    ")" + _RUN + _FROM_WANTED,
)

# --- lists: fragments, put together by `listing.py` ------------------------------

# Runs, newest first.
LIST_RUNS_HEAD = _RUN + _FROM_RUNS
LIST_RUNS_TAIL = "ORDER BY runs.started_us DESC, runs.run_key DESC LIMIT ?"

# How many runs have each status.
COUNT_RUNS_HEAD = "SELECT runs.status, count(*) FROM runs"
COUNT_RUNS_TAIL = "GROUP BY runs.status"

# --- what belongs to a run -----------------------------------------------------

# Events behind an id, in order: (run_key, after_event_id, limit).
READ_HISTORY = """
SELECT event_id, type, time_us, data FROM events
WHERE run_key = ? AND event_id > ? ORDER BY event_id LIMIT ?
"""

# Type and time of one event of each of many runs: (run_key, event_id) ….
READ_EVENT_MARKS = BulkStatement(
    "WITH wanted (run_key, event_id) AS (VALUES",
    2,
    """)
SELECT events.run_key, events.type, events.time_us
FROM wanted CROSS JOIN events
ON events.run_key = wanted.run_key AND events.event_id = wanted.event_id""",
)

# What each of many runs says it is doing, if anything: (run_key) ….
READ_DETAILS = BulkStatement(
    "WITH wanted (run_key) AS (VALUES",
    1,
    """)
SELECT run_details.run_key, run_details.details
FROM wanted CROSS JOIN run_details ON run_details.run_key = wanted.run_key
WHERE run_details.details <> ''""",
)

_TASK = """
SELECT run_key, kind, seq, task_queue, name, ready, assignee, ready_since_us, record FROM tasks
"""

# The pending tasks of a run.
READ_TASKS = _TASK + "WHERE run_key = ? ORDER BY kind, seq"

# The timers of a run.
READ_TIMERS = """
SELECT run_key, kind, seq, due_us FROM timers WHERE run_key = ? ORDER BY kind, seq
"""

# --- recovery and backlog -------------------------------------------------------

# Timers due until a time, behind one: (shard_group, due_until_us, due_us,
# run_key, kind, seq, limit).
DUE_TIMERS = """
SELECT run_key, kind, seq, due_us FROM timers
WHERE shard_group = ? AND due_us <= ? AND (due_us, run_key, kind, seq) > (?, ?, ?, ?)
ORDER BY due_us, run_key, kind, seq LIMIT ?
"""

# The backlog of one key, behind a task: (shard_group, task_queue, kind, name,
# ready_since_us, run_key, seq, limit).
READY_TASKS = (
    _TASK
    + """WHERE shard_group = ? AND task_queue = ? AND kind = ? AND name = ? AND ready = 1
AND (ready_since_us, run_key, seq) > (?, ?, ?)
ORDER BY ready_since_us, run_key, seq LIMIT ?"""
)

# Which keys have a backlog, and how long it is: (shard_group).
READY_TASK_KEYS = """
SELECT task_queue, kind, name, count(*) FROM tasks WHERE shard_group = ? AND ready = 1
GROUP BY task_queue, kind, name
"""

# Activities that a worker session runs, behind one: (shard_group, run_key, seq, limit).
ASSIGNED_TASKS = (
    _TASK
    + """WHERE shard_group = ? AND kind = 2 AND assignee <> '' AND (run_key, seq) > (?, ?)
ORDER BY run_key, seq LIMIT ?"""
)
