"""How fast the cluster works: sparklines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, fit, palette_for, spark

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_cli.tui.browser.model.rates import Rates

    _Chart = tuple[str, list[float], str, Callable[[float], str]]
    """Label, values, colour, and the newest value in words."""

_LABEL, _VALUE, _GAP = 14, 9, 3
_WIDE = 120
"""From how many columns on the charts stand in two columns."""


class RatesChart(EnduringWidget, Widget):
    """A line each; the newest value stands at the right."""

    DEFAULT_CSS = "RatesChart { height: 7; padding: 0 1; }"

    def __init__(self, rates: Rates) -> None:
        super().__init__()
        self._rates = rates

    def on_resize(self) -> None:
        self.styles.height = 4 if self.app.size.width >= _WIDE else 7

    def render(self) -> Text:
        rates = self._rates
        charts: list[_Chart] = [
            ("started /s", rates.per_second("started"), "run", "{:.1f}".format),
            ("ended /s", rates.per_second("closed"), "good", "{:.1f}".format),
            ("open", rates.values("open"), "run", "{:,.0f}".format),
            ("in hand", rates.values("running"), "accent", "{:,.0f}".format),
            ("tasks waiting", rates.values("waiting"), "warn", "{:,.0f}".format),
            ("commit", rates.mean_ms("commit"), "dim", _milliseconds),
            ("dispatch", rates.mean_ms("dispatch"), "dim", _milliseconds),
        ]
        width = self.size.width
        if self.app.size.width < _WIDE:
            return Text("\n").join(self._line(chart, width) for chart in charts)
        width = (width - _GAP) // 2
        right = charts[4:]
        lines = []
        for row, chart in enumerate(charts[:4]):
            line = self._line(chart, width)
            if row < len(right):
                line.append(" " * _GAP).append_text(self._line(right[row], width))
            lines.append(line)
        return Text("\n").join(lines)

    def _line(self, chart: _Chart, width: int) -> Text:
        label, values, role, form = chart
        palette = palette_for(self)
        bars = spark(values, max(width - _LABEL - _VALUE - 1, 5))
        value = form(values[-1]) if values else "…"
        return cells(
            (fit(label, _LABEL), palette.dim),
            (bars, palette.of(role)),
            (fit(value, _VALUE, right=True), palette.text),
        )


def _milliseconds(mean: float) -> str:
    return f"{mean:.2f} ms" if mean else "-"
