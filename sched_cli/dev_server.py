"""The dev server: engine and supervisor in one process, the worker in a child."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli import logs, loops
from sched_cli.access import Serving
from sched_cli.errors import CliError, UsageError
from sched_cli.hosts import check_host
from sched_cli.options import DEFAULT_METRICS_PORT, DEFAULT_PORT
from sched_cli.render import console

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sched_cli.dev_worker import DevWorker
    from sched_cli.reload.supervisor import Supervisor
    from sched_server import EngineServer

logger = logging.getLogger("sched.engine")

MEMORY = ":memory:"
# Clients that wait for something get this long to hear that the engine goes.
_ENGINE_GRACE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """What `sched dev` was asked to run."""

    database: str
    """A path, or ":memory:"."""
    host: str
    port: int
    metrics_port: int | None
    """None: the usual one, or a free one if that is taken."""
    worker: DevWorker
    otlp_endpoint: str = ""
    """Empty: no spans."""
    serving: Serving = field(default_factory=Serving)

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises CliError when the engine cannot start.
        """
        logs.set_up(default_level="warning")
        with loops.stop_on_signals() as stop:
            self.worker.check()
            check_host(self.host)
            engine = await self._start_engine()
            supervisor = None
            try:
                self._say_what_serves(engine)
                engine_option = self._engine_option(engine.address)
                supervisor = self.worker.start(engine.address, engine_option=engine_option)
                await _first_of(stop.wait(), engine.wait())
            finally:
                await stop.carry_out(
                    _stop(supervisor, engine), hurry=lambda: _stop_now(supervisor, engine)
                )

    async def _start_engine(self) -> EngineServer:
        from sched_server import EngineServer, EngineSettings, EngineStartError
        from sched_server.errors import EngineSettingsError

        database: Path | str = self.database
        if database != MEMORY:
            database = Path(database)
            _make_folder(database)
        asked = self.metrics_port
        settings = EngineSettings(
            db=database,
            host=self.host,
            port=self.port,
            metrics_port=DEFAULT_METRICS_PORT if asked is None else asked,
            metrics_port_may_differ=asked is None,
            otlp_endpoint=self.otlp_endpoint,
            movable_clock=True,
            **asdict(self.serving),
        )
        server = EngineServer(settings)
        try:
            await server.start()
        except EngineSettingsError as error:
            raise UsageError(str(error)) from error
        except EngineStartError as error:
            raise CliError(str(error)) from error
        return server

    def _say_what_serves(self, engine: EngineServer) -> None:
        address = engine.address
        state = "in memory, forgotten at the end" if self.database == MEMORY else self.database
        console.labelled("engine", address, "green")
        console.labelled("state", state)
        taken = self.metrics_port is None and engine.metrics_port != DEFAULT_METRICS_PORT
        note = f" ({DEFAULT_METRICS_PORT} is taken)" if taken else ""
        console.labelled("metrics", f"{engine.metrics_url}{note}")
        if self.otlp_endpoint:
            console.labelled("spans", f"to {self.otlp_endpoint}")
        if not self.worker.targets:
            console.labelled("next", f"sched worker app.py --reload{self._engine_option(address)}")

    def _engine_option(self, address: str) -> str:
        where = "" if self.port == DEFAULT_PORT else f" --engine {address}"
        return where + self.serving.options()


async def _stop(worker: Supervisor | None, engine: EngineServer) -> None:
    """Someone who stops the dev server waits for their prompt, and its workflows go
    on at the next start: nothing is worth a wait."""
    if worker is not None:
        await worker.stop(gently=False)
    await engine.stop(grace_s=_ENGINE_GRACE_S)


async def _stop_now(worker: Supervisor | None, engine: EngineServer) -> None:
    logger.warning("asked again to stop: nothing is waited for any more")
    if worker is not None:
        worker.kill()
    await engine.stop(0)


async def _first_of(*waits: Coroutine[Any, Any, None]) -> None:
    """Return when the first of them has; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _make_folder(database: Path) -> None:
    """Make the database's folder, and keep it out of version control."""
    folder = database.parent
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            if folder.name == ".sched":
                (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be made ({error.strerror}). Choose another --db."
        ) from error
