"""The context: everything a workflow function may ask for.

A workflow function is an `async def` whose first parameter is the context. It
runs again from its beginning whenever a worker needs it in memory, over the
history of what it did before; what it asks for through the context is answered
from that history, and only what is new is done. So all that is not the same in
every run (time, chance, the network, files) is asked for here.

asyncio works as ever: `gather`, `wait`, `timeout`, `TaskGroup`, `Event`,
`Queue`, `Lock`. Waiting for time is durable.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, TypeVarTuple, Unpack, overload

from sched_sdk._definitions import check_name
from sched_sdk._policy import RetryPolicy, as_microseconds, as_timedelta
from sched_sdk._replay.activities import ActivityHandle, queue
from sched_sdk._replay.activity_calls import prepare_call
from sched_sdk._replay.call_sites import caller
from sched_sdk._replay.signals import Signal
from sched_sdk._replay.step_calls import result_decoder, step_name
from sched_sdk._replay.steps import ask
from sched_sdk._workflow_logger import WorkflowLogger

if TYPE_CHECKING:
    import logging
    import random

    from sched_sdk._replay.call_sites import CallSite
    from sched_sdk._replay.conditions import Conditions
    from sched_sdk._replay.facts import Facts
    from sched_sdk._replay.journal import Journal
    from sched_sdk._replay.loop import ReplayLoop
    from sched_sdk._replay.patches import Patches
    from sched_sdk._replay.queries import Queries, QueryHandler
    from sched_sdk._replay.signals import SignalHandler, Signals

__all__ = ["ActivityCallOptions", "ActivityHandle", "Signal", "WorkflowContext", "WorkflowInfo"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Handler = TypeVar("Handler", bound="SignalHandler")
Query = TypeVar("Query", bound="QueryHandler")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ActivityCallOptions(TypedDict, total=False):
    """Options of one activity call. What is not given is as the activity was
    declared. Durations are seconds or timedeltas."""

    retry: RetryPolicy
    start_to_close: timedelta | float
    """The limit of one attempt."""
    schedule_to_close: timedelta | float
    """The limit of all attempts and the waits between them."""
    schedule_to_start: timedelta | float
    """The limit of waiting for a worker."""
    heartbeat_timeout: timedelta | float
    """The longest silence between two heartbeats."""
    task_queue: str
    """Whose workers run it; by default the workflow's own."""
    summary: str
    """One line for people who look at the history."""


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """Which run this is. Times are aware datetimes in UTC."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    started_at: datetime
    execution_timeout: timedelta | None
    """None: without limit."""
    previous_run_id: str
    """The run under the same workflow id that came before; may be empty."""
    history_length: int
    """Events so far, as the code has seen them; the same in replay."""
    is_replaying: bool
    """For logs and metrics only: what the code does must not depend on it."""


class WorkflowContext:
    """What a workflow function asks for. The worker makes it; see the module."""

    __slots__ = (
        "_conditions",
        "_facts",
        "_journal",
        "_logger",
        "_loop",
        "_patches",
        "_queries",
        "_signals",
    )

    def __init__(
        self,
        loop: ReplayLoop,
        journal: Journal,
        facts: Facts,
        signals: Signals,
        conditions: Conditions,
        patches: Patches,
        queries: Queries,
    ) -> None:
        self._loop = loop
        self._journal = journal
        self._facts = facts
        self._signals = signals
        self._conditions = conditions
        self._patches = patches
        self._queries = queries
        self._logger: logging.LoggerAdapter[logging.Logger] | None = None

    @overload
    def queue_activity(
        self,
        activity: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        **options: Unpack[ActivityCallOptions],
    ) -> ActivityHandle[T]: ...
    @overload
    def queue_activity(
        self,
        activity: Callable[[*Ts], T],
        /,
        *args: *Ts,
        **options: Unpack[ActivityCallOptions],
    ) -> ActivityHandle[T]: ...
    @overload
    def queue_activity(
        self,
        activity: str,
        /,
        *args: Any,
        result_type: type[T],
        **options: Unpack[ActivityCallOptions],
    ) -> ActivityHandle[T]: ...
    @overload
    def queue_activity(
        self, activity: str, /, *args: Any, **options: Unpack[ActivityCallOptions]
    ) -> ActivityHandle[Any]: ...
    def queue_activity(  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        self, activity: Callable[..., Any] | str, /, *args: Any, **options: Any
    ) -> ActivityHandle[Any]:
        """Have a worker run an activity. The command is recorded at once, the
        arguments are encoded at once; await the handle for the result.

        `activity` is a function declared with `@activity`, or the name of one
        that other code runs; then `result_type` says how to read the result.
        See ActivityCallOptions for the options.

        Raises PayloadError for arguments that do not fit, DefinitionError for
        a function that is no activity. The handle raises ActivityError.
        """
        command, decode = prepare_call(activity, args, options, caller())
        return queue(self._loop, command, decode)

    @overload
    def step(
        self,
        fn: Callable[[*Ts], Coroutine[Any, Any, T]],
        /,
        *args: *Ts,
        retry: RetryPolicy | None = None,
        timeout: timedelta | float | None = None,
        name: str | None = None,
    ) -> asyncio.Future[T]: ...
    @overload
    def step(
        self,
        fn: Callable[[*Ts], T],
        /,
        *args: *Ts,
        retry: RetryPolicy | None = None,
        timeout: timedelta | float | None = None,
        name: str | None = None,
    ) -> asyncio.Future[T]: ...
    def step(  # type: ignore[misc]  # mypy does not see that *Any takes *Ts
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        retry: RetryPolicy | None = None,
        timeout: timedelta | float | None = None,
        name: str | None = None,
    ) -> asyncio.Future[Any]:
        """Run a short function inside this worker, durably: its result is
        recorded before anything else can act on it, and once it is recorded the
        function never runs again.

        An `async def` runs on the worker's event loop, a plain function in a
        thread. It starts at once, awaited or not; one that nobody waits for
        when the workflow function ends is dropped.

        `retry` is RetryPolicy() by default; `timeout` limits one attempt,
        by default to 30 s.
        `name` (by default the function's) stands in the history and must stay
        the same while workflows are running.

        Raises, when awaited, the error of the last attempt as an
        ApplicationError with the original class name as `type`.
        """
        return ask(
            self._loop,
            check_name(step_name(fn) if name is None else name, "step"),
            fn,
            args,
            result_decoder(fn),
            retry,
            None if timeout is None else as_timedelta(timeout, "timeout"),
            caller(),
        )

    def sleep(self, duration: timedelta | float) -> Coroutine[Any, Any, None]:
        """Wait, durably: seconds or a timedelta, from milliseconds to years."""
        return self._sleep(as_microseconds(duration, "sleep"), caller())

    async def _sleep(self, duration_us: int, site: CallSite) -> None:
        if duration_us == 0:
            await asyncio.sleep(0)
            return
        future = self._loop.create_future()
        timer = self._loop.start_timer(duration_us, _wake, (future,), site=site)
        try:
            await future
        finally:
            timer.cancel()

    @overload
    def wait_for_signal(
        self,
        name: str | None = None,
        *,
        type: type[T],
        timeout: timedelta | float | None = None,
    ) -> Coroutine[Any, Any, Signal[T]]: ...
    @overload
    def wait_for_signal(
        self,
        name: str | None = None,
        *,
        type: None = None,
        timeout: timedelta | float | None = None,
    ) -> Coroutine[Any, Any, Signal[Any]]: ...
    def wait_for_signal(
        self,
        name: str | None = None,
        *,
        type: Any = None,  # noqa: A002 - the name the reader expects
        timeout: timedelta | float | None = None,
    ) -> Coroutine[Any, Any, Signal[Any]]:
        """The next signal of that name, or of any name, in arrival order.
        Signals that came earlier are kept; those that have a handler
        (`on_signal`) go to it instead.

        `type` reads the payload as that type. Raises TimeoutError after
        `timeout` (durable), PayloadError when the payload does not fit.
        """
        timeout_us = None if timeout is None else as_microseconds(timeout, "timeout")
        return self._wait_for_signal(name, type, timeout_us, caller())

    async def _wait_for_signal(
        self, name: str | None, annotation: Any, timeout_us: int | None, site: CallSite
    ) -> Signal[Any]:
        received = await self._signals.wait(name, timeout_us, site)
        return received.read(annotation)

    def on_signal(self, name: str) -> Callable[[Handler], Handler]:
        """Decorate a closure that gets the signals of that name, those that
        came earlier first. Its parameters are read by their annotations. It
        may be `async`; then each signal runs in a task of its own. What it
        raises is logged, and does not fail the workflow.
        """

        def register(function: Handler) -> Handler:
            self._signals.register(name, function)
            return function

        return register

    @overload
    def query(self, function: Query, /) -> Query: ...
    @overload
    def query(self, name: str, /) -> Callable[[Query], Query]: ...
    def query(self, what: Any, /) -> Any:
        """Decorate a closure that answers a query, as `@ctx.query` under its own
        name or as `@ctx.query("name")`.

        A query tells something about the workflow, whether it runs or has
        ended, and is in no history. It is a plain `def`, its parameters are read
        by their annotations, its result is encoded. It only looks: whatever
        would change the workflow raises. What it assigns itself (`nonlocal`, a
        list that it appends to) cannot be seen and must not happen.

        Raises DefinitionError for an `async def`, and for a name that begins
        with `__`.
        """
        if not isinstance(what, str):
            self._queries.register(getattr(what, "__name__", ""), what)
            return what

        def register(function: Query) -> Query:
            self._queries.register(what, function)
            return function

        return register

    def set_details(self, text: str) -> None:
        """Say in a text for people what the workflow is doing. Lists show its first
        line, `sched workflow show` all of it, whether a worker lives or not.

        Replaces the text before; an empty one clears it. It is kept with what the
        code does next, or 50 ms later while a step runs. Replay does not compare
        it, so that it may change from one version of the code to the next. At most
        4,096 characters are kept. Raises TypeError for what is no text."""
        self._queries.set_details(text)

    def wait_for(
        self, predicate: Callable[[], object], timeout: timedelta | float | None = None
    ) -> Coroutine[Any, Any, None]:
        """Wait until `predicate()` is true. It is asked whenever the code is
        idle after an event; it must be quick and only look. Raises
        TimeoutError after `timeout` (durable), and what the predicate raises.
        """
        timeout_us = None if timeout is None else as_microseconds(timeout, "timeout")
        return self._conditions.wait(predicate, timeout_us, caller())

    def patched(self, patch: str) -> bool:
        """Whether this run takes the new path of a change to running workflows:

            if ctx.patched("two-reminders"):
                await ctx.queue_activity(remind, order)   # new code
            await ctx.queue_activity(remind, order)

        True for runs that reach this place for the first time, false for runs
        that passed it before the change. The first answer to an id holds for
        the whole run and is recorded in its history. Ids are up to 255
        characters; give every change one of its own.
        """
        return self._patches.patched(patch, caller())

    def deprecate_patch(self, patch: str) -> None:
        """Take the place of `patched(patch)` when no run on the old path is left.
        Once the last run that recorded `patched` is closed, this call may
        disappear, too: histories with it replay without it."""
        self._patches.deprecate(patch, caller())

    def now(self) -> datetime:
        """The workflow's time, in UTC: that of the last event."""
        return _EPOCH + timedelta(microseconds=self._loop.now_us)

    @property
    def random(self) -> random.Random:
        """Random numbers that are the same in every replay of this run."""
        return self._facts.random

    def uuid4(self) -> uuid.UUID:
        """A random UUID that is the same in every replay of this run."""
        return uuid.UUID(int=self._facts.random.getrandbits(128), version=4)

    @property
    def info(self) -> WorkflowInfo:
        facts = self._facts
        return WorkflowInfo(
            workflow_id=facts.workflow_id,
            run_id=facts.run_id,
            workflow_type=facts.workflow_type,
            task_queue=facts.task_queue,
            started_at=_EPOCH + timedelta(microseconds=facts.started_time_us),
            execution_timeout=(
                timedelta(microseconds=facts.execution_timeout_us)
                if facts.execution_timeout_us
                else None
            ),
            previous_run_id=facts.previous_run_id,
            history_length=facts.seen,
            is_replaying=facts.replaying,
        )

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Logs once: it is silent in replay. Records carry `workflow_id`,
        `run_id` and `workflow_name`."""
        if self._logger is None:
            self._logger = WorkflowLogger(self._facts)
        return self._logger


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
