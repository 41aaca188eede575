"""How the schema of a store stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sched_cli.render.tables import Column, Cut, FittedTable
from sched_cli.render.times import local

if TYPE_CHECKING:
    from sched_server.store.migration import MigrationLine, MigrationStatus

_STYLES = {"applied": "green", "pending": "yellow", "edited": "bold red", "missing": "bold red"}
_CHECKSUM_OK = {"applied": True, "edited": False}


def status_table(status: MigrationStatus) -> FittedTable:
    """Every migration, one a line."""
    table = FittedTable(
        Column(title="VERSION", right=True),
        Column(title="NAME", cut=Cut.MIDDLE),
        Column(title="STATE"),
        Column(title="APPLIED"),
    )
    for line in status.lines:
        time = _applied_time(line)
        table.add(
            str(line.version),
            line.name,
            (line.state.value, _STYLES[line.state.value]),
            local(time) if time else "",
        )
    return table


def summary(status: MigrationStatus) -> str:
    """ "postgres db/orders is at version 1; 2 to apply: sched migrate up"."""
    if not status.pending:
        return f"{status.store} is up to date."
    at = f"is at version {status.version}" if status.version else "has no sched schema yet"
    return f"{status.store} {at}; {len(status.pending)} to apply: sched migrate up"


def status_object(status: MigrationStatus) -> dict[str, Any]:
    """What `--output json` shows."""
    return {
        "store": status.store,
        "version": status.version,
        "pending": len(status.pending),
        "problem": status.problem,
        "migrations": [
            {
                "version": line.version,
                "name": line.name,
                "state": line.state.value,
                "applied_time": _applied_time(line),
                "checksum_ok": _CHECKSUM_OK.get(line.state.value),
            }
            for line in status.lines
        ],
    }


def _applied_time(line: MigrationLine) -> datetime | None:
    if not line.applied_us:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=line.applied_us)
