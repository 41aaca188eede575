"""Where a filter is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.messages import FilterGiven
from sched_cli.tui.browser.model.filters import NAMES, FilterError, parse_filter
from sched_cli.tui.browser.model.statuses import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.widget import Widget


class _Line(Input):
    """Shows how one is done with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply", key_display="enter")
    ]


class FilterLine(EnduringWidget, Horizontal):
    """Hidden without a filter; `/` shows it. What is wrong is said while one types.

    Empty until then: its parts, and the style of an input, are 10 ms of a start.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; background: $surface; padding: 0 1; }
    FilterLine.-shown { display: block; }
    FilterLine Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    FilterLine Input:focus { border: none; }
    FilterLine #slash { width: 2; color: $primary; }
    FilterLine #problem { width: auto; max-width: 60%; color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "No filter")]

    def show(self, text: str) -> None:
        """Show the filter that was typed here; hidden when it is empty."""
        if self.children:
            self._input.value = text
        self.set_class(bool(text), "-shown")

    async def begin(self) -> None:
        """Let somebody type."""
        if not self.children:
            await self.mount_all(self._parts())
        self.add_class("-shown")
        self._input.focus()

    @staticmethod
    def _parts() -> Iterator[Widget]:
        words = [f"{name}:" for name in NAMES]
        words += [f"status:{status.lower()}" for status in STATUSES]
        yield Static("/", id="slash")
        yield _Line(
            placeholder="type:Order queue:mail build:4f2a status:failed, or the beginning of an id",
            suggester=SuggestFromList(words, case_sensitive=False),
            select_on_focus=False,
        )
        yield Static("", id="problem", markup=False)

    @property
    def _input(self) -> Input:
        return self.query_one(Input)

    def action_leave(self) -> None:
        self.post_message(FilterGiven(""))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#problem", Static).update(_problem(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not _problem(event.value):
            self.post_message(FilterGiven(event.value))


def _problem(line: str) -> str:
    try:
        parse_filter(line)
    except FilterError as error:
        return str(error)
    return ""
