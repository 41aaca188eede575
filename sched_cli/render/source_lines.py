"""Lines of code with marks at their side.

    app.py
      history  14      await ctx.queue_activity(charge, number)
               15      await ctx.wait_for_signal("packed")
      code     16      await ctx.queue_activity(ship, number)

Marks that are close together share an excerpt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from sched_sdk._debug.sources import Excerpt

_AROUND = 3
# Two excerpts that would be this near to each other become one.
_NEAR = 2 * _AROUND + 2
_SIDE_BY_SIDE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that is pointed at."""

    label: str
    call_site: str
    style: str
    path: str = ""
    """The file, where it is known better than by its name."""

    @property
    def file(self) -> str:
        return self.call_site.rpartition(":")[0]

    @property
    def line(self) -> int:
        number = self.call_site.rpartition(":")[2]
        return int(number) if number.isdigit() else 0


def source_parts(marks: Sequence[Mark], *, changed: bool) -> Iterator[RenderableType]:
    """The excerpts; `changed`: the code is not the one that was recorded."""
    from sched_cli.render import console

    if len(marks) == 2 and marks[0].file == marks[1].file:
        first, second = sorted(marks, key=lambda mark: mark.line)
        if second.line - first.line <= _NEAR:
            yield from _excerpt([first, second], changed=changed)
            yield ""
            return
    blocks = [list(_excerpt([mark], changed=changed and mark.label == "history")) for mark in marks]
    out = console.data()
    if len(blocks) == 2 and out.is_terminal and out.width >= _SIDE_BY_SIDE_WIDTH:
        yield _side_by_side(blocks)
        yield ""
        return
    for block in blocks:
        yield from block
        yield ""


def _excerpt(marks: Sequence[Mark], *, changed: bool) -> Iterator[RenderableType]:
    from rich.text import Text

    from sched_sdk._debug.sources import excerpt

    first, last = marks[0], marks[-1]
    path = next((Path(mark.path) for mark in marks if mark.path), None)
    found = excerpt(first.call_site, _AROUND + last.line - first.line, path)
    if found is None:
        yield Text(f"{first.call_site}: there is no such line any more.", style="dim")
        return
    since = " as it is now (recorded by another build)" if changed else ""
    yield Text(f"{found.file}{since}", style="bold")
    yield from _lines(found, marks)


def _lines(found: Excerpt, marks: Sequence[Mark]) -> Iterator[Text]:
    from rich.text import Text

    last = marks[-1].line + _AROUND
    numbered = [
        (number, text)
        for number, text in enumerate(found.lines, start=found.first)
        if marks[0].line - _AROUND <= number <= last
    ]
    margin = min(
        (len(text) - len(text.lstrip()) for _, text in numbered if text.strip()), default=0
    )
    width = len(str(last))
    for number, text in numbered:
        here = [mark for mark in marks if mark.line == number]
        label = "both" if len(here) > 1 else here[0].label if here else ""
        style = here[0].style if len(here) == 1 else "bold" if here else ""
        line = Text.assemble(
            (f"  {label:<7} ", style),
            (f"{number:>{width}}  ", "dim"),
            (text.expandtabs()[margin:], style),
        )
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def _side_by_side(blocks: Sequence[Sequence[RenderableType]]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    table = Table.grid(expand=True, padding=(0, 2))
    for _ in blocks:
        table.add_column(ratio=1)
    table.add_row(*(Group(*block) for block in blocks))
    return table
