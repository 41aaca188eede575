"""How fast time travel is: `python -m benchmarks.stepping`.

Histories of 10,000 events. Figures are milliseconds for what a key press does:
opening the history, from its end back to the middle, one position back from the
middle, and looking for a line that never runs. Nothing is kept from before.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks import replay
from sched_sdk._definitions import WorkflowDefinition
from sched_sdk._stepping import Place, Stepper, find_line
from sched_sdk.api.v1.history_pb2 import HistoryEvent

EVENTS = 10_000
REPETITIONS = 5

T = TypeVar("T")


class Cases:
    def __init__(self, definition: WorkflowDefinition, data: list[bytes]) -> None:
        self._definition = definition
        self._events = [HistoryEvent.FromString(one) for one in data]
        self._nowhere: Place = find_line(__file__, 1)

    def _at(self, part: float) -> Stepper:
        """A stepper at that part of the history, which has been nowhere else."""
        stepper = Stepper(self._definition, self._events)
        stepper.to_index(round((stepper.total - 1) * part))
        return stepper

    def opening(self) -> float:
        return best(lambda: self._definition, lambda definition: Stepper(definition, self._events))

    def back_to_the_middle(self) -> float:
        return best(lambda: self._at(1), lambda stepper: stepper.to_index(stepper.total // 2))

    def back_by_one(self) -> float:
        return best(lambda: self._at(0.5), lambda stepper: stepper.back())

    def back_from_the_end(self) -> float:
        return best(lambda: self._at(1), lambda stepper: stepper.back())

    def no_such_line(self) -> float:
        return best(lambda: self._at(0), lambda stepper: stepper.to_line(self._nowhere))


def best(prepare: Callable[[], T], work: Callable[[T], object]) -> float:
    """Milliseconds."""
    found = []
    for _ in range(REPETITIONS):
        subject = prepare()
        gc.collect()
        started = time.perf_counter()
        work(subject)
        found.append(time.perf_counter() - started)
        if isinstance(subject, Stepper):
            subject.close()
    return min(found) * 1_000


def main() -> None:
    replay.EVENTS = EVENTS
    columns = ("open", "to middle", "one back", "from end", "no line")
    print(f"{'':32}", *(f"{column:>10}" for column in columns))
    for name, definition, data in replay.shapes():
        cases = Cases(definition, data)
        figures = (
            cases.opening(),
            cases.back_to_the_middle(),
            cases.back_by_one(),
            cases.back_from_the_end(),
            cases.no_such_line(),
        )
        print(f"{name:32}", *(f"{figure:>7.0f} ms" for figure in figures))


if __name__ == "__main__":
    main()
