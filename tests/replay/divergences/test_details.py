"""What stands around a divergence, and what replay does with odd histories."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sched_sdk import PayloadError, SchedError, WorkflowContext, activity, workflow
from sched_sdk._capture import (
    CapturedHistory,
    Redaction,
    dump_capture,
    parse_capture,
    redact,
)
from sched_sdk._debug import Outcome, Replay, replay_capture
from sched_sdk._debug.sources import excerpt, find_source
from sched_sdk._debug.variables import safe_repr
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from sched_sdk.api.v1.history_pb2 import HistoryEvent
from tests.replay.divergences.variants import AUDIT, CHARGE, SHIP, SLEEP, STEP
from tests.replay.engine import run_to_end

Variant = Callable[..., tuple[WorkflowDefinition, list[str]]]


def replayed(variant: Variant, history: CapturedHistory, *edits: tuple[str, str]) -> Replay:
    return replay_capture(variant(*edits)[0], history)


def test_an_open_history_is_replayed_as_far_as_it_goes(
    variant: Variant, recorded: CapturedHistory
) -> None:
    fired = next(e.event_id for e in recorded.events if e.HasField("timer_fired"))
    still_open = dataclasses.replace(recorded, events=recorded.events[: fired + 1])
    replay = replayed(variant, still_open)
    assert (replay.outcome, replay.closed, replay.events) == (Outcome.AGREES, False, fired + 1)
    # What comes behind the point where it stands may change.
    assert replayed(variant, still_open, (SHIP, AUDIT)).outcome is Outcome.AGREES
    assert replayed(variant, still_open, (SLEEP, AUDIT)).outcome is Outcome.DIVERGES


def test_a_history_of_which_no_code_ran_agrees(variant: Variant, recorded: CapturedHistory) -> None:
    begun = dataclasses.replace(recorded, events=recorded.events[:1])
    replay = replayed(variant, begun, (STEP, AUDIT))
    assert (replay.outcome, replay.segments) == (Outcome.AGREES, 0)


def test_the_workflow_is_found_by_name_wherever_it_moved(
    variant: Variant, recorded: CapturedHistory
) -> None:
    definition, _ = variant(name="moved/orders.py")
    assert replay_capture(definition, recorded).outcome is Outcome.AGREES
    definition, _ = variant((SHIP, AUDIT), name="moved/orders.py")
    divergence = replay_capture(definition, recorded).divergence
    assert divergence is not None
    assert divergence.recorded.call_site.startswith("app.py:")
    assert divergence.current.call_site.startswith("moved/orders.py:")
    assert excerpt(divergence.recorded.call_site) is None, "there is no app.py here"


def test_both_sides_name_the_arguments(variant: Variant, recorded: CapturedHistory) -> None:
    divergence = replayed(variant, recorded, (SHIP, AUDIT)).divergence
    assert divergence is not None
    assert divergence.recorded.arguments == ("A-1", 7)
    assert divergence.current.arguments == ("A-1",)


def test_what_agreed_before_has_both_places(variant: Variant, recorded: CapturedHistory) -> None:
    lines = ("import asyncio\n", "import asyncio\n\n\n")
    divergence = replayed(variant, recorded, lines, (SHIP, AUDIT)).divergence
    assert divergence is not None
    assert [command.what for command in divergence.agreed] == [
        "step reserve",
        "activity charge",
        "activity print_label",
        "timer 0.01 s",
    ]
    for command in divergence.agreed:
        before, now = (
            int(site.rpartition(":")[2])
            for site in (command.recorded_call_site, command.current_call_site)
        )
        assert now == before + 2
    recorded_line = int(divergence.recorded.call_site.rpartition(":")[2])
    assert divergence.recorded.call_site_now == f"app.py:{recorded_line + 2}"


def test_code_that_stands_still_says_where(variant: Variant, recorded: CapturedHistory) -> None:
    divergence = replayed(variant, recorded, (SLEEP, "")).divergence
    assert divergence is not None
    assert [(wait.task, wait.function) for wait in divergence.waits] == [("workflow", "order")]
    assert divergence.waits[0].call_site == divergence.current.call_site
    assert divergence.waits[0].waits_on is not None
    assert divergence.waits[0].waits_on["name"] == "packed"
    assert f"it waits in order ({divergence.current.call_site})" in divergence.message


def test_an_exception_comes_with_its_frames(variant: Variant, recorded: CapturedHistory) -> None:
    helper = (
        "@workflow",
        (
            "def deduct(stock: int) -> None:\n"
            "    rest = stock - 4\n    assert rest >= 0, rest\n\n\n"
            "@workflow"
        ),
    )
    replay = replayed(variant, recorded, helper, (SLEEP, "    deduct(stock)\n"))
    assert replay.divergence is not None
    raised = replay.divergence.raised
    assert raised is not None
    assert (raised.type, raised.message) == ("AssertionError", "-1")
    assert "in deduct" in raised.traceback
    assert [frame.function for frame in replay.divergence.frames] == ["deduct", "order"]
    assert [(v.name, v.value) for v in replay.divergence.frames[0].variables] == [
        ("stock", "3"),
        ("rest", "-1"),
    ]


def test_code_that_differs_from_run_to_run_is_told_apart(
    variant: Variant, recorded: CapturedHistory
) -> None:
    flickers = (
        ("@workflow", "runs = [0]\n\n\n@workflow"),
        (STEP, "    runs[0] += 1\n    if runs[0] == 1:\n    " + AUDIT + STEP),
    )
    divergence = replayed(variant, recorded, *flickers).divergence
    assert divergence is not None
    assert divergence.unstable
    assert divergence.current.what == "activity audit"


def test_arguments_from_redacted_values_are_not_compared(
    variant: Variant, recorded: CapturedHistory
) -> None:
    history, counts = redact(recorded, [Redaction.parse("WorkflowStarted:input[1]")])
    assert counts == {"WorkflowStarted:input[1]": 1}
    replay = replayed(variant, history)
    assert replay.redacted
    assert (replay.outcome, replay.difference_count, replay.not_comparable) == (
        Outcome.AGREES,
        0,
        1,
    )


def test_what_differs_is_named_by_its_path(variant: Variant, recorded: CapturedHistory) -> None:
    replay = replayed(variant, recorded, (CHARGE, CHARGE.replace("cents)", "cents, )")))
    assert replay.difference_count == 0
    longer = ("async def audit(number: str)", "async def audit(number: object)")
    replay = replayed(variant, recorded, longer, (CHARGE, CHARGE.replace("number", "number * 2")))
    assert [(d.path, d.recorded, d.current) for d in replay.differences] == [
        ("input[0]", "A-1", "A-1A-1")
    ]
    assert replay.differences[0].current_call_site.startswith("app.py:")


def test_a_payload_that_nobody_can_read_is_named(
    variant: Variant, recorded: CapturedHistory
) -> None:
    first = HistoryEvent.FromString(recorded.events[0].SerializeToString())
    first.workflow_started.input[1].encoding = "aes-gcm;key=2026-11"
    history = dataclasses.replace(recorded, events=(first, *recorded.events[1:]))
    with pytest.raises(PayloadError, match=r"event 1 \(WorkflowStarted\).*'aes-gcm'.*'2026-11'"):
        replayed(variant, history)


def test_an_event_of_a_newer_engine_is_named(variant: Variant, recorded: CapturedHistory) -> None:
    newer = HistoryEvent.FromString(b"\x08\x03\x18\x63")
    history = dataclasses.replace(recorded, events=(*recorded.events[:2], newer))
    with pytest.raises(SchedError, match="type 99"):
        replayed(variant, history)


def test_a_captured_history_replays_as_the_engines(
    variant: Variant, recorded: CapturedHistory
) -> None:
    read = parse_capture(dump_capture(recorded), "order.json")
    assert read == recorded
    events_only = json.dumps(json.loads(dump_capture(recorded))["events"])
    listed = parse_capture(events_only, "history.json")
    for history in (recorded, read, listed):
        divergence = replayed(variant, history, (SHIP, AUDIT)).divergence
        assert divergence is not None
        assert divergence == replayed(variant, recorded, (SHIP, AUDIT)).divergence


@activity
async def slow() -> None: ...


def giving_up(*, on_activity: bool, on_timer: bool) -> Callable[..., Any]:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        handle = ctx.queue_activity(slow)
        pause = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        if on_activity:
            handle.cancel()
        await ctx.sleep(1)
        if on_timer:
            pause.cancel()
        await ctx.sleep(2)

    return flow


@pytest.mark.parametrize(
    ("now", "recorded", "current"),
    [
        ((False, True), "cancellation of activity slow", "timer 1 s"),
        ((True, False), "cancellation of timer 60 s", ""),
    ],
)
def test_a_cancellation_is_named_by_what_it_cancels(
    now: tuple[bool, bool], recorded: str, current: str
) -> None:
    engine = run_to_end(giving_up(on_activity=True, on_timer=True))
    flow = giving_up(on_activity=now[0], on_timer=now[1])
    history = CapturedHistory(events=tuple(engine.history))
    divergence = replay_capture(workflow_definition_of(flow), history).divergence
    assert divergence is not None
    assert (divergence.recorded.what, divergence.current.what) == (recorded, current)


def breaking(*, how: str, breaks: bool) -> Callable[..., Any]:
    """A workflow that leaves a timer behind when it ends too early."""

    def check() -> None:
        if breaks and how != "return":
            raise KeyError("zip")

    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        async def work() -> None:
            await ctx.queue_activity(slow)
            check()
            await ctx.queue_activity(slow)

        if how == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                group.create_task(work())
        elif how == "timeout":
            async with asyncio.timeout(60):
                await work()
        else:
            asyncio.create_task(asyncio.sleep(60))  # noqa: RUF006  # it is left behind
            if breaks and how == "return":
                await ctx.queue_activity(slow)
                return
            await work()

    return flow


@pytest.mark.parametrize("how", ["task", "group", "timeout", "return"])
def test_what_the_end_of_the_function_cancels_is_not_blamed(how: str) -> None:
    """The exception is, or the end; not the timer that it cancels."""
    engine = run_to_end(breaking(how=how, breaks=False))
    flow = breaking(how=how, breaks=True)
    history = CapturedHistory(events=tuple(engine.history))
    divergence = replay_capture(workflow_definition_of(flow), history).divergence
    assert divergence is not None
    assert divergence.recorded.what == "activity slow"
    assert "cancellation" not in divergence.message
    if how == "return":
        assert divergence.current.what == "completion of the workflow"
        return
    assert divergence.raised is not None
    assert (divergence.raised.type, divergence.raised.message) == ("KeyError", "'zip'")
    line = inspect.getsource(breaking).splitlines().index('            raise KeyError("zip")')
    site = f"{Path(__file__).name}:{inspect.getsourcelines(breaking)[1] + line}"
    assert divergence.current.call_site.endswith(site)
    assert f"raises KeyError: 'zip' ({divergence.current.call_site})" in divergence.message
    assert [frame.function for frame in divergence.frames][:2] == ["check", "work"]


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless:
    def __repr__(self) -> str:
        return "very long\n" * 1_000


def test_variables_are_shown_whatever_they_are() -> None:
    assert safe_repr(Odd()) == "<Odd: its repr raises RuntimeError>"
    assert safe_repr([Odd()]) == "[<Odd: its repr raises RuntimeError>]"
    assert len(safe_repr(Endless())) == 200
    assert "\n" not in safe_repr(Endless())
    assert len(safe_repr("x" * 10_000)) <= 200
    assert len(safe_repr(list(range(10_000)))) <= 200
    assert safe_repr({"b": {"c": 2}, "a": 1}) == "{'b': {'c': 2}, 'a': 1}"
    assert safe_repr(dict.fromkeys(range(9))).endswith("7: None, …}")


def test_lines_of_code_are_found_as_they_are_now(variant: Variant) -> None:
    variant()
    found = excerpt("app.py:34", 1)
    assert found is not None
    assert (found.first, len(found.lines)) == (33, 3)
    assert excerpt("app.py:9999") is None
    assert excerpt("no_such.py:1") is None
    assert excerpt("app.py:?") is None
    assert find_source("/no/such/file.py") is None
