"""Local variables, and which have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from sched_cli.tui.step.panes import CHANGED, FAINT, Pane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_sdk._debug import Frame
    from sched_sdk._stepping import View

__all__ = ["LocalsPane"]


class LocalsPane(Pane):
    def show(self, view: View) -> None:
        lines: list[Content] = []
        for number, frame in enumerate(view.frames):
            if number:
                lines.append(Content.styled(f"in {frame.function} {frame.call_site}", FAINT))
            lines += _variables(frame, view)
        title = f"Locals of {view.frames[0].function}" if view.frames else "Locals"
        self.set_text(title, lines or [Content.styled("none", FAINT)])


def _variables(frame: Frame, view: View) -> Iterator[Content]:
    width = max((len(variable.name) for variable in frame.variables), default=0)
    for variable in frame.variables:
        change = view.change_of(frame.function, variable.name)
        mark, style = ("●", CHANGED) if change is not None else (" ", "")
        yield Content.assemble((f"{mark} {variable.name:<{width}}  ", style), (variable.value, ""))
        if change is not None and change.before is not None:
            yield Content.styled(f"  {'':<{width}}  was {change.before}", FAINT)
    for change in view.changes:
        if change.function == frame.function and change.after is None:
            yield Content.styled(f"● {change.name} is gone", CHANGED)
