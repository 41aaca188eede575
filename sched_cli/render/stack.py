"""Where the tasks of a workflow stand, and what can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_cli.render.tables import Column, Cut, FittedTable
from sched_cli.render.waits import wait_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.text import Text


def stack_lines(tasks: Sequence[dict[str, Any]], now: datetime) -> Iterator[Text]:
    """A task, its frames from the outermost to the innermost, what it waits for."""
    from rich.text import Text

    for number, task in enumerate(tasks):
        if number:
            yield Text()
        yield Text(task["task"], style="bold")
        width = max((len(_place(frame)) for frame in task["frames"]), default=0)
        for frame in task["frames"]:
            yield Text.assemble(f"  {_place(frame):<{width}}  ", (frame["function"], "dim"))
        if task["waits_on"] is None:
            yield Text("  goes on with the next task")
        else:
            yield Text(f"  waits for {wait_words(task['waits_on'], now)}", style="cyan")


def query_table(queries: Sequence[dict[str, Any]]) -> FittedTable:
    """The queries of a workflow, as one would call them."""
    table = FittedTable(
        Column(title="QUERY", cut=Cut.MIDDLE),
        Column(title="RESULT", cut=Cut.MIDDLE),
        Column(title="WHAT IT TELLS", cut=Cut.END),
    )
    for query in queries:
        parameters = ", ".join(
            f"{one['name']}: {one['type']}" + ("" if one["required"] else " = …")
            for one in query["parameters"]
        )
        doc = query["doc"].splitlines()
        table.add(f"{query['name']}({parameters})", query["result"], doc[0] if doc else "")
    return table


def _place(frame: dict[str, Any]) -> str:
    return f"{frame['file']}:{frame['line']}"
