"""SCH2xx: coroutines that nobody awaits, and cancellation that is swallowed."""

from __future__ import annotations

import inspect
from pathlib import Path

from sched_cli.check.rules import coroutines
from sched_sdk import WorkflowContext
from tests.cli.check.judging import in_workflow, judge

HEAD = """
import asyncio
import contextlib
import logging

async def ask(name: str) -> bool:
    return bool(name)

@activity
async def send(to: str) -> None: ...
"""


def test_coroutines_that_are_dropped(tmp_path: Path) -> None:
    body = """
    ctx.sleep(1)  #! SCH201
    ctx.wait_for_signal("go")  #! SCH201
    ctx.wait_for(lambda: True)  #! SCH201
    ctx.step(len, names)  #! SCH201
    asyncio.sleep(1)  #! SCH201
    ask("a")  #! SCH201
    unused = ask("b")  #! SCH201
    if ask("c"):  #! SCH201
        pass
    while not ask("d"):  #! SCH201
        pass
    """
    judge(tmp_path, app=in_workflow(body, HEAD))


def test_everything_of_the_context_that_must_be_awaited_is_known() -> None:
    awaitable = {
        name
        for name, member in inspect.getmembers(WorkflowContext, inspect.isfunction)
        if not name.startswith("_")
        and str(inspect.signature(member).return_annotation).startswith(
            ("Coroutine", "asyncio.Future")
        )
    }
    assert awaitable == coroutines.CONTEXT_METHODS


def test_what_is_awaited_or_means_to_run_by_itself(tmp_path: Path) -> None:
    body = """
    ctx.queue_activity(send, "fire and forget")
    handle = ctx.queue_activity(send, "kept")
    await ctx.sleep(1)
    later = ask("a")
    await later
    asyncio.create_task(ask("b"))
    await asyncio.gather(ask("c"), *(ask(name) for name in names))
    step = ctx.step(len, names)
    done = [await step]
    if await ask("d"):
        return await ctx.sleep(1)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask("e"))
    """
    judge(tmp_path, app=in_workflow(body, HEAD))


def test_cancellation_that_is_swallowed(tmp_path: Path) -> None:
    body = """
    for name in names:
        try:
            await ask(name)
        except:  #! SCH202
            pass
        try:
            await ask(name)
        except BaseException as error:  #! SCH202
            logging.info("%s", error)
        try:
            await ctx.sleep(1)
        except (ValueError, asyncio.CancelledError):  #! SCH202
            continue
        with contextlib.suppress(asyncio.CancelledError):  #! SCH202
            await ctx.sleep(1)
    try:
        async with asyncio.timeout(3):
            await ctx.sleep(10)
    except asyncio.CancelledError:  #! SCH202
        pass
    await ctx.sleep(1)
    """
    judge(tmp_path, app=in_workflow(body, HEAD))


def test_cancellation_that_is_let_through_or_meant(tmp_path: Path) -> None:
    body = """
    for name in names:
        try:
            await ask(name)
        except Exception:
            pass
        try:
            await ask(name)
        except asyncio.CancelledError:
            raise
        except BaseException:
            pass
        try:
            await ask(name)
        except:
            await ctx.queue_activity(send, name)
            raise
        try:
            int(name)
        except:
            pass
        try:
            await ctx.sleep(1)
        except asyncio.CancelledError:
            break
    task = asyncio.create_task(ask("late"))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    with contextlib.suppress(asyncio.CancelledError):
        await task
    try:
        await ctx.sleep(1)
    except asyncio.CancelledError:
        stopped = True
    with contextlib.suppress(ValueError):
        await ctx.sleep(1)
    try:
        await ctx.sleep(1)
    except asyncio.CancelledError:
        pass  # what is done by now is the result
    return await task
    """
    judge(tmp_path, app=in_workflow(body, HEAD))
