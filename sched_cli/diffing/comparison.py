"""Two timelines together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sched_cli.diffing.alignment import align
from sched_sdk._debug.comparison import MISSING, differing_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_cli.diffing.timeline import Entry, Timeline


@dataclass(frozen=True, slots=True)
class Place:
    """A value that differs."""

    path: str
    """`input[0].amount`, `result`, `outcome`."""
    left: Any
    right: Any
    """None where the other side has nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """What both did at one point; one side may have done nothing."""

    left: Entry | None
    right: Entry | None
    differences: tuple[Place, ...]

    @property
    def equal(self) -> bool:
        return self.left is not None and self.right is not None and not self.differences


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about two runs."""

    left: Timeline
    right: Timeline
    differences: tuple[Place, ...]
    """Of the runs as a whole: type, status, input, result."""
    commands: list[Row]
    signals: list[Row]
    parts_at: int | None
    """The first row of `commands` in which one side does something else."""

    @property
    def equal(self) -> bool:
        return not self.differences and all(row.equal for row in (*self.commands, *self.signals))


def compare(left: Timeline, right: Timeline) -> Comparison:
    """Align the commands, and what was sent, and compare what belongs together."""
    commands = _rows(left.commands, right.commands)
    return Comparison(
        left=left,
        right=right,
        differences=_places(
            {"workflow_type": left.workflow_type, "status": left.status, **left.values},
            {"workflow_type": right.workflow_type, "status": right.status, **right.values},
        ),
        commands=commands,
        signals=_rows(left.signals, right.signals),
        parts_at=next(
            (index for index, row in enumerate(commands) if row.left is None or row.right is None),
            None,
        ),
    )


def _rows(left: Sequence[Entry], right: Sequence[Entry]) -> list[Row]:
    rows = []
    for i, j in align([entry.key for entry in left], [entry.key for entry in right]):
        mine, other = None if i is None else left[i], None if j is None else right[j]
        places: tuple[Place, ...] = ()
        if mine is not None and other is not None:
            places = _places(
                {"outcome": mine.outcome, **mine.values},
                {"outcome": other.outcome, **other.values},
            )
        rows.append(Row(mine, other, places))
    return rows


def _places(left: dict[str, Any], right: dict[str, Any]) -> tuple[Place, ...]:
    """The values that differ, wherever they are."""
    return tuple(
        Place(where, _present(before), _present(after))
        for name in {**left, **right}
        for where, before, after in differing_places(
            name, left.get(name, MISSING), right.get(name, MISSING)
        )
    )


def _present(value: Any) -> Any:
    return None if value is MISSING else value
