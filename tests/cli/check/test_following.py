"""How workflows are recognised, and how their calls are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.check.judging import found_in, judge


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("from sched_sdk import workflow", "@workflow"),
        ("from sched_sdk import workflow as durable", '@durable(name="A")'),
        ("import sched_sdk", "@sched_sdk.workflow"),
        ("import sched_sdk as s", '@s.workflow(name="A")'),
        ("from ours import workflow", "@workflow"),
        ("import ours", "@ours.workflow()"),
    ],
)
def test_a_workflow_is_recognised_however_it_is_imported(
    tmp_path: Path, imports: str, decorator: str
) -> None:
    findings = found_in(
        tmp_path,
        app=f"""import time
{imports}

{decorator}
async def flow(c):
    c.sleep(time.time())
""",
        ours="from sched_sdk import workflow\n",
    )
    assert [finding.rule.id for finding in findings] == ["SCH201", "SCH101"]


def test_another_decorator_of_that_name_is_none(tmp_path: Path) -> None:
    source = """
    import time
    from prefect import workflow

    @workflow
    async def flow(ctx):
        time.time()
    """
    assert found_in(tmp_path, app=source) == []


def test_a_method_is_one_too(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time

        class Flows:
            @workflow
            async def flow(self, ctx) -> None:
                ctx.sleep(1)  #! SCH201
                self.later()

            def later(self) -> None:
                time.time()  #! SCH101
        """,
    )


def test_calls_are_followed_through_the_project(tmp_path: Path) -> None:
    findings = judge(
        tmp_path,
        given="shop/flows.py",
        shop____init__="from .prices import price\n",
        shop__flows="""
                import shop
                import shop.stock as stock
                from .prices import Price, price as cost
                from shop import price

                @workflow
                async def order(ctx: WorkflowContext, item: str) -> None:
                    cost(item)
                    price(item)
                    shop.price(item)
                    stock.look(ctx)
                    Price(item).now
                """,
        shop__prices="""
                import time

                class Base:
                    def check(self) -> None:
                        time.monotonic()  #! SCH101

                class Price(Base):
                    def __init__(self, item: str) -> None:
                        self.at = time.time()  #! SCH101
                        self.check()

                    @property
                    def now(self) -> float:
                        return time.time()  #! SCH101

                def price(item: str) -> float:
                    return deeper()

                def deeper() -> float:
                    return time.time()  #! SCH101
                """,
        shop__stock="""
                def look(context):
                    context.sleep(1)  #! SCH201
                    context.step(lambda: open("x"))  #! SCH201
                """,
    )
    (deeper,) = (
        finding
        for finding in findings
        if "return time.time()" in finding.source and len(finding.calls) == 2
    )
    assert [(call.function, call.line) for call in deeper.calls] == [("order", 10), ("price", 19)]
    assert deeper.declaration == "order"


def test_a_folder_without_init_is_followed_too(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import lib.clock
        from lib import clock as other

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            lib.clock.now()
            other.later()
        """,
        lib__clock="""
        import time
        def now(): return time.time()  #! SCH101
        def later(): return time.time()  #! SCH101
        """,
    )


def test_functions_that_are_handed_to_what_calls_them(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import asyncio, functools, time

        def by_time(name): return time.time()  #! SCH101
        def ready(): return time.time()  #! SCH101
        def run(): return time.time()  #! SCH101
        def stored(): return time.time()
        def stepped(): return time.time()
        def partly(x): return time.time()
        def apply(fn): return fn()
        async def in_step(ctx, fn): return await ctx.step(fn)

        @workflow
        async def flow(ctx: WorkflowContext, names: list[str]) -> None:
            sorted(names, key=by_time)
            await ctx.wait_for(ready)
            apply(run)
            await in_step(ctx, stepped)
            await ctx.step(functools.partial(partly, 1))
            for function in (stored,):
                await ctx.step(function)

            @ctx.on_signal("go")
            async def go() -> None:
                time.time()  #! SCH101

            async def inside() -> None:
                time.time()  #! SCH101

            await asyncio.gather(inside(), *(x async for x in []))
            await ctx.wait_for(lambda: time.time() > 3)  #! SCH101
        """,
    )


def test_recursion_and_circular_imports_end(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import other
        from other import back

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            other.forth()

        def forth(): return back()
        again = again
        first = second
        second = first

        class A(B): ...
        class B(A): ...
        """,
        other="""
        import time
        from app import forth
        import app
        def back():
            return forth() or app.again or app.first() or app.A().x or time.time()  #! SCH101
        """,
    )


def test_names_that_are_made_of_each_other_take_no_time(tmp_path: Path) -> None:
    lines = "".join(
        f"    {a} = {a} | {b}\n    {b} = {b} - {a}\n    {a} = {b}.union({a})\n"
        for a, b in ("xy", "yz", "zx")
        for _ in range(10)
    )
    source = f"""
@workflow
async def flow(ctx: WorkflowContext, names: list[str]) -> None:
    x = y = z = set(names)
{lines}
    x |= {{"a"}}
    ctx.sleep(x)  #! SCH201
"""
    judge(tmp_path, app=source)


def test_a_context_that_an_object_keeps(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        from dataclasses import dataclass

        class Kept:
            def __init__(self, context):
                self.context = context

            async def run(self) -> None:
                self.context.sleep(1)  #! SCH201

        @dataclass
        class Declared:
            context: WorkflowContext

            async def run(self) -> None:
                self.context.sleep(1)  #! SCH201

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            await Kept(ctx).run()
            declared = Declared(ctx)
            await declared.run()
        """,
    )


def test_one_place_is_told_once(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time
        def now(): return time.time()  #! SCH101

        @workflow
        async def one(ctx: WorkflowContext) -> None: now()

        @workflow
        async def two(ctx: WorkflowContext) -> None: now(); now()
        """,
    )


def test_comments_that_ask_to_ignore(tmp_path: Path) -> None:
    judge(
        tmp_path,
        app="""
        import time, random

        @workflow
        async def flow(ctx: WorkflowContext) -> None:
            time.time()  # sched: ignore
            time.time()  # measured only;  sched: ignore[SCH101] would need its own mark #! SCH101
            time.time()  # sched: ignore[SCH101]
            time.time()  # sched:ignore[sch102, SCH101]  and why
            random.randint(  # sched: ignore[SCH103]
                1,
                2,
            )
            random.randint(
                1, 2
            )  # sched: ignore
            text = "# sched: ignore"; time.time()  #! SCH101
            time.time()  # sched: ignore[SCH102]  #! SCH101
        """,
    )
