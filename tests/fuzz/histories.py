"""Histories that no engine wrote, and what replay says of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from sched_sdk import ActivityError, SchedError, WorkflowContext, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1.history_pb2 import HistoryEvent
from tests.replay.engine import Engine, RandomChoices, Worker, advance

from .hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["a_history", "mutated_history", "replayed", "trip"]

_LONGEST_S = 5.0
"""For one replay; they take milliseconds."""


@workflow(name="Trip")
async def trip(ctx: WorkflowContext, places: list[str]) -> list[str]:
    """A bit of everything that history knows."""
    booked = [ctx.queue_activity("book", place) for place in places]
    note = await ctx.step(lambda: "noted")
    with contextlib.suppress(TimeoutError):
        signal = await ctx.wait_for_signal("go", timeout=30)
        note += signal.name
    first = booked[0]
    if ctx.patched("pause"):
        await ctx.sleep(5)
    extra = ctx.queue_activity("extra", ctx.random.randint(0, 9))
    async with asyncio.timeout(60):
        await asyncio.gather(ctx.sleep(1), ctx.step(lambda: 1))
    extra.cancel()
    with contextlib.suppress(ActivityError, asyncio.CancelledError):
        await extra
    return [note, *[str(await handle) for handle in booked if handle is not first]]


def a_history(seed: int) -> list[HistoryEvent]:
    """A whole one, made by a live run with its ups and downs."""
    chance = random.Random(seed)
    engine = Engine()
    engine.start(["Oslo", "Rome"], seed=seed)

    def outside() -> None:
        roll = chance.random()
        if roll < 0.2:
            engine.signal(chance.choice(("go", "other")), 1)
        elif roll < 0.3 and engine.activities:
            engine.fail_activity(chance.choice(list(engine.activities)), ValueError("no"))

    worker = Worker(engine, trip, RandomChoices(seed), while_out=outside)
    for _ in range(200):
        if engine.closed:
            break
        if engine.dirty:
            worker.work()
        elif engine.activities or engine.timers:
            advance(engine, lambda name, _: name)
        else:
            engine.signal("go")
    worker.forget()
    return engine.history


def mutated_history(hostile: Hostile, events: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """The history with one to four things wrong."""
    chance = hostile.chance
    changed = list(events)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            break
        place = chance.randrange(len(changed))
        what = chance.randrange(7)
        if what == 0:
            del changed[place]
        elif what == 1:
            changed.insert(place, changed[place])
        elif what == 2:
            other = chance.randrange(len(changed))
            changed[place], changed[other] = changed[other], changed[place]
        elif what == 3:
            del changed[place:]
        elif what == 4:
            changed.insert(place, hostile.message(HistoryEvent))
        elif what == 5:
            with contextlib.suppress(DecodeError):
                damaged = hostile.frame(changed[place].SerializeToString())
                changed[place] = HistoryEvent.FromString(damaged)
        else:
            changed[place] = hostile.mutated(changed[place])
    return changed


def replayed(events: Sequence[HistoryEvent]) -> tuple[str, str]:
    """How replay ends: a word for it, and what it says. What it may not do,
    raises."""
    began = time.monotonic()
    try:
        result: Any = replay_history(workflow_definition_of(trip), events)
    except SchedError as error:
        outcome = type(error).__name__, str(error)
    else:
        outcome = ("diverges", str(result.divergence)) if result.divergence else ("agrees", "")
    seconds = time.monotonic() - began
    assert seconds < _LONGEST_S, f"a replay of {len(events)} events took {seconds:.1f} s"
    assert outcome[0] == "agrees" or len(outcome[1]) > 10, outcome
    return outcome
