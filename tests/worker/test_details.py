"""What code says it is doing: sent where the history does not have it, and only there."""

from __future__ import annotations

import asyncio

import pytest

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_sdk.api.v1.worker_service_pb2 import SegmentAck, WorkflowSegment
from tests.worker.scripted_engine import serving, signal

gates: dict[str, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def _gates() -> None:
    gates.clear()


async def wait_at(name: str) -> str:
    await gates.setdefault(name, asyncio.Event()).wait()
    return name


def open_gate(name: str) -> None:
    gates.setdefault(name, asyncio.Event()).set()


@workflow
async def reports(ctx: WorkflowContext) -> str:
    """Says what the last signal told it to."""
    ctx.set_details("waiting")
    while (text := (await ctx.wait_for_signal("say")).payload) is not None:
        ctx.set_details(text)
    return "done"


@workflow
async def works(ctx: WorkflowContext) -> str:
    ctx.set_details("first")
    await ctx.step(wait_at, "a")
    ctx.set_details("second")
    return await ctx.step(wait_at, "b")


@workflow
async def silent(ctx: WorkflowContext) -> str:
    await ctx.step(wait_at, "a")
    return await ctx.step(wait_at, "b")


def said(segment: WorkflowSegment) -> str | None:
    return segment.details if segment.HasField("details") else None


async def test_only_what_is_new_is_sent_also_after_a_replay() -> None:
    async with serving(workflows=[reports]) as engine:
        await engine.start_run("r", "reports")
        texts = [said(await engine.segment())]
        base = await engine.acknowledge(engine.segments[-1])
        for number, text in enumerate(["waiting", "packing", "packing", "sent", ""], start=2):
            full = number % 2 == 0  # every other task is given to an instance made anew
            await engine.task(
                "r",
                events=[signal(base + 1, "say", text)],
                dispatch=99 + number,
                base=base,
                full_history=full,
            )
            segment = await engine.segment(number)
            texts.append(said(segment))
            base = await engine.acknowledge(segment)
    assert texts == ["waiting", None, "packing", None, "sent", ""]


async def test_what_was_not_accepted_is_said_again() -> None:
    async with serving(workflows=[reports]) as engine:
        await engine.start_run("r", "reports")
        segment = await engine.segment()
        assert said(segment) == "waiting"
        await engine.acknowledge(segment, outcome=SegmentAck.OUTCOME_STALE)
        await engine.task("r", dispatch=101, full_history=True)
        assert said(await engine.segment(2)) == "waiting"


async def test_a_segment_that_is_sent_again_says_the_same() -> None:
    async with serving(workflows=[reports]) as engine:
        await engine.start_run("r", "reports")
        segment = await engine.segment()
        await engine.acknowledge(segment, outcome=SegmentAck.OUTCOME_RETRY)
        assert await engine.segment(2) == segment


async def test_a_history_without_details_is_told_them() -> None:
    """It was made by a worker that sent none, or by an engine that kept none."""
    async with serving(workflows=[reports]) as engine:
        await engine.start_run("r", "reports")
        base = await engine.acknowledge(await engine.segment())
        engine.histories["r"][1].workflow_task_completed.ClearField("details")
        await engine.task(
            "r",
            events=[signal(base + 1, "say", "packing")],
            dispatch=101,
            base=base,
            full_history=True,
        )
        # The cached instance stands at this base, and goes on.
        assert said(await engine.segment(2)) == "packing"
        await engine.acknowledge(engine.segments[-1], outcome=SegmentAck.OUTCOME_STALE)
        await engine.task("r", dispatch=102, base=base, full_history=True)
        assert said(await engine.segment(3)) == "packing"


async def test_details_leave_while_a_step_takes_its_time() -> None:
    async with serving(workflows=[works]) as engine:
        await engine.start_run("r", "works")
        first = await engine.segment()
        assert (said(first), first.more, len(first.commands)) == ("first", True, 0)
        await engine.acknowledge(first)
        open_gate("a")
        second = await engine.segment(2)
        assert (said(second), second.more, len(second.commands)) == ("second", True, 1)
        await engine.acknowledge(second)
        open_gate("b")
        last = await engine.segment(3)
    assert (said(last), last.more, len(last.commands)) == (None, False, 2)


async def test_a_quick_step_and_the_details_before_it_share_a_segment() -> None:
    open_gate("a")
    open_gate("b")
    async with serving(workflows=[works]) as engine:
        await engine.start_run("r", "works")
        first = await engine.segment()
        assert (said(first), len(first.commands)) == ("second", 1)
        await engine.acknowledge(first)
        last = await engine.segment(2)
    assert (said(last), len(last.commands)) == (None, 2)


async def test_code_that_says_nothing_sends_nothing() -> None:
    async with serving(workflows=[silent]) as engine:
        await engine.start_run("r", "silent")
        open_gate("a")
        segment = await engine.segment()
        assert len(segment.commands) == 1
        await engine.acknowledge(segment)
        open_gate("b")
        await engine.segment(2)
    assert [said(segment) for segment in engine.segments] == [None, None]


async def details_of(client: Client, workflow_id: str) -> str:
    return (await client.workflow(workflow_id).describe()).info.details


async def until_it_says(client: Client, workflow_id: str, text: str) -> None:
    async with asyncio.timeout(10):
        while await details_of(client, workflow_id) != text:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.005)


async def test_details_are_there_without_a_worker(client: Client) -> None:
    text = "Prüfung\nzweite Zeile"
    async with Worker(client, workflows=[reports], max_cached_workflows=1, graceful_shutdown=1):
        handle = await client.start_workflow(reports, id="one")
        await client.start_workflow(reports, id="other")
        await handle.signal("say", text)
        await until_it_says(client, "one", text)
    assert await details_of(client, "one") == text
    listed = [run async for run in client.list_workflows(with_details=True)]
    assert {run.workflow_id: run.details for run in listed} == {
        "one": "Prüfung",
        "other": "waiting",
    }
    assert {run.details async for run in client.list_workflows()} == {""}

    async with Worker(client, workflows=[reports]):
        await handle.signal("say", None)
        assert await handle.result(timeout=60) == "done"
    assert await details_of(client, "one") == text
    completed = [e async for e in handle.history() if e.type == "WorkflowTaskCompleted"]
    assert [e.attributes.get("details") for e in completed].count(text) == 1


async def test_what_no_column_holds_is_replaced(client: Client) -> None:
    async with Worker(client, workflows=[odd]):
        handle = await client.start_workflow(odd)
        assert await handle.result(timeout=60) == "done"
    info = (await handle.describe()).info
    assert info.details == "a\N{REPLACEMENT CHARACTER}b?" + "x" * 4_092


@workflow
async def odd(ctx: WorkflowContext) -> str:
    ctx.set_details("a\0b\ud800" + "x" * 5_000)
    return "done"


async def test_a_fork_has_what_was_said_at_its_point(client: Client) -> None:
    async with Worker(client, workflows=[reports]):
        handle = await client.start_workflow(reports, id="one")
        await until_it_says(client, "one", "waiting")
        for text in ("packing", "sent"):
            await handle.signal("say", text)
            await until_it_says(client, "one", text)
        events = [e async for e in handle.history()]
        last_but_one = [e.event_id for e in events if e.type == "WorkflowTaskCompleted"][-2]
    fork = await handle.fork(last_but_one, id="two", keep_signals=False)
    assert await details_of(client, "two") == "packing"
    listed = [run async for run in client.list_workflows(id_prefix="two", with_details=True)]
    assert [run.details for run in listed] == ["packing"]
    again = await handle.reset("first", keep_signals=False)
    assert (await again.describe()).info.details == ""
    async with Worker(client, workflows=[reports]):
        await fork.signal("say", None)
        await fork.result(timeout=60)
        await until_it_says(client, "one", "waiting")
