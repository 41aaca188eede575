"""Python's own debugger, inside workflow code that is being replayed.

It stops where the code is about to go on, not in what drives it: frames of the
SDK and of asyncio are neither shown nor stepped through. Stepping over an
`await` goes on when the history has what is awaited.

What code does while it is stopped is on its own: the history stays as it is, and
commands that are typed at the prompt make the replay diverge.
"""

from __future__ import annotations

import contextlib
import pdb  # noqa: T100 - it is what this module is about
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.payloads import check_encodings
from sched_sdk._replay.call_sites import is_bottom, is_user_code
from sched_sdk._replay.origins import is_app_code
from sched_sdk._stepping.lines import Place
from sched_sdk._stepping.model import Phase
from sched_sdk._stepping.playback import Playback, key_of
from sched_sdk._stepping.timeline import Position, Timeline, check_event_id, read_timeline
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk.api.v1 import history_pb2

__all__ = ["debug"]

_MACHINERY = ("sched_sdk", "sched_sdk.*", "sched_cli", "sched_cli.*", "asyncio", "asyncio.*")


class _Debugger(pdb.Pdb):
    def __init__(self) -> None:
        super().__init__(skip=_MACHINERY)
        self.ended = False
        self.stops = 0
        self._waiting: list[tuple[FrameType, int]] = []

    def stop_in(self, frame: FrameType) -> None:
        """Ask now, with the function in `frame` as the current one."""
        self.reset()
        outer: FrameType | None = frame
        while outer is not None:
            outer.f_trace = self.trace_dispatch
            self.botframe = outer
            outer = outer.f_back
        self.set_step()
        self.interaction(frame, None)
        self.go_on()

    def go_on(self) -> None:
        """Trace what was asked for at the prompt, or nothing."""
        continues = self.stoplineno == -1
        if self.ended or (continues and not self.breaks):
            sys.settrace(None)
        else:
            sys.settrace(self.trace_dispatch)

    def stop_at(self, place: Place) -> None:
        """From now on, each time before that line."""
        self.reset()
        self.botframe = sys._getframe()
        self.set_break(str(place.file), place.line)
        self.set_continue()
        self.go_on()

    def look_back(self, trace: TracebackType) -> None:
        """Ask about what has ended with an exception."""
        self.reset()
        self.interaction(None, trace)

    def look_at(self, frames: Sequence[FrameType]) -> None:
        """Ask about functions that wait, the outermost first."""
        self.reset()
        self._waiting = [(frame, frame.f_lineno) for frame in frames]
        self.interaction(frames[-1], None)
        self._waiting = []

    def interaction(self, frame: FrameType | None, traceback: Any) -> None:
        self.stops += 1
        super().interaction(frame, traceback)

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        """The end of a coroutine is an exception in what awaits it, which the
        standard debugger reports without looking at what it is to skip."""
        if not self.is_skipped_module(frame.f_globals.get("__name__", "")):
            super().user_exception(frame, exc_info)

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        if self._waiting:
            return self._waiting, len(self._waiting) - 1
        stack, index = super().get_stack(f, t)
        current = stack[index]
        bottoms = [n for n, (frame, _) in enumerate(stack) if is_bottom(frame.f_code)]
        stack = stack[bottoms[-1] :] if bottoms else stack
        shown = [one for one in stack if one is current or is_app_code(one[0].f_code)]
        return (shown, len(shown) - 1) if shown else (stack, index)

    def do_quit(self, arg: str) -> bool:  # noqa: ARG002 - the name is the command's
        """End the replay. The standard one raises an exception, which would end up
        in the workflow's own code."""
        self.ended = True
        self.clear_all_breaks()
        self.set_continue()
        return True

    do_q = do_exit = do_EOF = do_quit  # noqa: N815 - pdb's names


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to stop first: as an activation begins, or at one of its requests."""

    activation: int
    request: int | None = None


def debug(
    definition: WorkflowDefinition,
    events: Sequence[history_pb2.HistoryEvent],
    *,
    event_id: int | None = None,
    place: Place | None = None,
    say: Callable[[str], None],
) -> bool:
    """Replay in the debugger. Stops where the code meets an event, and whenever a
    line is about to run; with neither where it diverges, where it raised, or at
    its beginning. `say` tells what happens besides. Returns whether code and
    history agree. Raises LookupError if there is no such event, and what Stepper
    raises."""
    if event_id is not None:
        check_event_id(event_id, events)
    check_encodings(events)
    timeline = read_timeline(definition, events)
    playback = Playback(definition, events)
    debugger = _Debugger()
    before = sys.gettrace()
    try:
        _Session(timeline, playback, debugger, definition, say).run(event_id, place)
    finally:
        sys.settrace(before)
        playback.close()
    return timeline.divergence is None


@dataclass(frozen=True, slots=True)
class _Session:
    timeline: Timeline
    playback: Playback
    debugger: _Debugger
    definition: WorkflowDefinition
    say: Callable[[str], None]

    def run(self, event_id: int | None, place: Place | None) -> None:
        try:
            if event_id is not None:
                position = self.timeline.positions[self.timeline.index_of(event_id)]
                self._stop(self._target_of(position), place)
            elif place is not None:
                self._stop(_Target(0), place, ask=False)
            elif self.timeline.divergence is not None:
                self._stop_at_divergence(self.timeline.divergence)
                return
            elif not self._stop_at_failure():
                self._stop(_Target(0), None)
            if not self.debugger.ended:
                self._play_to_the_end()
        except NonDeterminismError as error:
            self.say(f"The replay ends here. {error}")
            return
        if not self.debugger.stops and place is not None:
            self.say(f"{place} never runs in this history.")
        elif not self.debugger.ended:
            self.say("The replay is over: the code agrees with its history.")

    def _play_to_the_end(self) -> None:
        while self.playback.at < len(self.timeline.activations) and not self.debugger.ended:
            self.playback.play_next()

    def _target_of(self, position: Position) -> _Target:
        if position.phase is not Phase.COMMAND:
            return _Target(min(position.activation, len(self.timeline.activations) - 1))
        return self._request(position.activation, self.timeline.command(position))

    def _request(self, activation: int, command: object) -> _Target:
        """Which of the requests of an activation becomes that command: known after
        it has run once."""
        self.playback.go_to(activation)
        key = key_of(command)
        moments = self.playback.watch_next()
        found = (number for number, moment in enumerate(moments) if moment.request == key)
        return _Target(activation, next(found, None))

    def _stop(self, target: _Target, place: Place | None, *, ask: bool = True) -> None:
        self.playback.go_to(target.activation)
        if place is not None:
            self.debugger.stop_at(place)
        if not ask:
            return
        if target.request is not None:
            self.playback.on_request(target.request, self.debugger.stop_in)
        else:
            event = self.timeline.activations[target.activation].event
            self.say(f"Event {event.event_id} is about to reach the code.")
            self._stop_when_it_goes_on(self.playback.current_frames())
        self.playback.play_next()

    def _stop_when_it_goes_on(self, waiting: Sequence[FrameType]) -> None:
        """In the innermost function that waits for the event; before the start, in
        whatever runs first."""
        outer = set(waiting[:-1])

        def enter(frame: FrameType, _event: str, _argument: object) -> Any:
            if frame in outer or not is_app_code(frame.f_code):
                return None
            self.debugger.stop_in(frame)
            return self.debugger.trace_dispatch

        sys.settrace(enter)

    def _stop_at_divergence(self, error: NonDeterminismError) -> None:
        """Where the function raised, if it did; where the code asks for something
        else; or where it waits."""
        self.say(str(error))
        if self._stop_at_failure():
            return
        for number, activation in enumerate(self.timeline.activations):
            if error.command in activation.commands:
                target = self._request(number, error.command)
                if target.request is not None:
                    with contextlib.suppress(NonDeterminismError):  # told already
                        self._stop(target, None)
        if not self.debugger.stops:
            self._look_at_what_waits()

    def _stop_at_failure(self) -> bool:
        """Where the exception was raised that ended the workflow function."""
        with contextlib.suppress(NonDeterminismError):  # the function has ended before
            self.playback.go_to(len(self.timeline.activations))
        main = self.playback.run.main_task
        if main is None or not main.done() or main.cancelled():
            return False
        trace = _of_user(getattr(main.exception(), "__traceback__", None))
        if trace is None:
            return False
        error = main.exception()
        self.say(f"The workflow function raised {type(error).__name__}: {error}")
        self.debugger.look_back(trace)
        return True

    def _look_at_what_waits(self) -> None:
        """The code does nothing where the history goes on."""
        with contextlib.suppress(NonDeterminismError):  # it stands where it is stuck
            self.playback.go_to(len(self.timeline.activations))
        frames = self.playback.current_frames()
        if frames:
            self.debugger.look_at(frames)


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """From the first frame of the app on."""
    while trace is not None and not is_user_code(trace.tb_frame.f_code):
        trace = trace.tb_next
    return trace
