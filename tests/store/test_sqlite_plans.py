"""Every statement finds its rows through an index: a look at SQLite's plans.

A plan that reads a whole table is fast on the few rows of a test and fails in
a store with a million.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from sched_server.store.migration import load_migrations, migrations_directory
from sched_server.store.port import RunFilter
from sched_server.store.prefix import behind_prefix
from sched_server.store.sqlite import listing, statements
from sched_server.store.sqlite.bulk import BulkStatement

READS_ALL = re.compile(
    r"SCAN (?!\d+ CONSTANT)(runs|run_counters|run_details|events|tasks|timers|newest)\b(?! USING)"
)
SORTS = "USE TEMP B-TREE"


def named_statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in vars(statements).items():
        if name.startswith("_") or name.endswith(("_HEAD", "_TAIL")):
            continue
        if isinstance(value, BulkStatement):
            found[name] = value.text(3)
        elif isinstance(value, str) and "annotations" not in name and " " in value:
            found[name] = value
    found.pop("__doc__", None)
    return found


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        for migration in load_migrations(migrations_directory("sqlite")):
            made.executescript(migration.up)
        yield made


def plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?")).fetchall()
    return [row[3] for row in rows]


def test_the_statements_are_found() -> None:
    assert len(named_statements()) >= 20


@pytest.mark.parametrize("name", sorted(named_statements()))
def test_no_statement_reads_a_whole_table_or_sorts(
    connection: sqlite3.Connection, name: str
) -> None:
    steps = plan(connection, named_statements()[name])
    assert not [step for step in steps if READS_ALL.match(step)], steps
    # The newest runs of many workflow ids are few, and come from many places.
    if name != "FIND_RUNS":
        assert not [step for step in steps if step.startswith(SORTS)], steps


@pytest.mark.parametrize(
    ("run_filter", "after", "index"),
    [
        (RunFilter(), None, "runs_by_start"),
        (RunFilter(), (5, 5), "runs_by_start"),
        (RunFilter(started_after_us=1, started_before_us=9), None, "runs_by_start"),
        (RunFilter(workflow_type="Report"), None, "runs_by_start"),
        (RunFilter(statuses=(1,)), None, "runs_by_status"),
        (RunFilter(statuses=(1,)), (5, 5), "runs_by_status"),
    ],
)
def test_lists_are_read_in_the_order_of_an_index(
    connection: sqlite3.Connection, run_filter: RunFilter, after: tuple[int, int] | None, index: str
) -> None:
    sql, _ = listing.list_statement(run_filter, after, 10)
    steps = plan(connection, sql)
    assert index in steps[0]
    assert not [step for step in steps if step.startswith(SORTS)], steps


def test_a_prefix_is_a_range_of_the_index(connection: sqlite3.Connection) -> None:
    sql, _ = listing.list_statement(RunFilter(workflow_id_prefix="wf-1"), None, 10)
    assert any(
        "runs_by_workflow_id (workflow_id>? AND workflow_id<?)" in step
        for step in plan(connection, sql)
    )


@pytest.mark.parametrize(
    ("prefix", "behind"),
    [
        ("a", "b"),
        ("wf-", "wf."),
        ("a\U0010ffff", "b"),
        ("a\U0010ffff\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("\uffff", "\U00010000"),
        ("\x7f", "\x80"),
    ],
)
def test_what_comes_behind_a_prefix(prefix: str, behind: str | None) -> None:
    assert behind_prefix(prefix) == behind
