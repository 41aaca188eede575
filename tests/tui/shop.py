"""An app and its history, for views and their pictures."""

from __future__ import annotations

import contextlib
import linecache
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sched_sdk._capture import CapturedHistory, dump_capture
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._stepping import Stepper
from tests.replay.engine import Engine, Worker

SOURCE = """\
import asyncio
from dataclasses import dataclass

from sched_sdk import WorkflowContext, activity, workflow


@dataclass
class Order:
    number: str
    items: list[str]
    cents: int


@activity
async def charge(number: str, cents: int) -> str: ...


@activity
async def pack(item: str) -> float: ...


@activity
async def ship(number: str, weight: float) -> str: ...


async def pack_all(ctx: WorkflowContext, items: list[str]) -> float:
    boxes = [ctx.queue_activity(pack, item) for item in items]
    weights = await asyncio.gather(*boxes, return_exceptions=True)
    return sum(one for one in weights if isinstance(one, float))


@workflow(name="ShipOrder")
async def ship_order(ctx: WorkflowContext, order: Order) -> str:
    state = "charging"

    async def remind() -> None:
        hours = 24
        await ctx.sleep(hours * 3600)

    reminder = asyncio.create_task(remind(), name="reminder")
    receipt = await ctx.queue_activity(charge, order.number, order.cents)
    state = "waiting for approval"
    approval = await ctx.wait_for_signal("approve", type=dict)
    approved_by = approval.payload["by"]
    state = "packing"
    weight = await pack_all(ctx, order.items)
    state = "shipping"
    parcel = await ctx.queue_activity(ship, order.number, weight)
    reminder.cancel()
    return f"{receipt}, {parcel}, approved by {approved_by} ({state})"
"""
SHIPPING = '    state = "shipping"\n'
WORKFLOW_ID, WORKFLOW_TYPE = "order-1", "ShipOrder"


def define(folder: Path, source: str = SOURCE) -> Any:
    """The workflow function of the app, which is written to `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / "app.py"
    path.write_text(source, encoding="utf-8")
    linecache.checkcache(str(path))
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(source, str(path), "exec", dont_inherit=True), scope)
    return scope["ship_order"]


def record(function: Any) -> Engine:
    """Charged, approved, packed but for the vase, and shipped."""
    engine = Engine()
    engine.start({"number": "A-1", "items": ["tea", "cake", "vase"], "cents": 1250})
    started = engine.history[0].workflow_started
    started.workflow_id, started.workflow_type = WORKFLOW_ID, WORKFLOW_TYPE
    worker = Worker(engine, function)
    worker.work()
    engine.complete_activity(1, "receipt 7")
    worker.work()
    engine.signal("approve", {"by": "ann", "note": "gift wrapping, please"})
    worker.work()
    for seq, scheduled in list(engine.activities.items()):
        if b"vase" in scheduled.input[0].data:
            engine.fail_activity(seq, ValueError("the vase is broken"), 3)
        else:
            engine.complete_activity(seq, 0.4)
        worker.work()
    for seq in list(engine.activities):
        engine.complete_activity(seq, "parcel 77")
        worker.work()
    worker.forget()
    return engine


def capture(engine: Engine, path: Path) -> None:
    path.write_text(dump_capture(CapturedHistory(events=tuple(engine.history))), encoding="utf-8")


def stepper(folder: Path, edited: str | None = None) -> Stepper:
    """The history of the app, over the app as it is, or as it is edited."""
    function = define(folder)
    engine = record(function)
    if edited is not None:
        function = define(folder, edited)
    return Stepper(workflow_definition_of(function), engine.history)


@contextlib.contextmanager
def somewhere() -> Iterator[Path]:
    """A folder to work in, and a time zone that is everywhere the same."""
    here, zone = Path.cwd(), os.environ.get("TZ")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["TZ"] = "UTC"
        time.tzset()
        try:
            yield Path(folder)
        finally:
            os.chdir(here)
            os.environ.pop("TZ")
            if zone is not None:
                os.environ["TZ"] = zone
            time.tzset()
