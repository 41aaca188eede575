"""A list of any length of which only the lines in sight are painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.messages import EndNear, LineChosen, LineHighlighted
from sched_cli.tui.browser.widgets.common.painting import palette_for, strip_of

if TYPE_CHECKING:
    from textual import events

# So many screens before the end, more is read.
_SCREENS_AHEAD = 2


class LineList(EnduringWidget, ScrollView, can_focus=True):
    """Base of all lists. A subclass says how many lines there are, and what is on
    each; it calls `lines_changed` when that changes."""

    DEFAULT_CSS = """
    LineList {
        height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        scrollbar-gutter: stable;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "move_to(0)", "First", show=False),
        Binding("end,G", "move_to(-1)", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]
    empty = "Nothing here."
    margin_left: ClassVar[int] = 1
    """Blank cells before `empty`, as many as before the first column."""

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._base: Style | None = None

    # -- what a subclass says --------------------------------------------------------

    def line_count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def line(self, index: int, width: int) -> Text:
        """A line, in `width` cells."""
        raise NotImplementedError

    def titles(self, width: int) -> Text:
        """The line above the list; empty for none."""
        del width
        return Text()

    def is_marked(self, index: int) -> bool:
        """Whether a line is selected for what is done to many."""
        del index
        return False

    # -- changing ----------------------------------------------------------------------

    def lines_changed(self) -> None:
        """There are other lines, or they say something else."""
        count = self.line_count()
        height = max(count, 1)
        if self.virtual_size.height != height:
            self.virtual_size = Size(0, height)
            # What was read may not be enough: somebody scrolled on meanwhile.
            self.tell_end()
        self.cursor = max(0, min(self.cursor, count - 1))
        self.refresh()

    def move_cursor(self, index: int, *, keep_line: bool = False) -> None:
        """Put the cursor on a line. With `keep_line` it stays where it is on the
        screen, and the list moves."""
        line = self.cursor - self.scroll_offset.y
        self.cursor = max(0, min(index, self.line_count() - 1))
        if keep_line:
            self._scroll_to_line(max(0, self.cursor - line))
        self._show_cursor()

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if self.cursor < top:
            self._scroll_to_line(self.cursor)
        elif self.cursor >= top + height:
            self._scroll_to_line(self.cursor - height + 1)

    def _scroll_to_line(self, index: int) -> None:
        # By force: the scrollbar of lines that have just come is not there yet, and
        # without one textual does not scroll.
        self.scroll_to(y=index, animate=False, immediate=True, force=True)

    def watch_cursor(self, before: int, after: int) -> None:
        if before != after:
            # The other lines stay as they are; scrolling repaints by itself.
            self.refresh_line(before)
            self.refresh_line(after)
            self.post_message(LineHighlighted(self))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.tell_end()

    def tell_end(self) -> None:
        """Post EndNear if the end is near, and whoever listens may read more."""
        if self.end_is_near:
            self.post_message(EndNear())

    @property
    def end_is_near(self) -> bool:
        """Now; of several messages that say so, all but the first may come too late."""
        bottom = self.scroll_offset.y + self.size.height * (_SCREENS_AHEAD + 1)
        return bottom >= self.line_count()

    # -- keys and mouse ------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        self.move_cursor(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        self.move_cursor(self.cursor + pages * max(self.size.height - 1, 1))

    def action_move_to(self, line: int) -> None:
        self.move_cursor(self.line_count() - 1 if line < 0 else line)

    def action_choose(self) -> None:
        if self.line_count():
            self.post_message(LineChosen(self))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y
        if index < self.line_count():
            again = index == self.cursor and event.chain > 1
            self.move_cursor(index)
            if again:
                self.action_choose()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self._show_cursor()

    # -- painting ------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        count = self.line_count()
        base = self._base_style()
        if index >= count:
            if y == 0 and not count:
                empty = " " * self.margin_left + self.empty
                return strip_of(Text(empty, palette_for(self).dim), width, base)
            return Strip.blank(width, base)
        return strip_of(self.line(index, width), width, base + self._ground(index))

    def _base_style(self) -> Style:
        """The style of the widget, which takes longer to find than a line to paint."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._base = None

    def _ground(self, index: int) -> Style:
        palette = palette_for(self)
        if index == self.cursor:
            return Style(bgcolor=palette.cursor if self.has_focus else palette.cursor_away)
        return Style(bgcolor=palette.marked) if self.is_marked(index) else Style()


class Titles(EnduringWidget, ScrollView):
    """The titles of a list's columns, which do not scroll."""

    DEFAULT_CSS = "Titles { height: 1; overflow: hidden hidden; }"

    def __init__(self, lines: LineList) -> None:
        super().__init__()
        self._lines = lines

    def render_line(self, y: int) -> Strip:
        del y
        text = self._lines.titles(self._lines.scrollable_content_region.width)
        return strip_of(
            Text(text.plain, f"bold {palette_for(self).dim}"), self.size.width, self.rich_style
        )
