"""All events, one a line, what repeats folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.events import EventLines, style_of
from sched_cli.render.times import duration, local_clock
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, palette_for

if TYPE_CHECKING:
    from sched_cli.tui.browser.model.folding import EventLine
    from sched_cli.tui.browser.model.one_run import OneRun
    from sched_sdk._client.models import Event

_ID, _CLOCK, _AFTER, _TYPE = 5, 12, 9, 24
_WITH_CLOCK = 90
_ROLES = {"red": "bad", "green": "good", "dim": "dim", "cyan": "run"}


class EventList(LineList):
    """The cursor stands on an event, or on a line for several."""

    empty = "No events yet."

    def __init__(self, run: OneRun) -> None:
        super().__init__(id="events")
        self._run = run
        self._words: dict[int, str] = {}
        self._lines = EventLines()

    @property
    def chosen(self) -> EventLine | None:
        """The line under the cursor."""
        lines = self._run.folding.lines
        return lines[self.cursor] if self.cursor < len(lines) else None

    @property
    def event(self) -> Event | None:
        """The event under the cursor; the first of several."""
        line = self.chosen
        return None if line is None else self._run.folding.events[line.first]

    def events_changed(self, *, follow: bool) -> None:
        """More events: with `follow`, the cursor goes to the last."""
        events = self._run.folding.events
        # In order: names come with the events that begin something.
        for position in range(len(self._words), len(events)):
            self._words[position] = self._lines.what(events[position])
        self.lines_changed()
        if follow:
            self.move_cursor(self.line_count() - 1)

    def go_to(self, position: int) -> None:
        """Put the cursor on the event at a position."""
        self.move_cursor(self._run.folding.line_of(position))

    def line_count(self) -> int:
        return len(self._run.folding.lines)

    def titles(self, width: int) -> Text:
        clock = fit("  TIME", _CLOCK + 2) if width >= _WITH_CLOCK else ""
        after = fit("AFTER", _AFTER, right=True)
        return Text(
            fit("ID", _ID, right=True) + clock + after + "  " + fit("EVENT", _TYPE) + "WHAT"
        )

    def line(self, index: int, width: int) -> Text:
        folding, palette = self._run.folding, palette_for(self)
        line = folding.lines[index]
        event = folding.events[line.first]
        clock = f"  {local_clock(event.time)}" if width >= _WITH_CLOCK else ""
        after = "+" + duration(event.time - folding.events[0].time)
        text = cells(
            (fit(str(event.event_id), _ID, right=True), palette.dim),
            (clock, palette.dim),
            (fit(after, _AFTER, right=True) + "  ", palette.dim),
        )
        room = max(width - text.cell_len, 0)
        if line.times > 1:
            text.append(fit(self._several(line), room), palette.accent)
            return text
        kind = min(_TYPE, room)
        role = _ROLES.get(style_of(event.type), "text")
        text.append(fit(event.type, kind), palette.of(role))
        words = self._words[line.first]
        text.append(fit(words, room - kind), palette.dim if role == "dim" else palette.text)
        return text

    def _several(self, line: EventLine) -> str:
        folding = self._run.folding
        types = list(
            dict.fromkeys(event.type for event in folding.events[line.first : line.last + 1])
        )
        shown = [kind for kind in types if kind != "WorkflowTaskCompleted"]
        last = folding.events[line.last].event_id
        return f"⊞ {line.times} times {', '.join(shown)}, up to event {last}"
