"""Time travel: what is seen at each position, and how one gets there."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sched_sdk import WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._stepping import LineNotFoundError, Phase, Place, Stepper, View, find_line
from tests.replay.engine import Engine, Worker, run_to_end


@activity
async def charge(number: str) -> str: ...


@activity
async def ship(number: str) -> None: ...


async def pack(ctx: WorkflowContext, items: list[str]) -> int:
    packed = len(items)
    await ctx.sleep(60)  # packing
    return packed


@workflow(name="Test")
async def order(ctx: WorkflowContext, number: str) -> str:
    receipt = await ctx.queue_activity(charge, number)
    boxes = await pack(ctx, ["tea", "cake"])
    shipping = ctx.queue_activity(ship, number)
    label = await ctx.step(str.upper, number)
    await shipping
    return f"{receipt} {boxes} {label}"


def line_of(function: Callable[..., Any], text: str) -> int:
    """The number of the first line of a function that contains `text`."""
    function = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


def place_of(function: Callable[..., Any], text: str) -> Place:
    return find_line(__file__, line_of(function, text))


ANSWERS = {"charge": "paid"}


def record(function: Callable[..., Any] = order, *arguments: Any) -> Engine:
    given = arguments or ("a-1",)
    return run_to_end(function, *given, activities=lambda name, _: ANSWERS.get(name))


def work_once(engine: Engine, function: Callable[..., Any]) -> None:
    worker = Worker(engine, function)
    worker.work()
    worker.forget()


_steppers: list[Stepper] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while _steppers:
        _steppers.pop().close()


def stepper_of(function: Callable[..., Any], engine: Engine) -> Stepper:
    _steppers.append(Stepper(workflow_definition_of(function), engine.history))
    return _steppers[-1]


def line(view: View) -> int:
    return view.frames[0].line


def told(view: View) -> tuple[str, int, int]:
    return str(view.phase), view.event.event_id if view.event else 0, line(view)


def variables(view: View) -> dict[str, str]:
    return {variable.name: variable.value for variable in view.frames[0].variables}


def changes(view: View) -> dict[str, tuple[str | None, str | None]]:
    return {change.name: (change.before, change.after) for change in view.changes}


def test_positions_follow_the_code() -> None:
    stepper = stepper_of(order, record())
    seen = [told(stepper.to_index(index)) for index in range(stepper.total)]
    charged, slept = line_of(order, "charge"), line_of(pack, "sleep")
    shipped, labelled = line_of(order, "shipping ="), line_of(order, "label =")
    assert [(phase, where) for phase, _, where in seen] == [
        ("arrival", line_of(order, "async def")),
        ("command", charged),
        ("arrival", charged),
        ("command", slept),
        ("arrival", slept),
        ("command", shipped),
        ("arrival", labelled),
        ("arrival", line_of(order, "await shipping")),
        ("command", line_of(order, "return")),
    ]


def test_a_position_shows_locals_waits_and_commands() -> None:
    stepper = stepper_of(order, record())
    view = stepper.to_index(4)
    assert view.event is not None
    assert view.event.HasField("timer_fired")
    assert [frame.function for frame in view.frames] == ["pack", "order"]
    assert variables(view) == {"items": "['tea', 'cake']", "packed": "2"}
    (coroutine,) = view.coroutines
    assert (coroutine.task, coroutine.current) == ("workflow", True)
    assert coroutine.waits_on is not None
    assert coroutine.waits_on["kind"] == "timer"
    assert [(one.what, one.current) for one in view.commands] == [("activity ship", False)]
    assert view.commands[0].event_id == stepper.forward().event.event_id  # type: ignore[union-attr]  # a command has one
    assert not view.pending


def test_changes_are_those_since_the_position_before() -> None:
    stepper = stepper_of(order, record())
    view = stepper.to_index(5)
    assert changes(view) == {"boxes": (None, "2")}
    assert view.change_of("order", "boxes") is not None
    assert view.change_of("order", "number") is None
    handle = changes(stepper.forward())["shipping"]
    assert handle == (None, "<activity ship, pending>")


def test_the_function_is_shown_before_it_begins_and_when_it_returns() -> None:
    stepper = stepper_of(order, record())
    assert variables(stepper.view) == {"number": "'a-1'"}
    assert stepper.view.time_us > 0
    last = stepper.last()
    assert variables(last)["label"] == "'A-1'"
    assert [one.what for one in last.commands if one.current] == ["completion of the workflow"]


def test_any_way_to_a_position_shows_the_same() -> None:
    engine = record()
    forward = stepper_of(order, engine)
    expected = [forward.to_index(index) for index in range(forward.total)]
    for seed in range(5):
        stepper = stepper_of(order, engine)
        chance = random.Random(seed)
        for _ in range(30):
            index = chance.randrange(stepper.total)
            assert stepper.to_index(index) == expected[index]


def test_steps_stay_within_the_history() -> None:
    stepper = stepper_of(order, record())
    assert stepper.back(5).index == 0
    assert stepper.forward(3).index == 3
    assert stepper.back().index == 2
    assert stepper.forward(100).index == stepper.total - 1


def test_an_event_is_found_by_its_number_or_the_next_one_that_code_meets() -> None:
    engine = record()
    stepper = stepper_of(order, engine)
    for event in engine.history:
        found = stepper.to(event.event_id).event
        assert found is not None
        if not event.HasField("workflow_task_completed"):
            assert found.event_id == event.event_id
        else:
            assert found.event_id > event.event_id
    with pytest.raises(LookupError, match="no event 99; the history has events 1 to"):
        stepper.to(99)


# Lines


@workflow(name="Test")
async def in_a_loop(ctx: WorkflowContext, count: int) -> int:
    total = 0
    for number in range(count):
        await ctx.sleep(1)
        total += number
        doubled = total * 2
    return doubled


def test_a_line_is_found_each_time_that_it_runs() -> None:
    stepper = stepper_of(in_a_loop, record(in_a_loop, 3))
    place = place_of(in_a_loop, "doubled =")
    totals = []
    while (view := stepper.to_line(place)) is not None:
        assert (view.phase, line(view), view.event) == (Phase.LINE, place.line, None)
        totals.append(variables(view)["total"])
    assert totals == ["0", "1", "3"]


def test_from_a_line_on() -> None:
    stepper = stepper_of(in_a_loop, record(in_a_loop, 3))
    view = stepper.to_line(place_of(in_a_loop, "doubled ="))
    assert view is not None
    assert changes(view) == {}
    index = view.index
    assert stepper.back().index == index
    assert stepper.view.phase is not Phase.LINE
    stepper.to_line(place_of(in_a_loop, "doubled ="))
    assert stepper.forward().index == index + 1
    later = stepper.to_line(place_of(in_a_loop, "total +="))
    assert later is not None
    assert variables(later)["number"] == "1"
    other = stepper.to_line(place_of(in_a_loop, "doubled ="))
    assert other is not None
    assert variables(other)["number"] == "1"


def test_a_line_behind_a_command_of_the_same_activation() -> None:
    stepper = stepper_of(order, record())
    stepper.to_index(5)
    assert stepper.to_line(place_of(order, "shipping =")) is None
    assert stepper.index == 5
    found = stepper.to_line(place_of(order, "label ="))
    assert found is not None
    assert found.index == 5
    assert changes(found) == {"shipping": (None, "<activity ship, pending>")}


def test_a_line_without_code_is_the_next_one_that_has_some() -> None:
    assert place_of(order, "async def").line == line_of(order, "async def")
    empty = line_of(in_a_loop, "return") + 1
    assert find_line(__file__, empty).line > empty
    with pytest.raises(LineNotFoundError, match="no code at line 99999 or below; the last"):
        find_line(__file__, 99_999)
    with pytest.raises(LineNotFoundError, match="no file nowhere"):
        find_line("nowhere.py", 1)


# Failures, divergences, ends


@workflow(name="Test")
async def with_a_failure(ctx: WorkflowContext, number: str) -> str:
    try:
        await ctx.queue_activity(charge, number)
    except Exception as error:
        reason = str(error)
        await ctx.sleep(1)
        raise ValueError(reason) from error
    return "paid"


def test_the_next_failure() -> None:
    def fails(name: str, arguments: Any) -> None:
        raise RuntimeError("no funds")

    stepper = stepper_of(with_a_failure, run_to_end(with_a_failure, "a-1", activities=fails))
    view = stepper.next_failure()
    assert view is not None
    assert view.event is not None
    assert view.event.HasField("activity_failed")
    assert line(view) == line_of(with_a_failure, "charge")
    view = stepper.next_failure()
    assert view is not None
    assert view.event is not None
    assert view.event.HasField("workflow_failed")
    assert line(view) == line_of(with_a_failure, "raise")
    assert "no funds" in variables(view)["reason"]
    assert stepper.next_failure() is None
    assert stepper.index == view.index


@workflow(name="Test")
async def ships_first(ctx: WorkflowContext, number: str) -> str:
    receipt = await ctx.queue_activity(charge, number)
    await ctx.queue_activity(ship, number)
    await ctx.sleep(60)
    return receipt


def test_a_divergence_is_the_last_position() -> None:
    stepper = stepper_of(ships_first, record())
    assert stepper.diverges
    view = stepper.last()
    assert view.phase is Phase.DIVERGENCE
    assert view.divergence is not None
    assert (view.divergence.recorded.what, view.divergence.current.what) == (
        "timer 60 s",
        "activity ship",
    )
    assert line(view) == line_of(ships_first, "ship,")
    assert variables(view)["receipt"] == "'paid'"
    assert view.event is not None
    assert view.event.event_id == view.divergence.event_id
    assert stepper.view.commands[0].event_id == 0, "the history knows nothing of it"
    assert stepper.back().phase is Phase.ARRIVAL
    assert stepper.next_failure() == view


def test_a_resolution_of_what_was_never_asked_for() -> None:
    @workflow(name="Test")
    async def asks_for_nothing(ctx: WorkflowContext, number: str) -> None:
        await ctx.wait_for_signal("never")

    engine = Engine()
    engine.start("a-1")
    work_once(engine, order)
    engine.complete_activity(1, "paid")
    stepper = stepper_of(asks_for_nothing, engine)
    assert [stepper.to_index(index).phase for index in range(stepper.total)] == [
        Phase.ARRIVAL,
        Phase.DIVERGENCE,
    ]


def test_code_that_is_not_deterministic_diverges_where_it_does() -> None:
    runs = iter(range(100))

    @workflow(name="Test")
    async def changes_its_mind(ctx: WorkflowContext) -> None:
        await ctx.sleep(1)
        if next(runs) >= 1:
            await ctx.queue_activity(charge, "x")
        await ctx.sleep(2)

    engine = Engine()
    engine.start()
    worker = Worker(engine, changes_its_mind)
    while not engine.closed:
        worker.work()
        if engine.timers:
            engine.fire_timer(1 if 1 in engine.timers else 2)
    worker.forget()
    stepper = stepper_of(changes_its_mind, engine)
    view = stepper.last()
    assert view.phase is Phase.DIVERGENCE


def test_an_open_workflow_ends_where_it_waits() -> None:
    engine = Engine()
    engine.start("a-1")
    work_once(engine, order)
    stepper = stepper_of(order, engine)
    view = stepper.last()
    assert (view.phase, line(view), view.event) == (Phase.END, line_of(order, "charge"), None)
    assert view.coroutines[0].waits_on == {"kind": "activity", "name": "charge", "seq": 1}


def test_what_no_worker_has_seen_is_handed_over_as_the_next_task_would() -> None:
    engine = Engine()
    engine.start("a-1")
    work_once(engine, order)
    engine.complete_activity(1, "paid")
    stepper = stepper_of(order, engine)
    stepper.last()
    view = stepper.back()
    assert (view.phase, view.pending) == (Phase.ARRIVAL, True)
    assert [(one.event_id, one.what) for one in view.commands] == [(0, "timer 60 s")]
    assert line(stepper.last()) == line_of(pack, "sleep")


@workflow(name="Test")
async def several(ctx: WorkflowContext) -> list[str]:
    async def one(name: str) -> str:
        signal = await ctx.wait_for_signal(name, type=str)
        return signal.payload

    tasks = [asyncio.create_task(one(name), name=name) for name in ("first", "second")]
    if ctx.patched("new"):
        await asyncio.sleep(0.5)
    return await asyncio.gather(*tasks)


def test_the_coroutine_that_gets_the_event_is_the_current_one() -> None:
    engine = Engine()
    engine.start()
    work_once(engine, several)
    engine.signal("second", "b")
    engine.signal("first", "a")
    work_once(engine, several)
    stepper = stepper_of(several, engine)
    seen = []
    for index in range(stepper.total):
        view = stepper.to_index(index)
        if view.event is not None and view.event.HasField("signal_received"):
            seen.append([one.task for one in view.coroutines if one.current])
            assert variables(view)["name"] == repr(view.event.signal_received.name)
            assert view.patches == ("new",)
    assert seen == [["second"], ["first"]]


def test_commands_come_before_the_next_event_of_the_same_task() -> None:
    """One task saw two signals, and the code asked for something on each."""

    @workflow(name="Test")
    async def asks_on_each(ctx: WorkflowContext) -> None:
        for _ in range(2):
            signal = await ctx.wait_for_signal(type=str)
            await ctx.queue_activity(ship, signal.payload)

    engine = Engine()
    engine.start()
    work_once(engine, asks_on_each)
    engine.signal("go", "a")
    work_once(engine, asks_on_each)
    engine.signal("go", "b")
    engine.complete_activity(1)
    work_once(engine, asks_on_each)
    stepper = stepper_of(asks_on_each, engine)
    kinds = []
    for index in range(stepper.total):
        event = stepper.to_index(index).event
        kinds.append(event.WhichOneof("attributes") if event is not None else "")
    assert kinds == [
        "workflow_started",
        "signal_received",
        "activity_scheduled",
        "signal_received",
        "activity_completed",
        "activity_scheduled",
        "",
    ]


def test_going_back_is_quick() -> None:
    """The bound is ten times what it takes; the figures are in docs/performance.md."""
    stepper = stepper_of(in_a_loop, record(in_a_loop, 1_000))
    assert len(stepper.events) > 3_000
    stepper.last()
    started = time.perf_counter()
    stepper.to_index(stepper.total // 2)
    assert time.perf_counter() - started < 1
