"""From the start of the function to the closing command.

    running   the function's own task is not done
    draining  it is: what is left is cleaned up
    closed    the closing command was produced; nothing runs any more

The close is looked for when all events of a task were delivered, so that the
handlers of signals that came behind the function's last event still run.

Draining does in order what `asyncio.run` does, and waits for activities:
remaining tasks are cancelled once and may clean up; async generators that were
left early are closed; queued activities are awaited, their failures ignored
(those queued before a cancel request are asked to stop).
Steps that nobody waits for any more are dropped. A cancel request meanwhile
cancels the tasks again and asks the activities to stop, and waits for them.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from sched_sdk._failures import failure_from_exception
from sched_sdk._replay.call_sites import mark_bottom, raised_at
from sched_sdk._replay.commands import CancelWorkflow, CompleteWorkflow, FailWorkflow

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sched_sdk._context import WorkflowContext
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.commands import Command
    from sched_sdk._replay.loop import ReplayLoop
    from sched_sdk.api.v1 import history_pb2

__all__ = ["Lifecycle"]


class Lifecycle:
    def __init__(self, definition: WorkflowDefinition, loop: ReplayLoop) -> None:
        self._definition = definition
        self._loop = loop
        self._main: asyncio.Task[Any] | None = None
        self._cancel_requested = False
        # What had been asked for when the workflow was asked to stop.
        self._asked_up_to = 0
        self.asked: tuple[asyncio.Future[Any], str] | None = None
        """What the function awaited when it was cancelled, if that is not over yet."""
        self.closed = False

    @property
    def main(self) -> asyncio.Task[Any] | None:
        """The task of the function; None before the start."""
        return self._main

    @property
    def closing(self) -> Command | None:
        """How the workflow closes; None while its function runs."""
        return self._loop.journal.closing

    @property
    def draining(self) -> bool:
        return self.closing is not None and not self.closed

    def start(self, context: WorkflowContext, started: history_pb2.WorkflowStarted) -> None:
        variables = contextvars.Context()  # nothing of the worker's
        self._main = self._loop.create_task(
            self._call(context, started), name="workflow", context=variables
        )
        self._main.add_done_callback(self._function_ended, context=variables)

    async def _call(self, context: WorkflowContext, started: history_pb2.WorkflowStarted) -> Any:
        arguments = self._definition.decode_arguments(started.input)
        return await self._definition.fn(context, *arguments)

    def request_cancel(self, reason: str) -> None:
        self._cancel_requested = True
        self._asked_up_to = self._loop.journal.last_seq
        if self.closed:
            return
        if self._main is not None and not self._main.done():
            self._cancel_main(reason)
            return
        self._cancel_tasks()
        for handle in list(self._loop.journal.activities.values()):
            handle.cancel()

    def _cancel_main(self, reason: str) -> None:
        assert self._main is not None
        awaited: asyncio.Future[Any] | None = getattr(self._main, "_fut_waiter", None)
        self._main.cancel(reason or None)
        if awaited is not None and not awaited.done():
            self.asked = (awaited, reason)

    def insist(self) -> bool:
        """An activity that was asked to stop may complete all the same; then the
        code has its result, and the cancellation comes at the next await. Says
        whether it came just now."""
        if self.asked is None or self._main is None or not self.asked[0].done():
            return False
        (awaited, reason), self.asked = self.asked, None
        if self._main.done() or _was_cancelled(awaited):
            return False
        self._cancel_main(reason)
        return True

    def _function_ended(self, main: asyncio.Task[Any]) -> None:
        self._loop.journal.closing = self._closing_command(main)
        self._cancel_tasks()

    def _cancel_tasks(self) -> None:
        for task in list(self._loop.tasks.values()):
            task.cancel("the workflow function has ended")

    def _closing_command(self, main: asyncio.Task[Any]) -> Command:
        error: BaseException | None
        try:
            error = main.exception()
        except asyncio.CancelledError as cancelled:
            if self._cancel_requested:
                return CancelWorkflow(failure_from_exception(cancelled))
            error = cancelled
        if error is not None:
            return FailWorkflow(failure_from_exception(error), raised_at(error))
        try:
            return CompleteWorkflow(self._definition.encode_result(main.result()))
        except Exception as unfit:  # whatever the result's own code raises
            return FailWorkflow(failure_from_exception(unfit))

    def _stop_leftovers(self) -> None:
        """Nobody waits any more for what was queued before the workflow was
        asked to stop; what its clean-up queued is let finish."""
        journal = self._loop.journal
        for seq, handle in list(journal.activities.items()):
            if seq <= self._asked_up_to:
                handle.cancel()
        self._asked_up_to = 0
        journal.flush()

    def drain(self) -> None:
        """Called when the code is idle and its requests are numbered: go on as
        far as possible, and produce the closing command when nothing is left."""
        loop = self._loop
        journal = loop.journal
        if self._asked_up_to:
            self._stop_leftovers()
        while not loop.tasks:
            unfinished = loop.unfinished_generators()
            if not unfinished:
                break
            for generator in unfinished:
                loop.create_task(_close(generator.aclose()), context=contextvars.Context())
            loop.run_until_idle()
            journal.flush()
        if loop.tasks or journal.activities:
            return
        journal.abandoned_steps.update(journal.steps)
        journal.steps.clear()
        assert self.closing is not None
        journal.produced.append(self.closing)
        self.closed = True


def _was_cancelled(future: asyncio.Future[Any]) -> bool:
    return future.cancelled() or isinstance(future.exception(), asyncio.CancelledError)


async def _close(closing: Coroutine[Any, Any, None]) -> None:
    await closing


# Generators that were left early are closed here, not by a line of code.
mark_bottom(Lifecycle.drain)
