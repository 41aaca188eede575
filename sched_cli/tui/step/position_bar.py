"""Where this is in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from sched_cli.render.position import event_name, time_of, what_happens
from sched_cli.render.times import local
from sched_cli.tui.step.panes import FAINT

if TYPE_CHECKING:
    from sched_sdk._stepping import View

__all__ = ["PositionBar"]

_WIDTH = 10


class PositionBar(Widget):
    DEFAULT_CSS = """
    PositionBar {
        height: 2;
        padding: 0 1;
        background: $panel;
    }
    """

    def __init__(self, workflow_id: str, workflow_type: str) -> None:
        super().__init__()
        self._workflow_id = workflow_id
        self._workflow_type = workflow_type
        self._view: View | None = None
        self._busy = False

    def set_busy(self, busy: bool) -> None:
        """Whether the code runs, and the next position is not there yet."""
        if busy is not self._busy:
            self._busy = busy
            self.refresh()

    def show(self, view: View) -> None:
        self._view = view
        self.refresh()

    def render(self) -> Content:
        view = self._view
        name = Content.assemble((self._workflow_id, "bold"), f"  {self._workflow_type}")
        if view is None:
            return Content.assemble(name, "\n", ("The code runs over the history …", FAINT))
        time = "the code runs …" if self._busy else local(time_of(view))
        room = self.content_size.width - len(time) - 1
        first = name.truncate(max(room, 0), ellipsis=True, pad=True)
        event = f"event {view.event.event_id} {event_name(view)}: " if view.event else ""
        style = "$text-error bold" if view.divergence is not None else "bold"
        filled = round(_WIDTH * (view.index + 1) / view.total)
        second = Content.assemble(
            f"{view.index + 1:,} of {view.total:,} ",
            ("━" * filled, "$text-primary"),
            ("━" * (_WIDTH - filled), "$foreground 25%"),
            " ",
            (event, style),
            what_happens(view),
        )
        second = second.truncate(self.content_size.width, ellipsis=True)
        return Content.assemble(first, (f" {time}", FAINT), "\n", second)
