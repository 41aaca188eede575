"""Random programs, run live with random interleavings, then replayed.

A program is a small tree of things a workflow can wait for. It writes down
everything that it sees: results, errors, the clock, random numbers, ids. Live,
steps end in any order, segments are sent with `more` at any point, signals and
cancellations arrive at any time, the worker forgets the run or dies. However
the run came about, its history must replay to the same commands, and the code
must see the same values.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk import ActivityError, ApplicationError, WorkflowContext, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from tests.replay.engine import (
    SECOND,
    Engine,
    RandomChoices,
    Worker,
    advance,
)

Program = Any

leaves = st.one_of(
    st.tuples(st.just("activity"), st.integers(0, 9)),
    st.tuples(st.just("forget"), st.integers(0, 9)),
    st.tuples(st.just("step"), st.integers(0, 9)),
    st.tuples(st.just("failing step"), st.just(0)),
    st.tuples(st.just("timer"), st.integers(0, 5)),
    st.tuples(st.just("signal"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("any signal"), st.integers(1, 5)),
    st.tuples(st.just("condition"), st.integers(1, 3)),
    st.tuples(st.just("cancelled activity"), st.integers(0, 9)),
)


def branches(children: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    several = st.lists(children, min_size=1, max_size=4)
    return st.one_of(
        st.tuples(st.just("sequence"), several),
        st.tuples(st.just("gather"), several),
        st.tuples(st.just("group"), several),
        st.tuples(st.just("first"), several),
        st.tuples(st.just("as completed"), several),
        st.tuples(st.just("timeout"), children),
        st.tuples(st.just("shield"), children),
    )


programs = st.recursive(leaves, branches, max_leaves=12)


class Interpreter:
    """Runs a program in a workflow and writes down what it sees."""

    def __init__(self, ctx: WorkflowContext, trace: list[Any]) -> None:
        self.ctx = ctx
        self.trace = trace
        self.noted = 0

    def note(self, what: Any) -> None:
        ctx = self.ctx
        self.trace.append(
            (what, ctx.now(), ctx.random.random(), ctx.uuid4(), ctx.info.history_length)
        )

    async def run(self, program: Program) -> None:
        kind, argument = program
        try:
            self.note((kind, await self._run(kind, argument)))
        except (ActivityError, ApplicationError, TimeoutError) as error:
            self.note((kind, type(error).__name__, str(error)))
        except asyncio.CancelledError:
            self.note((kind, "cancelled"))
            raise

    async def _run(self, kind: str, argument: Any) -> Any:
        ctx = self.ctx
        if kind == "activity":
            return await ctx.queue_activity("work", argument)
        if kind == "forget":
            return ctx.queue_activity("forgotten", argument).done()
        if kind == "cancelled activity":
            handle = ctx.queue_activity("work", argument)
            await ctx.sleep(1)
            handle.cancel()
            return await asyncio.wait([handle]) and handle.cancelled()
        if kind == "step":
            return await ctx.step(lambda: argument)
        if kind == "failing step":
            return await ctx.step(fail)
        if kind == "timer":
            return await ctx.sleep(argument)
        if kind == "signal":
            signal = await ctx.wait_for_signal(argument, timeout=50)
            return signal.payload
        if kind == "any signal":
            return (await ctx.wait_for_signal(timeout=argument)).name
        if kind == "condition":
            self.noted += 1
            return await ctx.wait_for(lambda: self.noted >= argument, timeout=3)
        return await self._run_branch(kind, argument)

    async def _run_branch(self, kind: str, argument: Any) -> Any:
        if kind == "sequence":
            for part in argument:
                await self.run(part)
        elif kind == "gather":
            await asyncio.gather(*map(self.run, argument))
        elif kind == "group":
            async with asyncio.TaskGroup() as group:
                for part in argument:
                    group.create_task(self.run(part))
        elif kind == "first":
            tasks = [asyncio.create_task(self.run(part)) for part in argument]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            return [len(done), len(pending)]
        elif kind == "as completed":
            for part in asyncio.as_completed([*map(self.run, argument)], timeout=20):
                await part
        elif kind == "timeout":
            async with asyncio.timeout(2):
                await self.run(argument)
        elif kind == "shield":
            await asyncio.shield(self.run(argument))
        return None


def fail() -> None:
    raise ValueError("the step failed")


class Outside:
    """What may happen to a run from outside, drawn from a seed."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine = engine
        self.random = random.Random(seed)
        self.signals = 6
        self.cancels = 1

    def maybe(self) -> None:
        """While a task is out."""
        if self.random.random() < 0.3:
            self.anything()

    def anything(self) -> None:
        engine = self.engine
        choice = self.random.random()
        if engine.closed:
            return
        if choice < 0.15 and self.signals:
            self.signals -= 1
            engine.signal(self.random.choice("ab"), self.signals)
        elif choice < 0.18 and self.cancels:
            self.cancels -= 1
            engine.cancel()
        elif choice < 0.6 and engine.activities:
            self._resolve(self.random.choice(list(engine.activities)))
        elif engine.timers:
            timer = engine.next_timer()
            assert timer is not None
            engine.fire_timer(timer)

    def _resolve(self, seq: int) -> None:
        engine = self.engine
        choice = self.random.random()
        if seq in engine.cancel_asked and choice < 0.5:
            engine.cancel_activity(seq)
        elif choice < 0.8:
            engine.complete_activity(seq, seq)
        elif choice < 0.9:
            engine.time_out_activity(seq)
        else:
            engine.fail_activity(seq, ValueError("the activity failed"))


@settings(max_examples=250, deadline=None)
@given(program=programs, seed=st.integers(0, 2**32))
def test_history_replays_to_the_same_commands_and_values(program: Program, seed: int) -> None:
    traces: list[list[Any]] = []

    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        trace: list[Any] = []
        traces.append(trace)
        await Interpreter(ctx, trace).run(program)

    engine = Engine()
    engine.start(seed=seed)
    outside = Outside(engine, seed)
    retries = random.Random(seed + 1)
    worker = Worker(
        engine,
        flow,
        RandomChoices(seed),
        while_out=outside.maybe,
        retry_after_us=lambda call: SECOND if call.attempt < 3 and retries.random() < 0.5 else 0,
    )
    for turn in range(2_000):
        if engine.closed:
            break
        if engine.dirty:
            worker.work()
        elif turn < 200 and outside.random.random() < 0.7:
            outside.anything()
        else:
            settle(engine)
    worker.forget()
    assert engine.closed, engine.names()[-20:]

    live = traces[-1]
    result = replay_history(workflow_definition_of(flow), engine.history)
    assert result.divergence is None, result.divergence
    assert result.closed
    assert traces[-1] is not live
    assert traces[-1] == live


def settle(engine: Engine) -> None:
    """Something that must happen sooner or later."""
    if engine.activities or engine.timers:
        advance(engine, lambda name, args: args[0])
    else:
        engine.signal("a", 0)
        engine.signal("b", 0)
