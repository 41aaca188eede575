"""What the parts of the browser tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sched_cli.tui.browser.model.run_list import RunKey
    from sched_cli.tui.browser.widgets.common.line_list import LineList


class LineHighlighted(Message):
    """The cursor of a list is on another line."""

    def __init__(self, lines: LineList) -> None:
        super().__init__()
        self.lines = lines

    @property
    def control(self) -> LineList:
        return self.lines


class LineChosen(Message):
    """Enter, or a second click, on the line under the cursor."""

    def __init__(self, lines: LineList) -> None:
        super().__init__()
        self.lines = lines

    @property
    def control(self) -> LineList:
        return self.lines


class EndNear(Message):
    """A list is scrolled to where more may have to be read."""


class FilterGiven(Message):
    """The filter line was finished."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class StatusesChosen(Message):
    """Runs of these statuses are asked for; none means all."""

    def __init__(self, statuses: frozenset[str]) -> None:
        super().__init__()
        self.statuses = statuses


class RunOpened(Message):
    """This run is to be shown in full."""

    def __init__(self, run: RunKey) -> None:
        super().__init__()
        self.run = run
