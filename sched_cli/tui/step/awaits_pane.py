"""What every coroutine waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from sched_cli.render.position import awaited
from sched_cli.tui.step.panes import CURRENT, FAINT, Pane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_sdk._stepping import Coroutine, View

__all__ = ["AwaitsPane"]


class AwaitsPane(Pane):
    def show(self, view: View) -> None:
        lines = [line for coroutine in view.coroutines for line in _coroutine(coroutine, view)]
        if view.hidden_coroutines:
            lines.append(Content.styled(f"and {view.hidden_coroutines:,} more", FAINT))
        count = len(view.coroutines) + view.hidden_coroutines
        title = f"Coroutines ({count:,})" if count > 1 else "Coroutines"
        self.set_text(title, lines or [Content.styled("none runs", FAINT)])


def _coroutine(coroutine: Coroutine, view: View) -> Iterator[Content]:
    place = coroutine.frames[0].call_site if coroutine.frames else ""
    yield Content.assemble(
        ("▶ " if coroutine.current else "  ", CURRENT),
        (coroutine.task, CURRENT if coroutine.current else ""),
        (f"  {place}", FAINT),
    )
    yield Content(f"  {awaited(coroutine, view)}")
