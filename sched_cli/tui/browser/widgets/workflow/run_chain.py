"""The runs of one workflow id, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.times import ago, duration
from sched_cli.tui.browser.model.statuses import LOOKS
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, now_of, palette_for

if TYPE_CHECKING:
    from sched_cli.tui.browser.model.one_run import OneRun
    from sched_sdk._client.models import WorkflowInfo

_STATUS, _STARTED, _TOOK, _EVENTS = 13, 14, 10, 8
_RUN_SHORT, _RUN_WHOLE = 24, 37
_ORIGIN = 20


class RunChain(LineList):
    """Newest first; the run of this screen is pointed at, and says what it came from."""

    empty = "Reading …"

    def __init__(self, run: OneRun) -> None:
        super().__init__(id="runs-of-id")
        self._run = run
        self.infos: list[WorkflowInfo] = []

    @property
    def chosen(self) -> WorkflowInfo | None:
        """The run under the cursor."""
        return self.infos[self.cursor] if self.cursor < len(self.infos) else None

    def show(self, infos: list[WorkflowInfo]) -> None:
        """These are all."""
        self.infos = infos
        self.lines_changed()

    def line_count(self) -> int:
        return len(self.infos)

    @staticmethod
    def _run_width(width: int) -> int:
        """Whole ids where there is room for them beside where a run comes from."""
        others = 2 + _STATUS + _STARTED + _TOOK + _EVENTS + _ORIGIN
        return min(max(width - others, _RUN_SHORT), _RUN_WHOLE)

    def titles(self, width: int) -> Text:
        line = "  " + fit("STATUS", _STATUS) + fit("RUN", self._run_width(width))
        line += fit("STARTED", _STARTED, right=True) + fit("TOOK", _TOOK, right=True)
        return Text(line + fit("EVENTS", _EVENTS, right=True) + "  FROM")

    def line(self, index: int, width: int) -> Text:
        info = self.infos[index]
        palette, now = palette_for(self), now_of(self)
        look = LOOKS[info.status.value]
        here = self._run.description is not None and (
            self._run.description.info.run_id == info.run_id
        )
        line = cells(
            ("▸ " if here else "  ", palette.accent),
            (fit(f"{look.symbol} {look.word}", _STATUS), palette.of(look.role)),
            (fit(info.run_id, self._run_width(width)), palette.text),
            (fit(ago(info.start_time, now), _STARTED, right=True), palette.text),
            (
                fit(duration((info.close_time or now) - info.start_time), _TOOK, right=True),
                palette.dim,
            ),
            (fit(str(info.history_length), _EVENTS, right=True), palette.text),
        )
        line.append("  " + self._origin(here), palette.dim)
        line.truncate(width, overflow="ellipsis")
        return line

    def _origin(self, here: bool) -> str:
        description = self._run.description
        if not here or description is None:
            return ""
        words = []
        if description.origin is not None:
            origin = description.origin
            words.append(f"events 1 to {origin.event_id} of {origin.workflow_id} {origin.run_id}")
        if description.new_run_id:
            words.append(f"goes on as {description.new_run_id}")
        return "; ".join(words)
