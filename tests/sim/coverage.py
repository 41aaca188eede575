"""Which rows of the core's transition tables, which faults and which crash
points many runs have reached: what was never reached was never tried."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sched_server.core import transitions

if TYPE_CHECKING:
    from tests.sim.run import Outcome

_TABLES = ("RUN", "ACTIVITY_EVENTS", "ACTIVITY_RECORDS", "TASK_RECORDS", "TIMER")


class _Visited(dict[Any, Any]):
    """A table that counts which of its rows are looked up."""

    def __init__(self, table: Any) -> None:
        super().__init__(table if isinstance(table, dict) else dict.fromkeys(table))
        self.visits: Counter[Any] = Counter()

    def __contains__(self, row: object) -> bool:
        self.visits[row] += 1
        return super().__contains__(row)

    def get(self, row: Any, default: Any = None) -> Any:
        self.visits[row] += 1
        return super().get(row, default)


class Coverage:
    """While it is entered, the tables count."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.crash_points: Counter[str] = Counter()
        self._tables = {name: _Visited(getattr(transitions, name)) for name in _TABLES}
        self._originals = {name: getattr(transitions, name) for name in _TABLES}

    def __enter__(self) -> Coverage:
        for name, table in self._tables.items():
            setattr(transitions, name, table)
        return self

    def __exit__(self, *_: object) -> None:
        for name, table in self._originals.items():
            setattr(transitions, name, table)

    def add(self, outcome: Outcome) -> None:
        self.faults += outcome.faults
        self.crash_points += outcome.crash_points

    def visits(self) -> dict[str, int]:
        """How often each row was looked up, by its name for people."""
        return {
            f"{name} {_row(row)}": table.visits[row]
            for name, table in self._tables.items()
            for row in table
        }

    def report(self) -> list[str]:
        visits = self.visits()
        missed = [row for row, count in visits.items() if not count]
        lines = [f"transition rows: {len(visits) - len(missed)} of {len(visits)}"]
        lines += [f"    never reached: {row}" for row in missed]
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.faults.items()))
        lines.append(f"faults: {kinds or 'none'}")
        lines.append(f"crash points: {len(self.crash_points):,} different awaits")
        lines += [f"    {count:6,}  {place}" for place, count in self.crash_points.most_common(5)]
        return lines


def _row(row: tuple[Any, Any]) -> str:
    return ", ".join(
        part.__name__ if isinstance(part, type) else getattr(part, "name", "ABSENT") for part in row
    )
