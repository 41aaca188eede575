"""A run that plays the history up to any activation, and looks closely at one.

Forward goes on where the run stands. Back is a fresh replay: code cannot run
backwards, but it runs fast.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from sched_sdk._debug.observation import (
    FunctionFrame,
    awaited_frames,
    command_of,
    frames_of_error,
)
from sched_sdk._replay.call_sites import user_frames
from sched_sdk._replay.commands import Command
from sched_sdk._stepping.lines import LineTracer
from sched_sdk._stepping.looking import (
    Moment,
    WatchedJournal,
    look_at_running,
    look_at_waiting,
    start_frame,
)
from sched_sdk._stepping.run import SteppedRun
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from types import FrameType

    from sched_sdk._debug.model import Frame
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.journal import Request
    from sched_sdk._stepping.lines import Place
    from sched_sdk.api.v1 import history_pb2

__all__ = ["Playback", "key_of"]


def key_of(command: object) -> tuple[object, ...] | None:
    """The same for the same command in another replay; None for no command."""
    if not isinstance(command, Command):
        return None
    return type(command), command.seq, getattr(command, "id", "")


class Playback:
    """`at` is the number of the activation that comes next. Raises
    NonDeterminismError where the code parts from the history."""

    def __init__(
        self, definition: WorkflowDefinition, events: Sequence[history_pb2.HistoryEvent]
    ) -> None:
        self._definition = definition
        self._events = events
        self._journal = WatchedJournal()
        self._function = FunctionFrame()
        self._run: SteppedRun | None = None
        self._arrivals: Iterator[history_pb2.HistoryEvent] = iter(())
        self._arrived: history_pb2.HistoryEvent | None = None
        self.at = -1

    def go_to(self, activation: int) -> None:
        """Stand just before that activation; behind the last one at the end."""
        if self._run is None or self.at > activation:
            self._start_again()
        while self.at < activation:
            self.play_next()

    def play_next(self) -> None:
        """Run one activation, and go to the next."""
        self._arrived = next(self._arrivals, None)
        self.at += 1

    def look(self) -> Moment:
        """How the run stands, before the next activation."""
        moment = look_at_waiting(self.run.instance, self._arrived)
        if self._arrived is None or moment.frames or moment.coroutines:
            return moment
        frames = start_frame(self._definition, self._arrived)
        return moment._replace(frames=frames, time_us=self._arrived.time_us)

    def watch_next(self, places: Collection[Place] = ()) -> list[Moment]:
        """Run one activation, and return how everything stood at each request, and
        whenever one of the lines was about to run, in order."""
        moments: list[Moment] = []
        instance = self.run.instance

        def on_request(request: Request) -> None:
            moments.append(look_at_running(instance, request=command_of(request)))

        def on_line(place: Place) -> None:
            moments.append(look_at_running(instance, place=place))

        self._journal.on_request = on_request
        tracing = LineTracer(places, on_line).trace() if places else contextlib.nullcontext()
        try:
            with tracing:
                self.play_next()
        except NonDeterminismError:
            # The code has run all the same; whoever goes further will hear of it.
            self.close()
        finally:
            self._journal.on_request = None
        # Numbers are given when the code is idle.
        return [moment._replace(request=key_of(moment.request)) for moment in moments]

    def on_request(self, number: int, stop: Callable[[FrameType], None]) -> None:
        """Call `stop` with the innermost function of the app when the next activation
        makes its request of that number, counted from 0."""
        count = 0

        def on_request(_request: Request) -> None:
            nonlocal count
            frame = next(user_frames(), None)
            if count == number and frame is not None:
                self._journal.on_request = None
                stop(frame)
            count += 1

        self._journal.on_request = on_request

    def current_frames(self) -> list[FrameType]:
        """The app's functions that wait for what comes next, the outermost first."""
        moment = look_at_waiting(self.run.instance, self._arrived)
        tasks = self.run.instance.loop.tasks.values()
        for task, coroutine in zip(tasks, moment.coroutines, strict=False):
            if coroutine.current:
                return list(awaited_frames(task.get_coro()))
        return []

    def watch_end(self) -> Moment:
        """Run the activation that ends the workflow, and look at its function as it
        was when it returned or raised."""
        run = self.run
        with contextlib.suppress(NonDeterminismError):
            self.play_next()
        last = self._function.last()
        frames: tuple[Frame, ...] = () if last is None else (last,)
        main = run.main_task
        if main is not None and main.done() and not main.cancelled():
            error = main.exception()
            frames = (frames_of_error(error) if error is not None else ()) or frames
        moment = look_at_waiting(run.instance, None)
        self.close()
        return moment._replace(frames=frames)

    @property
    def run(self) -> SteppedRun:
        assert self._run is not None, "go_to comes first"
        return self._run

    def close(self) -> None:
        if self._run is not None:
            self._run.evict()
        self._run = None
        self._arrivals = iter(())
        self.at = -1

    def _start_again(self) -> None:
        self.close()
        self._journal = WatchedJournal()
        self._function = FunctionFrame()
        definition = self._function.of(self._definition)
        self._run = SteppedRun(definition, journal=self._journal)
        self._arrivals = self._play(self._run)

    def _play(self, run: SteppedRun) -> Iterator[history_pb2.HistoryEvent]:
        for event in self._events:
            yield from run.arrivals(event)
        yield from run.leftovers()
