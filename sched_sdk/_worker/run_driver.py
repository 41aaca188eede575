"""Drives one run: from a task over its segments to the answer.

                      task                      ACK of the last segment
    idle ───────────────────────────▶ working ─────────────────────────▶ idle
                                     │       ▲
                      segment(more)  ▼       │  ACK(more): the next events
                                    waiting for the ACK

While a segment is out, nothing is handed to the code: outcomes of steps wait.
While an outcome that the code has had is not durable yet, no step starts.

When a segment leaves is decided after each round of activations:

    the run closed, or no step is running or waiting     at once, the last one
    steps wait for the acknowledgement of an outcome     at once, `more`
    commands while steps are running                     at once, `more`
    only outcomes while other steps are running          `more`, after 50 ms
    nothing but other details, while steps are running   `more`, after 50 ms
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sched_sdk._client.transport import MAXIMUM_MESSAGE_BYTES, megabytes
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._worker.outbox import SEGMENTS, encode_entry
from sched_sdk.api.v1 import history_pb2, worker_service_pb2
from sched_sdk.errors import (
    ForbiddenCallError,
    LimitExceededError,
    NonDeterminismError,
    WorkflowBlockedError,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.steps import StepCall, StepOutcome
    from sched_sdk._worker.questions import Question
    from sched_sdk._worker.run_host import RunHost
    from sched_sdk._worker.second_runs import SecondRuns
    from sched_sdk.api.v1.worker_service_pb2 import Command, SegmentAck, WorkflowSegment

__all__ = ["RunDriver"]

Event = history_pb2.HistoryEvent
FailureCause = history_pb2.WorkflowTaskFailureCause

# Outcomes that come within this time share a segment; so do details.
_GATHER_S = 0.05
_RETRY_S = 0.1


class RunDriver:
    """One cached instance of a run. All methods are called from plain callbacks
    of the event loop, never from inside an asyncio task."""

    def __init__(
        self, host: RunHost, run_id: str, workflow_id: str, definition: WorkflowDefinition
    ) -> None:
        self.run_id = run_id
        self.workflow_id = workflow_id
        self.dispatch = 0
        """The number of the task in hand; 0: none."""
        self.task_base = 0
        """The `base` of the task in hand, also while its history is replayed."""
        self.held_since = 0.0
        self.dead = False
        self._host = host
        self._run = WorkflowRun(definition, guarded=host.guarded)
        self.workflow_name = definition.name
        self._name = f"{definition.name} {workflow_id}"
        self._segment: WorkflowSegment | None = None
        self._commands: list[Command] = []
        self._outcomes: deque[StepOutcome] = deque()
        self._steps_waiting: list[StepCall] = []
        self._steps_running: dict[int, asyncio.Task[None]] = {}
        self._handed = False
        self._pump_due = False
        self._flush_timer: asyncio.TimerHandle | None = None
        # The first task is open; before that the history is being replayed.
        self._opened = False
        self._questions: list[Question] = []
        self._second: SecondRuns | None = None
        if host.checks is not None:
            self._second = host.checks.follow(definition, workflow_id)

    @property
    def base(self) -> int:
        """The id of the WorkflowTaskCompleted at which the instance stands."""
        return self._run.base

    # -- tasks ---------------------------------------------------------------------

    def take(self, dispatch: int, base: int) -> None:
        """A task is in hand."""
        self.dispatch = dispatch
        self.task_base = base
        self.held_since = self._host.loop.time()

    def adopt(self, dispatch: int) -> None:
        """The task in hand was given out again, to this worker: go on with it."""
        self.dispatch = dispatch
        if self._segment is not None:
            self._segment.dispatch = dispatch
            self._send_segment()

    def replay(self, events: Sequence[bytes]) -> bool:
        """The next slice of the history. False: the task failed."""
        parsed = _parse(events)
        if self._second is not None:
            self._second.add_history(parsed)
        return self._guarded(lambda: self._run.replay(parsed))

    def open(self, events: Sequence[bytes], last_event_id: int) -> None:
        """The history is replayed: hand over what the code has not seen."""
        self._opened = True
        if self._guarded(lambda: self._open_task(events, last_event_id)):
            self._pump()

    def _open_task(self, events: Sequence[bytes], last_event_id: int) -> None:
        parsed = _parse(events)
        if self._second is not None:
            self._second.add_unseen(parsed)
        self._run.open_task(parsed, last_event_id)

    def evict(self) -> None:
        """Close the instance; nothing more comes from it."""
        if self.dead:
            return
        self.dead = True
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        for task in self._steps_running.values():
            task.cancel()
        self._steps_running.clear()
        self._host.guard.run(self._name, self._run.evict)
        self._turn_away(self._questions)

    # -- segments ------------------------------------------------------------------

    @property
    def unacknowledged(self) -> bytes:
        """The segment to send again on a new stream; empty if there is none."""
        return b"" if self._segment is None else encode_entry(SEGMENTS, self._segment)

    def acknowledged(self, ack: SegmentAck) -> None:
        """The engine has answered a segment."""
        segment = self._segment
        if segment is None or ack.segment_id != segment.segment_id:
            return  # of an earlier send
        if ack.outcome == worker_service_pb2.SegmentAck.OUTCOME_ACCEPTED:
            self._accepted(segment, ack)
        elif ack.outcome == worker_service_pb2.SegmentAck.OUTCOME_RETRY:
            self._host.loop.call_later(_RETRY_S, self._send_again, segment)
        else:
            invalid = ack.outcome == worker_service_pb2.SegmentAck.OUTCOME_INVALID
            self._host.tally.workflow_tasks["failed" if invalid else "rejected"] += 1
            self.evict()
            self._host.discard(self)

    def _accepted(self, segment: WorkflowSegment, ack: SegmentAck) -> None:
        self._segment = None
        self._handed = False
        self.task_base = ack.base
        if self._second is not None:
            self._second.committed(segment, ack.base, ack.time_us)
        if segment.more:
            self.held_since = self._host.loop.time()
            if self._guarded(lambda: self._go_on(ack)):
                self._pump()
            return
        self.dispatch = 0
        self._host.tally.workflow_tasks["completed"] += 1
        self._run.acknowledge(ack.base, ack.time_us)
        if self._questions:
            self._answer_questions()
            if self.dead:
                return
        if self._run.closed:
            self.evict()
            self._host.discard(self)
        else:
            self._host.answered(self)

    def _go_on(self, ack: SegmentAck) -> None:
        self._run.acknowledge(ack.base, ack.time_us)
        self._open_task(ack.events, ack.last_event_id)
        self._collect()
        # Everything that the code has had is durable: what waited may start,
        # before the next outcomes are handed over.
        self._start_steps()

    def _send_again(self, segment: WorkflowSegment) -> None:
        if self._segment is segment and not self.dead:
            self._send_segment()

    def _send_segment(self) -> None:
        self._host.send(self.unacknowledged)

    # -- activations ---------------------------------------------------------------

    def _step_done(self, outcome: StepOutcome) -> None:
        self._steps_running.pop(outcome.seq, None)
        if self.dead:
            return
        self._outcomes.append(outcome)
        if not self._pump_due:
            # Called from the step's task. Those that end in this round of the
            # loop are handed over together, from a callback.
            self._pump_due = True
            self._host.loop.call_soon(self._pump_later)

    def _pump_later(self) -> None:
        self._pump_due = False
        if not self.dead:
            self._pump()

    def _pump(self) -> None:
        """Hand over what waits, and decide what leaves."""
        if self.dispatch and self._segment is None and self._guarded(self._advance):
            self._decide()
            if self._questions:
                self._answer_questions()

    def _advance(self) -> None:
        run = self._run
        while self._outcomes:
            outcome = self._outcomes.popleft()
            if run.wants_step(outcome.seq):
                run.hand_step(outcome)
                self._handed = True
        self._collect()
        if not self._handed:
            self._start_steps()

    def _collect(self) -> None:
        """Take what the code asked for, and stop what it gave up."""
        run = self._run
        self._commands.extend(run.take_commands())
        self._steps_waiting.extend(run.take_steps())
        if self._steps_running:
            unwanted = [seq for seq in self._steps_running if not run.wants_step(seq)]
            for seq in unwanted:
                self._steps_running.pop(seq).cancel()

    def _start_steps(self) -> None:
        if self._host.draining:
            return
        for call in self._steps_waiting:
            if self._run.wants_step(call.seq):
                self._steps_running[call.seq] = self._host.start_step(call, self._step_done)
        self._steps_waiting.clear()

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Run workflow code. False: the task failed and the instance is gone."""
        error, blocked_for = self._host.guard.run(self._name, work)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error
        if blocked_for:
            message = (
                f"workflow code blocked the event loop for {blocked_for:.1f} s and was "
                "interrupted; move the work into an activity or a step"
            )
            self._fail(
                FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_BLOCKED, WorkflowBlockedError(message)
            )
            return False
        if error is None:
            return True
        if isinstance(error, ForbiddenCallError):
            self._fail(FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_FORBIDDEN_CALL, error)
        elif isinstance(error, NonDeterminismError):
            self._fail(FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_NON_DETERMINISM, error)
        else:
            self._fail(FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_SDK_ERROR, error)
        return False

    def _fail(self, cause: FailureCause.ValueType, error: BaseException) -> None:
        self.evict()
        self._host.task_failed(self, cause, error)

    # -- questions ------------------------------------------------------------------

    def ask(self, question: Question) -> None:
        """Answer it at the next quiet moment, when everything that the code has
        had is durable."""
        self._questions.append(question)
        self._answer_questions()

    def _answer_questions(self) -> None:
        if self.dead or not self._opened or self._segment is not None or self._commands:
            return
        if self._handed:
            return
        waiting, self._questions = self._questions, []
        while waiting:
            question = waiting.pop(0)
            if not question.fits(self._run):
                self._questions.append(question)
            elif not question.put_to(self._run, self._name, self._host.guard):
                self._turn_away(waiting)
                self.evict()
                self._host.spoiled(self)
                return
        if not self.dispatch:
            # What they wait for comes with a task, and that may go elsewhere.
            self._turn_away(self._questions)

    @staticmethod
    def _turn_away(questions: list[Question]) -> None:
        for question in questions:
            question.not_cached()
        questions.clear()

    # -- what leaves, and when -------------------------------------------------------

    def _decide(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        waiting = any(self._run.wants_step(call.seq) for call in self._steps_waiting)
        if self._run.closed or not (self._steps_running or waiting):
            self._flush(more=False)
        elif not self._commands:
            if waiting and not self._steps_running:
                # Only a draining worker leaves steps waiting that it may start.
                self.evict()
                self._host.hand_back(self)
            elif self._run.details_changed:
                self._flush_timer = self._host.loop.call_later(_GATHER_S, self._flush_gathered)
        elif waiting or not all(command.HasField("record_step") for command in self._commands):
            self._flush(more=True)
        else:
            self._flush_timer = self._host.loop.call_later(_GATHER_S, self._flush_gathered)

    def _flush_gathered(self) -> None:
        self._flush_timer = None
        if self._segment is None and not self.dead:
            self._flush(more=True)

    def _flush(self, *, more: bool) -> None:
        run = self._run
        segment = worker_service_pb2.WorkflowSegment(
            run_id=self.run_id,
            dispatch=self.dispatch,
            base=run.base,
            seen=run.seen,
            more=more,
            segment_id=self._host.random.getrandbits(64) or 1,
            details=run.take_details(),
            commands=self._commands,
        )
        self._commands = []
        size = segment.ByteSize()
        if size > MAXIMUM_MESSAGE_BYTES:
            cause = FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_LIMIT_EXCEEDED
            self._fail(cause, LimitExceededError(_too_large(segment, size)))
            return
        if not more:
            for task in self._steps_running.values():
                task.cancel()
            self._steps_running.clear()
        if self._second is not None:
            error = self._second.refuses(segment)
            if error is not None:
                self._fail(FailureCause.WORKFLOW_TASK_FAILURE_CAUSE_NON_DETERMINISM, error)
                return
        self._segment = segment
        self._send_segment()


def _parse(events: Sequence[bytes]) -> list[Event]:
    parse = Event.FromString
    return [parse(data) for data in events]


def _too_large(segment: WorkflowSegment, size: int) -> str:
    return (
        f"the workflow asked for {len(segment.commands)} things at once, "
        f"{megabytes(size)} when encoded; the limit is {megabytes(MAXIMUM_MESSAGE_BYTES)}. "
        "Await some of them before asking for more, or pass less data."
    )
