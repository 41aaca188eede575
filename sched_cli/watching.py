"""`--watch`: look again and again, until Ctrl-C.

A `Subject` says how to look and how to show it. On a terminal each look takes the
place of the one before; with `--output jsonl` each value is printed that is new or
has changed. The first look fails as it would without `--watch`; later ones that
find no engine leave the last picture, say so, and go on looking.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sched_cli import loops
from sched_cli.errors import EXIT_UNREACHABLE, CliError, UsageError, explain
from sched_cli.options import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from rich.console import RenderableType

    from sched_sdk._client import Client

__all__ = ["Engine", "Subject", "interval_of", "watch"]

SeenT = TypeVar("SeenT")
SeenT_contra = TypeVar("SeenT_contra", contravariant=True)
ResultT = TypeVar("ResultT")

# An engine that is overloaded is not helped by being asked more often.
_SHORTEST = timedelta(milliseconds=100)
_ANSWER_S = 6.0
# They change with every look, and what they tell is not what one waits for.
_UNSTABLE = frozenset(
    {"sentence", "clock", "commit_latency", "dispatch_latency", "last_heard_time"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Generic[SeenT]):
    """What is watched."""

    look: Callable[[], Awaitable[SeenT]]
    """Raises an error with exit code 3 when no engine answers."""
    draw: Callable[[SeenT, int], Iterable[RenderableType]]
    """Lines and tables for a terminal of so many columns."""
    values: Callable[[SeenT], Mapping[str, Any]]
    """For programs: each value by what tells it from the others."""
    is_over: Callable[[SeenT], bool] = lambda _: False
    """Whether nothing can change any more."""


class Engine:
    """A connection that is made when it is needed, and again after it was lost."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._client: Client | None = None

    async def ask(self, use: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
        """What `use` returns. Raises CliError with exit code 3 when no engine answers."""
        from sched_cli.connection import connect
        from sched_sdk.errors import EngineUnavailableError

        if self._client is None:
            self._client = await connect(self._engine, retry_timeout=1.0)
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await use(self._client)
        except TimeoutError:
            await self.close()
            text = f"{self._engine} has not answered for {_ANSWER_S:g} s"
            raise CliError(text, exit_code=EXIT_UNREACHABLE) from None
        except EngineUnavailableError:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _Display(Protocol[SeenT_contra]):
    """Where looks go."""

    def show(self, seen: SeenT_contra) -> None: ...

    def lost(self, problem: str) -> None: ...

    async def pause(self, seconds: float) -> None:
        """Until the next look is due."""


def interval_of(text: str) -> timedelta:
    """Raises UsageError for what is no duration, or too short."""
    from sched_cli.values import parse_duration

    interval = parse_duration(text, "--interval") or timedelta(0)
    if interval < _SHORTEST:
        raise UsageError(f"--interval {text!r} is too short; the least is 100ms.")
    return interval


def watch(subject: Subject[Any], output: OutputFormat, interval: str, engine: Engine) -> None:
    """Show the subject until Ctrl-C, or until it is over.

    Raises UsageError where there is neither a terminal nor `--output jsonl`.
    """
    from sched_cli.render import console

    pause = interval_of(interval)
    if output is OutputFormat.JSON:
        raise UsageError("--watch prints one value after another; use --output jsonl.")
    on_terminal = output is OutputFormat.TABLE
    if on_terminal and (not sys.stdout.isatty() or console.data().is_dumb_terminal):
        raise UsageError(
            "--watch draws on a terminal, and stdout is none. For a program: --output jsonl"
        )
    # What the client logs when it loses the engine is told here in words.
    logging.getLogger("sched").addHandler(logging.NullHandler())
    # So that the terminal is put back as it was.
    signal.signal(signal.SIGTERM, _end)
    try:
        if on_terminal:
            from sched_cli.render.screen import Screen

            with Screen(subject.draw, pause) as screen:
                loops.run_once(_run(subject, screen, pause, engine))
        else:
            loops.run_once(_run(subject, _Lines(subject.values), pause, engine))
    except KeyboardInterrupt:
        return  # an interrupt is how a watch is meant to end


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


async def _run(
    subject: Subject[SeenT], display: _Display[SeenT], interval: timedelta, engine: Engine
) -> None:
    try:
        seen = await subject.look()
        display.show(seen)
        while not subject.is_over(seen):
            await display.pause(interval.total_seconds())
            try:
                seen = await subject.look()
            except Exception as error:
                explained = explain(error)
                if explained is None or explained.exit_code != EXIT_UNREACHABLE:
                    raise
                display.lost(str(explained))
            else:
                display.show(seen)
    finally:
        await engine.close()


class _Lines:
    """For programs: what is new or has changed, one JSON value a line."""

    def __init__(self, values: Callable[[Any], Mapping[str, Any]]) -> None:
        self._values = values
        self._printed: dict[str, Any] = {}
        self._lost = False

    def show(self, seen: object) -> None:
        from sched_cli.render import console, plain

        if self._lost:
            console.say("The engine answers again.")
        self._lost = False
        values = {key: plain.jsonable(value) for key, value in self._values(seen).items()}
        stable = {key: _without_unstable(value) for key, value in values.items()}
        for key, value in values.items():
            if key not in self._printed or self._printed[key] != stable[key]:
                plain.print_json_line(value)
        self._printed = stable

    def lost(self, problem: str) -> None:
        from sched_cli.render import console

        if not self._lost:
            console.print_warning(f"{problem.rstrip('.')}. Looking on.")
        self._lost = True

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _without_unstable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_unstable(item) for key, item in value.items() if key not in _UNSTABLE}
    return [_without_unstable(item) for item in value] if isinstance(value, list) else value
