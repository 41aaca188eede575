"""SCH3xx: globals, sets, hashes, is_replaying."""

from __future__ import annotations

from pathlib import Path

from tests.cli.check.judging import in_workflow, judge


def test_variables_of_the_module_that_are_changed(tmp_path: Path) -> None:
    head = """
    import itertools
    import settings
    from settings import LIMITS
    SEEN = []
    COUNT = 0
    IDS = itertools.count()
    METRICS = settings.Metrics()

    class Totals:
        all = []
    """
    body = """
    global COUNT
    COUNT += 1  #! SCH301
    SEEN.append(1)  #! SCH301
    SEEN[0] = 2  #! SCH301
    del SEEN[0]  #! SCH301
    LIMITS["a"] = 1  #! SCH301
    LIMITS.update(b=2)  #! SCH301
    settings.RETRIES = 3  #! SCH301
    METRICS.last = "x"  #! SCH301
    Totals.all.append(1)  #! SCH301
    Totals.sum = 1  #! SCH301
    next(IDS)  #! SCH301
    """
    settings = "LIMITS = {}\nRETRIES = 1\nclass Metrics:\n    def update(self) -> None: ...\n"
    judge(tmp_path, app=in_workflow(body, head), settings=settings)


def test_what_belongs_to_the_workflow_may_change(tmp_path: Path) -> None:
    head = """
    from client import METRICS
    SEEN = ["a"]
    NAMES = {"a": 1}

    class Order:
        def __init__(self) -> None:
            self.items = []

        def add(self, item: str) -> None:
            self.items.append(item)
            self.total = 1
    """
    body = """
    SEEN = list(names)
    SEEN.append("b")
    copy = dict(NAMES)
    copy["b"] = 2
    order = Order()
    order.add("c")
    order.items.append("d")
    METRICS.update("e")
    count = 0

    @ctx.on_signal("more")
    def more(by: int) -> None:
        nonlocal count
        count += by
        copy["c"] = by

    await ctx.wait_for(lambda: count > 3)
    """
    judge(tmp_path, app=in_workflow(body, head))


def test_the_order_of_sets(tmp_path: Path) -> None:
    head = """
    KNOWN = {"a", "b"}

    @activity
    async def tags() -> set[str]: ...
    """
    body = """
    for name in {"a", "b"}:  #! SCH302
        await ctx.sleep(1)
    for name in set(names):  #! SCH302
        pass
    unique = set(names) | KNOWN
    first = [name for name in unique]  #! SCH302
    second = list(unique - {"c"})  #! SCH302
    third = {name: 1 for name in KNOWN}  #! SCH302
    text = ", ".join(unique)  #! SCH302
    any_one = unique.pop()  #! SCH302
    for position, name in enumerate(frozenset(names)):  #! SCH302
        pass
    for tag in await ctx.queue_activity(tags):  #! SCH302
        pass
    seen = set()
    seen.add(names[0])
    print(*list(seen))  #! SCH302
    for key in dict(a=1).keys() - {"b"}:  #! SCH302
        pass
    """
    judge(tmp_path, app=in_workflow(body, head))


def test_sets_whose_order_does_not_matter(tmp_path: Path) -> None:
    head = "import asyncio\nasync def ask() -> None: ...\n"
    body = """
    unique = set(names)
    for name in sorted(unique):
        pass
    if "a" in unique and len(unique) > 1:
        pass
    total = sum(len(name) for name in unique)
    longest = max(unique)
    upper = {name.upper() for name in unique}
    ordered = sorted([name for name in unique])
    again = sorted(list(unique))
    for number in {1, 2, 3}:
        pass
    tasks = {asyncio.create_task(ask()) for name in names}
    for task in tasks:
        task.cancel()
    background = set()
    background.add(asyncio.create_task(ask()))
    for task in background:
        task.cancel()
    done, pending = await asyncio.wait(tasks)
    for task in done | pending:
        task.result()
    for name in dict.fromkeys(names):
        pass
    """
    judge(tmp_path, app=in_workflow(body, head))


def test_hashes_and_addresses(tmp_path: Path) -> None:
    body = """
    shard = hash(names[0]) % 4  #! SCH303
    address = id(names)  #! SCH303
    digest = hashlib.sha256(names[0].encode()).hexdigest()
    """
    judge(tmp_path, app=in_workflow(body, "import hashlib"))


def test_what_hangs_on_is_replaying(tmp_path: Path) -> None:
    body = """
    if not ctx.info.is_replaying:
        print("once")
    if ctx.info.is_replaying:  #! SCH304
        await ctx.sleep(1)
    info = ctx.info
    if names and not info.is_replaying:  #! SCH304
        return
    """
    judge(tmp_path, app=in_workflow(body))
