"""Keeps two engines running, and knows which of them leads.

what happens            what is done
──────────────────────  ──────────────────────────────────────────────
an engine leads         said, with how long nobody did
an engine dies          said; another is started in its place, later, so
                        that people see the survivor serve alone
an engine cannot start  said; tried again. The first time: given up
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from sched_cli.errors import CliError
from sched_cli.ha.protocol import EngineOptions, EngineReport
from sched_cli.reload.process import ChildProcess
from sched_cli.reload.supervisor import ending

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESTART_S = 2.0
# An engine whose supervisor hangs up has nothing to finish.
_PATIENCE_S = 1.0

Child = ChildProcess[EngineReport]


class EngineAnnouncer(Protocol):
    """Tells people what becomes of the engines."""

    def leads(self, engine: Engine, *, epoch: int, after_s: float | None) -> None:
        """This one leads now; nobody did for `after_s` (None: the first leader)."""

    def stands_by(self, engine: Engine) -> None:
        """This one waits for the other to end."""

    def ended(self, engine: Engine, how: str, *, restart_in_s: float) -> None:
        """Its process is gone."""

    def cannot_start(self, engine: Engine, why: str) -> None:
        """Tried again after a moment."""


class Engine:
    """A place for an engine; its processes come and go."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.address = f"{options.host}:{options.port}"
        self.child: Child | None = None
        self.stands_by = False
        self.pid = 0
        """Of its process, or of the last one."""
        self.restart: asyncio.TimerHandle | None = None
        self.failure = ""
        """Why that process could not serve."""


class Engines:
    """All of them. Belongs to the running event loop."""

    def __init__(self, options: Sequence[EngineOptions], announcer: EngineAnnouncer) -> None:
        self._announcer = announcer
        self._loop = asyncio.get_running_loop()
        self._engines = [Engine(each) for each in options]
        self._leader: Engine | None = None
        self._leaderless_since: float | None = None
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._stopped = False

    @property
    def addresses(self) -> str:
        """As clients and workers take them."""
        return ",".join(engine.address for engine in self._engines)

    def start(self) -> None:
        """Start every engine."""
        for engine in self._engines:
            self._start(engine)

    async def led(self) -> None:
        """Return when one leads for the first time. Raises CliError if one of
        them cannot serve."""
        await self._first

    async def stop(self) -> None:
        """End every engine at once."""
        self._stopped = True
        for engine in self._engines:
            if engine.restart is not None:
                engine.restart.cancel()
        children = [engine.child for engine in self._engines if engine.child is not None]
        for child in children:
            child.hang_up()
        waits = [asyncio.ensure_future(child.wait()) for child in children]
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=_PATIENCE_S)
        if late:
            for child in children:
                child.kill()
            await asyncio.wait(late)

    def _start(self, engine: Engine) -> None:
        engine.failure, engine.stands_by = "", False
        engine.child = ChildProcess(
            "sched_cli.ha.engine_child",
            engine.options.text(),
            decode=EngineReport.decode,
            on_report=lambda _child, report: self._on_report(engine, report),
            on_exit=lambda _child, code: self._on_exit(engine, code),
        )
        engine.pid = engine.child.pid

    def _on_report(self, engine: Engine, report: EngineReport) -> None:
        if self._stopped:
            return
        if report.state == "failed":
            engine.failure = report.message
        elif report.state == "leader":
            self._on_leader(engine, report.epoch)
        else:
            engine.stands_by = True
            self._lose(engine)
            if self._first.done():
                self._announcer.stands_by(engine)

    def _on_leader(self, engine: Engine, epoch: int) -> None:
        since = self._leaderless_since
        self._leader, self._leaderless_since = engine, None
        engine.stands_by = False
        after_s = None if since is None else self._loop.time() - since
        self._announcer.leads(engine, epoch=epoch, after_s=after_s)
        if not self._first.done():
            self._first.set_result(None)
            # All of them stood by until now; that was not worth a word.
            for other in self._engines:
                if other.stands_by:
                    self._announcer.stands_by(other)

    def _lose(self, engine: Engine) -> None:
        if self._leader is engine:
            self._leader, self._leaderless_since = None, self._loop.time()

    def _on_exit(self, engine: Engine, code: int) -> None:
        engine.child = None
        if self._stopped:
            return
        self._lose(engine)
        why = engine.failure or ending(code)
        if not self._first.done():
            self._first.set_exception(CliError(f"The engine {engine.address}: {why}"))
            return
        if engine.failure:
            self._announcer.cannot_start(engine, why)
        else:
            self._announcer.ended(engine, why, restart_in_s=_RESTART_S)
        engine.restart = self._loop.call_later(_RESTART_S, self._start, engine)
