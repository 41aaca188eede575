"""Lists and counts of runs: a filter as constant fragments with parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_server.store.prefix import behind_prefix
from sched_server.store.sqlite import statements as sql

if TYPE_CHECKING:
    from sched_server.store.port import RunFilter

# The last workflow task was completed by this build.
_ON_BUILD = """EXISTS (
    SELECT 1 FROM run_counters AS counted
    WHERE counted.run_key = runs.run_key AND counted.build_id = ?)"""


def list_statement(
    run_filter: RunFilter, after: tuple[int, int] | None, limit: int
) -> tuple[str, list[Any]]:
    """SQL and parameters of a page of runs."""
    conditions, parameters = _conditions(run_filter)
    if after is not None:
        conditions.append("(runs.started_us, runs.run_key) < (?, ?)")
        parameters += after
    parameters.append(limit)
    return _put_together(sql.LIST_RUNS_HEAD, conditions, sql.LIST_RUNS_TAIL), parameters


def count_statement(run_filter: RunFilter) -> tuple[str, list[Any]]:
    """SQL and parameters of the counts by status."""
    conditions, parameters = _conditions(run_filter)
    return _put_together(sql.COUNT_RUNS_HEAD, conditions, sql.COUNT_RUNS_TAIL), parameters


def _put_together(head: str, conditions: list[str], tail: str) -> str:
    where = ["WHERE " + " AND ".join(conditions)] if conditions else []
    return "\n".join([head, *where, tail])


def _conditions(run_filter: RunFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []

    def restrict(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if run_filter.statuses:
        marks = ", ".join("?" * len(run_filter.statuses))
        restrict(f"runs.status IN ({marks})", *run_filter.statuses)
    if run_filter.workflow_type:
        restrict("runs.workflow_type = ?", run_filter.workflow_type)
    if run_filter.task_queue:
        restrict("runs.task_queue = ?", run_filter.task_queue)
    if run_filter.workflow_id_prefix:
        restrict("runs.workflow_id >= ?", run_filter.workflow_id_prefix)
        behind = behind_prefix(run_filter.workflow_id_prefix)
        if behind is not None:
            restrict("runs.workflow_id < ?", behind)
    if run_filter.build_id:
        restrict(_ON_BUILD, run_filter.build_id)
    if run_filter.started_after_us:
        restrict("runs.started_us >= ?", run_filter.started_after_us)
    if run_filter.started_before_us:
        restrict("runs.started_us < ?", run_filter.started_before_us)
    return conditions, parameters
