"""How fast the cluster works: sparklines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, fit, palette_for, spark

if TYPE_CHECKING:
    from sched_cli.tui.browser.model.rates import Rates

_LABEL, _VALUE = 13, 9


class RatesChart(EnduringWidget, Widget):
    """A line each; the newest value stands at the right."""

    DEFAULT_CSS = "RatesChart { height: 6; padding: 0 1; }"

    def __init__(self, rates: Rates) -> None:
        super().__init__()
        self._rates = rates

    def render(self) -> Text:
        palette, rates = palette_for(self), self._rates
        width = max(self.size.width - _LABEL - _VALUE - 1, 5)
        rows = (
            ("started /s", rates.per_second("started"), "run", "{:.1f}"),
            ("ended /s", rates.per_second("closed"), "good", "{:.1f}"),
            ("open", rates.values("open"), "run", "{:,.0f}"),
            ("in hand", rates.values("running"), "accent", "{:,.0f}"),
            ("tasks waiting", rates.values("waiting"), "warn", "{:,.0f}"),
            ("answers in", rates.values("answered_ms"), "dim", "{:.0f} ms"),
        )
        text = cells()
        for number, (label, values, role, form) in enumerate(rows):
            value = form.format(values[-1]) if values else "…"
            text.append("\n" * bool(number) + fit(label, _LABEL), palette.dim)
            text.append(spark(values, width), palette.of(role))
            text.append(fit(value, _VALUE, right=True), palette.text)
        return text
