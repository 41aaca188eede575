"""SCH4xx and SCH5xx: activities that nobody runs, values that cannot be stored."""

from __future__ import annotations

from pathlib import Path

from tests.cli.check.judging import in_workflow, judge

HEAD = """
from dataclasses import dataclass

@activity
async def send(to: str) -> str: ...

@activity(name="pay-out")
def pay(cents: int) -> None: ...

def helper(to: str) -> str:
    return to
"""


def test_names_that_nobody_registers(tmp_path: Path) -> None:
    body = """
    await ctx.queue_activity("send", "a")
    await ctx.queue_activity("pay-out", 1)
    await ctx.queue_activity(OTHER)
    await ctx.queue_activity("sedn", "a")  #! SCH401
    await ctx.queue_activity("pay", 1)  #! SCH401
    await ctx.queue_activity(UNKNOWN)  #! SCH401
    await ctx.queue_activity("theirs", task_queue="others")
    await ctx.queue_activity(names[0])
    """
    constants = 'OTHER = "other"\nUNKNOWN = "unknown"\n'
    findings = judge(
        tmp_path,
        app=in_workflow(body, HEAD + "from constants import OTHER, UNKNOWN\n"),
        constants=constants,
        elsewhere="@activity(name='other')\ndef other() -> None: ...\n",
    )
    assert findings[0].instead == "Did you mean 'send'?"


def test_a_name_that_is_computed_may_be_any(tmp_path: Path) -> None:
    body = 'await ctx.queue_activity("made-1")'
    head = 'PREFIX = "made"\n@activity(name=f"{PREFIX}-1")\ndef made() -> None: ...\n'
    judge(tmp_path, app=in_workflow(body, head))


def test_activities_made_by_calling_the_decorator(tmp_path: Path) -> None:
    body = """
    await ctx.queue_activity("helper", "a")
    await ctx.queue_activity("renamed", "a")
    await ctx.queue_activity(helper, "a")
    await ctx.queue_activity("other", "a")  #! SCH401
    """
    head = HEAD + 'activity(helper)\nactivity(name="renamed")(helper)\n'
    judge(tmp_path, app=in_workflow(body, head))


def test_activities_in_the_wrong_place(tmp_path: Path) -> None:
    body = """
    await send("a")  #! SCH402
    pay(1)  #! SCH402
    await ctx.queue_activity(helper, "a")  #! SCH403
    await ctx.queue_activity(lambda: 1)  #! SCH403
    await ctx.step(helper, "a")
    await ctx.step(send, "a")
    """
    judge(tmp_path, app=in_workflow(body, HEAD))


def test_types_that_cannot_be_stored(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import re, threading
        from collections.abc import Callable, Iterator
        from dataclasses import dataclass
        from typing import Annotated, IO, ClassVar

        class Plain:
            def __init__(self) -> None:
                self.value = 1

        @dataclass
        class Order:
            lock: threading.Lock
            kinds: ClassVar[Callable[[], None]]

        @activity
        def one(to: Callable[[], None]) -> Iterator[int]: ...  #! SCH501 SCH501

        @activity
        def two(to: "IO[str] | None", by: list[Plain]) -> Order: ...  #! SCH501 SCH501 SCH501

        @workflow
        async def flow(ctx: WorkflowContext, by: Annotated[re.Pattern[str], 1]) -> None:  #! SCH501
            await ctx.step(pattern)  #! SCH501

        def pattern() -> re.Pattern[str]: ...

        def unjudged(to: Callable[[], None]) -> Plain: ...
        """,
    )


def test_types_that_can_be_stored_or_may_be(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import enum, uuid
        from collections.abc import Iterable, Mapping, Sequence
        from dataclasses import dataclass, field
        from datetime import datetime, timedelta
        from pathlib import Path
        from typing import Any, Literal, NamedTuple, TypedDict
        import msgspec
        from elsewhere import Base

        class Kind(enum.Enum):
            A = "a"

        class Row(TypedDict):
            kind: Kind

        class Point(NamedTuple):
            x: int

        class Struct(msgspec.Struct):
            row: Row

        class Model(Base):
            at: datetime

        class Text(str): ...

        @dataclass
        class Order:
            items: list["Order"] = field(default_factory=list)

        class Methods:
            @activity
            def run(self, order: Order) -> None: ...

        @activity
        def one(a: Row, b: Point, c: Struct, d: Model, e: Text, f: Order) -> Kind: ...

        @activity
        def two(a: Path, b: Iterable[int], c: Mapping[str, Any], d: bytes | None) -> object: ...

        @workflow
        async def flow(
            ctx: WorkflowContext, how: Literal["Callable"], more: dict[str, uuid.UUID], x=None
        ) -> tuple[int, ...] | None: ...
        """,
    )


def test_values_that_cannot_be_stored(tmp_path: Path) -> None:
    head = (
        HEAD
        + """
class Plain:
    pass
"""
    )
    body = """
    await ctx.queue_activity(send, lambda: 1)  #! SCH502
    await ctx.queue_activity(send, (name for name in names))  #! SCH502
    await ctx.queue_activity(send, map(str, names))  #! SCH502
    await ctx.queue_activity(send, [ctx, {"a": helper}])  #! SCH502 SCH502
    await ctx.queue_activity(send, Plain())  #! SCH502
    await ctx.queue_activity(send, Plain)  #! SCH502
    await ctx.queue_activity(send, ctx.queue_activity(send, "a"))  #! SCH502
    await ctx.queue_activity(send, {(1, 2): 3})  #! SCH502
    await ctx.queue_activity(send, float("nan"))  #! SCH502
    await ctx.queue_activity(send, 1j if names else ...)  #! SCH502 SCH502
    file = open("names.txt")  #! SCH106
    await ctx.queue_activity(send, file)  #! SCH502
    ctx.continue_as_new(range(3))  #! SCH502
    """
    judge(tmp_path, app=in_workflow(body, head))


def test_values_that_can_be_stored_or_may_be(tmp_path: Path) -> None:
    head = (
        HEAD
        + """
@dataclass
class Order:
    number: int

    @property
    def label(self) -> str:
        return "x"
"""
    )
    body = """
    order = Order(1)
    await ctx.queue_activity(send, order)
    await ctx.queue_activity(send, order.label)
    await ctx.queue_activity(send, [*names], {"a": {1, 2}}, list(map(str, names)), b"", None)
    await ctx.queue_activity(send, await ctx.queue_activity(send, "a"), retry=None)
    await ctx.queue_activity(send, *names)
    await ctx.step(helper, lambda: 1)
    result = ctx.queue_activity(send, "a")
    await ctx.queue_activity(send, await result)
    """
    judge(tmp_path, app=in_workflow(body, head))
