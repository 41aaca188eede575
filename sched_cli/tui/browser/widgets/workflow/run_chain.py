"""The runs of one workflow id, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.times import age, ago, duration
from sched_cli.tui.browser.model.statuses import LOOKS
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, now_of, palette_for

if TYPE_CHECKING:
    from datetime import datetime

    from sched_cli.tui.browser.model.one_run import OneRun
    from sched_sdk._client.models import WorkflowInfo

_STATUS, _STARTED, _TOOK, _EVENTS = 13, 14, 10, 8
_RUN_SHORT, _RUN_WHOLE = 10, 38
_WIDE = 110
"""From how many columns on ids are whole, and events are counted."""


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

    def titles(self, width: int) -> Text:
        wide = width >= _WIDE
        line = "   " + fit("STATUS", _STATUS) + fit("RUN", _RUN_WHOLE if wide else _RUN_SHORT)
        line += fit("STARTED", _STARTED, right=True) + fit("TOOK", _TOOK, right=True)
        line += fit("EVENTS", _EVENTS, right=True) if wide else ""
        return Text(line + "  FROM")

    def line(self, index: int, width: int) -> Text:
        info = self.infos[index]
        palette, now = palette_for(self), now_of(self)
        look = LOOKS[info.status.value]
        here = self._run.description is not None and (
            self._run.description.info.run_id == info.run_id
        )
        wide = width >= _WIDE
        run_id = fit(info.run_id, _RUN_WHOLE) if wide else fit(_short(info.run_id), _RUN_SHORT)
        line = cells(
            (" ▸ " if here else "   ", palette.accent),
            (fit(f"{look.symbol} {look.word}", _STATUS), palette.of(look.role)),
            (run_id, palette.text),
            (fit(ago(info.start_time, now), _STARTED, right=True), palette.text),
            (fit(_took(info, now), _TOOK, right=True), palette.dim),
        )
        if wide:
            line.append(fit(str(info.history_length), _EVENTS, right=True), palette.text)
        line.append("  " + (self._origin() if here else ""), palette.dim)
        line.truncate(width, overflow="ellipsis")
        return line

    def _origin(self) -> str:
        description = self._run.description
        if description is None:
            return ""
        words, origin = [], description.origin
        if origin is not None:
            own = origin.workflow_id == description.info.workflow_id
            of = "run" if own else origin.workflow_id
            words.append(f"event {origin.event_id} of {of} {_short(origin.run_id)}")
        if description.new_run_id:
            words.append(f"goes on as {_short(description.new_run_id)}")
        return "; ".join(words)


def _short(run_id: str) -> str:
    """What tells the runs of one workflow apart."""
    return run_id.partition("-")[0]


def _took(info: WorkflowInfo, now: datetime) -> str:
    if info.close_time is None:
        return age(info.start_time, now)
    return duration(info.close_time - info.start_time)
