"""The code, with the current line."""

from __future__ import annotations

import functools
import linecache
from typing import TYPE_CHECKING

from textual.content import Content
from textual.highlight import highlight
from textual.widgets import Static

from sched_cli.tui.step.panes import CURRENT, FAINT, Pane

if TYPE_CHECKING:
    from sched_sdk._stepping import View

__all__ = ["SourcePane"]

# Of a very long file only what is around the line.
_MAXIMUM_LINES = 2_000
_TAB_SIZE = 4


class SourcePane(Pane):
    DEFAULT_CSS = """
    SourcePane {
        padding: 0;
        scrollbar-gutter: stable;
    }
    """

    _view: View | None = None

    def show(self, view: View) -> None:
        self._view = view
        if not view.frames:
            ended = "No function of the app stands anywhere here."
            self.set_text("Source", [Content.styled(ended, FAINT)])
            return
        frame = view.frames[0]
        lines = _highlighted(frame.file, _version(frame.file))
        if not 1 <= frame.line <= len(lines):
            gone = f"{frame.call_site}: there is no such line."
            self.set_text("Source", [Content.styled(gone, FAINT)])
            return
        first = max(0, frame.line - _MAXIMUM_LINES // 2)
        shown = lines[first : first + _MAXIMUM_LINES]
        width = len(str(first + len(shown)))
        marks = {frame.line: ("▶", "on $primary-muted")}
        if view.divergence is not None:
            marks = {frame.line: ("▶", "on $error-muted"), **_recorded(view, frame.call_site)}
        numbered = [
            _line(number, text, width, *marks.get(number, (" ", "")))
            for number, text in enumerate(shown, start=first + 1)
        ]
        for number, (_, style) in marks.items():
            # To the edge of the pane, so that the whole line has the colour.
            line, room = numbered[number - 1 - first], self.scrollable_content_region.width
            numbered[number - 1 - first] = line.pad_right(max(0, room - len(line))).stylize(style)
        self.border_title = Content(f"{frame.call_site} · {frame.function}")
        self.query_one(Static).update(Content("\n").join(numbered))
        row = frame.line - 1 - first
        if self._is_in_sight(row):
            self.stay()
        else:
            self.reveal(row)

    def _is_in_sight(self, row: int) -> bool:
        """With a line above and some below it: then nothing needs to move."""
        top, height = round(self.scroll_y), self.scrollable_content_region.height
        return top + 1 <= row <= top + height - 3

    def on_resize(self) -> None:
        if self._view is not None:
            self.show(self._view)


def _recorded(view: View, current: str) -> dict[int, tuple[str, str]]:
    """The line that the history has at this place, if it is in the same file."""
    assert view.divergence is not None
    recorded = view.divergence.recorded
    file, _, line = (recorded.call_site_now or recorded.call_site).rpartition(":")
    here, _, current_line = current.rpartition(":")
    if file != here or line == current_line or not line.isdigit():
        return {}
    return {int(line): ("h", "on $success-muted")}


def _line(number: int, text: Content, width: int, mark: str, style: str) -> Content:
    gutter = Content.assemble(
        (f"{mark} ", CURRENT if style else ""), (f"{number:>{width}}  ", FAINT)
    )
    return gutter + text


def _version(file: str) -> int:
    """Changes when the file does."""
    linecache.checkcache(file)
    return hash(tuple(linecache.getlines(file)))


@functools.lru_cache(maxsize=16)
def _highlighted(file: str, _version: int) -> list[Content]:
    code = "".join(linecache.getlines(file)).expandtabs(_TAB_SIZE)
    return highlight(code, language="python").split("\n", allow_blank=True)
