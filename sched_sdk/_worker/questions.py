"""One question of the engine, and the answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._activations import Interruption
from sched_sdk._client.transport import check_payload
from sched_sdk._failures import failure_from_exception
from sched_sdk._replay.queries import ReadOnlyQueryError, UnknownQueryError
from sched_sdk._worker.outbox import QUERY_ANSWERS, encode_entry
from sched_sdk.api.v1.worker_service_pb2 import QueryAnswer, UnknownQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._replay.run import WorkflowRun
    from sched_sdk._worker.outbox import Outbox
    from sched_sdk.api.v1.worker_service_pb2 import QueryTask

__all__ = ["Question"]


class Question:
    """Answered exactly once, by one of its methods."""

    def __init__(self, task: QueryTask, outbox: Outbox) -> None:
        self.task = task
        self._outbox = outbox

    def fits(self, run: WorkflowRun) -> bool:
        """Whether the run has seen what the answer must know of."""
        return run.base >= self.task.base and run.seen >= self.task.last_event_id

    def put_to(self, run: WorkflowRun, name: str, guard: ActivationGuard) -> bool:
        """Ask the run. False: it may not be as it was; evict it."""
        error, blocked_for = guard.run(name, self._asking(run))
        if blocked_for:
            message = (
                f"the query {self.task.name} blocked the event loop for {blocked_for:.1f} s and "
                "was interrupted; a query only tells what the workflow knows"
            )
            self._failed(TimeoutError(message))
            return False
        if error is not None:
            self._failed(error)
            return not isinstance(error, ReadOnlyQueryError)
        return True

    def _asking(self, run: WorkflowRun) -> Callable[[], None]:
        task = self.task

        def ask() -> None:
            try:
                result = run.query(task.name, task.input)
                check_payload(result, f"the answer to query {task.name}")
            except Interruption:
                raise
            except UnknownQueryError as error:
                self._send(QueryAnswer(unknown=UnknownQuery(known=error.known)))
            else:
                self._send(QueryAnswer(result=result))

        return ask

    def not_cached(self) -> None:
        """There is no instance that could tell."""
        self._send(QueryAnswer(not_cached=True))

    def cannot_replay(self, error: BaseException) -> None:
        """The code does not get past its history."""
        self._send(QueryAnswer(replay_failure=failure_from_exception(error)))

    def _failed(self, error: BaseException) -> None:
        self._send(QueryAnswer(failure=failure_from_exception(error)))

    def _send(self, answer: QueryAnswer) -> None:
        answer.query_id = self.task.query_id
        self._outbox.put(encode_entry(QUERY_ANSWERS, answer))
