"""What the code asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from sched_cli.render.position import issued
from sched_cli.tui.step.panes import CURRENT, FAINT, Pane

if TYPE_CHECKING:
    from sched_sdk._stepping import Issued, View

__all__ = ["CommandsPane"]


class CommandsPane(Pane):
    def show(self, view: View) -> None:
        width = max((len(issued(command)[1]) for command in view.commands), default=0)
        lines = [_command(command, width) for command in view.commands]
        self.set_text("Commands", lines or [Content.styled("none", FAINT)])
        current = next((n for n, one in enumerate(view.commands) if one.current), None)
        if current is not None:
            self.reveal(current)


def _command(command: Issued, width: int) -> Content:
    mark, number, what = issued(command)
    style = CURRENT if command.current else ""
    return Content.assemble(
        (f"{mark} {number:>{width}} ", style or FAINT),
        (what, style),
        (f" {command.call_site}", FAINT),
    )
