"""Many replays at once, in processes of their own.

This process finds the histories and counts what comes of them. The others have
the app loaded, read one history at a time and replay it; what they send back is
a report. So no more than one history is in memory in each, however many there are.

    sources ──▶ some for each process under way ──▶ reports, in the order of sources

What is done within a second here starts no process: loading the app again
would take longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Self

from sched_cli.errors import CliError, explain
from sched_cli.replaying import Histories, definitions_of, replay_source, sources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_cli.replay_reports import Reports
    from sched_cli.replaying import Report, Source, Wanted
    from sched_sdk._definitions import WorkflowDefinition

ALONE_S = 1.0
# One history may take as long as several others.
_UNDER_WAY_PER_PROCESS = 8


def default_jobs() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def replay_in_parallel(
    wanted: Wanted,
    app: Sequence[str],
    definitions: dict[str, WorkflowDefinition],
    engine: str,
    reports: Reports,
    progress: Callable[[int], None],
    *,
    jobs: int,
) -> None:
    """Replay everything in up to `jobs` processes. `progress` hears how many there
    are so far. Raises CliError when the engine goes away or a process dies."""
    started = time.monotonic()
    found = 0
    async with Histories(engine) as histories, _Pool(app, engine, jobs, reports) as pool:
        async for source in sources_of(wanted, definitions, histories, reports.skip):
            found += 1
            progress(max(found, len(wanted.files) + len(wanted.ids)))
            if jobs == 1 or wanted.only_one or time.monotonic() - started < ALONE_S:
                reports.add(
                    await replay_source(source, definitions, histories, alone=wanted.only_one)
                )
            else:
                await pool.submit(source)


class _Pool:
    """The other processes, started one by one as there is work for them."""

    def __init__(self, app: Sequence[str], engine: str, jobs: int, reports: Reports) -> None:
        # Not forked: a fork would inherit gRPC's threads as they happen to stand.
        self._pool = ProcessPoolExecutor(
            jobs,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(tuple(app), engine),
        )
        self._bound = jobs * _UNDER_WAY_PER_PROCESS
        self._reports = reports
        self._under_way: deque[tuple[Source, asyncio.Future[Report]]] = deque()

    async def submit(self, source: Source) -> None:
        """Hand a source over; waits while enough are under way."""
        while len(self._under_way) >= self._bound:
            await self._collect()
        loop = asyncio.get_running_loop()
        try:
            self._under_way.append((source, loop.run_in_executor(self._pool, _replay, source)))
        except BrokenProcessPool as error:
            raise self._died() from error

    async def _collect(self) -> None:
        """Wait for the oldest."""
        try:
            report = await self._under_way[0][1]
        except BrokenProcessPool as error:
            raise self._died() from error
        self._under_way.popleft()
        self._reports.add(report)

    def _died(self) -> CliError:
        lost = [
            source.workflow_id or str(source.path)
            for source, future in self._under_way
            if not future.done() or future.exception() is not None
        ]
        names = ", ".join(lost)
        return CliError(
            f"A process died while it replayed one of these: {names}. Workflow code ended it, or "
            "it ran out of memory; sched replay with one of them at a time shows which."
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._under_way:
                await self._collect()
        finally:
            for source_and_future in self._under_way:
                future = source_and_future[1]
                if not future.cancel() and not future.cancelled():
                    future.exception()  # asked for, or asyncio says that nobody did
            self._pool.shutdown(wait=True, cancel_futures=True)


# -- in the other processes --------------------------------------------------------


class _Process:
    """What a process keeps between two histories."""

    def __init__(self, app: Sequence[str], engine: str) -> None:
        from sched_cli.apps import load_app

        # This app was imported before, in the process that began: it has said
        # whatever it prints.
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            self.definitions = definitions_of(load_app(app))
        self.runner = asyncio.Runner()
        self.histories = Histories(engine)

    def replay(self, source: Source) -> Report:
        return self.runner.run(replay_source(source, self.definitions, self.histories))

    def close(self) -> None:
        with self.runner:
            self.runner.run(self.histories.__aexit__())


_process: _Process | None = None


def _begin(app: Sequence[str], engine: str) -> None:
    from multiprocessing.util import Finalize

    global _process  # noqa: PLW0603 - the pool calls functions, which have nowhere else to look
    # Ctrl-C reaches every process; the one that began says what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process = _Process(app, engine)
    Finalize(None, _process.close, exitpriority=1)


def _replay(source: Source) -> Report:
    assert _process is not None
    try:
        return _process.replay(source)
    except Exception as error:
        # Errors of the SDK may not survive the way between processes.
        explained = explain(error)
        if explained is None:
            raise
        raise CliError(str(explained), exit_code=explained.exit_code) from None
