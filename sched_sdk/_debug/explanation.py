"""A second replay, up to the divergence, that looks closely."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.comparison import plain_payloads
from sched_sdk._debug.model import AgreedCommand, Divergence, Frame, Raised, Side, Waiting
from sched_sdk._debug.observation import (
    FunctionFrame,
    ObservingJournal,
    frames_of_error,
    frames_of_task,
)
from sched_sdk._replay.commands import CompleteWorkflow, FailWorkflow, ScheduleActivity
from sched_sdk._replay.delivery import is_from_outside
from sched_sdk._replay.divergence import NOTHING_MORE, describe_event
from sched_sdk._replay.matching import MATCHERS
from sched_sdk._replay.run import WorkflowRun
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.waiting import Wait

__all__ = ["explain"]

Event = history_pb2.HistoryEvent

_TASK_COMPLETED = history_pb2.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_STEPS = (history_pb2.EVENT_TYPE_STEP_COMPLETED, history_pb2.EVENT_TYPE_STEP_FAILED)
_SHOWN_COMMANDS = 5


def explain(
    definition: WorkflowDefinition,
    events: Sequence[Event],
    error: NonDeterminismError,
    segments: int,
) -> Divergence:
    """Everything about `error`, with which a replay ended after `segments` whole
    segments."""
    begin = _begin_of_segment(events, segments)
    journal = ObservingJournal()
    function = FunctionFrame()
    run = WorkflowRun(function.of(definition), journal=journal)
    again: NonDeterminismError | None = None
    try:
        # What the code prints was printed by the first replay.
        with contextlib.redirect_stdout(io.StringIO()):
            run.replay(events[:begin])
            journal.closely = True
            run.replay(events[begin:])
            run.end_replay()
    except NonDeterminismError as found:
        again = found
    try:
        task = run.main_task
        shown = again or error
        frames = _frames(shown.command, journal, function.last(), task)
        waits = tuple(map(_waiting, run.waiting()))
        sites = journal.sites()
    finally:
        run.evict()
    agreed = _agreed(events, shown.event_id, sites)
    return Divergence(
        event_id=shown.event_id,
        message=str(shown),
        recorded=_recorded_side(shown, events, agreed),
        current=_current_side(shown, frames),
        raised=_raised(shown, events),
        agreed=agreed,
        frames=frames,
        waits=waits,
        reset_event_id=_reset_point(events, begin),
        recorded_build_id=_build_of(events, begin),
        unstable=again is None or _parts(again) != _parts(error),
    )


def _waiting(wait: Wait) -> Waiting:
    return Waiting(
        task=wait.task,
        call_site=wait.call_site,
        function=wait.function.rpartition("<locals>.")[2],
        waits_on=wait.waits_on,
    )


def _parts(error: NonDeterminismError) -> tuple[int, str, str]:
    return error.event_id, error.expected, error.actual


def _begin_of_segment(events: Sequence[Event], segments: int) -> int:
    """The index of the WorkflowTaskCompleted behind that many segments."""
    found = [index for index, event in enumerate(events) if event.type == _TASK_COMPLETED]
    return found[min(segments, len(found) - 1)] if found else 0


def _reset_point(events: Sequence[Event], begin: int) -> int:
    return events[begin - 1].event_id if begin > 0 else 0


def _build_of(events: Sequence[Event], begin: int) -> str:
    return events[begin].workflow_task_completed.build_id if events else ""


def _frames(
    command: object,
    journal: ObservingJournal,
    at_return: Frame | None,
    task: asyncio.Task[Any] | None,
) -> tuple[Frame, ...]:
    """Of what produced the command; the workflow function's is always there."""
    function = frames_of_task(task.get_coro()) if task is not None else ()
    if not function and at_return is not None:
        function = (at_return,)
    if isinstance(command, FailWorkflow) and (error := _error_of(task)) is not None:
        return frames_of_error(error) or function
    if command is None or isinstance(command, CompleteWorkflow):
        return function
    frames = journal.frames_behind(command)
    if not frames:
        return function
    known = {(frame.file, frame.function) for frame in frames}
    return frames + tuple(
        frame for frame in function[-1:] if (frame.file, frame.function) not in known
    )


def _error_of(task: asyncio.Task[Any] | None) -> BaseException | None:
    if task is None or not task.done() or task.cancelled():
        return None
    return task.exception()


def _raised(error: NonDeterminismError, events: Sequence[Event]) -> Raised | None:
    """The exception that left the function where the history goes on."""
    command = error.command
    event = _event(events, error.event_id)
    if not isinstance(command, FailWorkflow) or (
        event is not None and event.HasField("workflow_failed")
    ):
        return None
    failure = command.raised
    return Raised(type=failure.type, message=failure.message, traceback=failure.traceback)


def _event(events: Sequence[Event], event_id: int) -> Event | None:
    return events[event_id - 1] if 0 < event_id <= len(events) else None


def _recorded_side(
    error: NonDeterminismError, events: Sequence[Event], agreed: Sequence[AgreedCommand]
) -> Side:
    event = _event(events, error.event_id)
    if event is None or error.expected == NOTHING_MORE:
        return Side(what=error.expected)
    arguments = None
    if event.HasField("activity_scheduled"):
        arguments = tuple(plain_payloads(event.activity_scheduled.input))
    return Side(
        what=_what(event, events),
        call_site=error.recorded_call_site,
        call_site_now=_moved(error.recorded_call_site, agreed),
        arguments=arguments,
    )


def _moved(call_site: str, agreed: Sequence[AgreedCommand]) -> str:
    """An edit moves what stands below it, and mostly all by the same."""
    file, _, line = call_site.rpartition(":")
    for command in reversed(agreed):
        before_file, _, before = command.recorded_call_site.rpartition(":")
        now_file, _, now = command.current_call_site.rpartition(":")
        if before_file == file and before.isdigit() and now.isdigit() and line.isdigit():
            return f"{now_file}:{max(1, int(line) + int(now) - int(before))}"
    return ""


def _current_side(error: NonDeterminismError, frames: tuple[Frame, ...]) -> Side:
    command = error.command
    arguments = None
    site = error.current_call_site
    if isinstance(command, ScheduleActivity):
        arguments = tuple(plain_payloads(command.payloads))
    elif isinstance(command, CompleteWorkflow | FailWorkflow) and frames and not site:
        site = frames[0].call_site
    return Side(what=error.actual, call_site=site, arguments=arguments)


def _what(event: Event, events: Sequence[Event]) -> str:
    """`describe_event`, with the name of what a cancellation concerns."""
    if event.HasField("activity_cancel_requested"):
        seq = event.activity_cancel_requested.seq
        for other in events:
            if other.HasField("activity_scheduled") and other.activity_scheduled.seq == seq:
                return f"cancellation of activity {other.activity_scheduled.name}"
    if event.HasField("timer_canceled"):
        seq = event.timer_canceled.seq
        for other in events:
            if other.HasField("timer_scheduled") and other.timer_scheduled.seq == seq:
                return f"cancellation of {describe_event(other)}"
    return describe_event(event)


def _agreed(
    events: Sequence[Event], event_id: int, sites: dict[tuple[int, bool], str]
) -> tuple[AgreedCommand, ...]:
    commands = [
        event
        for event in events[: event_id - 1]
        if event.type in MATCHERS or (event.type in _STEPS and not is_from_outside(event))
    ]
    agreed = []
    for event in commands[-_SHOWN_COMMANDS:]:
        attributes: Any = getattr(event, event.WhichOneof("attributes") or "")
        cancels = event.HasField("activity_cancel_requested") or event.HasField("timer_canceled")
        agreed.append(
            AgreedCommand(
                event_id=event.event_id,
                what=_what(event, events),
                recorded_call_site=getattr(attributes, "call_site", ""),
                current_call_site=sites.get((getattr(attributes, "seq", 0), cancels), ""),
            )
        )
    return tuple(agreed)
