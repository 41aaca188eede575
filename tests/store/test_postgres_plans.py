"""Every statement finds its rows through an index, whatever the server believes
about the tables.

Plans are made once and kept while the tables grow. So each is looked at in three
worlds: never analyzed, analyzed while nearly empty (the worst: walking through
everything seems cheap), and analyzed with many rows.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncRawCursor

from sched_server.store.port import CommitGroup, RunChange, RunFilter
from sched_server.store.postgres import PostgresStore, listing, statements
from sched_server.store.postgres.batch import batch_query
from sched_server.store.postgres.batch_statement import RUNS, WRITES, batch_statement
from sched_server.store.postgres.connection import Connector, SessionLimits
from tests.store.rows import (
    COMPLETED,
    START_US,
    change,
    lead,
    new_run,
    task,
    with_tasks,
    with_timers,
)

TABLES = {"runs", "run_counters", "run_details", "events", "tasks", "timers"}

READS = {
    "READ_RUN": 1,
    "FIND_RUN_BY_ID": 1,
    "FIND_START": 2,
    "FIND_RUNS": 2,
    "READ_HISTORY": 4,
    "READ_EVENT_MARKS": 2,
    "READ_DETAILS": 1,
    "READ_TASKS": 1,
    "READ_TIMERS": 1,
    "DUE_TIMERS": 7,
    "READY_TASKS": 8,
    "READY_TASK_KEYS": 1,
    "ASSIGNED_TASKS": 4,
    "LOOK": 3,
}
"""The statements that read these tables, and how many parameters they take."""


@pytest.fixture(params=["never analyzed", "analyzed with one run", "analyzed with many runs"])
async def connection(
    request: pytest.FixtureRequest, postgres_dsn: str, postgres_schema: str
) -> AsyncIterator[Any]:
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    leader = await lead(store)
    runs = 400 if "many" in request.param else 1
    await leader.write(
        *(
            with_timers(
                with_tasks(new_run(key), task(key, 1), task(key, 2, assignee="a", ready=False)),
                (1, 1, key),
            )
            for key in range(1, runs + 1)
        )
    )
    await leader.write(*(change(key, 1, details="so far") for key in range(1, runs + 1)))
    await store.close()
    connector = Connector(postgres_dsn, schema=postgres_schema)
    connection = await connector.connect("plans", limits=SessionLimits())
    if request.param.startswith("analyzed"):
        for table in sorted(TABLES):
            await connection.execute(f"VACUUM ANALYZE {table}", prepare=False)
    yield connection
    await connection.close()


async def nodes(
    connection: psycopg.AsyncConnection, statement: str, parameters: int | list[Any]
) -> list[dict[str, Any]]:
    """Every step of the generic plan of a statement."""
    async with AsyncRawCursor(connection) as cursor:
        if isinstance(parameters, int):
            explain = f"EXPLAIN (FORMAT json, GENERIC_PLAN) {statement}"
            # A parameter only has a number: the server finds out its type.
            await cursor.execute(explain.encode(), prepare=False)
        else:
            await cursor.execute(f"EXPLAIN (FORMAT json) {statement}", parameters, prepare=False)
        row = await cursor.fetchone()
    assert row is not None
    (plan,) = row
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return list(_walk(plan[0]["Plan"]))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


def walks_through(steps: list[dict[str, Any]]) -> list[str]:
    """Steps that read a whole table, or a whole index."""
    return [
        f"{step['Node Type']} of {step['Relation Name']}"
        for step in steps
        if step.get("Relation Name") in TABLES
        and step["Node Type"] not in ("ModifyTable", "Tid Scan", "Bitmap Heap Scan")
        and "Index Cond" not in step
    ]


def test_the_statements_are_listed() -> None:
    reading = {
        name
        for name, value in vars(statements).items()
        if isinstance(value, str)
        and not name.startswith("_")
        and not name.endswith(("_HEAD", "_TAIL"))
        and re.search(rf"\bFROM ({'|'.join(TABLES)})\b", value)
    }
    assert reading == set(READS)


async def test_no_read_walks_through_a_table(connection: psycopg.AsyncConnection) -> None:
    for name, parameters in READS.items():
        steps = await nodes(connection, getattr(statements, name), parameters)
        assert walks_through(steps) == [], name


async def test_no_batch_walks_through_a_table(connection: psycopg.AsyncConnection) -> None:
    await connection.execute(statements.PREPARE_TO_COMMIT)
    text, parameters = batch_query(0, 1, 1, [CommitGroup(changes=[one]) for one in every_change()])
    steps = await nodes(connection, text, parameters)
    assert walks_through(steps) == []
    written = {step["Relation Name"] for step in steps if step["Node Type"] == "ModifyTable"}
    assert written == TABLES | {"leases"}


@pytest.mark.parametrize(
    ("run_filter", "after", "index"),
    [
        (RunFilter(), None, "runs_by_start"),
        (RunFilter(), (START_US + 900, 900), "runs_by_start"),
        (RunFilter(started_after_us=1, started_before_us=START_US + 900), None, "runs_by_start"),
        (RunFilter(statuses=(1,)), None, "runs_by_status"),
        (RunFilter(statuses=(1,)), (START_US + 900, 900), "runs_by_status"),
    ],
)
async def test_lists_are_read_in_the_order_of_an_index(
    postgres_dsn: str,
    postgres_schema: str,
    run_filter: RunFilter,
    after: tuple[int, int] | None,
    index: str,
) -> None:
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    leader = await lead(store)
    for first in range(1, 2000, 250):
        await leader.write(
            *(
                new_run(key, status=COMPLETED if key % 20 else 1)
                for key in range(first, first + 250)
            )
        )
    await store.close()
    async with await Connector(postgres_dsn, schema=postgres_schema).connect("plans") as connection:
        await connection.execute("VACUUM ANALYZE runs", prepare=False)
        text, parameters = listing.list_statement(run_filter, after, 10)
        steps = await nodes(connection, text, parameters)
    assert index in [step.get("Index Name") for step in steps]
    assert "Sort" not in [step["Node Type"] for step in steps]


async def test_counters_are_updated_in_place(postgres_dsn: str, postgres_schema: str) -> None:
    """Within their page and without touching an index (HOT)."""
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    leader = await lead(store)
    await leader.write(*(new_run(key) for key in range(1, 51)))
    for last in range(1, 21):
        await leader.write(*(change(key, last, [b"x"]) for key in range(1, 51)))
    await store.close()
    async with await psycopg.AsyncConnection.connect(
        postgres_dsn, autocommit=True, options=f"-c search_path={postgres_schema}"
    ) as connection:
        found = await connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            "WHERE relname = 'run_counters' AND schemaname = %s",
            [postgres_schema],
        )
        row = await found.fetchone()
    assert row is not None
    updated, in_place = row
    assert updated == 1000
    assert in_place >= 0.95 * updated


def every_change() -> list[RunChange]:
    """A batch in which every part of the statement occurs."""
    return [
        with_timers(with_tasks(new_run(9001), task(9001, 1)), (1, 1, 5)),
        change(1, 1, [b"x"], details="so far", tasks_deleted={(2, 1)}, timers_deleted={(1, 1)}),
        change(2, 1, [b"end"], closed_status=COMPLETED, closed_us=5),
    ]


def test_a_batch_has_only_the_parts_that_occur() -> None:
    parts = [RUNS, *WRITES]
    for count in range(len(parts) + 1):
        for chosen in itertools.combinations(parts, count):
            statement = batch_statement(frozenset(chosen))
            assert ("INSERT INTO runs" in statement.text) == (RUNS in chosen)
            assert ("INSERT INTO events" in statement.text) == ("events" in chosen)
            assert ("DELETE FROM timers" in statement.text) == ("gone_timers" in chosen)
            numbers = {int(number) for number in re.findall(r"\$(\d+)", statement.text)}
            assert numbers == set(range(1, len(statement.parameters) + 1))
