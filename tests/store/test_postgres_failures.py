"""What a failing server or network does to a commit: nothing is lost, nothing
is written twice, and the answer is true."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from sched_server.store.port import FencedError, StoreDataError, StoreUnavailableError
from sched_server.store.postgres import PostgresStore, writer
from tests.leadership.waiting import until
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Fault, Proxy, proxied
from tests.store.rows import Leader, change, event_ids, lead, new_run, task, with_tasks


@pytest.fixture
async def proxy(postgres_dsn: str) -> AsyncIterator[Proxy]:
    async with proxied(postgres_dsn) as proxy:
        yield proxy


@pytest.fixture
async def store(proxy: Proxy, postgres_schema: str) -> AsyncIterator[PostgresStore]:
    """A store behind a network that can fail."""
    store = PostgresStore(
        proxy.dsn, schema=postgres_schema, migrate=True, statement_s=2, lock_s=0.3
    )
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def admin(postgres_dsn: str, postgres_schema: str) -> AsyncIterator[Any]:
    """Another session in the same schema, straight to the server."""
    async with await psycopg.AsyncConnection.connect(
        postgres_dsn, autocommit=True, options=f"-c search_path={postgres_schema}"
    ) as connection:
        yield connection


async def begun(store: PostgresStore) -> Leader:
    """A leader that has committed run 1."""
    leader = await lead(store)
    await leader.write(new_run(1))
    return leader


# ---------------------------------------------------------------- the connection is lost


@pytest.mark.parametrize("fault", ["lose the request", "lose the reply"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_commit_whose_connection_is_lost_happens_once(
    store: PostgresStore, proxy: Proxy, fault: Fault, times: int
) -> None:
    leader = await begun(store)
    for last in range(1, 1 + times):
        proxy.fault = fault
        assert await leader.commit(change(1, last, [b"x"])) == [True]
        assert proxy.fault == ""
    await leader.write(change(1, 1 + times, [b"and on"]))
    assert await event_ids(store, 1) == list(range(1, 3 + times))


async def test_a_change_of_records_only_is_found_out_too(
    store: PostgresStore, proxy: Proxy
) -> None:
    """No event tells whether it was written."""
    leader = await begun(store)
    await leader.write(with_tasks(change(1, 1), task(1, 2)))
    proxy.fault = "lose the reply"
    assert await leader.commit(with_tasks(change(1, 1), task(1, 2, record=b"new"))) == [True]
    assert [one.record for one in await store.read_tasks(1)] == [b"new"]


async def test_refusals_are_true_after_a_lost_reply(store: PostgresStore, proxy: Proxy) -> None:
    leader = await begun(store)
    proxy.fault = "lose the reply"
    applied = await leader.commit(change(1, 9, [b"stale"]), new_run(2), new_run(3, "wf-2"))
    assert applied == [False, True, False]
    assert [await event_ids(store, key) for key in (1, 2, 3)] == [[1], [1], []]


async def test_a_statement_that_is_still_under_way_is_waited_for(
    store: PostgresStore, proxy: Proxy, admin: psycopg.AsyncConnection
) -> None:
    leader = await begun(store)
    async with admin.transaction():
        await admin.execute("LOCK TABLE events IN SHARE MODE")
        await admin.execute("SET LOCAL lock_timeout = 0")
        waiting = asyncio.create_task(leader.commit(change(1, 1, [b"slow"])))
        await statement_waits(admin)
        proxy.cut()
        proxy.requests.clear()
        await proxy.requests.wait()  # it is back, and asks
        assert not waiting.done()
    async with asyncio.timeout(10):
        assert await waiting == [True]
    assert await event_ids(store, 1) == [1, 2]


async def test_another_leader_came_while_the_answer_was_lost(
    store: PostgresStore, proxy: Proxy, postgres_dsn: str, postgres_schema: str
) -> None:
    leader = await begun(store)
    other = PostgresStore(postgres_dsn, schema=postgres_schema)
    await other.open()
    proxy.swallow()
    waiting = asyncio.create_task(leader.commit(change(1, 1, [b"late"])))
    await asyncio.sleep(0)
    await (await lead(other)).write(change(1, 1, [b"theirs"]))
    proxy.cut()
    proxy.heal()
    with pytest.raises(FencedError):
        await waiting
    assert await event_ids(other, 1) == [1, 2]
    await other.close()


async def test_a_network_that_swallows_everything_is_cut_and_asked_again(
    store: PostgresStore,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    leader = await begun(store)
    monkeypatch.setattr(writer, "_PATIENCE_S", -1.8)  # with a statement's 2 s: 0.2 s
    proxy.swallow()
    waiting = asyncio.create_task(leader.commit(change(1, 1, [b"x"])))
    await until(lambda: "finding out what happened" in caplog.text)
    assert not waiting.done()
    proxy.cut()
    proxy.heal()
    monkeypatch.undo()
    async with asyncio.timeout(15):
        assert await waiting == [True]
    assert await event_ids(store, 1) == [1, 2]


async def test_closing_does_not_wait_for_a_server_that_is_away(
    store: PostgresStore, proxy: Proxy
) -> None:
    leader = await begun(store)
    proxy.fault = "lose the request"
    proxy.refuse()
    proxy.requests.clear()
    waiting = asyncio.create_task(leader.commit(change(1, 1, [b"x"])))
    await proxy.requests.wait()
    async with asyncio.timeout(5):
        await store.close()
    with pytest.raises(StoreUnavailableError, match="closed before it came back"):
        await waiting


# ---------------------------------------------------------------- the server is restarted


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restart_under_load_loses_and_repeats_nothing(
    postgres_server: PostgresServer, postgres_schema: str, how: signal.Signals
) -> None:
    store = PostgresStore(postgres_server.dsn, schema=postgres_schema, migrate=True)
    await store.open()
    leader = await begun(store)
    restarted = asyncio.Event()
    acknowledged = 1

    async def write() -> None:
        nonlocal acknowledged
        more = 0
        while more < 50:
            await leader.write(change(1, acknowledged, [b"x"]))
            acknowledged += 1
            more += restarted.is_set()

    async def restart() -> None:
        await asyncio.to_thread(postgres_server.stop, how)
        await asyncio.to_thread(postgres_server.start)
        restarted.set()

    async with asyncio.timeout(30):
        await asyncio.gather(write(), restart())
    assert await event_ids(store, 1) == list(range(1, acknowledged + 1))
    await store.close()


async def test_reads_survive_the_loss_of_every_connection(
    store: PostgresStore, proxy: Proxy
) -> None:
    await begun(store)
    await asyncio.gather(*(store.read_run(1) for _ in range(20)))
    proxy.cut()
    assert await event_ids(store, 1) == [1]


async def test_reads_of_a_server_that_is_away_say_so(
    postgres_dsn: str, postgres_schema: str
) -> None:
    async with proxied(postgres_dsn) as proxy:
        store = PostgresStore(
            proxy.dsn, schema=postgres_schema, migrate=True, statement_s=0.5, lock_s=0.5
        )
        await store.open()
    with pytest.raises(StoreUnavailableError, match="no connection became free in time"):
        await store.read_run(1)
    with pytest.raises(StoreUnavailableError, match="nothing listens there"):
        await store.acquire(0, "engine")
    await store.close()


# ---------------------------------------------------------------- the server answers


async def test_a_lock_of_another_session_passes(
    store: PostgresStore, admin: psycopg.AsyncConnection
) -> None:
    leader = await begun(store)
    async with admin.transaction():
        await admin.execute("LOCK TABLE events IN SHARE MODE")
        with pytest.raises(StoreUnavailableError, match="another session holds a lock"):
            await leader.commit(change(1, 1, [b"x"]))
        assert await event_ids(store, 1) == [1], "reading goes on"
    await leader.write(change(1, 1, [b"x"]))


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_what_passes_by_itself_is_tried_again(
    store: PostgresStore, admin: psycopg.AsyncConnection, code: str
) -> None:
    leader = await begun(store)
    # A sequence is not rolled back: only the first try fails.
    await admin.execute("CREATE SEQUENCE tries")
    await admin.execute(
        "CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('tries') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END IF; "
        "RETURN new; END $$"
    )
    await admin.execute(
        "CREATE TRIGGER fail_once BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail_once()"
    )
    assert await leader.commit(change(1, 1, [b"x"])) == [True]
    assert await event_ids(store, 1) == [1, 2]


async def test_a_row_that_changes_under_the_batch_undoes_all_of_it(
    store: PostgresStore, admin: psycopg.AsyncConnection
) -> None:
    leader = await begun(store)
    await leader.write(new_run(2))
    await admin.execute(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.run_key = 2 THEN RETURN NULL; END IF; RETURN new; END $$"
    )
    await admin.execute(
        "CREATE TRIGGER skip BEFORE UPDATE ON run_counters FOR EACH ROW EXECUTE FUNCTION skip()"
    )
    with pytest.raises(StoreUnavailableError, match="somebody else than this engine"):
        await leader.commit(change(1, 1, [b"x"]), change(2, 1, [b"y"]))
    assert [await event_ids(store, key) for key in (1, 2)] == [[1], [1]]


async def test_discarded_statements_are_prepared_again(store: PostgresStore) -> None:
    leader = await begun(store)
    connection = store._writer._connection
    assert connection is not None
    await connection.execute("DEALLOCATE ALL", prepare=False)
    await leader.write(change(1, 1, [b"x"]))
    assert await event_ids(store, 1) == [1, 2]


async def test_a_data_error_says_what_without_a_guess(store: PostgresStore) -> None:
    leader = await begun(store)
    with pytest.raises(StoreDataError, match=r"refused a value: .*runs_by_run_id"):
        await leader.commit(new_run(2, run_id="run-1"))
    with pytest.raises(StoreDataError, match="takes no such value"):
        await leader.commit(new_run(3, shard=1 << 15))


async def statement_waits(admin: psycopg.AsyncConnection) -> None:
    """Until the writer's statement waits for a lock."""
    async with asyncio.timeout(5):
        while True:
            found = await admin.execute(
                "SELECT FROM pg_stat_activity "
                "WHERE application_name = 'sched writer' AND wait_event_type = 'Lock'"
            )
            if found.rowcount:
                return
