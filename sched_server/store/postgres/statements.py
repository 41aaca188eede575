"""Every statement of the Postgres store but the batch (see `batch_statement.py`),
each with its purpose."""

from __future__ import annotations

ACTIVITY_KIND = 2
"""ACTIVITY_TASK, as stored. The index `tasks_assigned` has it too."""

# --- sessions -------------------------------------------------------------------

# Which server process answers. Behind a proxy it is another than the one that
# the connection was told of.
BACKEND_PID = "SELECT pg_backend_pid()"

# What a session of ours needs, whatever the server, the database or the role
# say: (search_path, statement_timeout, lock_timeout, application_name).
# `remote_apply` promises more than `on`, so it stays. Index scans are preferred
# because plans are made while the tables are still small; just-in-time
# compilation would cost more than any of these statements.
CONFIGURE_SESSION = """
SELECT set_config('search_path', $1, false),
    set_config('statement_timeout', $2, false),
    set_config('lock_timeout', $3, false),
    set_config('application_name', $4, false),
    set_config('enable_seqscan', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('default_transaction_deferrable', 'off', false),
    set_config('idle_session_timeout', '0', false),
    set_config('client_min_messages', 'warning', false),
    set_config('jit', 'off', false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit')
            WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)
"""

# The commit's connection runs few statements, very often: plan each of them once.
PREPARE_TO_COMMIT = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('enable_bitmapscan', 'off', false)
"""

# What kind of server this is.
DESCRIBE_SERVER = """
SELECT current_setting('server_encoding'), current_setting('transaction_read_only'),
    current_setting('fsync')
"""

# --- leadership -----------------------------------------------------------------

# Raise the epoch of a shard group: (shard_group).
RAISE_EPOCH = """
INSERT INTO shard_groups (shard_group, epoch) VALUES ($1, 1)
ON CONFLICT (shard_group) DO UPDATE SET epoch = shard_groups.epoch + 1
RETURNING epoch
"""

# The same, if it still is the one that we know: (shard_group, epoch).
RAISE_OWN_EPOCH = """
UPDATE shard_groups SET epoch = epoch + 1 WHERE shard_group = $1 AND epoch = $2
RETURNING epoch
"""

# Begin a lease, in the transaction that raised the epoch but behind that
# statement, so that it sees the last commit of the leader before:
# (shard_group, epoch, holder, address, first_run_key).
BEGIN_LEASE = """
INSERT INTO leases (shard_group, epoch, holder, address, next_run_key)
SELECT $1, $2, $3, $4, coalesce(max(next_run_key), $5) FROM leases WHERE shard_group = $1
RETURNING next_run_key, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    coalesce((SELECT value::bigint FROM meta WHERE key = 'clock_advanced_us'), 0)
"""

# Remember how far the clock is ahead, if the epoch is the current one:
# (shard_group, epoch, microseconds).
ADVANCE_CLOCK = """
WITH fence AS (SELECT FROM shard_groups WHERE shard_group = $1 AND epoch = $2 FOR SHARE)
INSERT INTO meta (key, value) SELECT 'clock_advanced_us', $3::text FROM fence
ON CONFLICT (key) DO UPDATE SET value = excluded.value
RETURNING key
"""

# Forget the leases of long ago: (shard_group, epoch).
DELETE_LEASES = "DELETE FROM leases WHERE shard_group = $1 AND epoch <= $2"

# The current lease, and the last batch that was committed under an older one:
# (shard_group, older epoch).
READ_LEASES = """
SELECT shard_groups.epoch, current.holder, coalesce(older.last_batch, 0)
FROM shard_groups
LEFT JOIN leases AS current USING (shard_group, epoch)
LEFT JOIN leases AS older ON older.shard_group = shard_groups.shard_group AND older.epoch = $2
WHERE shard_groups.shard_group = $1
"""

# The epoch: (shard_group).
READ_EPOCH = "SELECT epoch FROM shard_groups WHERE shard_group = $1"

# --- what stands against a batch ---------------------------------------------------

# After a batch was refused, the reasons: runs that are not where it expects them,
# and the open runs of the workflow ids that it opens:
# (run keys, expected event ids, workflow ids).
LOOK = """
SELECT expected.run_key, NULL
FROM unnest($1::bigint[], $2::integer[]) AS expected (run_key, event_id)
LEFT JOIN LATERAL (
    SELECT last_event_id FROM run_counters
    WHERE run_counters.run_key = expected.run_key OFFSET 0) AS found ON true
WHERE coalesce(found.last_event_id, -1) <> expected.event_id
UNION ALL
SELECT holder.run_key, opening.workflow_id
FROM unnest($3::text[]) AS opening (workflow_id)
CROSS JOIN LATERAL (
    SELECT run_key FROM runs
    WHERE runs.workflow_id = opening.workflow_id AND runs.status = 1 OFFSET 0) AS holder
"""

# --- runs -------------------------------------------------------------------------

# The columns of a RunRow. `LATERAL (… OFFSET 0)` is looked up by its index for each
# run that was found, whatever the planner thinks of the size of the tables.
_RUN = """
SELECT runs.run_key, runs.run_id, runs.workflow_id, runs.shard, runs.workflow_type,
    runs.task_queue, runs.status, runs.start_request_id, runs.started_us, runs.closed_us,
    run_counters.last_event_id, run_counters.history_bytes, run_counters.build_id
"""
_JOIN_COUNTERS = """CROSS JOIN LATERAL (
    SELECT last_event_id, history_bytes, build_id FROM run_counters
    WHERE run_counters.run_key = runs.run_key OFFSET 0) AS run_counters
"""
_FROM_RUNS = "FROM runs " + _JOIN_COUNTERS

# One run by its key.
READ_RUN = _RUN + _FROM_RUNS + "WHERE runs.run_key = $1"

# One run by its id for people.
FIND_RUN_BY_ID = _RUN + _FROM_RUNS + "WHERE runs.run_id = $1"

# The run that a start request made: (workflow_id, request_id). An empty
# request id names no request.
FIND_START = (
    _RUN
    + _FROM_RUNS
    + """WHERE runs.workflow_id = $1 AND runs.start_request_id = $2 AND $2 <> ''
ORDER BY runs.run_key DESC LIMIT 1"""
)

_FROM_WANTED = """FROM unnest($1::text[]) AS wanted (workflow_id)
CROSS JOIN LATERAL (
    SELECT * FROM runs WHERE runs.workflow_id = wanted.workflow_id
    ORDER BY runs.run_key DESC LIMIT $2) AS runs
"""

# The newest runs of each of many workflow ids: (workflow_ids, limit).
FIND_RUNS = _RUN + _FROM_WANTED + _JOIN_COUNTERS + "ORDER BY runs.run_key DESC"

# --- lists: fragments, put together by `listing.py` --------------------------------

# Runs, newest first.
LIST_RUNS_HEAD = _RUN + _FROM_RUNS
LIST_RUNS_TAIL = "ORDER BY runs.started_us DESC, runs.run_key DESC LIMIT "

# How many runs have each status.
COUNT_RUNS_HEAD = "SELECT runs.status, count(*) FROM runs"
COUNT_RUNS_TAIL = "GROUP BY runs.status"

# --- what belongs to a run ---------------------------------------------------------

# Events behind an id, in order, as many as fit but at least one:
# (run_key, after_event_id, limit, max_bytes).
READ_HISTORY = """
SELECT event_id, type, time_us, data FROM (
    SELECT event_id, type, time_us, data,
        row_number() OVER in_order AS number,
        sum(octet_length(data)) OVER in_order AS bytes
    FROM (
        SELECT event_id, type, time_us, data FROM events
        WHERE run_key = $1 AND event_id > $2 ORDER BY event_id LIMIT $3) AS page
    WINDOW in_order AS (ORDER BY event_id)) AS measured
WHERE number = 1 OR bytes <= $4
ORDER BY event_id
"""

# Type and time of one event of each of many runs: (run_keys, event_ids).
READ_EVENT_MARKS = """
SELECT wanted.run_key, marked.type, marked.time_us
FROM unnest($1::bigint[], $2::bigint[]) AS wanted (run_key, event_id)
CROSS JOIN LATERAL (
    SELECT type, time_us FROM events
    WHERE events.run_key = wanted.run_key AND events.event_id = wanted.event_id OFFSET 0) AS marked
"""

# What each of many runs says it is doing, if anything: (run_keys).
READ_DETAILS = """
SELECT wanted.run_key, said.details
FROM unnest($1::bigint[]) AS wanted (run_key)
CROSS JOIN LATERAL (
    SELECT details FROM run_details WHERE run_details.run_key = wanted.run_key OFFSET 0) AS said
WHERE said.details <> ''
"""

_TASK = """
SELECT run_key, kind, seq, task_queue, name, ready, assignee, ready_since_us, record FROM tasks
"""

# The pending tasks of a run.
READ_TASKS = _TASK + "WHERE run_key = $1 ORDER BY kind, seq"

# The timers of a run.
READ_TIMERS = """
SELECT run_key, kind, seq, due_us FROM timers WHERE run_key = $1 ORDER BY kind, seq
"""

# --- recovery and backlog ------------------------------------------------------------

# Timers due until a time, behind one: (shard_group, due_until_us, due_us,
# run_key, kind, seq, limit).
DUE_TIMERS = """
SELECT run_key, kind, seq, due_us FROM timers
WHERE shard_group = $1 AND due_us <= $2 AND (due_us, run_key, kind, seq) > ($3, $4, $5, $6)
ORDER BY due_us, run_key, kind, seq LIMIT $7
"""

# The backlog of one key, behind a task: (shard_group, task_queue, kind, name,
# ready_since_us, run_key, seq, limit).
READY_TASKS = (
    _TASK
    + """WHERE shard_group = $1 AND task_queue = $2 AND kind = $3 AND name = $4 AND ready
AND (ready_since_us, run_key, seq) > ($5, $6, $7)
ORDER BY ready_since_us, run_key, seq LIMIT $8"""
)

# Which keys have a backlog, and how long it is: (shard_group).
READY_TASK_KEYS = """
SELECT task_queue, kind, name, count(*) FROM tasks WHERE shard_group = $1 AND ready
GROUP BY task_queue, kind, name
"""

# Activities that a worker session runs, behind one: (shard_group, run_key, seq, limit).
ASSIGNED_TASKS = (
    _TASK
    + """WHERE shard_group = $1 AND kind = 2 AND assignee <> '' AND (run_key, seq) > ($2, $3)
ORDER BY run_key, seq LIMIT $4"""
)

# --- the schema ------------------------------------------------------------------------

# Whether the schema exists: (name).
FIND_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = $1"

# Whether migrations were applied: (schema.sched_migrations, quoted).
FIND_MIGRATIONS = "SELECT to_regclass($1) IS NOT NULL"

# What a schema holds besides the record of migrations and what extensions put
# there: (schema).
FOREIGN_RELATIONS = """
SELECT relname::text FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
    AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'sched_migrations'
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
ORDER BY relname LIMIT 4
"""

# Which cluster this is: made with the schema, and never changed.
READ_CLUSTER_ID = "SELECT value FROM meta WHERE key = 'cluster_id'"

# How many rows a table of ours has.
COUNT_ROWS = 'SELECT count(*) FROM "{table}"'

# The engines whose sessions live. A process id alone could be another session's by now.
LIVE_ENGINES = """
SELECT address FROM leaders
JOIN pg_stat_activity ON pid = session_pid AND backend_start = session_start
UNION
SELECT address FROM candidates
JOIN pg_stat_activity ON pid = session_pid AND backend_start = session_start
ORDER BY address
"""

# What is applied; written in the transaction of each migration.
CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS sched_migrations (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
READ_MIGRATIONS = """
SELECT version, name, checksum, (extract(epoch FROM applied_at) * 1000000)::bigint
FROM sched_migrations ORDER BY version
"""
INSERT_MIGRATION = "INSERT INTO sched_migrations (version, name, checksum) VALUES ($1, $2, $3)"
DELETE_MIGRATION = "DELETE FROM sched_migrations WHERE version = $1"

# One migration at a time, in the whole database: (key).
LOCK_MIGRATIONS = "SELECT pg_try_advisory_lock($1)"
UNLOCK_MIGRATIONS = "SELECT pg_advisory_unlock($1)"

# The session that migrates, and the program that it says it is: (key).
MIGRATING_SESSION = """
SELECT pid, coalesce(application_name, '')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = $1
"""

# --- check-up ---------------------------------------------------------------------

# The server, its time in microseconds, and whether vacuum works by itself.
READ_SERVER = """
SELECT current_setting('server_version'),
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    current_setting('autovacuum') = 'on'
"""

# How many connections are taken of those that there may be: of the server without
# those that it keeps for administrators, of the role, of the database. The
# statistics count everybody's; the list of sessions hides what others do.
COUNT_CONNECTIONS = """
SELECT 'the server', (SELECT sum(numbackends) FROM pg_stat_database)::bigint,
    current_setting('max_connections')::bigint
        - current_setting('superuser_reserved_connections')::bigint
        - coalesce(current_setting('reserved_connections', true)::bigint, 0)
UNION ALL
SELECT 'role ' || rolname, (SELECT count(*) FROM pg_stat_activity WHERE usename = rolname),
    rolconnlimit::bigint
FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0
UNION ALL
SELECT 'database ' || datname, numbackends::bigint, datconnlimit::bigint
FROM pg_database JOIN pg_stat_database USING (datname)
WHERE datname = current_database() AND datconnlimit >= 0
"""

# Transactions of this database that others may have to wait for, with the tables
# of a schema that they hold locks on, and whether one of those keeps writers out:
# (schema, seconds with such a lock, seconds without one).
LONG_TRANSACTIONS = """
SELECT pid, coalesce(application_name, ''), coalesce(state, ''),
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
    coalesce(held.tables, '{}'::text[]), coalesce(held.keeps_writers_out, false)
FROM pg_stat_activity AS session
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT relname::text) AS tables,
        bool_or(mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
            'AccessExclusiveLock')) AS keeps_writers_out
    FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_locks.pid = session.pid AND granted AND nspname = $1
        AND pg_locks.database = session.datid AND relkind = 'r') AS held ON true
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND xact_start < clock_timestamp()
        - CASE WHEN held.tables IS NULL THEN $3 ELSE $2 END * interval '1 second'
ORDER BY xact_start
LIMIT 20
"""

# Rows and dead rows of each table, as the statistics know them, and bytes with
# indexes and large values: (schema).
TABLE_SIZES = """
SELECT relname::text, n_live_tup, n_dead_tup, pg_total_relation_size(relid),
    greatest(last_vacuum, last_autovacuum)
FROM pg_stat_all_tables WHERE schemaname = $1 ORDER BY relname
"""
