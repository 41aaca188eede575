"""An engine for one run, in memory, and a worker that drives it.

The engine turns commands into events by the rules of docs/architecture.md and
nothing else; it knows no workflow code. The worker holds at most one
WorkflowRun, loses it when told to, and decides by a `Choices` object when steps
end, when a segment is sent with `more`, and when it forgets everything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sched_sdk import _payloads
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from sched_sdk._failures import exception_from_failure, failure_from_exception
from sched_sdk._replay.replayer import ReplayResult, replay_history
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._replay.steps import StepCall, StepOutcome
from sched_sdk.api.v1 import common_pb2, history_pb2, worker_service_pb2

Event = history_pb2.HistoryEvent
Command = worker_service_pb2.Command

SECOND = 1_000_000
# 2026-01-01T00:00:00Z
EPOCH_US = 1_767_225_600 * SECOND


@dataclass
class Engine:
    """The history of one run and what is pending."""

    history: list[Event] = field(default_factory=list)
    now_us: int = EPOCH_US
    base: int = 0
    activities: dict[int, history_pb2.ActivityScheduled] = field(default_factory=dict)
    cancel_asked: set[int] = field(default_factory=set)
    timers: dict[int, int] = field(default_factory=dict)
    """Due times by seq."""
    closed: bool = False
    dirty: bool = False
    """The code has something to do."""
    refusals: int = 0

    def append(self, kind: str, /, *, reaches_code: bool = False, **attributes: Any) -> Event:
        self.now_us += 1
        event = Event(
            event_id=len(self.history) + 1,
            time_us=self.now_us,
            type=history_pb2.EventType.Value(f"EVENT_TYPE_{kind.upper()}"),
        )
        target = getattr(event, kind)
        target.SetInParent()
        target.MergeFrom(type(target)(**attributes))
        # As a worker gets it: parsed from bytes.
        self.history.append(Event.FromString(event.SerializeToString()))
        self.dirty = self.dirty or reaches_code
        return event

    # From outside

    def start(self, *arguments: Any, seed: int = 7) -> None:
        self.append(
            "workflow_started",
            reaches_code=True,
            workflow_id="wf-test",
            run_id="run-test",
            workflow_type="Test",
            task_queue="default",
            input=_payloads.encode_all(arguments),
            seed=seed,
        )

    def signal(self, name: str, *arguments: Any) -> None:
        if not self.closed:
            payloads = _payloads.encode_all(arguments)
            self.append("signal_received", reaches_code=True, name=name, input=payloads)

    def cancel(self, reason: str = "") -> None:
        if not self.closed:
            self.append("workflow_cancel_requested", reaches_code=True, reason=reason)

    def complete_activity(self, seq: int, result: Any = None) -> None:
        self._resolve_activity(seq)
        self.append(
            "activity_completed", reaches_code=True, seq=seq, result=_payloads.encode(result)
        )

    def fail_activity(self, seq: int, error: BaseException, attempts: int = 1) -> None:
        self._resolve_activity(seq)
        failure = failure_from_exception(error)
        summary = history_pb2.AttemptSummary(attempts=attempts)
        self.append("activity_failed", reaches_code=True, seq=seq, failure=failure, summary=summary)

    def time_out_activity(self, seq: int, kind: str = "start_to_close") -> None:
        self._resolve_activity(seq)
        failure = common_pb2.Failure(
            kind=common_pb2.FAILURE_KIND_TIMEOUT, type=kind, message="took longer than 1 s"
        )
        self.append("activity_timed_out", reaches_code=True, seq=seq, failure=failure)

    def cancel_activity(self, seq: int) -> None:
        self._resolve_activity(seq)
        failure = common_pb2.Failure(kind=common_pb2.FAILURE_KIND_CANCELED, message="canceled")
        self.append("activity_canceled", reaches_code=True, seq=seq, failure=failure)

    def _resolve_activity(self, seq: int) -> None:
        del self.activities[seq]
        self.cancel_asked.discard(seq)

    def fire_timer(self, seq: int) -> None:
        self.now_us = max(self.now_us, self.timers.pop(seq))
        self.append("timer_fired", reaches_code=True, seq=seq)

    def next_timer(self) -> int | None:
        return min(self.timers, key=lambda seq: (self.timers[seq], seq), default=None)

    # From the worker

    def commit(self, commands: Sequence[Command], *, seen: int, more: bool) -> Event | None:
        """Append a segment. None: the close was refused."""
        closing = bool(commands) and _is_closing(commands[-1])
        unseen = [e for e in self.history if e.event_id > seen]
        refused = closing and any(e.HasField("signal_received") for e in unseen)
        deferred = None
        if refused:
            commands, deferred = _cut(commands)
            if deferred is None:
                self.dirty = True
                self.refusals += 1
                return None
        patches = [c.record_marker.id for c in commands if c.HasField("record_marker")]
        segment = self.append(
            "workflow_task_completed", seen=seen, more=more, base=self.base, patches=patches
        )
        self.base = segment.event_id
        numbers = [c.seq for c in commands if c.WhichOneof("command") in _NUMBERING]
        assert numbers == sorted(set(numbers)), "numbers of commands must grow"
        for command in commands:
            self._apply(command)
        if deferred is not None:
            self._record_step(deferred, deferred=True)
            self.refusals += 1
        self.dirty = refused or any(_reaches_code(e) for e in unseen)
        return None if refused else segment

    def _apply(self, command: Command) -> None:
        kind = str(command.WhichOneof("command"))
        body = getattr(command, kind)
        seq, site = command.seq, command.call_site
        if kind == "schedule_activity":
            event = self.append(
                "activity_scheduled", seq=seq, name=body.name, input=body.input, call_site=site
            )
            self.activities[seq] = event.activity_scheduled
        elif kind == "request_cancel_activity":
            moot = seq not in self.activities
            self.append("activity_cancel_requested", seq=seq, moot=moot, call_site=site)
            if not moot:
                self.cancel_asked.add(seq)
        elif kind == "start_timer":
            self.append("timer_scheduled", seq=seq, duration_us=body.duration_us, call_site=site)
            self.timers[seq] = self.now_us + body.duration_us
        elif kind == "cancel_timer":
            moot = self.timers.pop(seq, None) is None
            self.append("timer_canceled", seq=seq, moot=moot, call_site=site)
        elif kind == "record_marker":
            self.append("marker_recorded", kind=body.kind, id=body.id, call_site=site)
        elif kind == "record_step":
            self._record_step(command, deferred=False)
        else:
            self._close(kind, body)

    def _record_step(self, command: Command, *, deferred: bool) -> None:
        body = command.record_step
        common: dict[str, Any] = {
            "seq": command.seq,
            "name": body.name,
            "attempt": body.attempt,
            "deferred": deferred,
            "call_site": command.call_site,
        }
        if body.HasField("failure"):
            self.append(
                "step_failed",
                failure=body.failure,
                retry_after_us=body.retry_after_us,
                **common,
            )
        else:
            self.append("step_completed", result=body.result, **common)

    def _close(self, kind: str, body: Any) -> None:
        self.closed = True
        if kind == "complete_workflow":
            self.append("workflow_completed", result=body.result)
        elif kind == "fail_workflow":
            self.append("workflow_failed", failure=body.failure)
        else:
            self.append("workflow_canceled", failure=body.failure)

    # For assertions

    def names(self) -> list[str]:
        """The events as short words, in order."""
        return [str(e.WhichOneof("attributes")) for e in self.history]

    def result(self) -> Any:
        """What the workflow returned; raises what it failed with."""
        last = self.history[-1]
        if last.HasField("workflow_failed"):
            raise exception_from_failure(last.workflow_failed.failure)
        assert last.HasField("workflow_completed"), last
        return _payloads.decode(last.workflow_completed.result)


_NUMBERING = ("schedule_activity", "start_timer")
_CLOSING = ("complete_workflow", "fail_workflow", "cancel_workflow")


def _is_closing(command: Command) -> bool:
    return command.WhichOneof("command") in _CLOSING


def _cut(commands: Sequence[Command]) -> tuple[Sequence[Command], Command | None]:
    """What stays of a segment whose close was refused, and the deferred step."""
    for index in range(len(commands) - 1, -1, -1):
        if commands[index].HasField("record_step"):
            return commands[:index], commands[index]
    return (), None


def _reaches_code(event: Event) -> bool:
    return event.WhichOneof("attributes") in (
        "activity_completed",
        "activity_failed",
        "activity_timed_out",
        "activity_canceled",
        "timer_fired",
        "signal_received",
        "workflow_cancel_requested",
    )


class Choices:
    """How a worker decides where it is free to; this one is the plainest."""

    def finish_step(self, running: Sequence[StepCall]) -> StepCall | None:
        """The step that ends next; None: send a segment first."""
        return running[0]

    def send_more(self) -> bool:
        """Send what is there although another step could end first."""
        return False

    def forget(self) -> bool:
        """Lose the cached run after a segment."""
        return False

    def crash(self) -> bool:
        """Lose the cached run, and what was not sent."""
        return False

    def page_size(self) -> int:
        return 1_000


class RandomChoices(Choices):
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def finish_step(self, running: Sequence[StepCall]) -> StepCall | None:
        return self.random.choice([*running, None])

    def send_more(self) -> bool:
        return self.random.random() < 0.3

    def forget(self) -> bool:
        return self.random.random() < 0.3

    def crash(self) -> bool:
        return self.random.random() < 0.05

    def page_size(self) -> int:
        return self.random.randint(1, 5)


class Worker:
    def __init__(
        self,
        engine: Engine,
        workflow: Callable[..., Any] | WorkflowDefinition,
        choices: Choices | None = None,
        *,
        while_out: Callable[[], None] = lambda: None,
        retry_after_us: Callable[[StepCall], int] = lambda _: 0,
    ) -> None:
        self.engine = engine
        self.definition = (
            workflow
            if isinstance(workflow, WorkflowDefinition)
            else workflow_definition_of(workflow)
        )
        self.choices = choices or Choices()
        self.run: WorkflowRun | None = None
        self._while_out = while_out
        self._retry_after_us = retry_after_us
        self.messages: list[Command] = []

    def work(self) -> None:
        """One workflow task, until a segment without `more`."""
        engine = self.engine
        run = self.run
        if run is None:
            run = self.run = WorkflowRun(self.definition)
            size = self.choices.page_size()
            for start in range(0, len(engine.history), size):
                run.replay(engine.history[start : start + size])
            run.open_task([], len(engine.history))
        else:
            run.open_task(engine.history, len(engine.history))
        assert run.base == engine.base
        self._while_out()
        running: list[StepCall] = []
        waiting: list[StepCall] = []
        commands: list[Command] = []
        unacknowledged = False
        while True:
            commands += run.take_commands()
            waiting += run.take_steps()
            running = [call for call in running if run.wants_step(call.seq)]
            waiting = [call for call in waiting if run.wants_step(call.seq)]
            if not unacknowledged:
                running, waiting = running + waiting, []
            if self.choices.crash():
                self.forget()
                engine.dirty = True
                return
            if not running and not waiting:
                self._send(run, commands, more=False)
                return
            chosen = None
            if running and not (commands and self.choices.send_more()):
                chosen = self.choices.finish_step(running)
            if chosen is not None:
                running.remove(chosen)
                run.hand_step(self._run_step(chosen))
                unacknowledged = True
            elif commands:
                if not self._send(run, commands, more=True):
                    return
                commands, unacknowledged = [], False
            self._while_out()

    def _send(self, run: WorkflowRun, commands: list[Command], *, more: bool) -> bool:
        engine = self.engine
        self.messages += commands
        seen = run.seen
        segment = engine.commit(commands, seen=seen, more=more)
        if segment is None:
            self.forget()
            return False
        run.acknowledge(segment.event_id, segment.time_us)
        if more:
            engine.dirty = False
            run.open_task(engine.history, len(engine.history))
        elif self.choices.forget():
            self.forget()
        return True

    def _run_step(self, call: StepCall) -> StepOutcome:
        try:
            result = call.fn(*call.args)
        except Exception as error:
            failure = failure_from_exception(error)
            after = self._retry_after_us(call)
            return StepOutcome(call.seq, call.attempt, failure=failure, retry_after_us=after)
        return StepOutcome(call.seq, call.attempt, result=_payloads.encode(result))

    def forget(self) -> None:
        if self.run is not None:
            self.run.evict()
            self.run = None


def run_to_end(
    workflow: Callable[..., Any],
    *arguments: Any,
    activities: Callable[[str, Sequence[Any]], Any] = lambda name, args: None,
    choices: Choices | None = None,
    retry_after_us: Callable[[StepCall], int] = lambda _: 0,
) -> Engine:
    """Drive a workflow until it closes: activities answer in order, timers
    fire when there is nothing else to do, cancellations are obeyed."""
    engine = Engine()
    engine.start(*arguments)
    worker = Worker(engine, workflow, choices, retry_after_us=retry_after_us)
    for _ in range(10_000):
        if engine.dirty:
            worker.work()
        elif engine.closed:
            worker.forget()
            assert_replays(workflow, engine)
            return engine
        else:
            advance(engine, activities)
    raise AssertionError(f"the workflow does not end: {engine.names()[-20:]}")


def assert_replays(workflow: Callable[..., Any], engine: Engine) -> ReplayResult:
    result = replay_history(workflow_definition_of(workflow), engine.history)
    assert result.divergence is None, result.divergence
    assert result.closed == engine.closed
    return result


def advance(engine: Engine, activities: Callable[[str, Sequence[Any]], Any]) -> None:
    """Let one thing happen from outside."""
    if engine.activities:
        seq, scheduled = next(iter(engine.activities.items()))
        if seq in engine.cancel_asked:
            engine.cancel_activity(seq)
            return
        try:
            result = activities(scheduled.name, [_payloads.decode(p) for p in scheduled.input])
        except Exception as error:
            engine.fail_activity(seq, error)
        else:
            engine.complete_activity(seq, result)
        return
    timer = engine.next_timer()
    assert timer is not None, f"the workflow waits for nothing: {engine.names()}"
    engine.fire_timer(timer)
