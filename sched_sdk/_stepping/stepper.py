"""Going through a history, forward and back, and what is seen on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sched_sdk._debug.payloads import check_encodings
from sched_sdk._replay.commands import CancelWorkflow, CompleteWorkflow, FailWorkflow
from sched_sdk._stepping.changes import changes_between
from sched_sdk._stepping.model import Issued, Phase, View
from sched_sdk._stepping.playback import Playback, key_of
from sched_sdk._stepping.reports import divergence_moment
from sched_sdk._stepping.timeline import Position, check_event_id, read_timeline
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._debug.model import Divergence
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.commands import Command
    from sched_sdk._stepping.lines import Place
    from sched_sdk._stepping.looking import Moment

__all__ = ["Stepper"]

Event = history_pb2.HistoryEvent

_CLOSINGS = (CompleteWorkflow, FailWorkflow, CancelWorkflow)
# Going back by one replays once for so many positions before it as well.
_BEHIND = 16
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class _LineStop:
    """Somewhere inside an activation, at a line that was looked for."""

    activation: int
    place: Place
    ordinal: int
    """How many times the activation was at that line before."""
    view: View


class Stepper:
    """A history over a workflow function, of which one position is looked at.

    Begins at the first position. Going beyond an end stays there. Not safe for
    use from several threads.
    """

    def __init__(self, definition: WorkflowDefinition, events: Sequence[Event]) -> None:
        """Raises PayloadError for a payload that cannot be read, SchedError for an
        event that this version does not know."""
        check_encodings(events)
        self.events = events
        self._definition = definition
        self._timeline = read_timeline(definition, events)
        self._playback = Playback(definition, events)
        self._index = 0
        self._line: _LineStop | None = None
        self._moments: dict[int, Moment] = {}
        self._watched: tuple[int, list[Moment]] = (-1, [])
        self._divergence: Divergence | None = None

    @property
    def total(self) -> int:
        """How many positions there are."""
        return len(self._timeline.positions)

    @property
    def index(self) -> int:
        return self._index

    @property
    def diverges(self) -> bool:
        """The last position is a divergence."""
        return self._timeline.divergence is not None

    @property
    def view(self) -> View:
        """What is seen at the current position."""
        if self._line is not None:
            return self._line.view
        try:
            return self._view(self._index)
        except NonDeterminismError as error:
            return self._ends_earlier(error)

    # Going somewhere

    def forward(self, count: int = 1) -> View:
        return self.to_index(self._index + count)

    def back(self, count: int = 1) -> View:
        """From a line, first to the position before it."""
        if self._line is not None:
            count -= 1
        return self.to_index(self._index - count)

    def first(self) -> View:
        return self.to_index(0)

    def last(self) -> View:
        return self.to_index(self.total - 1)

    def to_index(self, index: int) -> View:
        self._line = None
        self._index = min(max(index, 0), self.total - 1)
        return self.view

    def to(self, event_id: int) -> View:
        """To where the code meets that event, or else the next event that it does
        meet. Raises LookupError if there is no such event."""
        check_event_id(event_id, self.events)
        return self.to_index(self._timeline.index_of(event_id))

    def next_failure(self) -> View | None:
        """To the next event that tells of a failure, or the divergence; None, and
        nowhere, if there is none."""
        for index in range(self._index + 1, self.total):
            if _is_failure(self._timeline.positions[index]):
                return self.to_index(index)
        return None

    def to_line(self, place: Place) -> View | None:
        """To the next time that the line is about to run; None, and nowhere, if it
        does not run any more."""
        try:
            return self._find_line(place)
        except NonDeterminismError:
            return None

    def close(self) -> None:
        """Let go of the run."""
        self._playback.close()

    # Looking

    def _find_line(self, place: Place) -> View | None:
        position, line = self._timeline.positions[self._index], self._line
        first = position.activation if line is None else line.activation
        places = {place} if line is None else {place, line.place}
        for activation in range(first, len(self._timeline.activations)):
            self._playback.go_to(activation)
            moments = self._playback.watch_next(places)
            begin = self._here(moments) if activation == first else 0
            for number in range(begin, len(moments)):
                if moments[number].place == place:
                    return self._stop_at(activation, number, moments)
        return None

    def _here(self, moments: list[Moment]) -> int:
        """The number of the first moment behind the current position."""
        position, line = self._timeline.positions[self._index], self._line
        if line is not None:
            found = [n for n, moment in enumerate(moments) if moment.place == line.place]
            return found[line.ordinal] + 1
        if position.phase is not Phase.COMMAND:
            return 0
        key = key_of(self._timeline.command(position))
        found = [n for n, moment in enumerate(moments) if moment.request == key]
        return found[0] + 1 if found else len(moments)

    def _stop_at(self, activation: int, number: int, moments: list[Moment]) -> View:
        moment = moments[number]
        place = moment.place
        assert place is not None
        asked_before = {one.request for one in moments[:number]}
        self._line = None
        self._index = max(
            index
            for index, position in enumerate(self._timeline.positions)
            if position.activation == activation
            and (
                position.phase is Phase.ARRIVAL
                or (
                    position.phase is Phase.COMMAND
                    and key_of(self._timeline.command(position)) in asked_before
                )
            )
        )
        before = next(
            (one for one in reversed(moments[:number]) if one.request is not None), None
        ) or self._moment(self._index)
        view = replace(
            self._build(self._index, moment),
            phase=Phase.LINE,
            event=None,
            changes=changes_between(before, moment),
        )
        ordinal = sum(one.place == place for one in moments[:number])
        self._line = _LineStop(activation, place, ordinal, view)
        return view

    def _ends_earlier(self, error: NonDeterminismError) -> View:
        """The code is not deterministic by itself: this replay went otherwise."""
        self._playback.close()
        self._timeline.diverge_at(self._index, error)
        self._divergence = None
        return self.to_index(self._index)

    def _view(self, index: int) -> View:
        before = self._moment(index - 1) if index else None
        moment = self._moment(index)
        return replace(self._build(index, moment), changes=changes_between(before, moment))

    def _build(self, index: int, moment: Moment) -> View:
        timeline = self._timeline
        position = timeline.positions[index]
        number = min(position.activation, len(timeline.activations) - 1)
        activation = timeline.activations[number] if number >= 0 else None
        shown = self._timeline.command(position) if position.phase is Phase.COMMAND else None
        commands = (
            ()
            if activation is None or position.phase is Phase.END
            else tuple(
                self._issued(command, current=command is shown) for command in activation.commands
            )
        )
        return View(
            index=index,
            total=self.total,
            phase=position.phase,
            event=position.event,
            time_us=moment.time_us,
            pending=activation is not None
            and activation.pending
            and position.phase is Phase.ARRIVAL,
            frames=moment.frames,
            coroutines=moment.coroutines,
            hidden_coroutines=moment.hidden,
            changes=(),
            commands=commands,
            patches=self._patches(index),
            divergence=self._explain() if position.phase is Phase.DIVERGENCE else None,
        )

    def _issued(self, command: Command, *, current: bool) -> Issued:
        answer = self._timeline.answers.get(command)
        return Issued(
            event_id=answer.event_id if answer is not None else 0,
            what=command.describe(),
            call_site=command.call_site,
            current=current,
        )

    def _patches(self, index: int) -> tuple[str, ...]:
        events = (position.event for position in self._timeline.positions[: index + 1])
        return tuple(
            event.marker_recorded.id
            for event in events
            if event is not None and event.HasField("marker_recorded")
        )

    def _moment(self, index: int) -> Moment:
        found = self._moments.get(index)
        if found is None:
            first = index
            if self._playback.at > self._timeline.positions[index].activation:
                first = max(0, index - _BEHIND)
            for number in range(first, index + 1):
                if number not in self._moments:
                    self._keep(number, self._find_moment(number))
            found = self._moments[index]
        return found

    def _keep(self, index: int, moment: Moment) -> None:
        if len(self._moments) >= _KEPT:
            del self._moments[next(iter(self._moments))]
        self._moments[index] = moment

    def _find_moment(self, index: int) -> Moment:
        position = self._timeline.positions[index]
        if position.phase is Phase.DIVERGENCE:
            return divergence_moment(self._explain(), self._time_before(index))
        if position.phase is not Phase.COMMAND:
            self._playback.go_to(position.activation)
            return self._playback.look()
        command = self._timeline.command(position)
        if isinstance(command, _CLOSINGS):
            self._playback.go_to(position.activation)
            return self._playback.watch_end()
        key = key_of(command)
        moments = self._watch(position.activation)
        found = next((moment for moment in moments if moment.request == key), None)
        return found or self._moment(index - 1)

    def _watch(self, activation: int) -> list[Moment]:
        if self._watched[0] != activation:
            self._playback.go_to(activation)
            self._watched = (activation, self._playback.watch_next())
        return self._watched[1]

    def _time_before(self, index: int) -> int:
        return self._moment(index - 1).time_us if index else 0

    def _explain(self) -> Divergence:
        from sched_sdk._debug.explanation import explain

        timeline = self._timeline
        assert timeline.divergence is not None
        if self._divergence is None:
            self._divergence = explain(
                self._definition, self.events, timeline.divergence, timeline.segments
            )
        return self._divergence


def _is_failure(position: Position) -> bool:
    if position.phase is Phase.DIVERGENCE:
        return True
    if position.event is None:
        return False
    name = history_pb2.EventType.Name(position.event.type)
    return name.endswith(("_FAILED", "_TIMED_OUT"))
