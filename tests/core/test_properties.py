"""Random legal lives of one run: what must hold after every step.

`Run.do` checks at each step that deciding changes nothing, that `evolve` takes
whatever `decide` emits, and that the stored bytes rebuild the live state.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import Rejection, SetTimer, Verdict
from sched_server.core.limits import Limits
from sched_server.core.state import ActivityPhase, TaskPhase
from sched_server.core.values import RetryPolicy, Status, TimerKind

from .scenario import BOOM, IDENTITY, RESULT, SECOND, STOPPED, Run, activity, completed, step

if TYPE_CHECKING:
    from sched_server.core.decision import Decision

RESOLUTIONS = (
    e.ActivityCompleted,
    e.ActivityFailed,
    e.ActivityTimedOut,
    e.ActivityCanceled,
    e.TimerFired,
)
LIMITS = Limits(history_events=120, pending_activities=4, pending_timers=3, retry_events=2)

time_limits = st.sampled_from([0, SECOND, 5 * SECOND])
policies = st.builds(
    RetryPolicy,
    initial_interval_us=st.sampled_from([1, SECOND]),
    maximum_attempts=st.sampled_from([0, 1, 2, 5]),
)
outcomes = st.sampled_from(
    [{"result": RESULT}, {"failure": BOOM}, {"canceled": STOPPED}, {"detached": True}]
)


class OneRun(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.run_ = Run(LIMITS)
        self.next_seq = 1
        self.dispatches: list[tuple[int, int]] = []
        self.sent: list[i.CompleteSegment] = []
        self.set_timers: set[tuple[TimerKind, int]] = set()

    def do(self, request: i.Input) -> Decision | None:
        try:
            decision = self.run_.do(request)
        except Rejection:
            return None
        for effect in decision.effects:
            if isinstance(effect, SetTimer):
                self.set_timers.add((effect.kind, effect.seq))
        if decision.verdict in (Verdict.DUPLICATE, Verdict.STALE, Verdict.HOLD):
            assert not decision.changes
        return decision

    def seq(self) -> int:
        self.next_seq += 1
        return self.next_seq - 1

    # ------------------------------------------------------------ the life

    @initialize(delay=time_limits, timeout=st.sampled_from([0, 100 * SECOND]))
    def start(self, delay: int, timeout: int) -> None:
        self.run_.start(start_delay_us=delay, execution_timeout_us=timeout)
        for effect_kind in (TimerKind.WORKFLOW_TASK_BACKOFF, TimerKind.EXECUTION_TIMEOUT):
            self.set_timers.add((effect_kind, 0))

    @rule(us=st.sampled_from([0, 1, SECOND, 7 * SECOND]))
    def time_passes(self, us: int) -> None:
        self.run_.wait(us)

    @rule(number=st.integers(0, 3))
    def signal(self, number: int) -> None:
        self.do(i.SignalWorkflow(name="go", request_id=f"s-{number}" if number else ""))

    @rule(number=st.integers(0, 2))
    def cancel(self, number: int) -> None:
        self.do(i.CancelWorkflow(request_id=f"c-{number}" if number else ""))

    @precondition(lambda self: len(self.run_.stored) > 25)
    @rule()
    def terminate(self) -> None:
        self.do(i.TerminateWorkflow(request_id="t"))

    def command(self, data: st.DataObject, kind: str) -> i.Command:
        older = st.integers(1, max(1, self.next_seq - 1))
        if kind == "activity":
            return activity(
                self.seq(),
                retry=data.draw(policies),
                start_to_close_us=data.draw(time_limits),
                schedule_to_close_us=data.draw(time_limits),
                schedule_to_start_us=data.draw(time_limits),
                heartbeat_timeout_us=data.draw(time_limits),
            )
        if kind == "timer":
            return i.StartTimer(seq=self.seq(), duration_us=data.draw(time_limits))
        if kind == "cancel activity":
            return i.RequestCancelActivity(seq=data.draw(older))
        if kind == "cancel timer":
            return i.CancelTimer(seq=data.draw(older))
        if data.draw(st.booleans()):
            return step(self.seq())
        return step(self.seq(), result=None, failure=BOOM)

    @rule(
        data=st.data(),
        kinds=st.lists(
            st.sampled_from(["activity", "timer", "cancel activity", "cancel timer", "step"]),
            max_size=5,
        ),
        closes=st.sampled_from([False] * 5 + [True]),
        more=st.booleans(),
        behind=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def segment(
        self, data: st.DataObject, kinds: list[str], closes: bool, more: bool, behind: int
    ) -> None:
        commands = [self.command(data, kind) for kind in kinds]
        if closes:
            commands.append(completed())
        state = self.run_.state
        request = self.run_.segment_request(
            *commands,
            more=more and not closes,
            seen=max(state.seen, state.last_event_id - behind),
        )
        self.sent.append(request)
        self.do(request)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def segment_comes_again(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.sent[-3:]))
        newest = request.segment_id == self.run_.state.segment_id
        decision = self.do(request)
        if newest:
            assert decision is not None
            assert not decision.changes
            assert decision.effects == []

    @rule(cause=st.integers(1, 6), stale=st.sampled_from([False, False, True]))
    def task_fails(self, cause: int, stale: bool) -> None:
        base = self.run_.state.base + (1 if stale else 0)
        self.do(i.FailWorkflowTask(base=base, cause=cause, failure=BOOM))

    @rule(returned=st.booleans())
    def task_is_lost(self, returned: bool) -> None:
        self.do(i.LoseWorkflowTask(identity=IDENTITY, returned=returned))

    @rule()
    def other_code_comes(self) -> None:
        self.do(i.HastenWorkflowTask())

    @precondition(lambda self: self.run_.state.activities)
    @rule(data=st.data())
    def assign(self, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.run_.state.activities)))
        self.dispatches.append((seq, self.run_.assign(seq)))

    @precondition(lambda self: self.dispatches)
    @rule(data=st.data(), outcome=outcomes, twice=st.booleans())
    def report(self, data: st.DataObject, outcome: dict[str, Any], twice: bool) -> None:
        seq, dispatch = data.draw(st.sampled_from(self.dispatches[-6:]))
        request = i.ReportActivity(seq=seq, dispatch=dispatch, **outcome)
        self.do(request)
        if twice and "detached" not in outcome:
            again = self.do(request)
            assert again is not None
            assert not again.changes, "a redelivered report changes nothing"

    @precondition(lambda self: self.dispatches)
    @rule(data=st.data(), returned=st.booleans())
    def release(self, data: st.DataObject, returned: bool) -> None:
        seq, dispatch = data.draw(st.sampled_from(self.dispatches[-6:]))
        self.do(i.ReleaseActivity(seq=seq, dispatch=dispatch, returned=returned))

    @precondition(lambda self: self.dispatches)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        seq, dispatch = data.draw(st.sampled_from(self.dispatches[-6:]))
        self.do(i.HeartbeatActivity(seq=seq, dispatch=dispatch, details=RESULT))

    @precondition(lambda self: self.set_timers)
    @rule(data=st.data())
    def timer_comes_due(self, data: st.DataObject) -> None:
        kind, seq = data.draw(st.sampled_from(sorted(self.set_timers)))
        self.do(i.FireTimer(kind=kind, seq=seq))

    # ------------------------------------------------------------ what holds

    @invariant()
    def history_is_sound(self) -> None:
        history = self.run_.history()
        assert [x.event_id for x in history] == list(range(1, len(history) + 1))
        times = [x.time_us for x in history]
        assert times == sorted(times)
        terminal = [x.event_id for x in history if type(x.attributes) in e.TERMINAL]
        closed = self.run_.state.status is not Status.RUNNING
        assert terminal == ([len(history)] if history and closed else [])

    @invariant()
    def everything_is_resolved_at_most_once(self) -> None:
        resolved = Counter(
            x.attributes.seq
            for x in self.run_.history()
            if isinstance(x.attributes, RESOLUTIONS)
            or (isinstance(x.attributes, e.TimerCanceled) and not x.attributes.moot)
        )
        assert not [seq for seq, count in resolved.items() if count > 1]

    @invariant()
    def nothing_for_the_code_is_forgotten(self) -> None:
        """What no segment has seen always has a task."""
        state = self.run_.state
        if state.unseen:
            assert state.task.phase is not TaskPhase.IDLE

    @invariant()
    def whoever_waits_has_a_due_time(self) -> None:
        state = self.run_.state
        assert (state.task.phase is TaskPhase.BACKOFF) == (state.task.due_us > 0)
        for item in state.activities.values():
            assert (item.record.phase is ActivityPhase.BACKOFF) == (item.record.due_us > 0)

    @invariant()
    def segments_are_in_one_piece(self) -> None:
        """Command events directly follow their WorkflowTaskCompleted."""
        commands = (
            e.ActivityScheduled,
            e.ActivityCancelRequested,
            e.TimerScheduled,
            e.TimerCanceled,
            e.StepCompleted,
            e.StepFailed,
            e.MarkerRecorded,
        )
        inside = False
        for event in self.run_.history():
            kind = type(event.attributes)
            assert inside or kind not in commands
            inside = kind is e.WorkflowTaskCompleted or (inside and kind in commands)


TestOneRun = OneRun.TestCase
TestOneRun.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)
