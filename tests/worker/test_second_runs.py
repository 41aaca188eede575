"""`check_determinism`: workflow code is run a second time, and compared."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from sched_sdk import Client, DefinitionError, Worker, WorkflowContext, activity, workflow
from sched_sdk._worker import second_runs

pytestmark = pytest.mark.diverges


@activity
async def echo(value: Any) -> Any:
    return value


@asynccontextmanager
async def checked(
    client: Client, *workflows: Any, mode: Literal["warn", "error"] = "warn", **options: Any
) -> AsyncIterator[None]:
    async with Worker(
        # What the guard refuses is to be found as well.
        client,
        workflows=workflows,
        activities=[echo],
        guard=False,
        check_determinism=mode,
        **options,
    ):
        yield


# How often the code of a workflow began.
began: Counter[str] = Counter()


def now() -> float:
    return time.time()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "not deterministic" in r.getMessage()]


def line_of(function: Any, text: str) -> str:
    """`file:line`, as call sites are written."""
    code = function.__wrapped__.__code__ if hasattr(function, "__wrapped__") else function.__code__
    with open(code.co_filename) as source:
        lines = source.readlines()
    number = next(n for n, line in enumerate(lines, 1) if n > code.co_firstlineno and text in line)
    return f"tests/worker/test_second_runs.py:{number}"


@workflow
async def steady(ctx: WorkflowContext, count: int) -> str:
    began["steady"] += 1
    for number in range(count):
        await ctx.queue_activity(echo, [number, ctx.random.random(), str(ctx.uuid4())])
        await ctx.step(now)
    ctx.patched("some-change")
    await ctx.sleep(0.001)
    ctx.queue_activity(echo, "nobody waits")
    await asyncio.gather(ctx.step(now), ctx.step(now))
    return f"{ctx.now():%H}"


async def test_code_that_repeats_itself_says_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    before = began["steady"]
    async with checked(client, steady):
        await client.execute_workflow(steady, 3)
    assert warnings(caplog) == []
    assert began["steady"] - before > 5  # each segment was followed by a replay


@workflow
async def lottery(ctx: WorkflowContext) -> None:
    number = datetime.now(UTC).microsecond * 1_000 + draw()
    await ctx.queue_activity(echo, {"number": number})


def draw() -> int:
    return random.randrange(10**12)


async def test_a_payload_that_differs(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with checked(client, lottery):
        await client.execute_workflow(lottery, id="lottery-1")
        await client.execute_workflow(lottery, id="lottery-2")
    (text,) = warnings(caplog)  # said once for a place
    asked = line_of(lottery, "queue_activity")
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0].startswith("workflow lottery lottery-1 is not deterministic")
    assert lines[1] == "event       3, activity echo, input[0].number"
    assert lines[2].startswith("first run   ")
    assert lines[2].endswith(f"({asked})")
    assert lines[3].startswith("second run  ")
    assert lines[3].endswith(f"({asked})")
    assert lines[2].split()[2] != lines[3].split()[2]
    cause = line_of(draw, "randrange")
    assert lines[4] == f"cause       random.randrange() gives another number each time ({cause})"
    assert lines[5] == "instead     ctx.random.randrange"


@workflow
async def dated(ctx: WorkflowContext) -> str:
    await ctx.sleep(0.001)
    return datetime.now(UTC).isoformat()


async def test_a_clock_behind_a_built_in_class(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with checked(client, dated):
        await client.execute_workflow(dated)
    (text,) = warnings(caplog)
    assert "completion of the workflow, result" in text
    assert f"datetime.now() reads the clock ({line_of(dated, 'datetime.now')})" in text
    assert "instead     ctx.now()" in text


@workflow
async def other_turn(ctx: WorkflowContext) -> None:
    began["other_turn"] += 1
    if began["other_turn"] == 1:
        await ctx.queue_activity(echo, "first")
    else:
        await ctx.sleep(0.001)


async def test_another_command_because_of_a_global(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with checked(client, other_turn):
        await client.execute_workflow(other_turn)
    (text,) = warnings(caplog)
    assert f"first run   activity echo ({line_of(other_turn, 'echo')})" in text
    assert f"second run  timer 0.001 s ({line_of(other_turn, 'sleep')})" in text
    assert "look for variables of a module or class" in text


@workflow
async def identified(ctx: WorkflowContext) -> None:
    number = uuid.uuid4()
    await ctx.queue_activity(echo, str(number))


async def test_in_the_mode_error_nothing_of_it_becomes_durable(client: Client) -> None:
    async with checked(client, identified, mode="error"):
        handle = await client.start_workflow(identified)
        async with asyncio.timeout(10):
            async for event in handle.history(follow=True):
                if event.type == "WorkflowTaskFailed":
                    break
        await handle.terminate()
    assert event.attributes["cause"] == "NON_DETERMINISM"
    assert "uuid.uuid4() gives another id" in event.attributes["failure"]["message"]
    assert "ActivityScheduled" not in [event.type async for event in handle.history()]


@workflow
async def talkative(ctx: WorkflowContext) -> None:
    began["talkative"] += 1
    print("said by the workflow")
    await ctx.sleep(0.001)


async def test_what_code_prints_is_printed_once(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    before = began["talkative"]
    async with checked(client, talkative):
        await client.execute_workflow(talkative)
    assert began["talkative"] - before > 1
    assert capsys.readouterr().out == "said by the workflow\n"


@workflow
async def stepping(ctx: WorkflowContext, count: int) -> int:
    began["stepping"] += 1
    for _ in range(count):
        await ctx.step(now)
    return count


async def test_long_histories_are_sampled(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_runs, "EVERY_TASK_EVENTS", 20)
    before = began["stepping"]
    async with checked(client, stepping):
        handle = await client.start_workflow(stepping, 60)
        assert await handle.result(timeout=20) == 60
    segments = [e async for e in handle.history() if e.type == "WorkflowTaskCompleted"]
    # One run is the real one. Ten follow within 20 events, then one for each
    # tenth that the history grows, and the last one.
    assert 15 < began["stepping"] - before - 1 < 35 < len(segments)


@workflow
async def awaits_signals(ctx: WorkflowContext, count: int) -> int:
    for _ in range(count):
        await ctx.wait_for_signal("go")
    return count


async def test_a_run_that_comes_back_from_its_history(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with checked(client, awaits_signals):
        handle = await client.start_workflow(awaits_signals, 2)
        await handle.signal("go")
        async with asyncio.timeout(10):
            async for event in handle.history(follow=True):
                if event.type == "WorkflowTaskCompleted":
                    break
    async with checked(client, awaits_signals):
        await handle.signal("go")
        assert await handle.result(timeout=60) == 2
    assert warnings(caplog) == []


async def test_another_mode_is_refused() -> None:
    with pytest.raises(DefinitionError, match='it is "warn", "error" or False'):
        Worker("localhost:1", workflows=[steady], check_determinism="loud")  # type: ignore[arg-type]  # wrong on purpose
