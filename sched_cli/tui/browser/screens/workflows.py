"""All workflows, live."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from sched_cli.tui.browser.enduring import begin_work
from sched_cli.tui.browser.messages import (
    FilterGiven,
    RunOpened,
    StatusesChosen,
)
from sched_cli.tui.browser.model.filters import Filter, parse_filter
from sched_cli.tui.browser.model.run_list import SORTS, RunKey, RunList, key_of
from sched_cli.tui.browser.screens.base import BrowserScreen
from sched_cli.tui.browser.widgets.common.line_list import Titles
from sched_cli.tui.browser.widgets.workflows.filter_line import FilterLine
from sched_cli.tui.browser.widgets.workflows.run_preview import RunPreview
from sched_cli.tui.browser.widgets.workflows.run_table import RunTable
from sched_cli.tui.browser.widgets.workflows.status_tabs import StatusTabs

if TYPE_CHECKING:
    from datetime import datetime

    from sched_cli.tui.browser.screens.help import KeyHelp
    from sched_sdk._client import Client
    from sched_sdk._client.models import WorkflowDescription, WorkflowInfo

_EVERY_S = 1.0
_PAGE = 200
# Pages of runs that began since the last round; with more, the list begins anew.
_NEW_PAGES = 5
_MOST = 20_000
_PREVIEW_AFTER_S = 0.25


class WorkflowsScreen(BrowserScreen):
    """Status tabs, the table, and why the run under the cursor is where it is."""

    keys: ClassVar[Sequence[KeyHelp]] = [
        (
            "Workflows",
            (
                ("/", "filter by type, queue, build, status, start of an id"),
                ("← →", "status"),
                ("o", "order: newest, oldest, longest, events, id, type, status"),
                ("space", "mark, for what is done to several"),
                ("a  A", "mark all that are shown, unmark all"),
                ("s c x", "signal, cancel, terminate: the marked, or this one"),
                ("y", "copy the id"),
            ),
        )
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("left", "status(-1)", "Status before", show=False),
        Binding("right", "status(1)", "Next status", show=False),
        Binding("o", "order", "Order"),
        Binding("space", "mark", "Mark"),
        Binding("a", "mark_all", "Mark all", show=False),
        Binding("A", "unmark_all", "Unmark all", show=False),
        Binding("s", "signal", "Signal"),
        Binding("c", "cancel", "Cancel"),
        Binding("x", "terminate", "Terminate"),
        Binding("y", "copy_id", "Copy id", show=False),
        Binding("escape", "back", "No filter, no marks", show=False),
    ]
    DEFAULT_CSS = """
    WorkflowsScreen #summary { height: 1; padding: 0 1; color: $dim; }
    """

    def __init__(self) -> None:
        super().__init__("Workflows")
        self.runs = RunList()
        self.filter = Filter()
        self._reading_more = False
        self._generation = 0

    def body(self) -> Iterable[Widget]:
        table = RunTable(self.runs, id="runs")
        yield StatusTabs()
        yield FilterLine()
        yield Vertical(Titles(table), table)
        yield Static("", id="summary", markup=False)
        yield RunPreview()

    def on_mount(self) -> None:
        self._table.focus()
        self._table.empty = "Connecting …"
        self._say_summary()
        # The app hears of nothing until its start is over; what is painted before that is
        # not sent to the terminal.
        self.browser.call_later(self.call_after_refresh, self.browser.begin)
        self.in_rounds(self._read, _EVERY_S)

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    # -- reading -------------------------------------------------------------------------

    async def _read(self) -> None:
        """What is new, what is in sight, and how many there are."""
        generation, asked = self._generation, self.filter
        count = await self.link.ask(
            lambda client: client.count_workflows(**asked.arguments(statuses=False))
        )
        await self._read_newest(generation)
        await self._read_sight(generation)
        if generation != self._generation:
            return
        self.query_one(StatusTabs).set_counts(count.by_status)
        self._table.empty = (
            RunTable.empty if self.filter == Filter() else "No workflow matches; escape shows all."
        )
        if self.runs.sort != "newest":
            await self._read_more()
            self.runs.sort_by(self.runs.sort, self.browser.now())
        self._show()
        # What was to be read when the engine was lost has not been read.
        self._table.tell_end()
        await self._read_preview()

    async def _read_newest(self, generation: int) -> None:
        page, last = await self._page(None)
        pages = 1
        while not last and not self.runs.overlaps(page) and pages < _NEW_PAGES:
            more, last = await self._page(page[-1].start_time)
            page, pages = [*page, *more], pages + 1
        if generation != self._generation:
            return
        if not self.runs.overlaps(page):
            self.runs.restart()
        self._take(page, None, last)

    async def _read_sight(self, generation: int) -> None:
        """The part of the list that is in sight, if it is not the newest."""
        table = self._table
        top, bottom = table.scroll_offset.y, table.scroll_offset.y + table.size.height
        seen = [self.runs[position] for position in range(top, min(bottom, len(self.runs)))]
        if not seen or top < _PAGE or self.runs.sort != "newest":
            return
        before = self._just_after(seen[0])
        page, last = await self._page(before)
        if generation == self._generation:
            self._take(page, before, last)

    async def _read_more(self) -> None:
        """The next older runs; all of them when the order needs all."""
        if self._reading_more:
            return
        self._reading_more = True
        try:
            while not self.runs.complete and len(self.runs) < _MOST:
                oldest, generation = self.runs.oldest, self._generation
                if oldest is None:
                    return
                # From its instant on: others may have begun in the same.
                before = self._just_after(oldest)
                page, last = await self._page(before)
                if generation != self._generation:
                    return
                known = len(self.runs)
                self._take(page, before, last)
                if self.runs.sort == "newest" or len(self.runs) == known:
                    return
        finally:
            self._reading_more = False

    async def _page(self, before: datetime | None) -> tuple[list[WorkflowInfo], bool]:
        asked, table = self.filter, self._table
        last_events, details = table.shows_last_event, table.shows_details

        async def read(client: Client) -> list[WorkflowInfo]:
            listed = client.list_workflows(
                **asked.arguments(),
                started_before=before,
                limit=_PAGE,
                with_last_event=last_events,
                with_details=details,
            )
            return [run async for run in listed]

        page = await self.link.ask(read)
        return page, len(page) < _PAGE

    @staticmethod
    def _just_after(run: WorkflowInfo) -> datetime:
        return run.start_time + timedelta(microseconds=1)

    def _take(self, page: list[WorkflowInfo], before: datetime | None, last: bool) -> None:
        self.runs.take_page(page, before=before, last=last, now=self.browser.now())

    async def _read_preview(self) -> None:
        from sched_sdk.errors import WorkflowNotFoundError

        run = self._table.run
        if run is None:
            self.query_one(RunPreview).show_other(None)
            return
        workflow_id, run_id = key_of(run)

        async def read(client: Client) -> WorkflowDescription:
            return await client.workflow(workflow_id, run_id=run_id).describe()

        try:
            description = await self.link.ask(read)
        except WorkflowNotFoundError:
            return  # deleted since it was listed
        now_on = self._table.run
        if now_on is not None and key_of(now_on) == (workflow_id, run_id):
            self.query_one(RunPreview).show(description)

    # -- showing -------------------------------------------------------------------------

    def _show(self) -> None:
        self._table.runs_changed()
        self.query_one(Titles).refresh()
        self._say_summary()

    def _say_summary(self) -> None:
        shown, marked = len(self.runs), len(self.runs.marked)
        more = shown and not self.runs.complete
        words = [f"{shown:,} listed" + (", more below" if more else "")]
        words.append(f"order: {self.runs.sort}")
        if self.runs.sort != "newest" and not self.runs.complete and shown >= _MOST:
            words.append(f"of the newest {_MOST:,}")
        if shown:
            words.append(f"line {self._table.cursor + 1:,}")
        if marked:
            words.append(f"{marked:,} marked")
        self.query_one("#summary", Static).update(" · ".join(words), layout=False)

    def _begin_again(self) -> None:
        self._generation += 1
        self.runs.restart()
        self._table.empty = "Reading …"
        self._table.runs_changed()
        self._table.move_cursor(0)
        self.query_one(StatusTabs).chosen = self.filter.statuses
        self.query_one(FilterLine).show(self.filter.text)
        self.read_now(self._read)

    # -- what the widgets tell -----------------------------------------------------------

    def on_line_highlighted(self) -> None:
        self.query_one(RunPreview).show_other(self._table.run)
        self._say_summary()
        self.read_now(self._preview_soon, "preview")

    async def _preview_soon(self) -> None:
        await asyncio.sleep(_PREVIEW_AFTER_S)
        await self._read_preview()

    def on_end_near(self) -> None:
        if len(self.runs) and not self.runs.complete and not self._reading_more:
            begin_work(self, partial(self.reading, self._more), group="more")

    async def _more(self) -> None:
        if self._table.end_is_near:
            await self._read_more()
            self._show()

    def on_line_chosen(self) -> None:
        run = self._table.run
        if run is not None:
            self.post_message(RunOpened(key_of(run)))

    def on_statuses_chosen(self, message: StatusesChosen) -> None:
        self.filter = self.filter.with_statuses(message.statuses)
        self._begin_again()

    def on_filter_given(self, message: FilterGiven) -> None:
        self.filter = parse_filter(message.line, self.filter.statuses)
        self._table.focus()
        self._begin_again()

    # -- actions -------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, only what ends that has a key."""
        del parameters
        typed = action == "filter" and isinstance(self.focused, Input)
        return not typed

    async def action_filter(self) -> None:
        await self.query_one(FilterLine).begin()

    def action_status(self, by: int) -> None:
        self.query_one(StatusTabs).step(by)

    def action_order(self) -> None:
        orders = list(SORTS)
        sort = orders[(orders.index(self.runs.sort) + 1) % len(orders)]
        self.runs.sort_by(sort, self.browser.now())
        self._show()
        begin_work(self, partial(self.reading, self._more), group="more")

    def action_mark(self) -> None:
        run = self._table.run
        if run is not None:
            self.runs.marked ^= {key_of(run)}
            self._table.move_cursor(self._table.cursor + 1)
            self._show()

    def action_mark_all(self) -> None:
        self.runs.marked.update(key_of(self.runs[position]) for position in range(len(self.runs)))
        self._show()

    def action_unmark_all(self) -> None:
        self.runs.marked.clear()
        self._show()

    def action_back(self) -> None:
        if self.runs.marked:
            self.action_unmark_all()
        elif self.filter != Filter():
            self.filter = Filter()
            self._begin_again()

    def action_copy_id(self) -> None:
        run = self._table.run
        if run is not None:
            self.app.copy_to_clipboard(run.workflow_id)
            self.notify(f"Copied {run.workflow_id}.")

    def _targets(self) -> list[RunKey]:
        """The marked runs, or the one under the cursor."""
        if self.runs.marked:
            return sorted(self.runs.marked)
        return [key_of(self._table.run)] if self._table.run is not None else []

    def action_signal(self) -> None:
        from sched_cli.tui.browser.screens.actions import ask_signal

        ask_signal(self, self._targets())

    def action_cancel(self) -> None:
        from sched_cli.tui.browser.screens.actions import ask_cancel

        ask_cancel(self, self._targets())

    def action_terminate(self) -> None:
        from sched_cli.tui.browser.screens.actions import ask_terminate

        ask_terminate(self, self._targets())
