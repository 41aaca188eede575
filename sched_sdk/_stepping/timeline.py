"""All positions of a history, in the order in which the code lived them.

One replay at full speed finds them: what each activation was begun by, which
commands it issued, which events answered those, and where code and history part.

    history                       positions
    1 WorkflowStarted             arrival 1   the function is about to run
    2 WorkflowTaskCompleted
    3 ActivityScheduled           command 3   it asks for the activity
    4 ActivityCompleted           arrival 4   the result is about to be handed over
    5 WorkflowTaskCompleted
    6 WorkflowCompleted           command 6   the function returns

An event that came while a task was out is where its task handed it to the code,
not where it stands in the history.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sched_sdk._replay.commands import CancelWorkflow, CompleteWorkflow, FailWorkflow
from sched_sdk._replay.matching import MATCHERS
from sched_sdk._stepping.model import Phase
from sched_sdk._stepping.run import SteppedRun
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.commands import Command

__all__ = ["Activation", "Position", "Timeline", "check_event_id", "read_timeline"]

Event = history_pb2.HistoryEvent

_CLOSINGS = (CompleteWorkflow, FailWorkflow, CancelWorkflow)


@dataclass(slots=True)
class Activation:
    """One delivery to the code, run until everything waits."""

    event: Event
    pending: bool
    commands: list[Command] = field(default_factory=list)


class Position(NamedTuple):
    phase: Phase
    activation: int
    """Of a command the one that issued it; of the last position the number of all."""
    command: int = 0
    """Which of the activation's commands; at others without a meaning."""
    event: Event | None = None


@dataclass(slots=True)
class Timeline:
    activations: list[Activation]
    answers: dict[Command, Event]
    positions: list[Position]
    divergence: NonDeterminismError | None
    segments: int
    """How many segments agree."""

    def command(self, position: Position) -> Command:
        """That of a position whose phase is COMMAND."""
        return self.activations[position.activation].commands[position.command]

    def index_of(self, event_id: int) -> int:
        """The position of that event, or else of the next one that the code meets."""
        by_event = sorted(
            (position.event.event_id, index)
            for index, position in enumerate(self.positions)
            if position.event is not None
        )
        found = bisect_left(by_event, (event_id, -1))
        return by_event[found][1] if found < len(by_event) else len(self.positions) - 1

    def diverge_at(self, position: int, error: NonDeterminismError) -> None:
        """Another replay of the same code went otherwise: it ends there."""
        before = self.positions[max(0, position - 1)].activation
        self.divergence = error
        self.positions[position:] = [Position(Phase.DIVERGENCE, before)]


def check_event_id(event_id: int, events: Sequence[Event]) -> None:
    """Raises LookupError if there is no such event."""
    if not 0 < event_id <= len(events):
        raise LookupError(
            f"There is no event {event_id}; the history has events 1 to {len(events)}."
        )


def read_timeline(definition: WorkflowDefinition, events: Sequence[Event]) -> Timeline:
    """Raises SchedError for an event that this version does not know."""
    reader = _Reader(definition)
    divergence: NonDeterminismError | None = None
    try:
        reader.read(events)
    except NonDeterminismError as error:
        divergence = error
    finally:
        segments = reader.run.segments
        reader.run.evict()
    return Timeline(
        activations=reader.activations,
        answers=reader.answers,
        positions=_positions(reader, events, divergence),
        divergence=divergence,
        segments=segments,
    )


class _Reader:
    def __init__(self, definition: WorkflowDefinition) -> None:
        self.run = SteppedRun(definition)
        self.activations: list[Activation] = []
        self.answers: dict[Command, Event] = {}
        # So many of what is produced belongs to earlier activations.
        self._known = 0

    def read(self, events: Sequence[Event]) -> None:
        run, produced = self.run, self.run.produced
        try:
            for event in events:
                command = produced[0] if produced and event.type in MATCHERS else None
                waiting = len(produced)
                for arriving in run.arrivals(event):
                    self._begin(arriving, pending=False)
                if command is not None and len(produced) < waiting:
                    self.answers[command] = event
                    self._known -= 1
                self._settle()
            for arriving in run.leftovers():
                self._begin(arriving, pending=True)
        finally:
            self._settle()

    def _begin(self, event: Event, *, pending: bool) -> None:
        self._settle()
        self.activations.append(Activation(event, pending))

    def _settle(self) -> None:
        """What was produced since the last time is the last activation's."""
        produced = self.run.produced
        if len(produced) > self._known:
            new = islice(produced, self._known, None)
            self.activations[-1].commands.extend(new)
        self._known = len(produced)


def _positions(
    reader: _Reader, events: Sequence[Event], divergence: NonDeterminismError | None
) -> list[Position]:
    positions: list[Position] = []
    closed = False
    for number, activation in enumerate(reader.activations):
        positions.append(Position(Phase.ARRIVAL, number, event=activation.event))
        for index, command in enumerate(activation.commands):
            event = reader.answers.get(command)
            if event is not None:
                positions.append(Position(Phase.COMMAND, number, index, event))
                closed = isinstance(command, _CLOSINGS)
    last = len(reader.activations)
    if divergence is not None:
        if _cannot_arrive(divergence, positions):
            positions.pop()
        at = divergence.event_id
        event = events[at - 1] if 0 < at <= len(events) else None
        positions.append(Position(Phase.DIVERGENCE, last, event=event))
    elif not closed:
        positions.append(Position(Phase.END, last))
    return positions


def _cannot_arrive(divergence: NonDeterminismError, positions: list[Position]) -> bool:
    """The last event answers something that the code never asked for."""
    event = positions[-1].event if positions else None
    return event is not None and event.event_id == divergence.event_id
