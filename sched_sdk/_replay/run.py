"""WorkflowRun: one run of a workflow function, replayed and then driven live.

    replay   history, in slices of any size; commands are compared
    live     open_task, hand_step …; commands are taken and sent
             acknowledge when the segment is durable

In replay an event is one of four kinds:

    WorkflowTaskCompleted   ends the segment before it; delivers what its task
                            had seen; opens a segment
    recorded command        equals the next produced command
    recorded step outcome   all commands before it are matched; is handed over
    anything else           ends the segment; waits for the task that saw it

The worker's part of the bargain, so that replay repeats what happened live:

- A segment is everything taken since the last one, in order.
- From sending a segment until its acknowledgement nothing is handed in: the
  acknowledgement moves the clock, and in replay it does so at that place.
- After the acknowledgement of a `more` segment, `open_task` comes first, even
  when it brought no events.
- After an error out of any of these methods, or an answer that was not
  accepted, the run is of no use: evict it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sched_sdk._replay.call_sites import mark_bottom
from sched_sdk._replay.commands import RecordStep
from sched_sdk._replay.delivery import deliver, hand_recorded_step, is_from_outside
from sched_sdk._replay.divergence import did_more, diverged, stands_still
from sched_sdk._replay.eviction import evict
from sched_sdk._replay.instance import Instance
from sched_sdk._replay.matching import MATCHERS, Matcher
from sched_sdk._replay.waiting import Wait, waits_of
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError, SchedError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.facts import Facts
    from sched_sdk._replay.journal import Journal
    from sched_sdk._replay.steps import StepCall, StepOutcome
    from sched_sdk.api.v1 import common_pb2, worker_service_pb2

__all__ = ["WorkflowRun"]

Event = history_pb2.HistoryEvent

_TASK_COMPLETED = history_pb2.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_STEPS = (history_pb2.EVENT_TYPE_STEP_COMPLETED, history_pb2.EVENT_TYPE_STEP_FAILED)
_KNOWN = frozenset(history_pb2.EventType.values())


class WorkflowRun:
    """See the module. Not safe for use from several threads; activations run
    in plain callbacks, and swap the running loop while they last."""

    def __init__(
        self,
        definition: WorkflowDefinition,
        *,
        journal: Journal | None = None,
        matchers: Mapping[int, Matcher] = MATCHERS,
        guarded: bool = False,
    ) -> None:
        """`journal` and `matchers` are for tools that look on. `guarded`: what
        workflow code must not call is refused at the live edge; see `guard`."""
        self._guarded = guarded
        self.base = 0
        """The id of the last WorkflowTaskCompleted applied or acknowledged."""
        self.segments = 0
        """How many segments were applied or acknowledged."""
        self._instance = Instance(definition, journal)
        self._matchers = matchers
        # Outside events that no task has seen yet, in order of id.
        self._unseen: deque[Event] = deque()
        # The highest event id that was handed in.
        self._received = 0
        # The WorkflowTaskCompleted whose commands are being matched.
        self._segment: Event | None = None
        # The details that the history has, or will have with what was taken.
        self._details = ""
        # Steps up to this number were given to the worker.
        self._steps_taken = 0
        self._set_replaying(True)

    @property
    def seen(self) -> int:
        """The id of the last event that was delivered, that is the last event
        of the task that was opened last."""
        return self._instance.facts.seen

    @property
    def closed(self) -> bool:
        """The closing command was produced."""
        return self._instance.lifecycle.closed

    @property
    def facts(self) -> Facts:
        return self._instance.facts

    # Replay

    def replay(self, events: Sequence[Event]) -> None:
        """Apply the next slice of the history. What stands behind the last
        segment waits for `open_task`. Raises NonDeterminismError when the code
        does something else, SchedError for an event this version cannot read."""
        instance = self._instance
        journal = instance.journal
        matchers = self._matchers
        instance.loop.enter()
        try:
            for event in events:
                kind = event.type
                matcher = matchers.get(kind)
                if matcher is not None:
                    matcher(journal, event)
                elif kind == _TASK_COMPLETED:
                    self._begin_segment(event)
                elif kind in _STEPS and not is_from_outside(event):
                    if journal.produced:
                        raise diverged(event, journal.produced[0], journal)
                    hand_recorded_step(instance, event)
                    instance.activate()
                    instance.try_to_close()
                else:
                    self._end_segment(event.event_id)
                    self._keep_unseen(event)
        except NonDeterminismError as error:
            raise stands_still(error, self.waiting()) from None
        finally:
            instance.loop.leave()
        if events:
            self._received = max(self._received, events[-1].event_id)

    def end_replay(self) -> None:
        """All slices of the history were given: the last segment is whole."""
        self._end_segment(self._received + 1)

    def _begin_segment(self, event: Event) -> None:
        self._open_segment(event)
        seen = event.workflow_task_completed.seen
        unseen = self._unseen
        while unseen and unseen[0].event_id <= seen:
            deliver(self._instance, unseen.popleft())
        self._instance.try_to_close()

    def _open_segment(self, event: Event) -> None:
        self._end_segment(event.event_id)
        completed = event.workflow_task_completed
        self._instance.facts.seen = completed.seen
        self._instance.patches.recorded = completed.patches
        if completed.HasField("details"):
            self._details = completed.details
        self._segment = event

    def _end_segment(self, next_event_id: int) -> None:
        segment = self._segment
        if segment is None:
            return
        self._segment = None
        if self._instance.journal.produced:
            raise did_more(self._instance.journal, next_event_id)
        self.acknowledge(segment.event_id, segment.time_us)

    def _keep_unseen(self, event: Event) -> None:
        if is_from_outside(event):
            self._unseen.append(event)
        elif event.type not in _KNOWN and not event.may_ignore:
            raise SchedError(
                f"history event {event.event_id} is of type {event.type}, which this version of "
                "sched_sdk does not know; run the worker with the engine's version or a newer one"
            )

    # Live

    def open_task(self, events: Sequence[Event], last_event_id: int) -> None:
        """Deliver what replay left over and these events, one by one, up to
        `last_event_id`. Events that do not reach code, or that were handed in
        before, are skipped. Raises NonDeterminismError."""
        self.end_replay()
        self._set_replaying(False)
        self._instance.loop.guarded = self._guarded
        for event in events:
            if event.event_id > self._received:
                self._received = event.event_id
                self._keep_unseen(event)
        self._deliver_up_to(last_event_id)

    def catch_up(self, last_event_id: int) -> None:
        """For an instance that only answers questions: hand over what replay
        left over, up to `last_event_id`, as the next task will. The code stays
        as silent as in replay, and nothing that it asks for is done."""
        self.end_replay()
        self._deliver_up_to(last_event_id)

    def _deliver_up_to(self, last_event_id: int) -> None:
        instance = self._instance
        instance.facts.seen = max(instance.facts.seen, last_event_id)
        unseen = self._unseen
        instance.loop.enter()
        try:
            while unseen and unseen[0].event_id <= last_event_id:
                deliver(instance, unseen.popleft())
            instance.try_to_close()
        finally:
            instance.loop.leave()
        self._raise_violation()

    def hand_step(self, outcome: StepOutcome) -> None:
        """Record the outcome of a step and hand it to the code. An outcome that
        the code no longer waits for is dropped without a command."""
        instance = self._instance
        request = instance.journal.steps.pop(outcome.seq, None)
        if request is None:
            return
        instance.journal.produced.append(
            RecordStep(outcome.seq, request.site, outcome.to_message(request.name))
        )
        instance.loop.enter()
        try:
            if outcome.failure is not None:
                request.resolve_failed(outcome.failure, outcome.attempt, outcome.retry_after_us)
            else:
                request.resolve_completed(outcome.to_message("").result)
            instance.activate()
            instance.try_to_close()
        finally:
            instance.loop.leave()
        self._raise_violation()

    def take_commands(self) -> list[worker_service_pb2.Command]:
        """The commands produced since the last take, in order."""
        produced = self._instance.journal.produced
        messages = [command.to_message() for command in produced]
        produced.clear()
        return messages

    @property
    def details_changed(self) -> bool:
        """The code says something else than the history knows."""
        return self._instance.queries.details != self._details

    def take_details(self) -> str | None:
        """The text of `set_details`, if it is another than was taken or replayed
        last. It is compared with no history: code may say what it likes."""
        if not self.details_changed:
            return None
        self._details = self._instance.queries.details
        return self._details

    def take_steps(self) -> list[StepCall]:
        """The steps asked for since the last take, in order."""
        waiting = self._instance.journal.steps
        calls = [step.to_call() for seq, step in waiting.items() if seq > self._steps_taken]
        if calls:
            self._steps_taken = calls[-1].seq
        return calls

    def wants_step(self, seq: int) -> bool:
        """Whether the code still waits for that step; one that it does not
        want any more may be stopped."""
        return seq in self._instance.journal.steps

    def acknowledge(self, base: int, time_us: int) -> None:
        """A segment is durable: `base` is the id of its WorkflowTaskCompleted,
        and the workflow's clock moves to that event's time."""
        self.base = base
        self.segments += 1
        self._instance.move_clock(time_us)

    # Any time

    def waiting(self) -> list[Wait]:
        """Where each of the run's tasks waits, and on what."""
        return waits_of(self._instance)

    def query(self, name: str, input: Sequence[common_pb2.Payload]) -> common_pb2.Payload:  # noqa: A002 - the API's name
        """Ask the run something; see Queries.answer. Never between sending a
        segment and its acknowledgement: the code is then ahead of the history."""
        instance = self._instance
        loop = instance.loop
        before, loop.guarded = loop.guarded, self._guarded
        loop.enter()
        try:
            return instance.queries.answer(instance, name, input)
        finally:
            loop.leave()
            loop.guarded, loop.violation = before, None

    @property
    def main_task(self) -> asyncio.Task[Any] | None:
        """The task of the workflow function; None before it started."""
        return self._instance.lifecycle.main

    def evict(self) -> None:
        """Close all coroutines, quietly, and let go of everything."""
        evict(self._instance)
        self._unseen.clear()

    def _raise_violation(self) -> None:
        """Code that called what it must not does not go on, even if it has
        swallowed the error."""
        violation = self._instance.loop.violation
        if violation is not None:
            raise violation

    def _set_replaying(self, replaying: bool) -> None:
        self._instance.facts.replaying = replaying
        self._instance.loop.silent = replaying


mark_bottom(WorkflowRun.query)
