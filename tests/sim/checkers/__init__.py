"""What must hold, one file each. A new one is a file and a line in `ALL`, and in
`OF_ROWS` if it can judge a database that was written by others, at its end."""

from __future__ import annotations

from tests.sim.checkers.acknowledged import Acknowledgements
from tests.sim.checkers.at_most_once import AtMostOnce
from tests.sim.checkers.base import Checker
from tests.sim.checkers.bounded import Bounded
from tests.sim.checkers.copies import Copies
from tests.sim.checkers.dense import DenseIds
from tests.sim.checkers.details import Details
from tests.sim.checkers.dispatches import Dispatches
from tests.sim.checkers.ending import OneEnd
from tests.sim.checkers.fencing import Fencing
from tests.sim.checkers.idle_slots import NoIdleSlots
from tests.sim.checkers.once import RecordedOnce
from tests.sim.checkers.replays import Replays
from tests.sim.checkers.resolutions import Resolutions
from tests.sim.checkers.results import Results
from tests.sim.checkers.rows import RowsEqualFold
from tests.sim.checkers.surprises import NoSurprises
from tests.sim.checkers.task_failures import TaskFailures
from tests.sim.checkers.timer_order import TimersInOrder
from tests.sim.checkers.timers import NoTimerEarly
from tests.sim.checkers.views import MonotoneViews
from tests.sim.checkers.wire import Wire

__all__ = ["ALL", "OF_ROWS", "Checker"]

ALL: tuple[type[Checker], ...] = (
    DenseIds,
    OneEnd,
    Resolutions,
    RecordedOnce,
    RowsEqualFold,
    Details,
    NoTimerEarly,
    TimersInOrder,
    Fencing,
    Dispatches,
    AtMostOnce,
    Acknowledgements,
    Copies,
    TaskFailures,
    NoSurprises,
    Results,
    MonotoneViews,
    Wire,
    Bounded,
    NoIdleSlots,
    Replays,
)

OF_ROWS: tuple[type[Checker], ...] = (
    DenseIds,
    OneEnd,
    Resolutions,
    RecordedOnce,
    RowsEqualFold,
    Details,
    NoTimerEarly,
    TimersInOrder,
    AtMostOnce,
    Acknowledgements,
    Replays,
)
