"""A plan, run with real processes: faults, calm, verdict.

faults    workflows are started while everything breaks
calm      nothing breaks any more; everything must finish in bounded time
verdict   engines and workers stop, in good order, and the rows are judged
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import tempfile
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from sched_sdk import Client
from tests.chaos import verdict
from tests.chaos.clients import live
from tests.chaos.injector import Injector
from tests.chaos.members import Member
from tests.chaos.notebook import Reader
from tests.chaos.plan import CLIENTS
from tests.chaos.servers import Servers
from tests.chaos.timeline import Timeline
from tests.chaos.world import World
from tests.crash.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.plan import Plan

FINISH_WITHIN_S = 180.0
"""From the calm on."""
_CONNECT_WITHIN_S = 60.0
_HERE = Path(__file__).parent
_LOOK_EVERY_S = 0.2


class Outcome(Struct, kw_only=True):
    """What came of a plan."""

    timeline: Timeline
    finished: int
    runs: int = 0
    events: int = 0
    takeovers: int = 0
    repeated: int = 0
    """Attempts of activities beyond the first."""
    calm_s: float = 0.0
    """From the last fault to the last end."""
    unasked: int = 0
    """How often an engine or a worker ended by itself."""
    logs: Path
    """Kept if something was violated."""


async def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Returns when everything that was started is gone again, however it ends."""
    timeline = Timeline()
    folder = Path(tempfile.mkdtemp(prefix="sched-chaos-"))
    (folder / "ledger.jsonl").touch()
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(_logging_to(folder / "clients.log"))
            chaos = _Chaos(plan, timeline, folder, stack, say)
            await chaos.live()
            return chaos.outcome()
    finally:
        timeline.end_live_line()
        if not timeline.violations:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What the clients' SDK has to say is no part of the output."""
    logger = logging.getLogger("sched")
    propagates, logger.propagate = logger.propagate, False
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
        handler.close()


class _Chaos:
    def __init__(
        self,
        plan: Plan,
        timeline: Timeline,
        folder: Path,
        stack: AsyncExitStack,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._timeline = timeline
        self._folder = folder
        self._stack = stack
        self._ledger = Reader(folder / "ledger.jsonl")
        stack.callback(self._ledger.close)
        self._world = World(plan, self._ledger, timeline)
        self._servers = Servers(plan.engines, timeline, stack, say)
        self._addresses = [
            f"{self._servers.engine_host(number)}:{free_port()}" for number in range(plan.engines)
        ]
        self._rows: verdict.Rows | None = None
        self._calm_s = 0.0
        self._epochs = 0

    async def live(self) -> None:
        await self._servers.start(self._stack)
        self._engines = [self._engine(number) for number in range(self._plan.engines)]
        self._workers = [self._worker(number) for number in range(self._plan.workers)]
        members = [*self._engines, *self._workers]
        for member in members:
            self._stack.callback(member.kill)
            member.start()
        helpers = [asyncio.ensure_future(member.supervise()) for member in members]
        helpers.append(asyncio.ensure_future(self._look()))
        try:
            await self._phases()
        finally:
            for helper in helpers:
                helper.cancel()
            ended = await asyncio.gather(*helpers, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        await self._end(members)

    async def _phases(self) -> None:
        clients = [await self._client() for _ in range(CLIENTS)]
        self._timeline.begin()
        scripts = [
            asyncio.ensure_future(
                live(
                    self._world,
                    clients[job.client],
                    job,
                    random.Random(f"{self._plan.seed}/{job.number}"),
                )
            )
            for job in self._plan.jobs
        ]
        try:
            injector = Injector(self._servers, self._engines, self._workers, self._timeline)
            await injector.run(self._plan.faults, self._plan.seconds)
            if not self._timeline.violations:
                await self._calm(scripts)
        finally:
            for script in scripts:
                script.cancel()
            await asyncio.gather(*scripts, return_exceptions=True)
            for client in clients:
                await client.close()

    async def _calm(self, scripts: list[asyncio.Task[None]]) -> None:
        self._timeline.add("CALM", "nothing breaks any more")
        began = self._timeline.time()
        done, missing = await asyncio.wait(scripts, timeout=FINISH_WITHIN_S)
        self._calm_s = self._timeline.time() - began
        for script in done:
            script.result()
        if missing:
            self._complain()

    def _complain(self) -> None:
        late = [job for job in self._plan.jobs if job.number not in self._world.done]
        names = ", ".join(f"{job.workflow_id} ({job.workflow})" for job in late[:8])
        self._world.wrong(
            "Liveness", f"{len(late)} workflows have not ended {FINISH_WITHIN_S:g} s on: {names}"
        )

    async def _end(self, members: list[Member]) -> None:
        """Everybody stops; then nothing writes any more, and the rows are looked at."""
        await asyncio.gather(*(member.stop() for member in members))
        for member in members:
            if "Traceback" in member.log:
                self._world.wrong("Logs", f"{member.name} met what it did not expect: see its log")
        rows = await asyncio.to_thread(self._servers.ask, "SELECT max(epoch) FROM sched.leases")
        self._epochs = int(str(rows[0][0]))
        if not self._timeline.violations or len(self._world.done) == len(self._plan.jobs):
            self._rows = await verdict.read_postgres(self._servers.postgres.dsn)
            verdict.judge(self._world, self._rows)

    async def _client(self) -> Client:
        client = await Client.connect(
            ",".join(self._addresses),
            timeout=_CONNECT_WITHIN_S,
            retry_timeout=self._plan.seconds + FINISH_WITHIN_S,
        )
        self._stack.push_async_callback(client.close)
        return client

    async def _look(self) -> None:
        total = len(self._plan.jobs)
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._ledger.read_on()
            done, faults = len(self._world.done), self._timeline.faults.total()
            self._timeline.show(f"{done}/{total} workflows ended, {faults} faults")

    def _engine(self, number: int) -> Member:
        host, port = self._addresses[number].split(":")
        arguments = ["engine", "--host", host, "--port", port, "--metrics-port", "0", "--migrate"]
        environment = {
            "SCHED_POSTGRES_DSN": self._servers.to_postgres[number].dsn,
            "SCHED_REDIS_URL": self._servers.redis_url(number),
            "SCHED_LOG_LEVEL": "info",
        }
        return Member(
            f"engine-{number}",
            [*arguments, "--advertise", self._addresses[number]],
            environment,
            self._folder,
            self._timeline,
            self._servers.engine_prefix(number),
        )

    def _worker(self, number: int) -> Member:
        """Some have the version before, until they are started anew."""
        app = "app_before.py" if number % 2 else "app.py"
        return Member(
            f"worker-{number}",
            ["worker", str(_HERE / app), "--engine", ",".join(self._addresses)],
            {"CHAOS_LEDGER": str(self._folder / "ledger.jsonl")},
            self._folder,
            self._timeline,
        )

    def outcome(self) -> Outcome:
        rows, attempts = self._rows, self._ledger.attempts.values()
        return Outcome(
            timeline=self._timeline,
            finished=len(self._world.done),
            runs=len(rows.runs) if rows else 0,
            events=sum(map(len, rows.events.values())) if rows else 0,
            takeovers=self._epochs - 1,
            repeated=sum(len(tries) - 1 for tries in attempts),
            calm_s=self._calm_s,
            unasked=sum(member.unasked for member in (*self._engines, *self._workers)),
            logs=self._folder,
        )
