"""The supervisor of `sched dev --ha`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli import logs, loops
from sched_cli.errors import CliError, UsageError
from sched_cli.ha.engines import Engines
from sched_cli.ha.news import EngineNews
from sched_cli.ha.protocol import EngineOptions, ServersReport
from sched_cli.ha.servers import check_wheels, data_folder
from sched_cli.hosts import check_host
from sched_cli.reload.process import ChildProcess
from sched_cli.reload.supervisor import ending
from sched_cli.render import console

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from sched_cli.dev_worker import DevWorker
    from sched_cli.reload.supervisor import Supervisor

STATE = Path(".sched") / "ha"
_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCluster:
    """What `sched dev --ha` was asked to run."""

    host: str
    port: int
    """Of the first engine; the second has the next one. 0: two free ones."""
    worker: DevWorker
    otlp_endpoint: str = ""
    """Empty: no spans."""

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises CliError when something cannot start, or Postgres and Redis end.
        """
        check_wheels()
        logs.set_up(default_level="warning")
        with loops.stop_on_signals() as stop:
            self.worker.check()
            check_host(self.host)
            ports = self._ports()
            self._check_security()
            _make_state()
            with _only_one_here(STATE / "lock"):
                data = data_folder(STATE)
                servers = _Servers(data)
                try:
                    await _until(stop.wait(), self._serve(servers, data, ports))
                finally:
                    await servers.stop()

    async def _serve(self, servers: _Servers, data: Path, ports: tuple[int, int]) -> None:
        ready = await servers.ready()
        serving = self.worker.serving
        options = [
            EngineOptions(
                ready.postgres_dsn, ready.redis_url, self.host, port, self.otlp_endpoint, serving
            )
            for port in ports
        ]
        engines = Engines(options, EngineNews())
        worker: Supervisor | None = None
        console.labelled("engines", f"{engines.addresses}, on Postgres and Redis", "green")
        console.labelled("state", _shown(data))
        engine_option = f" --engine {engines.addresses}{serving.options()}"
        console.labelled("clients", engine_option.strip())
        engines.start()
        try:
            await engines.led()
            worker = self.worker.start(engines.addresses, engine_option=engine_option)
            await servers.ended()
        finally:
            stops = [engines.stop(), *([worker.stop(gently=False)] if worker else [])]
            await asyncio.gather(*stops)

    def _check_security(self) -> None:
        """Raises UsageError for files with which no engine would start."""
        from sched_server import EngineSettings
        from sched_server.errors import EngineSettingsError
        from sched_server.rpc.security import server_credentials, tokens_of

        settings = EngineSettings(host=self.host, **asdict(self.worker.serving))
        try:
            server_credentials(settings)
            tokens_of(settings)
        except EngineSettingsError as error:
            raise UsageError(str(error)) from error

    def _ports(self) -> tuple[int, int]:
        if self.port == _LAST_PORT:
            raise UsageError(f"--ha needs two ports, --port and the next one: {self.port} is last.")
        if self.port:
            return self.port, self.port + 1
        with socket.socket() as one, socket.socket() as other:
            for probe in (one, other):
                probe.bind((self.host, 0))
            return one.getsockname()[1], other.getsockname()[1]


class _Servers:
    """The child that runs Postgres and Redis."""

    def __init__(self, data: Path) -> None:
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[ServersReport] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._child = ChildProcess(
            "sched_cli.ha.servers_child",
            str(data),
            decode=ServersReport.decode,
            on_report=lambda _child, report: self._ready.set_result(report),
            on_exit=lambda _child, code: self._ended.set_result(ending(code)),
        )

    async def ready(self) -> ServersReport:
        """Raises CliError when they cannot run."""
        either: list[asyncio.Future[Any]] = [self._ready, self._ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            await self.ended()
        report = self._ready.result()
        if report.state == "failed":
            raise CliError(report.message, exit_code=report.exit_code)
        return report

    async def ended(self) -> None:
        """Never returns. Raises CliError when they have ended by themselves."""
        how = await asyncio.shield(self._ended)
        raise CliError(f"The process that runs Postgres and Redis {how}. Start again.")

    async def stop(self) -> None:
        self._child.hang_up()
        await self._child.wait()


async def _until(stop: Coroutine[Any, Any, None], serve: Coroutine[Any, Any, None]) -> None:
    """Return, with `serve` cancelled and at its end, when `stop` has returned.
    Raises what `serve` raises."""
    stopping = asyncio.ensure_future(stop)
    serving = asyncio.ensure_future(serve)
    try:
        await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        serving.cancel()
        await asyncio.wait([stopping, serving])
    if not serving.cancelled():
        serving.result()


def _make_state() -> None:
    """Make the folder, and keep it out of version control."""
    top = STATE.parent
    try:
        if not top.exists():
            top.mkdir()
            (top / ".gitignore").write_text("*\n")
        STATE.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {STATE} cannot be made ({error.strerror}).") from error


@contextlib.contextmanager
def _only_one_here(path: Path) -> Iterator[None]:
    """Raises CliError if another `sched dev --ha` has this state."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(
                f"Another `sched dev --ha` uses {path.parent}. Stop it, or work in another folder."
            ) from None
        yield


def _shown(data: Path) -> str:
    if data.is_relative_to(Path.cwd()):
        return os.path.relpath(data)
    return f"{data} (root's Postgres runs as nobody, who may not enter {STATE})"
