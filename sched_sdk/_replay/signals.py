"""Signals: kept in arrival order until somebody takes them.

A signal goes to the handler for its name; else to the waiter that has waited
longest and takes its name; else it stays until a handler or a waiter comes.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sched_sdk._payloads import decode
from sched_sdk._signature import Signature
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from sched_sdk._replay.call_sites import CallSite
    from sched_sdk._replay.loop import ReplayLoop
    from sched_sdk.api.v1 import common_pb2

__all__ = ["Signal", "SignalHandler", "Signals"]

T = TypeVar("T")

SignalHandler = Callable[..., Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Signal(Generic[T]):
    """A signal as `wait_for_signal` gives it."""

    name: str
    args: tuple[Any, ...] = ()
    """Everything the sender passed."""

    @property
    def payload(self) -> T:
        """What the sender passed: None, the one value, or a tuple of several."""
        if not self.args:
            return None  # type: ignore[return-value]  # T is what the waiter asked for
        value: T = self.args[0] if len(self.args) == 1 else self.args  # type: ignore[assignment]
        return value


@dataclass(frozen=True, slots=True)
class Received:
    """A signal as it arrived."""

    name: str
    payloads: Sequence[common_pb2.Payload]

    def read(self, annotation: Any) -> Signal[Any]:
        """Decoded; `annotation` is None for plain JSON values."""
        if annotation is None:
            return Signal(self.name, tuple(decode(payload) for payload in self.payloads))
        if len(self.payloads) > 1:
            raise PayloadError(
                f"signal {self.name} carries {len(self.payloads)} values; `type=` reads one. "
                "Take them from `.args` without `type=`, or send one value."
            )
        try:
            return Signal(self.name, tuple(decode(p, annotation) for p in self.payloads))
        except PayloadError as error:
            raise PayloadError(f"signal {self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Handler:
    function: SignalHandler
    signature: Signature
    context: contextvars.Context


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    name: str | None
    future: asyncio.Future[Received]
    since_us: int
    """Workflow time at which the wait began."""

    def takes(self, received: Received) -> bool:
        return (self.name is None or self.name == received.name) and not self.future.done()


class Signals:
    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop
        self._kept: list[Received] = []
        self._handlers: dict[str, _Handler] = {}
        self._waiters: list[_Waiter] = []

    @property
    def waiters(self) -> list[_Waiter]:
        """Who waits for a signal, in order."""
        return self._waiters

    def state(self) -> tuple[object, ...]:
        """Changes when something in here does."""
        return len(self._kept), len(self._waiters), *map(id, self._handlers.values())

    def deliver(self, received: Received) -> None:
        handler = self._handlers.get(received.name)
        if handler is not None:
            self._handle(handler, received)
            return
        for waiter in self._waiters:
            if waiter.takes(received):
                waiter.future.set_result(received)
                return
        self._kept.append(received)

    async def wait(self, name: str | None, timeout_us: int | None, site: CallSite) -> Received:
        """The next signal of that name (None: of any). TimeoutError after
        `timeout_us` of workflow time."""
        kept = self._take_kept(name)
        if kept is not None:
            return kept
        waiter = _Waiter(name, self._loop.create_future(), self._loop.now_us)
        self._waiters.append(waiter)
        timer = None
        if timeout_us is not None:
            timer = self._loop.start_timer(timeout_us, _time_out, (waiter, timeout_us), site=site)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            # Cancelled in the activation that brought the signal: it is not lost.
            if waiter.future.done() and not waiter.future.cancelled():
                self._give_back(waiter)
            raise
        finally:
            self._waiters.remove(waiter)
            if timer is not None:
                timer.cancel()

    def _take_kept(self, name: str | None) -> Received | None:
        for index, received in enumerate(self._kept):
            if name is None or received.name == name:
                return self._kept.pop(index)
        return None

    def _give_back(self, waiter: _Waiter) -> None:
        if waiter.future.exception() is not None:
            return
        received = waiter.future.result()
        for other in self._waiters:
            if other.takes(received):
                other.future.set_result(received)
                return
        self._kept.insert(0, received)

    def register(self, name: str, function: SignalHandler) -> None:
        """Let `function` have the signals of that name, those kept first. It
        runs with the context variables of this moment."""
        signature = Signature(function, f"on_signal({name!r})")
        handler = _Handler(function, signature, contextvars.copy_context())
        self._handlers[name] = handler
        kept = [received for received in self._kept if received.name == name]
        self._kept = [received for received in self._kept if received.name != name]
        for received in kept:
            self._handle(handler, received)

    def _handle(self, handler: _Handler, received: Received) -> None:
        if inspect.iscoroutinefunction(handler.function):
            self._loop.create_task(
                self._run(handler, received),
                name=f"signal {received.name}",
                context=handler.context.copy(),
            )
        else:
            self._loop.call_soon(self._call, handler, received, context=handler.context.copy())

    async def _run(self, handler: _Handler, received: Received) -> None:
        try:
            result = handler.function(*handler.signature.decode_arguments(received.payloads))
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            self._log(received, error)

    def _call(self, handler: _Handler, received: Received) -> None:
        try:
            handler.function(*handler.signature.decode_arguments(received.payloads))
        except Exception as error:
            self._log(received, error)

    def _log(self, received: Received, error: Exception) -> None:
        # A sender must not be able to fail the workflow with a bad value.
        self._loop.call_exception_handler(
            {"message": f"the handler of signal {received.name} failed", "exception": error}
        )


def _time_out(waiter: _Waiter, timeout_us: int) -> None:
    if not waiter.future.done():
        what = f"signal {waiter.name}" if waiter.name is not None else "signal"
        waiter.future.set_exception(TimeoutError(f"no {what} within {timeout_us / 1_000_000:g} s"))
