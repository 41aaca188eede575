"""Queries: what handlers answer, what they may not do, and the built-in ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sched_sdk import DefinitionError, PayloadError, WorkflowContext, activity, workflow
from sched_sdk._payloads import decode, encode_all
from sched_sdk._replay.queries import ReadOnlyQueryError, UnknownQueryError
from sched_sdk._replay.run import WorkflowRun
from tests.replay.engine import Engine, Worker, assert_replays


@activity
async def work(number: int = 0) -> int:
    return number


@dataclass
class Progress:
    done: int
    of: int


_runs: list[WorkflowRun] = []


@pytest.fixture(autouse=True)
def evict_the_runs() -> Iterator[None]:
    yield
    while _runs:
        _runs.pop().evict()


def started(flow: Any, *arguments: Any) -> tuple[Engine, Worker, WorkflowRun]:
    """A run whose first task is answered."""
    engine = Engine()
    engine.start(*arguments)
    worker = Worker(engine, flow)
    worker.work()
    assert worker.run is not None
    _runs.append(worker.run)
    return engine, worker, worker.run


def ask(run: WorkflowRun, name: str, *arguments: Any) -> Any:
    return decode(run.query(name, encode_all(arguments)))


# -- handlers --------------------------------------------------------------------


def test_a_handler_tells_what_the_code_knows() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext, total: int) -> int:
        progress = Progress(0, total)

        @ctx.query
        def status() -> Progress:
            return progress

        @ctx.query("left")
        def _left(scale: int = 1) -> int:
            return (progress.of - progress.done) * scale

        while progress.done < total:
            await ctx.wait_for_signal("go")
            progress.done += 1
        return progress.done

    engine, worker, run = started(flow, 2)
    assert ask(run, "status") == {"done": 0, "of": 2}
    assert ask(run, "left") == 2
    engine.signal("go")
    worker.work()
    assert ask(run, "status") == {"done": 1, "of": 2}
    assert ask(run, "left", 10) == 10
    engine.signal("go")
    worker.work()
    assert engine.result() == 2
    assert_replays(flow, engine)


def test_a_query_of_a_closed_run_is_answered_by_replay() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> str:
        seen: list[int] = []
        ctx.query("seen")(lambda: seen)
        seen.append(await ctx.queue_activity(work, 7))
        return "done"

    engine, worker, _ = started(flow)
    engine.complete_activity(1, 7)
    worker.work()
    run = WorkflowRun(worker.definition)
    run.replay(engine.history)
    run.end_replay()
    assert run.closed
    assert ask(run, "seen") == [7]
    assert ask(run, "__stack") == []
    run.evict()


def test_a_throw_away_instance_catches_up_without_commands_or_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        got: list[str] = []
        ctx.query("got")(lambda: got)
        while True:
            got.append((await ctx.wait_for_signal()).name)
            ctx.logger.warning("got one")
            ctx.queue_activity(work)

    engine, worker, _ = started(flow)
    engine.signal("a")
    engine.signal("b")
    run = WorkflowRun(worker.definition)
    run.replay(engine.history)
    run.catch_up(engine.history[-1].event_id)
    assert ask(run, "got") == ["a", "b"]
    assert "got one" not in caplog.text
    run.evict()


def test_arguments_are_read_by_annotation() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        @ctx.query
        def add(progress: Progress, more: int) -> int:
            return progress.done + more

        await ctx.wait_for_signal()

    _, _, run = started(flow)
    assert ask(run, "add", Progress(2, 3), 5) == 7
    with pytest.raises(PayloadError, match=r"argument 2 \(more\) of query add"):
        ask(run, "add", Progress(2, 3), "five")
    with pytest.raises(PayloadError, match="takes 2 arguments, got 0"):
        ask(run, "add")


def test_an_unknown_query_names_those_there_are() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        ctx.query("b")(lambda: 1)
        ctx.query("a")(lambda: 1)
        await ctx.wait_for_signal()

    _, _, run = started(flow)
    with pytest.raises(UnknownQueryError) as caught:
        ask(run, "c")
    assert caught.value.known == ("a", "b")


def test_what_a_handler_raises_comes_out_and_the_run_goes_on() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> str:
        @ctx.query
        def broken() -> int:
            return {}["key"]  # type: ignore[no-any-return]

        return (await ctx.wait_for_signal("go")).name

    engine, worker, run = started(flow)
    with pytest.raises(KeyError):
        ask(run, "broken")
    engine.signal("go")
    worker.work()
    assert engine.result() == "go"


@pytest.mark.parametrize("name", ["", "__mine", "x" * 256])
def test_names_that_cannot_be_queries(name: str) -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        with pytest.raises(DefinitionError, match="cannot be the name of a query"):
            ctx.query(name)(lambda: 1)
        await ctx.wait_for_signal()

    started(flow)


def test_an_async_handler_is_refused() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        with pytest.raises(DefinitionError, match="is an `async def`"):

            @ctx.query
            async def status() -> int:
                return 1

        await ctx.wait_for_signal()

    started(flow)


# -- a query only looks ------------------------------------------------------------

CHANGES = [
    "activity",
    "sleep_later",
    "step",
    "task",
    "event",
    "future",
    "cancel",
    "signal_handler",
    "query_handler",
    "details",
    "random",
    "uuid4",
    "swallow",
]


@workflow(name="Test")
async def changeable(ctx: WorkflowContext) -> str:
    event, future = asyncio.Event(), asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(event.wait(), name="event")
    awaiting = asyncio.ensure_future(asyncio.shield(future))
    handle = ctx.queue_activity(work)

    async def nothing() -> None:
        """Never runs."""

    def swallow() -> None:
        try:
            event.set()
        except RuntimeError:
            return

    changes: dict[str, Any] = {
        "activity": lambda: ctx.queue_activity(work),
        "sleep_later": lambda: asyncio.get_running_loop().call_later(5, print),
        "step": lambda: ctx.step(nothing),
        "task": lambda: asyncio.create_task(nothing()),
        "event": event.set,
        "future": lambda: future.set_result(1),
        "cancel": handle.cancel,
        "signal_handler": lambda: ctx.on_signal("late")(print),
        "query_handler": lambda: ctx.query("late")(print),
        "details": lambda: ctx.set_details("changed"),
        "random": lambda: ctx.random.randint(1, 2),
        "uuid4": ctx.uuid4,
        "swallow": swallow,
    }
    for name, change in changes.items():
        ctx.query(name)(lambda change=change: change() and None)
    await ctx.wait_for_signal("end")
    waiting.cancel()
    awaiting.cancel()
    return str(ctx.random.random())


@pytest.mark.parametrize("change", CHANGES)
def test_a_handler_that_changes_something_is_refused_and_nothing_is_changed(change: str) -> None:
    engine, worker, run = started(changeable)
    history = list(engine.history)
    with pytest.raises(ReadOnlyQueryError, match=f"the query {change} "):
        ask(run, change)
    assert run.take_commands() == []
    assert run.take_steps() == []
    # As the worker does: that instance is gone, and the history is the truth.
    worker.forget()
    assert engine.history == history
    engine.signal("end")
    engine.complete_activity(1, 0)
    worker.work()
    untouched, other, _ = started(changeable)
    untouched.signal("end")
    untouched.complete_activity(1, 0)
    other.work()
    assert engine.result() == untouched.result()
    assert_replays(changeable, engine)


def test_looking_leaves_the_instance_as_it_was() -> None:
    engine, worker, run = started(changeable)
    for _ in range(3):
        ask(run, "__stack")
        ask(run, "__queries")
        ask(run, "__details")
    engine.signal("end")
    engine.complete_activity(1, 0)
    worker.work()
    assert engine.names()[-1] == "workflow_completed"
    assert_replays(changeable, engine)


def test_a_handler_that_returns_something_to_await() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        ctx.query("lazy")(lambda: ctx.sleep(1))
        await ctx.wait_for_signal()

    _, _, run = started(flow)
    with pytest.raises(TypeError, match="something to await"):
        ask(run, "lazy")


# -- built in ----------------------------------------------------------------------


def test_the_details() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        with pytest.raises(TypeError, match="takes a text"):
            ctx.set_details(5)  # type: ignore[arg-type]
        ctx.set_details("waiting for approval")
        await ctx.wait_for_signal()
        ctx.set_details("x" * 5_000)
        await ctx.wait_for_signal()

    engine, worker, run = started(flow)
    assert ask(run, "__details") == "waiting for approval"
    engine.signal("go")
    worker.work()
    assert ask(run, "__details") == "x" * 4_096


def test_the_list_of_queries() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        @ctx.query
        def left(of: int, *, scale: float = 1.0) -> list[int]:
            """How much is left."""
            return [round(of * scale)]

        await ctx.wait_for_signal()

    _, _, run = started(flow)
    assert ask(run, "__queries") == [
        {
            "name": "left",
            "doc": "How much is left.",
            "parameters": [
                {"name": "of", "type": "int", "required": True},
                {"name": "scale", "type": "float", "required": False},
            ],
            "result": "list[int]",
        }
    ]


def stack(run: WorkflowRun) -> dict[str, Any]:
    return {entry["task"]: entry for entry in ask(run, "__stack")}


def test_the_stack_of_signals_sleeps_activities_steps_and_conditions() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        async def inner() -> None:
            await ctx.wait_for_signal("approve", timeout=60)

        async def outer() -> None:
            await inner()

        asyncio.create_task(outer(), name="approval")  # noqa: RUF006 - the loop keeps it
        asyncio.create_task(ctx.sleep(5), name="sleeper")  # noqa: RUF006
        asyncio.create_task(ctx.wait_for(lambda: False), name="condition")  # noqa: RUF006
        await ctx.queue_activity(work, 1)

    engine, _, run = started(flow)
    found = stack(run)
    line = flow.__code__.co_firstlineno
    here = "tests/replay/test_queries.py"
    approval = found["approval"]
    assert [(f["file"], f["line"]) for f in approval["frames"]] == [
        (here, line + 6),
        (here, line + 3),
    ]
    assert approval["frames"][0]["function"].endswith("flow.<locals>.outer")
    waits_on = approval["waits_on"]
    assert (waits_on["kind"], waits_on["name"]) == ("signal", "approve")
    assert waits_on["since"] == "2026-01-01T00:00:00.000001Z"
    assert waits_on["until"] == "2026-01-01T00:01:00.000001Z"
    assert found["sleeper"]["waits_on"]["kind"] == "timer"
    assert found["sleeper"]["waits_on"]["seq"] in engine.timers
    assert found["sleeper"]["waits_on"]["due"] == "2026-01-01T00:00:05.000001Z"
    assert found["sleeper"]["frames"] == [{"file": here, "line": line + 9, "function": "sleeper"}]
    assert found["condition"]["waits_on"]["kind"] == "condition"
    assert found["condition"]["waits_on"]["predicate"] == f"{here}:{line + 10}"
    assert found["workflow"]["waits_on"] == {"kind": "activity", "name": "work", "seq": 1}
    assert found["workflow"]["frames"][-1]["line"] == line + 11


def test_the_stack_of_what_asyncio_puts_together() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        lock: asyncio.Lock = asyncio.Lock()
        await lock.acquire()
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def grouped() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(ctx.sleep(1), name="one")
                group.create_task(ctx.sleep(2), name="two")

        async def gathers() -> None:
            await asyncio.gather(ctx.queue_activity(work), ctx.queue_activity(work))

        async def waits() -> None:
            handles = [ctx.queue_activity(work), asyncio.ensure_future(ctx.sleep(3))]
            await asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED)

        async def shields() -> None:
            await asyncio.shield(ctx.queue_activity(work))

        async def locks() -> None:
            async with lock:
                pass

        async def gets() -> None:
            await queue.get()

        async def limited() -> None:
            await asyncio.wait_for(ctx.queue_activity(work), 9)

        async def bare() -> None:
            await asyncio.get_running_loop().create_future()

        parts = (grouped, gathers, waits, shields, locks, gets, limited, bare)
        tasks = [asyncio.create_task(part(), name=part.__name__) for part in parts]
        await tasks[0]

    _, _, run = started(flow)
    waits_on = {name: entry["waits_on"] for name, entry in stack(run).items()}

    def parts(name: str) -> tuple[str, list[str]]:
        return waits_on[name]["kind"], [part["kind"] for part in waits_on[name]["of"]]

    assert waits_on["workflow"] == {"kind": "task", "task": "grouped"}
    assert parts("grouped") == ("all", ["task", "task"])
    assert [part["task"] for part in waits_on["grouped"]["of"]] == ["one", "two"]
    assert parts("gathers") == ("all", ["activity", "activity"])
    assert parts("waits") == ("any", ["activity", "task"])
    assert parts("shields") == ("shield", ["activity"])
    assert waits_on["locks"] == {"kind": "lock"}
    assert waits_on["gets"] == {"kind": "queue"}
    assert waits_on["limited"]["kind"] == "activity"
    assert waits_on["bare"] == {"kind": "future"}


def test_the_stack_during_a_step() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.step(work, name="charge")

    engine = Engine()
    engine.start()
    run = WorkflowRun(Worker(engine, flow).definition)
    run.open_task(engine.history, 1)
    assert stack(run)["workflow"]["waits_on"] == {
        "kind": "step",
        "name": "charge",
        "seq": 1,
        "attempt": 1,
    }
    run.evict()


def test_a_long_list_of_waits_is_cut() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await asyncio.gather(*(ctx.queue_activity(work, n) for n in range(50)))

    _, _, run = started(flow)
    waits_on = stack(run)["workflow"]["waits_on"]
    assert len(waits_on["of"]) == 20
    assert waits_on["more"] == 30
