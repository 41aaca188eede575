"""A deterministic asyncio event loop.

Nothing happens here by itself. The run hands in one event, calls
`run_until_idle`, and gets back control when every task waits for something
that only a later event can bring. Time is the time of the latest event.

- `call_soon` stays local: a queue, first in, first out.
- `call_later` and `call_at` are durable timers: a command in the history,
  fired by an event.
- Whatever reaches outside (threads, sockets, processes, signals) is refused;
  see `refusals`.

A worker's own loop runs in the same thread. `enter` and `leave` swap the
running loop, its current task and the hooks for async generators.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from sched_sdk._replay import futures
from sched_sdk._replay.call_sites import NOWHERE, CallSite, mark_bottom, user_frame
from sched_sdk._replay.commands import CancelTimer, StartTimer
from sched_sdk._replay.futures import ReplayFuture, ReplayTask
from sched_sdk._replay.refusals import refuse_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from sched_sdk._replay.journal import Journal
    from sched_sdk.errors import ForbiddenCallError

__all__ = ["DurableTimer", "ReplayLoop", "new_loop"]

T = TypeVar("T")

_set_running_loop = asyncio._set_running_loop
_get_running_loop = asyncio._get_running_loop
_unregister_task: Callable[[asyncio.Task[Any]], None] = getattr(asyncio, "_unregister_task")  # noqa: B009 - documented, but not in the stubs
_logger = logging.getLogger("sched.workflow")


class ReadyCall(asyncio.Handle):
    """A callback that runs in this activation."""

    __slots__ = ("arguments", "callback", "context", "dropped")

    def __init__(  # asyncio's own initializer does more than is needed here
        self, callback: Callable[..., object], arguments: tuple[Any, ...], context: Any
    ) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context: contextvars.Context = context
        self.dropped = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def __repr__(self) -> str:
        return f"<ReadyCall {self.callback!r}>"


class DurableTimer(asyncio.TimerHandle):
    """A callback at a later time, and the command that says so."""

    __slots__ = ("arguments", "callback", "command", "context", "dropped", "due", "loop", "over")

    def __init__(
        self,
        loop: ReplayLoop,
        command: StartTimer | None,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        context: contextvars.Context,
        due: float,
    ) -> None:
        self.loop = loop
        # None: due at once, so no command is needed.
        self.command = command
        self.callback = callback
        self.arguments = arguments
        self.context = context
        self.due = due
        self.dropped = False
        self.over = False

    def settle(self, journal: Journal) -> None:
        command = self.command
        if self.dropped or command is None:
            return
        command.seq = journal.take_number()
        journal.timers[command.seq] = self
        journal.produced.append(command)

    def fire(self) -> None:
        self.over = True
        self.loop.ready.append(self)

    def cancel(self) -> None:
        if self.dropped:
            return
        self.dropped = True
        command = self.command
        if command is None or command.seq == 0 or self.over:
            return
        journal = self.loop.journal
        if not journal.evicted:
            journal.timers.pop(command.seq, None)
            journal.add(CancelTimer(command, user_frame()))

    def cancelled(self) -> bool:
        return self.dropped

    def when(self) -> float:
        return self.due

    def __hash__(self) -> int:
        return hash(self.due)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<DurableTimer at {self.due} {self.callback!r}>"


class ReplayLoop(asyncio.AbstractEventLoop):
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.ready: deque[ReadyCall | DurableTimer] = deque()
        self.now_us = 0
        # Times of the loop count from here, so that their fractions are exact.
        self.origin_us = 0
        self.tasks: dict[int, ReplayTask[Any]] = {}
        self.generators: list[AsyncGenerator[Any, Any]] = []
        self.silent = False
        self.last_order = 0
        """The number of the future or task made last."""
        self.guarded = False
        """Calls to the world outside are refused; see `guard`."""
        self.violation: ForbiddenCallError | None = None
        """The first refusal at the live edge, whether the code swallowed it or not."""
        self._running = False
        self._outer: tuple[Any, ...] = ()
        self._exception_handler: Callable[[Any, dict[str, Any]], object] | None = None

    # Entering and leaving

    def enter(self) -> None:
        outer = _get_running_loop()
        outer_task = asyncio.current_task(outer) if outer is not None else None
        if outer is not None and outer_task is not None:
            asyncio._leave_task(outer, outer_task)
        self._outer = (outer, outer_task, *sys.get_asyncgen_hooks())
        # A generator that is kept is never finalized at a moment that the
        # garbage collector chooses.
        sys.set_asyncgen_hooks(self._keep_generator, _forget_generator)
        _set_running_loop(self)
        self._running = True

    def leave(self) -> None:
        outer, outer_task, first_iteration, finalizer = self._outer
        self._outer = ()
        self._running = False
        _set_running_loop(outer)
        sys.set_asyncgen_hooks(first_iteration, finalizer)
        if outer_task is not None:
            asyncio._enter_task(outer, outer_task)

    def run_until_idle(self) -> None:
        ready = self.ready
        while ready:
            call = ready.popleft()
            if call.dropped:
                continue
            try:
                call.context.run(call.callback, *call.arguments)
            # SystemExit and KeyboardInterrupt come out of a task that ended
            # with them. They end the workflow, not the worker.
            except BaseException as error:
                self._report(call, error)

    def _report(self, call: ReadyCall | DurableTimer, error: BaseException) -> None:
        if isinstance(error, SystemExit | KeyboardInterrupt):
            owner = getattr(call.callback, "__self__", None)
            if owner is None or isinstance(owner, asyncio.Task):
                return
        self.call_exception_handler(
            {"message": f"Exception in callback {call.callback!r}", "exception": error}
        )

    def _keep_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if len(self.generators) >= 64:
            self.generators = [g for g in self.generators if _is_unfinished(g)]
        self.generators.append(generator)

    def unfinished_generators(self) -> list[AsyncGenerator[Any, Any]]:
        """What `async for` was left early; taken once, to be closed."""
        unfinished = [g for g in self.generators if _is_unfinished(g)]
        self.generators = []
        return unfinished

    # What asyncio and user code call

    def call_soon(  # type: ignore[override]  # the stubs tie the arguments to the callback
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> ReadyCall:
        if context is None:
            context = contextvars.copy_context()
        call = ReadyCall(callback, args, context)
        if not self.journal.evicted:
            self.ready.append(call)
        return call

    def call_later(  # type: ignore[override]  # the stubs tie the arguments to the callback
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> DurableTimer:
        return self.start_timer(round(delay * 1_000_000), callback, args, context)

    def call_at(  # type: ignore[override]  # the stubs tie the arguments to the callback
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> DurableTimer:
        duration_us = round(when * 1_000_000) - (self.now_us - self.origin_us)
        return self.start_timer(duration_us, callback, args, context)

    def start_timer(
        self,
        duration_us: int,
        callback: Callable[..., object],
        arguments: tuple[Any, ...] = (),
        context: contextvars.Context | None = None,
        site: CallSite = NOWHERE,
    ) -> DurableTimer:
        """A durable timer; one that is due at once stays local."""
        if context is None:
            context = contextvars.copy_context()
        due = (self.now_us - self.origin_us + duration_us) / 1_000_000
        if duration_us <= 0:
            timer = DurableTimer(self, None, callback, arguments, context, due)
            if not self.journal.evicted:
                self.ready.append(timer)
            return timer
        command = StartTimer(duration_us, site or user_frame() or self._site_of_task())
        timer = DurableTimer(self, command, callback, arguments, context, due)
        self.journal.add(timer)
        return timer

    def _site_of_task(self) -> CallSite:
        """A task of library code only, such as `create_task(asyncio.sleep(1))`,
        stands for the place that made it."""
        task = asyncio.current_task(self)
        return task.site if isinstance(task, ReplayTask) else NOWHERE

    def time(self) -> float:
        """Seconds since the workflow started, by the time of its events."""
        return (self.now_us - self.origin_us) / 1_000_000

    def next_order(self) -> int:
        self.last_order += 1
        return self.last_order

    def create_future(self) -> ReplayFuture[Any]:
        future: ReplayFuture[Any] = ReplayFuture(loop=self)
        self.last_order = future.order = self.last_order + 1
        return future

    def create_task(  # type: ignore[override]  # newer Pythons pass `eager_start`: tasks here always start on the next turn
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **_options: object,
    ) -> ReplayTask[T]:
        if self.journal.evicted:
            coro.close()
            self.journal.add(_NOTHING)  # raises
        order = self.next_order()
        if context is None:
            context = contextvars.copy_context()
        task: ReplayTask[T] = ReplayTask.__new__(ReplayTask)
        task.order = order
        task.context = context
        task.site = user_frame()
        task.__init__(  # type: ignore[misc]  # its hash is needed while it initializes
            coro, loop=self, name=name if name is not None else f"task-{order}", context=context
        )
        # A loop keeps its tasks, so they are destroyed only together with the run,
        # as by a process that ends: that is no mistake of the code.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # not in the stubs
        # asyncio's table of all tasks is one for the whole process, and numbers
        # of many runs would collide in it.
        _unregister_task(task)
        self.tasks[order] = task
        task.add_done_callback(self._forget_task, context=context)
        return task

    def _forget_task(self, task: asyncio.Task[Any]) -> None:
        assert isinstance(task, ReplayTask)
        del self.tasks[task.order]

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self.journal.evicted

    def get_debug(self) -> bool:
        return False

    def get_exception_handler(self) -> Callable[[Any, dict[str, Any]], object] | None:
        return self._exception_handler

    def set_exception_handler(
        self, handler: Callable[[Any, dict[str, Any]], object] | None
    ) -> None:
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what no code waits for; silent in replay, where it was logged before."""
        if self.silent:
            return
        _logger.error(
            "workflow code: %s",
            context.get("message", "an exception that nobody awaited"),
            exc_info=context.get("exception"),
        )

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.journal.evicted:
            return
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)


def _is_unfinished(generator: AsyncGenerator[Any, Any]) -> bool:
    return getattr(generator, "ag_frame", None) is not None


def _forget_generator(_generator: AsyncGenerator[Any, Any]) -> None:
    """Generators are closed when the run ends or is evicted, at no other time."""


class _Nothing:
    def settle(self, journal: Journal) -> None:
        """Never reached: the journal refuses it."""


_NOTHING = _Nothing()


def new_loop(journal: Journal) -> ReplayLoop:
    return ReplayLoop(journal)  # type: ignore[abstract]  # the rest is refused, below


mark_bottom(ReplayLoop.run_until_idle)
refuse_in(ReplayLoop)
futures.install()
