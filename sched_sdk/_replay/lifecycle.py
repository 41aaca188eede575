"""From the start of the function to the closing command.

    running   the function's own task is not done
    draining  it is: what is left is cleaned up
    closed    the closing command was produced; nothing runs any more

The close is looked for when all events of a task were delivered, so that the
handlers of signals that came behind the function's last event still run.

Draining does in order what `asyncio.run` does, and waits for activities:
remaining tasks are cancelled once and may clean up; async generators that were
left early are closed; queued activities are awaited, their failures ignored.
Steps that nobody waits for any more are dropped. A cancel request meanwhile
cancels the tasks again and asks the activities to stop, and waits for them.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from sched_sdk._failures import failure_from_exception
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
        self.closing: Command | None = None
        self.closed = False

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
        if self.closed:
            return
        if self._main is not None and not self._main.done():
            self._main.cancel(reason or None)
            return
        self._cancel_tasks()
        for handle in list(self._loop.journal.activities.values()):
            handle.cancel()

    def _function_ended(self, main: asyncio.Task[Any]) -> None:
        self.closing = self._closing_command(main)
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
            return FailWorkflow(failure_from_exception(error))
        try:
            return CompleteWorkflow(self._definition.encode_result(main.result()))
        except Exception as unfit:  # whatever the result's own code raises
            return FailWorkflow(failure_from_exception(unfit))

    def drain(self) -> None:
        """Called when the code is idle and its requests are numbered: go on as
        far as possible, and produce the closing command when nothing is left."""
        loop = self._loop
        journal = loop.journal
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


async def _close(closing: Coroutine[Any, Any, None]) -> None:
    await closing
