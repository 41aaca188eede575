"""Given / when / then for the core.

`Run` is one run under test. `do` decides one input and folds what came of it;
on the way it checks what must hold for every decision:

- deciding changes nothing,
- whatever is decided can be folded,
- what would be stored, read back, gives the state that was live.
"""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

from sched_server.codec import (
    decode_event,
    decode_record,
    encode_activity_record,
    encode_event,
    encode_task_record,
)
from sched_server.core import decide, evolve, put_record, restore_activity
from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.limits import DEFAULT_LIMITS, Limits
from sched_server.core.state import ActivityRecord, ExecutionState, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Failure, Payload, Status

if TYPE_CHECKING:
    from sched_server.core.decision import Decision

T0 = 1_700_000_000_000_000
SECOND = 1_000_000

SESSION = "session-a"
IDENTITY = "worker-a"
RESULT = Payload("json", b'"done"')
BOOM = Failure(type="ValueError", message="boom")
STOPPED = Failure(kind=3, type="CanceledError", message="stopped")

# The corpus run in `test_transitions` counts live transitions only; the fold
# of a rebuild, which knows no records, would blur the count.
check_rebuild = True


class Run:
    """One run, and the time that its inputs come at."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.state = ExecutionState()
        self.now = T0
        self.stored: list[bytes] = []
        self._segment_ids = itertools.count(1)
        self._dispatches = itertools.count(100)

    # ------------------------------------------------------------ the one step

    def do(self, request: i.Input) -> Decision:
        """Decide at the current time, then fold."""
        before = copy.deepcopy(self.state)
        decision = decide(self.state, request, self.now, self.limits)
        assert self.state == before, "deciding changed the state"
        for attributes in decision.events:
            self.fold(attributes)
        for record in decision.records:
            put_record(self.state, record)
        if check_rebuild:
            assert self.rebuilt() == self.state
        return decision

    def fold(self, attributes: e.Attributes) -> None:
        event = e.Event(self.state.last_event_id + 1, self.now, attributes)
        evolve(self.state, event)
        data = encode_event(event)
        self.state.history_bytes += len(data)
        self.stored.append(data)

    def rebuilt(self) -> ExecutionState:
        """The state as another engine would read it from the rows."""
        state = ExecutionState()
        for data in self.stored:
            evolve(state, decode_event(data))
            state.history_bytes += len(data)
        if self.state.status is not Status.RUNNING:
            return state
        for seq, activity in self.state.activities.items():
            row = encode_activity_record(activity.record)
            restore_activity(state, seq, decode_record(row, ActivityRecord))
        if self.state.task.phase is not TaskPhase.IDLE:
            row = encode_task_record(self.state.task)
            state.task = decode_record(row, WorkflowTaskRecord)
        return state

    def history(self) -> list[e.Event]:
        return [decode_event(data) for data in self.stored]

    def types(self) -> list[str]:
        return [type(event.attributes).__name__ for event in self.history()]

    def wait(self, us: int) -> Run:
        self.now += us
        return self

    # ------------------------------------------------------------ inputs

    def start(self, **changes: Any) -> Decision:
        return self.do(start_request(**changes))

    def segment(self, *commands: i.Command, **changes: Any) -> Decision:
        """The worker's answer; by default to the current task, having seen all."""
        return self.do(self.segment_request(*commands, **changes))

    def segment_request(self, *commands: i.Command, **changes: Any) -> i.CompleteSegment:
        given: dict[str, Any] = {
            "base": self.state.base,
            "seen": self.state.last_event_id,
            "segment_id": next(self._segment_ids),
            "commands": commands,
            "identity": IDENTITY,
        }
        return i.CompleteSegment(**given | changes)

    def signal(self, name: str = "go", **changes: Any) -> Decision:
        return self.do(i.SignalWorkflow(name=name, **changes))

    def assign(self, seq: int = 1, *, session: str = SESSION) -> int:
        """A worker gets the activity; returns the dispatch number."""
        dispatch = next(self._dispatches)
        self.do(i.StartActivity(seq=seq, dispatch=dispatch, session=session, identity=IDENTITY))
        return dispatch

    def report(self, dispatch: int, seq: int = 1, **outcome: Any) -> Decision:
        return self.do(i.ReportActivity(seq=seq, dispatch=dispatch, **outcome))

    def release(self, dispatch: int, seq: int = 1, *, returned: bool = False) -> Decision:
        return self.do(i.ReleaseActivity(seq=seq, dispatch=dispatch, returned=returned))

    def fire(self, kind: Any, seq: int = 0) -> Decision:
        return self.do(i.FireTimer(kind=kind, seq=seq))


def start_request(**changes: Any) -> i.StartWorkflow:
    given: dict[str, Any] = {
        "workflow_id": "order-1",
        "run_id": "run-1",
        "workflow_type": "Order",
        "task_queue": "default",
        "seed": 7,
        "request_id": "start-1",
    }
    return i.StartWorkflow(**given | changes)


def started(limits: Limits = DEFAULT_LIMITS, **changes: Any) -> Run:
    """A run whose first task waits for a worker."""
    run = Run(limits)
    run.start(**changes)
    return run


def with_activity(limits: Limits = DEFAULT_LIMITS, **changes: Any) -> Run:
    """A run that has queued activity 1 and waits for it."""
    run = started(limits)
    run.segment(activity(1, **changes))
    return run


def activity(seq: int, **changes: Any) -> i.ScheduleActivity:
    given: dict[str, Any] = {"seq": seq, "name": "send_email"}
    return i.ScheduleActivity(**given | changes)


def step(seq: int, **changes: Any) -> i.RecordStep:
    given: dict[str, Any] = {"seq": seq, "name": "charge", "result": RESULT}
    return i.RecordStep(**given | changes)


def completed() -> i.CompleteWorkflow:
    return i.CompleteWorkflow(result=RESULT)
