"""Two candidates, one lock: in every way in which a leader can go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg import conninfo

from sched_server.leadership.postgres import DEFAULT_LOCK_KEY, PostgresLeadership
from sched_server.leadership.silence import Silence
from sched_server.store.port import StoreRefusedError, StoreUnavailableError, StoreVersionError
from sched_server.store.postgres import migrate_database
from tests.leadership.waiting import until
from tests.servers.pooler import pooled
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import proxied

LEASE_S = 0.9

Make = Callable[..., PostgresLeadership]


@pytest.fixture
async def make(postgres_dsn: str, postgres_schema: str) -> AsyncIterator[Make]:
    """Makes candidates of one cluster, impatient ones; they resign at the end."""
    await migrate_database(postgres_dsn, schema=postgres_schema)
    made: list[PostgresLeadership] = []

    def make_one(address: str, dsn: str = "", **options: object) -> PostgresLeadership:
        options = {"schema": postgres_schema, "renew_every_s": 0.1, "lease_s": LEASE_S} | options
        one = PostgresLeadership(dsn or postgres_dsn, address=address, **options)  # type: ignore[arg-type] - options by name
        made.append(one)
        return one

    yield make_one
    for one in made:
        await one.resign()


async def elect(leadership: PostgresLeadership, epoch: int) -> list[str]:
    """Win and confirm; returns the list to which reasons of a loss are added."""
    async with asyncio.timeout(15):
        await leadership.campaign()
    reasons: list[str] = []
    leadership.on_lost(reasons.append)
    await leadership.confirm(epoch)
    return reasons


async def second_in_line(make: Make, address: str = "b:2") -> asyncio.Task[None]:
    """A campaign that is seen to wait."""
    other = make(address)
    task = asyncio.create_task(other.campaign())

    async def waits() -> bool:
        return address in [one.address for one in await other.candidates()]

    await until(waits)
    return task


async def test_a_candidate_alone_wins_and_is_announced(make: Make) -> None:
    first = make("a:1")
    assert await first.leader() is None
    assert not first.holds()

    await elect(first, 7)

    assert first.holds()
    leader = await first.leader()
    assert leader is not None
    assert (leader.address, leader.epoch, leader.alive) == ("a:1", 7, True)
    assert await first.candidates() == []


async def test_it_holds_for_as_long_as_it_renews(make: Make) -> None:
    first = make("a:1")
    reasons = await elect(first, 1)
    waiting = await second_in_line(make)

    with pytest.raises(AssertionError):  # nothing changes in two lease times
        await until(lambda: waiting.done() or not first.holds(), within_s=2 * LEASE_S)
    assert reasons == []
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_the_second_waits_and_takes_over_when_the_first_resigns(make: Make) -> None:
    first, second = make("a:1"), make("b:2")
    reasons = await elect(first, 1)
    campaign = asyncio.create_task(second.campaign())

    async def waits() -> bool:
        return [one.address for one in await first.candidates()] == ["b:2"]

    await until(waits)
    assert not second.holds()

    await first.resign()
    async with asyncio.timeout(0.5):
        await campaign
    assert (first.holds(), second.holds()) == (False, True)
    assert reasons == [], "giving it up is no loss"
    await second.confirm(2)
    leader = await second.leader()
    assert leader is not None
    assert (leader.address, leader.epoch) == ("b:2", 2)


async def test_who_resigned_is_not_alive(make: Make) -> None:
    first, second = make("a:1"), make("b:2")
    await elect(first, 1)
    await first.resign()
    leader = await second.leader()
    assert leader is not None
    assert not leader.alive


async def test_a_candidate_may_give_up(make: Make) -> None:
    first, second = make("a:1"), make("b:2")
    await elect(first, 1)
    campaign = asyncio.create_task(second.campaign())

    async def stands() -> bool:
        return len(await first.candidates()) == 1

    await until(stands)
    await second.resign()
    with pytest.raises(StoreUnavailableError, match="given up"):
        await campaign

    async def is_forgotten() -> bool:
        return await first.candidates() == []

    await until(is_forgotten)


async def test_a_lock_session_that_is_ended_is_noticed_at_once(
    make: Make, postgres_dsn: str
) -> None:
    first = make("a:1")
    reasons = await elect(first, 1)
    waiting = await second_in_line(make)

    await end_session(postgres_dsn, "sched a:1")
    assert await until(lambda: bool(reasons)) < 0.5
    assert not first.holds()
    assert await until(waiting.done) < 0.5
    assert len(reasons) == 1

    # The loser may stand again.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await first.campaign()


async def test_who_has_led_may_give_up_a_later_candidacy(make: Make, postgres_dsn: str) -> None:
    first = make("a:1")
    reasons = await elect(first, 1)
    waiting = await second_in_line(make)
    await end_session(postgres_dsn, "sched a:1")
    await until(lambda: bool(reasons))
    await waiting
    again = asyncio.create_task(first.campaign())

    async def stands() -> bool:
        return "a:1" in [one.address for one in await first.candidates()]

    await until(stands)
    await first.resign()
    with pytest.raises(StoreUnavailableError, match="given up"):
        async with asyncio.timeout(5):
            await again


async def test_a_leader_cut_off_from_the_server_stops_before_the_next_begins(
    make: Make, postgres_dsn: str
) -> None:
    async with proxied(postgres_dsn) as proxy:
        first = make("a:1", proxy.dsn)
        reasons = await elect(first, 1)
        waiting = await second_in_line(make)

        proxy.swallow()
        held_when_the_next_began = None
        while not waiting.done():
            await asyncio.sleep(0.001)
            if waiting.done():
                held_when_the_next_began = first.holds()
        assert held_when_the_next_began is False
        assert len(reasons) == 1
        await first.resign()


async def test_postgres_is_restarted_and_one_of_them_leads_again(
    make: Make, postgres_server: PostgresServer, postgres_schema: str
) -> None:
    dsn = postgres_server.dsn
    await migrate_database(dsn, schema=postgres_schema)
    first, second = make("a:1", dsn), make("b:2", dsn)
    reasons = await elect(first, 1)
    other = asyncio.create_task(second.campaign())

    await asyncio.to_thread(postgres_server.stop)
    assert await until(lambda: bool(reasons)) < 0.5
    again = asyncio.create_task(first.campaign())
    # A server that ends its sessions one by one may have granted the second the lock.
    await until(lambda: not second.holds())
    if other.done():
        other = asyncio.create_task(second.campaign())
    await asyncio.to_thread(postgres_server.start)

    await until(lambda: other.done() or again.done())
    assert other.done() != again.done()
    assert [first.holds(), second.holds()] == [again.done(), other.done()]
    winner, loser = (first, second) if again.done() else (second, first)
    await loser.resign()
    await asyncio.wait([other, again])
    assert (winner.holds(), loser.holds()) == (True, False)


async def test_a_winner_that_hangs_before_it_says_so_is_ended_too(
    make: Make, postgres_dsn: str, postgres_schema: str
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as hung:
        await hung.execute(f"SET search_path = {postgres_schema}")
        await hung.execute(
            "INSERT INTO candidates SELECT 0, pid, backend_start, 'hung:1', now() "
            "FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        await hung.execute("SELECT pg_advisory_lock(%s)", [DEFAULT_LOCK_KEY])
        await elect(make("b:2"), 1)
        with pytest.raises(psycopg.OperationalError):
            await hung.execute("SELECT 1")


async def test_another_cluster_with_the_same_key_is_told_apart(
    make: Make, postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with await psycopg.AsyncConnection.connect(
        postgres_dsn, autocommit=True, application_name="their engine"
    ) as foreign:
        await foreign.execute("SELECT pg_advisory_lock(%s)", [DEFAULT_LOCK_KEY])
        with caplog.at_level(logging.WARNING, "sched.leadership"):
            campaign = asyncio.create_task(make("a:1").campaign())
            await until(lambda: "SCHED_LEADER_LOCK_KEY" in caplog.text)
        assert "their engine" in caplog.text
        assert not campaign.done()
        await foreign.execute("SELECT 1")  # and it was left alone
    await campaign


async def test_another_key_for_the_same_cluster_is_refused(make: Make) -> None:
    """Else both would lead, each by its own lock."""
    first = make("a:1")
    await elect(first, 1)
    with pytest.raises(StoreRefusedError, match=r"led by the engine at a:1.*this engine has 0x2a"):
        await make("b:2", lock_key=42).campaign()
    assert first.holds()

    await first.resign()
    await elect(make("b:2", lock_key=42), 2)


async def test_keys_and_shard_groups_have_leaders_of_their_own(make: Make) -> None:
    own_key = {"lock_key": 0xFFFF_FFFF_FFFF_FFF0}  # larger than what fits into a bigint
    candidates = [make("a:1"), make("b:2", shard_group=1), make("c:3", shard_group=2, **own_key)]
    for epoch, candidate in enumerate(candidates, 1):
        await elect(candidate, epoch)
    assert all(candidate.holds() for candidate in candidates)


async def test_a_missing_schema_is_said_at_once(postgres_dsn: str, postgres_schema: str) -> None:
    leadership = PostgresLeadership(postgres_dsn, address="a:1", schema=postgres_schema)
    with pytest.raises(StoreVersionError, match="sched migrate up"):
        await leadership.campaign()


async def test_a_pooler_in_transaction_mode_cannot_lead(make: Make, postgres_dsn: str) -> None:
    async with pooled(postgres_dsn) as pooler:
        leadership = make("a:1", pooler.dsn)
        with pytest.raises(StoreRefusedError, match="transaction mode"):
            async with asyncio.timeout(5):
                await leadership.campaign()


async def test_a_wrong_password_is_said_and_not_tried_for_ever(
    make: Make, postgres_server: PostgresServer
) -> None:
    leadership = make("a:1", conninfo.make_conninfo(postgres_server.dsn, password="wrong"))
    with pytest.raises(StoreRefusedError, match="refused the password"):
        async with asyncio.timeout(5):
            await leadership.campaign()


@pytest.mark.parametrize(
    "cue",
    [
        "",
        "pg_backend_pid",
        "tcp_user_timeout",
        "backend_start",
        "candidates",
        "wait_for_lock",
        "pg_locks",
    ],
)
async def test_a_server_that_is_away_is_waited_for(
    make: Make, postgres_dsn: str, caplog: pytest.LogCaptureFixture, cue: str
) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(proxied(postgres_dsn))
        dsn = proxy.dsn
        proxy.cue, proxy.fault = cue.encode(), "lose the request"
        with caplog.at_level(logging.WARNING, "sched.leadership"):
            await elect(make("a:1", dsn), 1)
        assert "trying again" in caplog.text
        await make("a:1", dsn).resign()


async def end_session(dsn: str, application_name: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        found = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [application_name],
        )
        assert await found.fetchall() == [(True,)]


def test_silence_counts_from_the_last_change() -> None:
    silence = Silence()
    assert silence.observe("a", 10.0) == 0
    assert silence.observe("a", 12.0) == 2
    assert silence.observe("b", 13.0) == 0
    assert silence.observe("b", 99.0) == 86
    silence.begin(99.0)
    assert silence.observe("b", 100.0) == 1
