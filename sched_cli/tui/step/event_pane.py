"""The event with its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.highlight import highlight

from sched_cli.render.position import both_sides, event_name, payload_lines
from sched_cli.tui.step.panes import FAINT, Pane

if TYPE_CHECKING:
    from sched_sdk._stepping import View

__all__ = ["EventPane"]


class EventPane(Pane):
    def show(self, view: View) -> None:
        lines: list[Content] = []
        for side, what, where in both_sides(view):
            lines.append(Content.assemble((f"{side:<13}", "bold"), what, (f"  {where}", FAINT)))
        if view.event is None:
            self.set_text("Event", lines or [Content.styled("none here", FAINT)])
            return
        code = "\n".join(payload_lines(view))
        lines += highlight(code, language="json").split("\n")
        self.set_text(f"Event {view.event.event_id} · {event_name(view)}", lines)
