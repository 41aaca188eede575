"""The database, looked at from here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sched_cli.doctor.engines import clock_finding
from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.times import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_server.store.postgres.checkup import LongTransaction, PostgresFacts, TableSize

__all__ = ["examine", "judge"]

_FEW_CONNECTIONS = 15
"""An engine takes about ten."""
_DEAD_ROWS = 100_000
_BLOATED_BYTES = 256 * 1024 * 1024
_BYTES_PER_ROW = 16 * 1024
"""Rows of these tables are much smaller on average."""
_LARGE_ROWS = frozenset({"events", "payloads"})


async def examine(dsn: str) -> list[Finding]:
    """Look at the server that the DSN names."""
    from sched_server.store.port import StoreError
    from sched_server.store.postgres import checkup

    try:
        facts = await checkup.examine(dsn)
    except StoreError as error:
        return [fail("postgres.reach", _first_sentence(str(error)), _rest(str(error)))]
    return judge(facts)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


def _rest(text: str) -> str:
    return text.partition(". ")[2] or "Correct --postgres-dsn, the server, or the way to it."


def judge(facts: PostgresFacts) -> list[Finding]:
    """What is to be said of it."""
    reached = ok(
        "postgres.reach",
        f"Postgres {facts.version} at {facts.description.removeprefix('postgres ')}, "
        "sessions are kept",
    )
    return [
        reached,
        _schema(facts),
        clock_finding(
            "postgres.clock", "The clock of Postgres", facts.clock_ahead_s, facts.clock_doubt_s
        ),
        *_connections(facts),
        *_transactions(facts),
        *_tables(facts),
        *_settings(facts),
    ]


def _schema(facts: PostgresFacts) -> Finding:
    if facts.schema:
        return fail("postgres.schema", _first_sentence(facts.schema), _rest(facts.schema))
    return ok("postgres.schema", "The schema is that of this version")


def _connections(facts: PostgresFacts) -> Iterator[Finding]:
    for count in facts.connections:
        left = count.allowed - count.taken
        told = f"{max(left, 0)} of {count.allowed} connections of {count.of} are left"
        if left > _FEW_CONNECTIONS:
            yield ok("postgres.connections", told)
            continue
        setting = "max_connections" if count.of == "the server" else "its connection limit"
        yield warn(
            "postgres.connections",
            f"Only {told}, and an engine takes about ten.",
            f"Raise {setting}, or let other programs take fewer connections.",
        )


def _transactions(facts: PostgresFacts) -> Iterator[Finding]:
    if not facts.transactions:
        yield ok("postgres.transactions", "No transaction has been open for long")
    for each in facts.transactions:
        told = (
            f"Session {each.pid} ({each.application or 'no name'}, {each.state or 'busy'}) has "
            f"had a transaction open for {duration(timedelta(seconds=each.seconds))}"
        )
        end = f"End it, if nobody needs it: SELECT pg_terminate_backend({each.pid})"
        if each.keeps_writers_out:
            yield fail("postgres.transactions", f"{told}, and {_locks(each)}.", end)
        elif each.tables:
            yield warn("postgres.transactions", f"{told}, and {_locks(each)}.", end)
        else:
            yield warn(
                "postgres.transactions", f"{told}, so vacuum cannot remove what died since.", end
            )


def _locks(transaction: LongTransaction) -> str:
    tables = ", ".join(transaction.tables)
    if transaction.keeps_writers_out:
        return f"keeps engines from writing {tables}"
    return f"holds locks on {tables}"


def _tables(facts: PostgresFacts) -> Iterator[Finding]:
    bad = [finding for table in facts.tables for finding in _table(table)]
    if bad:
        yield from bad
        return
    whole = sum(table.size_bytes for table in facts.tables)
    yield ok("postgres.tables", f"{len(facts.tables)} tables, {size(whole)}, no bloat")


def _table(table: TableSize) -> Iterator[Finding]:
    if table.dead_rows > max(_DEAD_ROWS, table.rows):
        when = f"{table.vacuumed:%Y-%m-%d %H:%M} UTC" if table.vacuumed else "never"
        yield warn(
            "postgres.tables",
            f"Table {table.name} has {table.dead_rows} dead rows and {table.rows} live ones; the "
            f"last vacuum: {when}.",
            f"VACUUM sched.{table.name}; if that does not help, look for a transaction that has "
            "been open for long, and at the settings of autovacuum.",
        )
    elif (
        table.name not in _LARGE_ROWS
        and table.size_bytes > _BLOATED_BYTES
        and table.size_bytes > _BYTES_PER_ROW * max(table.rows, 1)
    ):
        yield warn(
            "postgres.tables",
            f"Table {table.name} takes {size(table.size_bytes)} for {table.rows} rows.",
            f"VACUUM FULL sched.{table.name} while nothing runs; it locks the table meanwhile.",
        )


def _settings(facts: PostgresFacts) -> Iterator[Finding]:
    for warning in facts.warnings:
        what, _, remedy = warning.rpartition("; ")
        yield warn("postgres.settings", what or warning, remedy or "Change that setting.")
    if not facts.autovacuum:
        yield warn(
            "postgres.settings",
            "autovacuum is switched off, so dead rows pile up.",
            "Set autovacuum = on in postgresql.conf.",
        )
    if facts.autovacuum and not facts.warnings:
        yield ok("postgres.settings", "fsync and autovacuum are on")
