"""How fast a history is replayed: `python -m benchmarks.replay`.

Each shape is one long history, as a worker gets it after a restart: serialized
events that are parsed, matched and handed to the workflow function. The figure
is events per second on one core, parsing included; the best of several runs.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sched_sdk import WorkflowContext, activity, workflow
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from sched_sdk._payloads import encode
from sched_sdk._replay.run import WorkflowRun
from sched_sdk.api.v1 import history_pb2

EVENTS = 60_000
REPETITIONS = 5
FAN_OUT = 100

Event = history_pb2.HistoryEvent


@activity
async def charge(order: int) -> int:
    return order


def compute(number: int) -> int:
    return number


@workflow
async def activities(ctx: WorkflowContext, count: int) -> int:
    total = 0
    for number in range(count):
        total += await ctx.queue_activity(charge, number)
    return total


@workflow
async def steps(ctx: WorkflowContext, count: int) -> int:
    total = 0
    for number in range(count):
        total += await ctx.step(compute, number)
    return total


@workflow
async def fan_out(ctx: WorkflowContext, count: int) -> int:
    total = 0
    for start in range(0, count, FAN_OUT):
        handles = [ctx.queue_activity(charge, start + n) for n in range(FAN_OUT)]
        total += sum(await asyncio.gather(*handles))
    return total


@dataclass
class Recorder:
    """Writes the events that a run of the given shape leaves behind."""

    events: list[bytes] = field(default_factory=list)

    def add(self, kind: str, **attributes: object) -> int:
        number = len(self.events) + 1
        event = Event(
            event_id=number,
            time_us=1_767_225_600_000_000 + number * 1_000,
            type=history_pb2.EventType.Value(f"EVENT_TYPE_{kind.upper()}"),
        )
        target = getattr(event, kind)
        target.MergeFrom(type(target)(**attributes))
        self.events.append(event.SerializeToString())
        return number

    def start(self, count: int) -> None:
        self.add("workflow_started", workflow_id="wf", input=[encode(count)], seed=1)

    def segment(self, *, more: bool = False) -> None:
        self.add("workflow_task_completed", seen=len(self.events), more=more, identity="1@host")

    def schedule(self, seq: int, number: int) -> None:
        self.add(
            "activity_scheduled",
            seq=seq,
            name="charge",
            task_queue="default",
            input=[encode(number)],
            call_site="app.py:10",
        )

    def complete(self, seq: int, number: int) -> None:
        summary = history_pb2.AttemptSummary(attempts=1, identity="1@host")
        self.add("activity_completed", seq=seq, result=encode(number), summary=summary)


def record_activities() -> list[bytes]:
    recorder = Recorder()
    count = EVENTS // 3
    recorder.start(count)
    for number in range(count):
        recorder.segment()
        recorder.schedule(number + 1, number)
        recorder.complete(number + 1, number)
    return recorder.events


def record_steps() -> list[bytes]:
    recorder = Recorder()
    count = EVENTS // 2
    recorder.start(count)
    for number in range(count):
        recorder.segment(more=True)
        recorder.add(
            "step_completed",
            seq=number + 1,
            name="compute",
            result=encode(number),
            attempt=1,
            call_site="app.py:10",
        )
    recorder.add("workflow_completed", result=encode(sum(range(count))))
    return recorder.events


def record_fan_out() -> list[bytes]:
    recorder = Recorder()
    count = EVENTS // 2 // FAN_OUT * FAN_OUT
    recorder.start(count)
    for start in range(0, count, FAN_OUT):
        recorder.segment()
        for number in range(start, start + FAN_OUT):
            recorder.schedule(number + 1, number)
        for number in range(start, start + FAN_OUT):
            recorder.complete(number + 1, number)
    return recorder.events


def shapes() -> Iterator[tuple[str, WorkflowDefinition, list[bytes]]]:
    yield "activities, one after another", workflow_definition_of(activities), record_activities()
    yield "steps, one after another", workflow_definition_of(steps), record_steps()
    yield f"activities, {FAN_OUT} at once", workflow_definition_of(fan_out), record_fan_out()


def replay_once(definition: WorkflowDefinition, events: list[bytes]) -> float:
    """Seconds for one replay, without putting the run away again."""
    run = WorkflowRun(definition)
    gc.collect()
    started = time.perf_counter()
    for start in range(0, len(events), 1_000):  # in pages, as they come
        run.replay([Event.FromString(data) for data in events[start : start + 1_000]])
    run.end_replay()
    elapsed = time.perf_counter() - started
    run.evict()
    return elapsed


def main() -> None:
    for name, definition, events in shapes():
        best = min(replay_once(definition, events) for _ in range(REPETITIONS))
        print(f"{name:32} {len(events) / best:>10,.0f} events/s")


if __name__ == "__main__":
    main()
