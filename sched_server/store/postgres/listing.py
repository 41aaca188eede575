"""Lists and counts of runs: a filter as constant fragments with parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.numeric import Int8

from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.arrays import int8_array
from sched_server.store.prefix import behind_prefix

if TYPE_CHECKING:
    from sched_server.store.port import RunFilter

__all__ = ["count_statement", "list_statement"]

# The last workflow task was completed by this build.
_ON_BUILD = """EXISTS (
    SELECT FROM run_counters AS counted
    WHERE counted.run_key = runs.run_key AND counted.build_id = $?)"""


class _Conditions:
    """Grows a WHERE clause; each `$?` in a condition is the next parameter."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.parameters: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        for value in values:
            condition = condition.replace("$?", self.parameter(value), 1)
        self.texts.append(condition)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def where(self) -> list[str]:
        return ["WHERE " + " AND ".join(self.texts)] if self.texts else []


def list_statement(
    run_filter: RunFilter, after: tuple[int, int] | None, limit: int
) -> tuple[str, list[Any]]:
    """SQL and parameters of a page of runs."""
    conditions = _conditions(run_filter)
    if after is not None:
        conditions.add("(runs.started_us, runs.run_key) < ($?, $?)", Int8(after[0]), Int8(after[1]))
    where = conditions.where()
    tail = sql.LIST_RUNS_TAIL + conditions.parameter(Int8(limit))
    return "\n".join([sql.LIST_RUNS_HEAD, *where, tail]), conditions.parameters


def count_statement(run_filter: RunFilter) -> tuple[str, list[Any]]:
    """SQL and parameters of the counts by status."""
    conditions = _conditions(run_filter)
    text = "\n".join([sql.COUNT_RUNS_HEAD, *conditions.where(), sql.COUNT_RUNS_TAIL])
    return text, conditions.parameters


def _conditions(run_filter: RunFilter) -> _Conditions:
    conditions = _Conditions()
    statuses = run_filter.statuses
    if len(statuses) == 1:  # read in the order of the index by status
        conditions.add("runs.status = $?", Int8(statuses[0]))
    elif statuses:
        conditions.add("runs.status = ANY($?)", int8_array(statuses))
    if run_filter.workflow_type:
        conditions.add("runs.workflow_type = $?", run_filter.workflow_type)
    if run_filter.task_queue:
        conditions.add("runs.task_queue = $?", run_filter.task_queue)
    if run_filter.workflow_id_prefix:
        conditions.add("runs.workflow_id >= $?", run_filter.workflow_id_prefix)
        behind = behind_prefix(run_filter.workflow_id_prefix)
        if behind is not None:
            conditions.add("runs.workflow_id < $?", behind)
    if run_filter.build_id:
        conditions.add(_ON_BUILD, run_filter.build_id)
    if run_filter.started_after_us:
        conditions.add("runs.started_us >= $?", Int8(run_filter.started_after_us))
    if run_filter.started_before_us:
        conditions.add("runs.started_us < $?", Int8(run_filter.started_before_us))
    return conditions
