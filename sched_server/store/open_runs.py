"""Which groups of a batch apply: the judgement that every store makes alike.

Rows say which expectations fail and which runs are open; the rest is order. A
group sees what the groups before it opened and closed, and its own closes
count before its opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_server.store.port import CommitGroup, RunChange

__all__ = ["OPEN_STATUS", "judge", "opens"]

OPEN_STATUS = 1
"""WORKFLOW_STATUS_RUNNING, as stored."""


def opens(change: RunChange) -> bool:
    """Whether the change leaves behind a new run that is open."""
    created = change.created
    return created is not None and created.status == OPEN_STATUS and not change.closed_status


def judge(
    groups: Sequence[CommitGroup], unexpected: set[int], open_runs: dict[str, int]
) -> list[bool]:
    """Which groups apply, looking at them in order.

    `unexpected` are the run keys whose expectation fails; `open_runs` has the
    open run of every workflow id for which the batch creates one, and is kept
    up to date here.
    """
    workflow_ids = {run_key: workflow_id for workflow_id, run_key in open_runs.items()}
    applied: list[bool] = []
    for group in groups:
        closed = {change.run_key for change in group.changes if change.closed_status}
        opened = _opened_runs(group, unexpected, open_runs, closed)
        applied.append(opened is not None)
        if opened is None:
            continue
        for run_key in closed & workflow_ids.keys():
            del open_runs[workflow_ids.pop(run_key)]
        for workflow_id, run_key in opened.items():
            open_runs[workflow_id] = run_key
            workflow_ids[run_key] = workflow_id
    return applied


def _opened_runs(
    group: CommitGroup, unexpected: set[int], open_runs: dict[str, int], closed: set[int]
) -> dict[str, int] | None:
    """The runs that the group opens, by workflow id; None if it does not apply."""
    opened: dict[str, int] = {}
    for change in group.changes:
        if change.run_key in unexpected:
            return None
        created = change.created
        if created is None or not opens(change):
            continue
        holder = open_runs.get(created.workflow_id)
        taken = holder is not None and holder not in closed
        if taken or created.workflow_id in opened:
            return None
        opened[created.workflow_id] = change.run_key
    return opened
