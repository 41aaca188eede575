"""The loop itself: beside another loop, refusals, eviction."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import sys
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sched_sdk import ForbiddenCallError, WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.run import WorkflowRun
from tests.replay.engine import Engine, run_to_end

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@activity
async def work(number: int = 0) -> int:
    return number


def open_run(flow: Any) -> WorkflowRun:
    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history, 1)
    return run


async def test_runs_beside_another_loop_even_inside_its_task() -> None:
    inside: list[Any] = []

    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        inside.append(asyncio.get_running_loop())
        inside.append(asyncio.current_task())
        await asyncio.sleep(1)
        await asyncio.create_task(ctx.wait_for(lambda: True))
        return 5

    outer, task = asyncio.get_running_loop(), asyncio.current_task()
    hooks = sys.get_asyncgen_hooks()
    assert run_to_end(flow).result() == 5
    assert asyncio.get_running_loop() is outer
    assert asyncio.current_task() is task
    assert sys.get_asyncgen_hooks() == hooks
    assert outer not in inside
    assert task not in inside
    await asyncio.sleep(0)


def test_a_run_that_is_collected_as_garbage_is_no_mistake_of_its_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So it is when a process ends without waiting for its worker."""

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        await asyncio.gather(ctx.sleep(1), ctx.sleep(2))

    run = open_run(flow)
    assert len(run.take_commands()) == 2
    del run
    gc.collect()
    assert caplog.records == []


def test_context_variables_of_the_worker_do_not_leak_in() -> None:
    seen: list[str] = []

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        seen.append(variable.get())
        variable.set("workflow")

        async def child() -> None:
            seen.append(variable.get())

        await asyncio.create_task(child())

    variable.set("worker")
    run_to_end(flow)
    assert seen == ["unset", "workflow"] * 2


@pytest.mark.parametrize(
    ("call", "subject"),
    [
        (lambda loop: loop.run_in_executor(None, print), "threads (run_in_executor)"),
        (lambda loop: loop.call_soon_threadsafe(print), "threads (call_soon_threadsafe)"),
        (lambda loop: loop.create_connection(None), "network connections (create_connection)"),
        (lambda loop: loop.subprocess_exec(None), "pipes and processes (subprocess_exec)"),
        (lambda loop: loop.add_signal_handler(2, print), "process signals (add_signal_handler)"),
        (lambda loop: loop.run_until_complete(None), "running the loop (run_until_complete)"),
        (lambda loop: loop.getaddrinfo("x", 1), "host look-ups (getaddrinfo)"),
        (lambda loop: loop.set_task_factory(None), "another task factory (set_task_factory)"),
    ],
)
def test_what_reaches_outside_is_refused(call: Any, subject: str) -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        with contextlib.suppress(RuntimeError):
            call(asyncio.get_running_loop())

    with pytest.raises(ForbiddenCallError) as caught:
        run_to_end(flow)
    said = str(caught.value)
    assert said.startswith(f"{subject} cannot be used in workflow code (tests/replay/test_loop.py:")


def test_to_thread_names_the_remedy() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(ForbiddenCallError, match=r"ctx\.step"):
        run_to_end(flow)


def test_every_method_of_the_base_class_is_made_or_refused() -> None:
    from sched_sdk._replay.loop import ReplayLoop

    missing = [
        name
        for name, member in vars(asyncio.AbstractEventLoop).items()
        if callable(member) and not name.startswith("_")
        if getattr(ReplayLoop, name) is member
    ]
    assert missing == []


def test_own_exception_handler() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        loop = asyncio.get_running_loop()
        said: list[str] = []
        loop.set_exception_handler(lambda _, context: said.append(str(context["exception"])))
        assert loop.get_exception_handler() is not None
        loop.call_soon([1].pop, 5)
        await asyncio.sleep(0)
        return said

    assert run_to_end(flow).result() == ["pop index out of range"]


def test_task_names_do_not_depend_on_the_process() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
        named = asyncio.create_task(asyncio.sleep(0), name="mine")
        await asyncio.wait([*tasks, named])
        return [task.get_name() for task in (*tasks, named)]

    names = run_to_end(flow).result()
    assert names == run_to_end(flow).result()
    assert names[2] == "mine"


class TestEviction:
    def test_closes_everything_in_its_own_context_and_quietly(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log: list[str] = []

        async def ticks(ctx: WorkflowContext) -> AsyncIterator[int]:
            try:
                yield 1
                await ctx.sleep(100)
            finally:
                log.append("generator")

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            variable.set("mine")

            async def child(number: int) -> None:
                try:
                    async with asyncio.timeout(50):
                        await ctx.queue_activity(work, number)
                except Exception:
                    log.append("must not be seen")
                    raise
                finally:
                    log.append(f"child {number} {variable.get()}")
                    await ctx.queue_activity(work)

            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(ValueError("never retrieved"))
            left = ticks(ctx)
            await anext(left)
            asyncio.create_task(child(9))  # noqa: RUF006 - the loop keeps it
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(3):
                        group.create_task(child(number))
                    async for _ in ticks(ctx):
                        pass
            finally:
                log.append("main")
                await ctx.sleep(1)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = open_run(flow)
            assert len(run.take_commands()) == 9  # four children, two each, and a sleep
            run.evict()
            run.evict()
            del run
            gc.collect()
        assert [str(w.message) for w in caught] == []
        assert caplog.records == []
        assert capsys.readouterr().err == ""
        assert "must not be seen" not in log
        # Newer Pythons also close a generator that is itself waiting.
        assert sorted({*log}) == [
            "child 0 mine",
            "child 1 mine",
            "child 2 mine",
            "child 9 mine",
            "generator",
            "main",
        ]

    def test_what_code_asks_for_while_it_is_closed_is_refused(self) -> None:
        kinds: list[str] = []

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            try:
                await ctx.wait_for_signal()
            finally:
                for ask in (
                    lambda: ctx.queue_activity(work),
                    lambda: ctx.step(print),
                    lambda: asyncio.get_running_loop().call_later(1, print),
                    lambda: asyncio.create_task(asyncio.sleep(1)),
                ):
                    try:
                        ask()
                    except BaseException as error:
                        kinds.append(type(error).__name__)

        open_run(flow).evict()
        assert kinds == ["Evicted"] * 4

    def test_cancelling_while_it_is_closed_asks_for_nothing(self) -> None:
        done: list[bool] = []

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            handle = ctx.queue_activity(work)
            timer = asyncio.get_running_loop().call_later(5, print)
            try:
                await ctx.wait_for_signal()
            finally:
                done.append(handle.cancel())
                timer.cancel()

        run = open_run(flow)
        run.take_commands()
        run.evict()
        assert done == [True]
        assert run.take_commands() == []

    def test_coroutine_that_refuses_to_close_does_not_hang(self) -> None:
        rounds: list[int] = []

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            try:
                await ctx.wait_for_signal()
            finally:
                for number in range(5):
                    try:
                        await asyncio.sleep(0)
                    except GeneratorExit:
                        rounds.append(number)

        open_run(flow).evict()
        assert rounds == [0, 1, 2, 3, 4]


def test_logger_is_silent_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[bool]:
        ctx.logger.info("first %s", 1, extra={"mine": 2})
        live = [ctx.info.is_replaying, ctx.logger.isEnabledFor(logging.INFO)]
        await ctx.sleep(1)
        ctx.logger.info("second")
        return live

    with caplog.at_level(logging.INFO, "sched.workflow"):
        assert run_to_end(flow).result() == [False, True]
    assert [r.getMessage() for r in caplog.records] == ["[wf-test] first 1", "[wf-test] second"]
    record = caplog.records[0].__dict__
    assert (record["workflow_id"], record["run_id"], record["mine"]) == ("wf-test", "run-test", 2)
