"""Why a query has no answer, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.codec import failure_to_proto
from sched_server.core.decision import Rejection
from sched_server.core.state import TaskPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk.api.v1 import common_pb2
    from sched_server.execution import Execution
    from sched_server.store.port import RunRow


class QueryRejection(Rejection):
    """There is no answer, with what the workflow's code has to say about it."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        failure: common_pb2.Failure | None = None,
        known: Sequence[str] = (),
    ) -> None:
        super().__init__(reason, message)
        self.failure = failure
        self.known = tuple(known)


def refuse_stuck(execution: Execution) -> None:
    """A run whose code does not get on cannot tell anything that is true."""
    state = execution.state
    task = state.task
    if task.phase is not TaskPhase.BACKOFF:
        return
    if task.failure is not None:
        raise cannot_go_on(state.workflow_id, failure_to_proto(task.failure))
    if task.lost:
        raise QueryRejection(
            "NO_WORKER",
            f"the last {task.lost} workers that ran the code of workflow {state.workflow_id!r} "
            "were lost with it; no other is risked for a query",
        )
    if state.base == 0:
        raise QueryRejection(
            "QUERY_FAILED",
            f"workflow {state.workflow_id!r} starts later; its code has not run yet",
        )


def cannot_go_on(workflow_id: str, failure: common_pb2.Failure) -> QueryRejection:
    return QueryRejection(
        "NO_WORKER",
        f"the code of workflow {workflow_id!r} does not get past its history, so it cannot "
        f"answer: {_said(failure)}",
        failure=failure,
    )


def no_worker(row: RunRow, *, others: bool) -> QueryRejection:
    """`others`: there are workers on the task queue, which serve something else."""
    if others:
        message = (
            f"workers are connected on task queue {row.task_queue!r}, but none of them has "
            f"workflow {row.workflow_type!r}, whose code would have to answer; start one that does"
        )
    else:
        message = (
            f"no worker is connected on task queue {row.task_queue!r} that could answer for "
            f"workflow {row.workflow_type!r}; start one"
        )
    return QueryRejection("NO_WORKER", message)


def handler_failed(name: str, failure: common_pb2.Failure) -> QueryRejection:
    return QueryRejection(
        "QUERY_FAILED", f"the query {name!r} failed: {_said(failure)}", failure=failure
    )


def unknown_query(row: RunRow, name: str, known: Sequence[str]) -> QueryRejection:
    there_are = f"it has {', '.join(known)}" if known else "it has none of its own"
    return QueryRejection(
        "QUERY_NOT_FOUND",
        f"workflow {row.workflow_id!r} ({row.workflow_type}) has no query {name!r}; {there_are}, "
        "and __stack, __details and __queries are built in",
        known=known,
    )


def _said(failure: common_pb2.Failure) -> str:
    return f"{failure.type}: {failure.message}" if failure.type else failure.message
