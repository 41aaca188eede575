"""The batch: everything that it changes, in one statement, hence in one
transaction and one round trip.

The parts of a statement see one snapshot and run in no order but the one that
their conditions force:

    fence       the row of the epoch, locked: whoever raises the epoch waits for us
    unexpected  runs that are not where the batch expects them
    taken       workflow ids that have an open run which this batch does not close
    go          one row if the fence holds and nothing stands against the batch
    …           every write asks for `go`
    answer      (the fence holds, the batch was written)

All or nothing is therefore decided before the first write. Whether some groups
of a refused batch apply is judged in Python, and they are sent again.

The snapshot may be older than the fence's lock, but nobody else writes under
our epoch: a leader that comes waits for the lock, and one that left finds its
own fence closed. Should a row be changed all the same (by hand), the answer
divides by zero and with it falls the whole transaction.

Plans are made once and stay while tables grow from nothing to millions, so the
statement leaves the planner no choice. `LATERAL (… OFFSET 0)` is looked up for
each row of the batch, by the index; what it finds is then updated and deleted
by its place (ctid), for which there is no other way. An ordinary join would at
times be planned as a walk through the table.

A part without rows costs as much as one with a few, so each combination of
parts is a statement of its own, made when it is first needed.
"""

from __future__ import annotations

import functools
import re

from msgspec import Struct

__all__ = ["RUNS", "WRITES", "BatchStatement", "batch_statement"]


class BatchStatement(Struct, frozen=True):
    text: str
    parameters: tuple[str, ...]
    """The names of $1, $2, …"""


RUNS = "runs"
"""The part in which runs open and close."""

_HEAD = """
WITH fence AS MATERIALIZED (
    SELECT FROM shard_groups WHERE shard_group = :shard_group AND epoch = :epoch FOR SHARE
),
change AS MATERIALIZED (
    SELECT input.*, found.place, coalesce(found.last_event_id, -1) AS found_event_id
    FROM unnest(:run_keys, :expected_event_ids, :last_event_ids, :history_bytes, :build_ids,
        :shards)
        AS input (run_key, expected_event_id, last_event_id, history_bytes, build_id, shard)
    LEFT JOIN LATERAL (
        SELECT ctid AS place, last_event_id FROM run_counters
        WHERE run_counters.run_key = input.run_key OFFSET 0) AS found ON true
),
unexpected AS (
    SELECT FROM change WHERE found_event_id <> expected_event_id
),
"""

_GO = """
go AS MATERIALIZED (
    SELECT FROM fence WHERE NOT EXISTS (SELECT FROM unexpected)
),
"""

# A batch may close a run and open the next one of its workflow id, in one group
# or in this order: closes are written first.
_GO_WITH_RUNS = """
closing AS MATERIALIZED (
    SELECT input.*, found.place
    FROM unnest(:closed_keys, :closed_statuses, :closed_times, :closed_groups)
        AS input (run_key, status, closed_us, group_number)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM runs WHERE runs.run_key = input.run_key OFFSET 0) AS found
),
taken AS (
    SELECT FROM unnest(:opened_ids, :opened_groups) AS opening (workflow_id, group_number)
    CROSS JOIN LATERAL (
        SELECT run_key FROM runs
        WHERE runs.workflow_id = opening.workflow_id AND runs.status = 1 OFFSET 0) AS holder
    WHERE NOT EXISTS (
        SELECT FROM closing
        WHERE closing.run_key = holder.run_key AND closing.group_number <= opening.group_number)
),
go AS MATERIALIZED (
    SELECT FROM fence
    WHERE NOT EXISTS (SELECT FROM unexpected) AND NOT EXISTS (SELECT FROM taken)
),
closed AS (
    UPDATE runs SET status = closing.status, closed_us = closing.closed_us
    FROM closing WHERE runs.ctid = closing.place AND EXISTS (SELECT FROM go)
    RETURNING runs.run_key
),
started AS (
    INSERT INTO runs (run_key, run_id, workflow_id, shard, workflow_type, task_queue, status,
        start_request_id, started_us, closed_us)
    SELECT * FROM unnest(:new_keys, :new_run_ids, :new_workflow_ids, :new_shards, :new_types,
        :new_queues, :new_statuses, :new_request_ids, :new_started_times, :new_closed_times)
    WHERE EXISTS (SELECT FROM go) AND (SELECT count(*) FROM closed) >= 0
),
created AS (
    INSERT INTO run_counters (run_key, shard, last_event_id, history_bytes, build_id)
    SELECT run_key, shard, last_event_id, history_bytes, build_id
    FROM change WHERE expected_event_id = -1 AND EXISTS (SELECT FROM go)
    RETURNING run_key
),
"""

_COUNTERS = """
counted AS (
    UPDATE run_counters
    SET last_event_id = change.last_event_id, history_bytes = change.history_bytes,
        build_id = change.build_id
    FROM change
    WHERE run_counters.ctid = change.place
        AND run_counters.last_event_id = change.expected_event_id
        AND EXISTS (SELECT FROM go)
    RETURNING run_counters.run_key
),
"""

WRITES = {
    "details": """
put_details AS (
    INSERT INTO run_details (run_key, shard, details)
    SELECT * FROM unnest(:details_keys, :details_shards, :details_texts)
    WHERE EXISTS (SELECT FROM go)
    ON CONFLICT (run_key) DO UPDATE SET details = excluded.details
),
""",
    "events": """
new_events AS (
    INSERT INTO events (run_key, event_id, shard, type, time_us, data)
    SELECT * FROM unnest(:event_keys, :event_ids, :event_shards, :event_types, :event_times,
        :event_data)
    WHERE EXISTS (SELECT FROM go)
),
""",
    "tasks": """
put_tasks AS (
    INSERT INTO tasks (shard_group, run_key, kind, seq, shard, task_queue, name, ready, assignee,
        ready_since_us, record)
    SELECT :shard_group, * FROM unnest(:task_keys, :task_kinds, :task_seqs, :task_shards,
        :task_queues, :task_names, :task_readies, :task_assignees, :task_times, :task_records)
    WHERE EXISTS (SELECT FROM go)
    ON CONFLICT (run_key, kind, seq) DO UPDATE
    SET task_queue = excluded.task_queue, name = excluded.name, ready = excluded.ready,
        assignee = excluded.assignee, ready_since_us = excluded.ready_since_us,
        record = excluded.record
),
""",
    "gone_tasks": """
deleted_tasks AS (
    DELETE FROM tasks
    USING unnest(:gone_task_keys, :gone_task_kinds, :gone_task_seqs) AS gone (run_key, kind, seq)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM tasks
        WHERE tasks.run_key = gone.run_key AND tasks.kind = gone.kind AND tasks.seq = gone.seq
        OFFSET 0) AS found
    WHERE tasks.ctid = found.place AND EXISTS (SELECT FROM go)
),
""",
    "timers": """
put_timers AS (
    INSERT INTO timers (shard_group, run_key, kind, seq, shard, due_us)
    SELECT :shard_group, * FROM unnest(:timer_keys, :timer_kinds, :timer_seqs, :timer_shards,
        :timer_times)
    WHERE EXISTS (SELECT FROM go)
    ON CONFLICT (run_key, kind, seq) DO UPDATE SET due_us = excluded.due_us
),
""",
    "gone_timers": """
deleted_timers AS (
    DELETE FROM timers
    USING unnest(:gone_timer_keys, :gone_timer_kinds, :gone_timer_seqs) AS gone (run_key, kind, seq)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM timers
        WHERE timers.run_key = gone.run_key AND timers.kind = gone.kind AND timers.seq = gone.seq
        OFFSET 0) AS found
    WHERE timers.ctid = found.place AND EXISTS (SELECT FROM go)
),
""",
}
"""The optional parts but RUNS, by the name of their columns in the batch."""

# The last batch of an epoch tells a leader that lost its connection in the middle
# of a commit whether it happened.
_TAIL = """
marked AS (
    UPDATE leases SET last_batch = :batch, next_run_key = greatest(next_run_key, :next_run_key)
    WHERE shard_group = :shard_group AND epoch = :epoch AND EXISTS (SELECT FROM go)
)
SELECT EXISTS (SELECT FROM fence), EXISTS (SELECT FROM go),
    1 / (NOT EXISTS (SELECT FROM go) OR {counted} = cardinality(:run_keys))::integer
"""

_COUNTED = "(SELECT count(*) FROM counted)"
_COUNTED_WITH_RUNS = "(SELECT count(*) FROM counted) + (SELECT count(*) FROM created)"

_NAME = re.compile(r"(?<!:):([a-z_]+)")


@functools.cache
def batch_statement(parts: frozenset[str]) -> BatchStatement:
    """The statement for batches in which RUNS or some of WRITES occur."""
    runs = RUNS in parts
    text = "".join(
        (
            _HEAD,
            _GO_WITH_RUNS if runs else _GO,
            _COUNTERS,
            *(part for name, part in WRITES.items() if name in parts),
            _TAIL.format(counted=_COUNTED_WITH_RUNS if runs else _COUNTED),
        )
    )
    numbers: dict[str, int] = {}
    text = _NAME.sub(lambda name: f"${numbers.setdefault(name[1], len(numbers) + 1)}", text)
    return BatchStatement(text=text, parameters=tuple(numbers))
