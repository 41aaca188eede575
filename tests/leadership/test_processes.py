"""Leaders that die and leaders that freeze: real processes, real signals."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest

from sched_server.leadership.postgres import PostgresLeadership
from sched_server.store.postgres import PostgresStore, migrate_database
from tests.leadership.waiting import until
from tests.store.rows import event_ids


class Candidate:
    """A process that runs `candidate.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, start: str, within_s: float = 15.0) -> str:
        """The next line, which begins like this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            line = (await self.process.stdout.readline()).decode().strip()
        assert line.startswith(start), f"said {line!r}, not {start!r}"
        return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
async def pair(
    postgres_dsn: str, postgres_schema: str, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Candidate, ...]]:
    """A leader, and one that waits; the parameter is their lease in seconds."""
    await migrate_database(postgres_dsn, schema=postgres_schema)
    candidates: list[Candidate] = []
    for name in ("a:1", "b:2"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.leadership.candidate"),
            *(postgres_dsn, postgres_schema, name, str(request.param)),
            stdout=asyncio.subprocess.PIPE,
        )
        candidates.append(Candidate(process))
        await candidates[-1].says("stands")
        if name == "a:1":
            await candidates[-1].says("leads 1")
    yield tuple(candidates)
    for candidate in candidates:
        if candidate.process.returncode is None:
            candidate.send(signal.SIGKILL)
        await candidate.process.communicate()


@pytest.mark.parametrize("pair", [60.0], indirect=True)
async def test_a_killed_leader_is_followed_at_once(
    pair: tuple[Candidate, Candidate], postgres_dsn: str, postgres_schema: str
) -> None:
    first, second = pair
    observer = PostgresLeadership(postgres_dsn, address="", schema=postgres_schema)

    async def second_waits() -> bool:
        return [one.address for one in await observer.candidates()] == ["b:2"]

    await until(second_waits)
    await observer.resign()
    first.send(signal.SIGKILL)
    # The session's end hands the lock on; nobody waits until the leader's row has
    # been silent for the length of its lease.
    await second.says("leads 2")


@pytest.mark.parametrize("pair", [3.0], indirect=True)
async def test_a_frozen_leader_is_followed_and_cannot_write_when_it_thaws(
    pair: tuple[Candidate, Candidate], postgres_dsn: str, postgres_schema: str
) -> None:
    first, second = pair
    began = time.monotonic()
    first.send(signal.SIGSTOP)
    await second.says("leads 2")
    assert time.monotonic() - began > 2.5, "less than a lease and a renewal"

    first.send(signal.SIGCONT)
    said = {await first.says(""), await first.says(""), await first.says("")}
    assert {"does not hold", "fenced"} < said
    assert any(line.startswith("lost ") for line in said)

    store = PostgresStore(postgres_dsn, schema=postgres_schema)
    await store.open()
    assert [await event_ids(store, key) for key in (1, 2, 3)] == [[1], [1], []]
    await store.close()
