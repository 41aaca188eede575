"""The queries that can be called, and the last answer."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, palette_for

_CALL = 40


class QueryList(LineList):
    """One query a line, as one would call it. Enter calls."""

    empty = "Its code was not asked yet."

    def __init__(self) -> None:
        super().__init__(id="queries")
        self.queries: list[dict[str, Any]] = []

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The query under the cursor."""
        return self.queries[self.cursor] if self.cursor < len(self.queries) else None

    def show(self, queries: list[dict[str, Any]], empty: str) -> None:
        """These are all; `empty` says why there are none."""
        self.queries, self.empty = queries, empty
        self.lines_changed()

    def line_count(self) -> int:
        return len(self.queries)

    def titles(self, width: int) -> Text:
        return Text(" " + fit("QUERY", min(_CALL, width // 2)) + "  WHAT IT TELLS")

    def line(self, index: int, width: int) -> Text:
        palette, query = palette_for(self), self.queries[index]
        parameters = ", ".join(
            f"{one['name']}: {one['type']}" + ("" if one["required"] else " = …")
            for one in query["parameters"]
        )
        call = fit(f"{query['name']}({parameters})", min(_CALL, width // 2))
        doc = (query["doc"] or "").splitlines()
        return cells((" " + call + "  ", palette.run), (doc[0] if doc else "", palette.text))
