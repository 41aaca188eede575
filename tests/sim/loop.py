"""An event loop whose time jumps, and processes that can be stopped and killed.

Nothing here waits: when nothing is ready, time is that of the next timer. So a
run takes as long as its computing, and the same seed makes the same run.

Every callback belongs to the process in whose context it was made (a context
variable, which tasks inherit). The loop looks at it before it runs a callback:

    running   it runs
    paused    it is put aside until the process goes on     (SIGSTOP, SIGCONT)
    dead      it is put aside for ever                      (SIGKILL)

A dead process keeps its tasks until the world ends: nothing of it is closed or
finalized before, so that none of its clean-up code can run.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)

# A turn of the loop takes so long, so that what happens in order has times in order.
_TURN_S = 2e-6


class Frozen(Exception):
    """Nothing is ready, and no timer is set: nothing can ever happen again."""


class State(Enum):
    RUNNING = 1
    PAUSED = 2
    DEAD = 3


class Process:
    """A process of the simulated machines, with a clock of its own.

    `drift` is how much faster (or slower) than the world's its clock goes."""

    def __init__(self, loop: VirtualLoop, name: str, *, drift: float = 0.0) -> None:
        self.loop = loop
        self.name = name
        self.state = State.RUNNING
        self.context = contextvars.copy_context()
        self.context.run(_process.set, self)
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.aside: list[asyncio.Handle] = []
        self.dies_after: int | None = None
        """Callbacks that it still runs."""
        self.on_death: Callable[[], None] = lambda: None
        self._rate = 1.0 + drift
        self._began = loop.time()

    def __repr__(self) -> str:
        return self.name

    @property
    def alive(self) -> bool:
        return self.state is not State.DEAD

    def monotonic(self) -> float:
        """Its own clock: it does not begin with the world's, nor go as fast."""
        return 1_000.0 + (self.loop.time() - self._began) * self._rate

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Something reaches the process from outside."""
        if self.alive:
            self.loop.call_soon(function, *arguments, context=self.context)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin a task in it."""
        return self.context.run(self.loop.create_task, work)

    def pause(self) -> None:
        if self.state is State.RUNNING:
            self.state = State.PAUSED

    def go_on(self) -> None:
        if self.state is State.PAUSED:
            self.state = State.RUNNING
            aside, self.aside = self.aside, []
            for handle in aside:
                self.loop.put(handle)

    def kill(self) -> None:
        if self.alive:
            self.state = State.DEAD
            self.on_death()


def current_process() -> Process:
    """Whose code runs."""
    process = _process.get()
    assert process is not None, "this is code of a process"
    return process


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `chance` decides who goes first among the processes that
    are ready at the same time; each by itself keeps asyncio's order."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timers_made = 0
        self._chance = chance
        self.callbacks = 0
        self.limit = 1 << 62
        self.crash_points: Counter[str] = Counter()
        """Where processes stood when they died in the middle of something."""
        self._dead: list[Any] = []
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self._now

    def put(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)  # type: ignore[attr-defined]

    def world_at(self, when: float, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it at a time, for the world: no process can stop it."""
        self.call_at(when, function, *arguments, context=_WORLD)

    def world_later(self, delay: float, function: Callable[..., Any], *arguments: Any) -> None:
        self.call_at(self._now + delay, function, *arguments, context=_WORLD)

    def _run_once(self) -> None:
        self._wake_timers()
        ready = self._ready  # type: ignore[attr-defined]
        if len(ready) == 1:
            self._turn(ready.popleft())
        else:
            turn = self._shuffled([ready.popleft() for _ in range(len(ready))])
            for handle in turn:
                self._turn(handle)
        self._now += _TURN_S

    def _wake_timers(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        ready = self._ready  # type: ignore[attr-defined]
        if not ready:
            if not timers:
                raise Frozen
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])

    def _shuffled(self, turn: list[asyncio.Handle]) -> list[asyncio.Handle]:
        """Whole processes in any order, the callbacks of each in theirs."""
        by_process: dict[Process | None, list[asyncio.Handle]] = {}
        for handle in turn:
            by_process.setdefault(_owner(handle), []).append(handle)
        if len(by_process) == 1:
            return turn
        groups = list(by_process.values())
        self._chance.shuffle(groups)
        return [handle for group in groups for handle in group]

    def _turn(self, handle: asyncio.Handle) -> None:
        if handle.cancelled():
            return
        process = _owner(handle)
        if process is not None:
            if process.dies_after is not None and process.state is State.RUNNING:
                process.dies_after -= 1
                if process.dies_after < 0:
                    process.dies_after = None
                    self.crash_points[_place(handle)] += 1
                    process.kill()
            if process.state is not State.RUNNING:
                process.aside.append(handle)
                return
        self.callbacks += 1
        if self.callbacks > self.limit:
            raise Frozen
        handle._run()

    # --- asyncio's own, without what costs time and does nothing here ----------------

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    # --- what asyncio's base class asks of a loop ------------------------------------

    def _write_to_self(self) -> None:
        """There is one thread; nobody has to be woken."""

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        process = _process.get()
        if process is None or not process.alive or self.is_closed():
            self._dead.append(agen)
        else:
            self.create_task(agen.aclose())

    def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Nothing is shut down here."""


_WORLD = contextvars.copy_context()


def _owner(handle: asyncio.Handle) -> Process | None:
    context: contextvars.Context = handle._context  # type: ignore[attr-defined]
    return context.get(_process)


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Any, context: contextvars.Context | None = None
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
    process = _process.get() if context is None else context.get(_process)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(process.tasks.pop)
    return task


def _place(handle: asyncio.Handle) -> str:
    """Which await of the product the callback would have come back from, for people."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return f"callback {getattr(callback, '__qualname__', type(callback).__name__)}"
    place = ""
    inner: Any = task.get_coro()
    while inner is not None and (frame := getattr(inner, "cr_frame", None)) is not None:
        if "/sched_" in frame.f_code.co_filename or not place:
            place = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        inner = inner.cr_await
    return place
