"""Edits of `order.py`, and what replay must say of each.

`recorded` and `current` are what either side does, and the text of the line
that it names: of the recorded code, and of the edited one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sched_sdk._debug import Outcome

DIVERGES = Outcome.DIVERGES
RAISES = Outcome.RAISES

Edit = tuple[str, str]
Side = tuple[str, str]

STEP = "    stock = await ctx.step(reserve, number)\n"
CHARGE = "        ctx.queue_activity(charge, number, cents),\n"
LABEL = "        ctx.queue_activity(print_label, number),\n"
SLEEP = "    await ctx.sleep(0.01)\n"
SIGNAL = '    packed = await ctx.wait_for_signal("packed", type=int)\n'
SHIP = "    await ctx.queue_activity(ship, number, packed.payload)\n"
RETURN = '    return f"{receipt} {label} {stock}"\n'
AUDIT = "    await ctx.queue_activity(audit, number)\n"

DID_STEP = ("step reserve", STEP)
DID_CHARGE = ("activity charge", CHARGE)
DID_LABEL = ("activity print_label", LABEL)
DID_SLEEP = ("timer 0.01 s", SLEEP)
DID_SHIP = ("activity ship", SHIP)
COMPLETED = ("completion of the workflow", "")
DOES_AUDIT = ("activity audit", AUDIT)


@dataclass(frozen=True)
class Parts:
    """An edit after which code and history part."""

    name: str
    edits: tuple[Edit, ...]
    recorded: Side
    current: Side
    outcome: Outcome = DIVERGES
    local: str = ""
    """A local variable that the report must show, `name=repr`."""


PARTING = (
    Parts("activity added first", ((STEP, AUDIT + STEP),), DID_STEP, DOES_AUDIT, local="cents=675"),
    Parts("activity added after the step", ((STEP, STEP + AUDIT),), DID_CHARGE, DOES_AUDIT),
    Parts("activity added last", ((RETURN, AUDIT + RETURN),), COMPLETED, DOES_AUDIT),
    Parts("step removed", ((STEP, "    stock = 3\n"),), DID_STEP, DID_CHARGE, local="stock=3"),
    Parts("activity removed", ((SHIP, ""),), DID_SHIP, ("completion of the workflow", RETURN)),
    Parts("timer removed", ((SLEEP, ""),), DID_SLEEP, ("", SIGNAL)),
    Parts(
        "timer moved behind the signal",
        ((SLEEP + SIGNAL, SIGNAL + SLEEP),),
        DID_SLEEP,
        ("", SIGNAL),
        local="stock=3",
    ),
    Parts(
        "activity moved in front of the timer",
        ((SLEEP, AUDIT + SLEEP),),
        DID_SLEEP,
        DOES_AUDIT,
        local="label='label-A-1'",
    ),
    Parts(
        "activity renamed",
        (("async def ship", "async def send"), ("(ship,", "(send,")),
        DID_SHIP,
        ("activity send", SHIP.replace("ship", "send")),
    ),
    Parts(
        "step renamed",
        (("def reserve", "def reserve_stock"), ("(reserve,", "(reserve_stock,")),
        DID_STEP,
        ("step reserve_stock", STEP.replace("reserve", "reserve_stock")),
    ),
    Parts("timer became an activity", ((SLEEP, AUDIT),), DID_SLEEP, DOES_AUDIT),
    Parts(
        "activity became a timer",
        ((SHIP, "    await ctx.sleep(7)\n"),),
        DID_SHIP,
        ("timer 7 s", "    await ctx.sleep(7)\n"),
        local="receipt='receipt-A-1'",
    ),
    Parts(
        "step became an activity",
        ((STEP, "    stock = await ctx.queue_activity(audit, number)\n"),),
        DID_STEP,
        ("activity audit", "    stock = await ctx.queue_activity(audit, number)\n"),
    ),
    Parts(
        "activity became a step",
        ((SHIP, '    await ctx.step(print, number, name="ship")\n'),),
        DID_SHIP,
        ("", '    await ctx.step(print, number, name="ship")\n'),
    ),
    Parts("gather swapped", ((CHARGE + LABEL, LABEL + CHARGE),), DID_CHARGE, DID_LABEL),
    Parts(
        "one of the gather removed",
        ((LABEL, '        asyncio.sleep(0, result="none"),\n'),),
        DID_LABEL,
        ("", "    receipt, label = await asyncio.gather(\n"),
    ),
    Parts(
        "one more in the gather",
        ((LABEL, LABEL + f"    {AUDIT[:-1]},\n".replace("await ", "")), ("label =", "label, _ =")),
        ("nothing more", ""),
        ("activity audit", f"    {AUDIT[:-1]},\n".replace("await ", "")),
    ),
    Parts(
        "one after the other instead of together",
        (
            ("    receipt, label = await asyncio.gather(\n" + CHARGE + LABEL + "    )\n", ""),
            (
                SLEEP,
                "    receipt = await "
                + CHARGE.strip()[:-1]
                + "\n    label = await "
                + LABEL.strip()[:-1]
                + "\n"
                + SLEEP,
            ),
        ),
        DID_LABEL,
        ("", "    receipt = await " + CHARGE.strip()[:-1] + "\n"),
    ),
    Parts(
        "raises instead",
        ((SLEEP, '    raise ValueError(f"no tea for {number}")\n'),),
        DID_SLEEP,
        (
            "failure of the workflow (ValueError: no tea for A-1)",
            '    raise ValueError(f"no tea for {number}")\n',
        ),
        outcome=RAISES,
        local="receipt='receipt-A-1'",
    ),
    Parts(
        "raises in a function that it calls",
        (
            (SLEEP, "    deduct(stock)\n" + SLEEP),
            ("@workflow", "def deduct(stock: int) -> None:\n    stock / 0\n\n\n@workflow"),
        ),
        DID_SLEEP,
        ("failure of the workflow (ZeroDivisionError: division by zero)", "    stock / 0\n"),
        outcome=RAISES,
        local="stock=3",
    ),
    Parts(
        "takes an argument of another type",
        (("cents: int) -> str:\n    stock", "cents: bool) -> str:\n    stock"),),
        DID_STEP,
        ("failure of the workflow (PayloadError: ", ""),
        outcome=RAISES,
    ),
    Parts(
        "returns early",
        ((SLEEP, "    if stock > 2:\n        return label\n" + SLEEP),),
        DID_SLEEP,
        ("completion of the workflow", "        return label\n"),
        local="label='label-A-1'",
    ),
    Parts(
        "waits for another signal",
        ((SIGNAL, SIGNAL.replace('"packed"', '"weighed"')),),
        DID_SHIP,
        ("", SIGNAL.replace('"packed"', '"weighed"')),
    ),
    Parts(
        "a time limit on the wait",
        ((SIGNAL, SIGNAL.replace("type=int", "type=int, timeout=60")),),
        ("nothing more", ""),
        ("timer 60 s", SIGNAL.replace("type=int", "type=int, timeout=60")),
    ),
    Parts(
        "patch the wrong way round",
        ((SHIP, '    if not ctx.patched("audit"):\n    ' + AUDIT + SHIP),),
        DID_SHIP,
        ("activity audit", "    " + AUDIT),
    ),
    Parts(
        "in another coroutine",
        (
            (SHIP, "    await dispatch(ctx, packed.payload)\n"),
            (
                "@workflow",
                (
                    "async def dispatch(ctx: WorkflowContext, weight: int) -> None:\n"
                    "    grams = weight * 1000\n"
                    '    await ctx.queue_activity(audit, "x")\n\n\n@workflow'
                ),
            ),
        ),
        DID_SHIP,
        ("activity audit", '    await ctx.queue_activity(audit, "x")\n'),
        local="grams=7000",
    ),
)


@dataclass(frozen=True)
class Agrees:
    """An edit that replay does not mind."""

    name: str
    edits: tuple[Edit, ...]
    differences: tuple[tuple[str, str, object, object], ...] = ()
    """What differs, where, the recorded value, the current one."""


AGREEING = (
    Agrees("nothing changed", ()),
    Agrees(
        "another duration",
        ((SLEEP, "    await ctx.sleep(60)\n"),),
        (("timer 0.01 s", "duration", 0.01, 60.0),),
    ),
    Agrees(
        "another argument",
        ((CHARGE, CHARGE.replace("cents", "cents + 1")),),
        (("activity charge", "input[1]", 675, 676),),
    ),
    Agrees(
        "another result",
        ((RETURN, RETURN.replace("{stock}", "{stock + 1}")),),
        (
            (
                "completion of the workflow",
                "result",
                "receipt-A-1 label-A-1 3",
                "receipt-A-1 label-A-1 4",
            ),
        ),
    ),
    Agrees("lines moved", (("import asyncio\n", "import asyncio\nimport json  # noqa\n\n\n"),)),
    Agrees(
        "function renamed, workflow's name kept",
        (("async def order(", "async def process_order("),),
    ),
    Agrees(
        "guarded by a patch",
        ((SHIP, '    if ctx.patched("audit"):\n    ' + AUDIT + SHIP),),
    ),
    Agrees(
        "other options of an activity",
        ((SHIP, SHIP.replace("payload)", 'payload, task_queue="x", start_to_close=9)')),),
    ),
    Agrees(
        "moved to a coroutine of its own",
        (
            (SHIP, "    await dispatch(ctx, number, packed.payload)\n"),
            (
                "@workflow",
                "async def dispatch(ctx: WorkflowContext, number: str, weight: int) -> None:\n"
                + SHIP.replace("packed.payload", "weight")
                + "\n\n@workflow",
            ),
        ),
    ),
)
