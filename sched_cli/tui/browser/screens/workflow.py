"""One run of a workflow, followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from sched_cli.looking import look
from sched_cli.render.failures import failure_lines
from sched_cli.render.stack import stack_lines
from sched_cli.tui.browser.messages import LineChosen, LineHighlighted, RunOpened
from sched_cli.tui.browser.model.one_run import OneRun
from sched_cli.tui.browser.model.run_list import RunKey, key_of
from sched_cli.tui.browser.screens.actions import ask_cancel, ask_signal, ask_terminate
from sched_cli.tui.browser.screens.base import BrowserScreen
from sched_cli.tui.browser.screens.run_actions import (
    QUERY_S,
    ask_capture,
    ask_copy,
    ask_query,
)
from sched_cli.tui.browser.widgets.common.json_tree import JsonTree
from sched_cli.tui.browser.widgets.common.line_list import LineList, Titles
from sched_cli.tui.browser.widgets.common.tab_line import TabChosen, TabLine
from sched_cli.tui.browser.widgets.common.text_pane import TextPane
from sched_cli.tui.browser.widgets.workflow.event_list import EventList
from sched_cli.tui.browser.widgets.workflow.heading import Heading
from sched_cli.tui.browser.widgets.workflow.pending import pending_lines
from sched_cli.tui.browser.widgets.workflow.query_list import QueryList
from sched_cli.tui.browser.widgets.workflow.run_chain import RunChain
from sched_cli.tui.browser.widgets.workflow.timeline_rows import TimelineRows

if TYPE_CHECKING:
    from sched_cli.tui.browser.screens.help import KeyHelp
    from sched_sdk._client import Client, WorkflowHandle
    from sched_sdk._client.models import Event, WorkflowInfo

_EVERY_S = 1.0
_SHOW_EVERY_S = 0.1
_CHAIN = 100
_WIDE = 120
_TABS = ("Timeline", "Events", "Values", "Pending", "Stack", "Runs", "Queries")


class WorkflowScreen(BrowserScreen):
    """The reason on top, and the tabs below it."""

    keys: ClassVar[Sequence[KeyHelp]] = [
        (
            "One workflow",
            (
                ("← →", "the tabs"),
                ("enter", "go to the event, open what is folded, call a query"),
                ("tab", "between the events and a payload; shift+← → in it"),
                ("f", "follow: stay on the newest event"),
                ("z", "fold what repeats, or show every event"),
                ("y  Y", "copy: the id, in a payload the value · all of it"),
                ("s c x", "signal, cancel, terminate"),
                ("r  F", "reset, fork, at the event under the cursor"),
                ("p", "step through it with the code that is here"),
                ("w", "write the history to a file, for sched replay"),
            ),
        )
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("left", "tab(-1)", "Tab before", show=False),
        Binding("right", "tab(1)", "Next tab", show=False),
        Binding("f", "follow", "Follow"),
        Binding("z", "fold", "Fold"),
        Binding("s", "signal", "Signal"),
        Binding("c", "cancel", "Cancel"),
        Binding("x", "terminate", "Terminate", show=False),
        Binding("r", "copy_run('reset')", "Reset"),
        Binding("F", "copy_run('fork')", "Fork", show=False),
        Binding("p", "step", "Step through", show=False),
        Binding("w", "capture", "Capture", show=False),
        Binding("y", "copy_id", "Copy id", show=False),
    ]
    DEFAULT_CSS = """
    WorkflowScreen ContentSwitcher { height: 1fr; }
    WorkflowScreen #events-part { height: 3fr; }
    WorkflowScreen #event-detail { height: 2fr; border-top: solid $panel; }
    WorkflowScreen #answer { border-top: solid $panel; }
    WorkflowScreen.-wide #Events { layout: horizontal; }
    WorkflowScreen.-wide #events-part { width: 3fr; height: 1fr; }
    WorkflowScreen.-wide #event-detail {
        width: 2fr; height: 1fr; border-top: none; border-left: solid $panel;
    }
    """

    def __init__(self, key: RunKey) -> None:
        super().__init__(here=key.workflow_id)
        self.key = key
        self.run = OneRun()
        self._follows = False
        self._arrived: list[Event] = []

    def body(self) -> Iterable[Widget]:
        timeline, events = TimelineRows(self.run), EventList(self.run)
        chain, queries = RunChain(self.run), QueryList()
        yield Heading(self.run)
        yield TabLine(_TABS)
        yield ContentSwitcher(
            Vertical(Titles(timeline), timeline, id="Timeline"),
            Container(
                Vertical(Titles(events), events, id="events-part"),
                JsonTree(id="event-detail"),
                id="Events",
            ),
            Vertical(JsonTree(id="values"), id="Values"),
            Vertical(TextPane(id="pending"), id="Pending"),
            Vertical(TextPane(id="stack"), id="Stack"),
            Vertical(Titles(chain), chain, id="Runs"),
            Vertical(Titles(queries), queries, JsonTree(id="answer"), id="Queries"),
            initial="Timeline",
        )

    def on_mount(self) -> None:
        self.query_one(TimelineRows).focus()
        self.in_rounds(self._read, _EVERY_S)
        self.in_rounds(self._follow, _EVERY_S)
        self.set_interval(_SHOW_EVERY_S, self._take_arrived)

    def on_resize(self) -> None:
        self.set_class(self.size.width >= _WIDE, "-wide")

    def handle_of(self, client: Client) -> WorkflowHandle[Any]:
        """The run, for calls."""
        return client.workflow(self.key.workflow_id, run_id=self.key.run_id)

    # -- reading -------------------------------------------------------------------------

    async def _read(self) -> None:
        now = self.browser.now()
        if self.run.is_to_be_asked(now):
            self.run.take_sight(
                await self.link.ask(lambda client: look(self.handle_of(client))), now
            )
        elif self.run.description is not None and not self.run.description.status.closed:
            self.run.take_description(
                await self.link.ask(lambda client: self.handle_of(client).describe())
            )
        self._show()
        if self.query_one(TabLine).chosen == "Runs":
            await self._read_chain()

    async def _follow(self) -> None:
        """Events as they come, until the run ends or the connection does."""
        description = self.run.description
        known = len(self._arrived) + len(self.run.folding.events)
        if (
            description is not None
            and description.status.closed
            and known >= description.info.history_length
        ):
            return

        async def read(client: Client) -> None:
            last = self._arrived[-1].event_id if self._arrived else self.run.last_event_id
            async for event in self.handle_of(client).history(after=last, follow=True):
                self._arrived.append(event)

        await self.link.ask(read, timeout=None)

    async def _read_chain(self) -> None:
        workflow_id = self.key.workflow_id

        async def read(client: Client) -> list[WorkflowInfo]:
            listed = client.list_workflows(id_prefix=workflow_id, limit=_CHAIN)
            return [run async for run in listed if run.workflow_id == workflow_id]

        self.query_one(RunChain).show(await self.link.ask(read))

    async def _read_queries(self) -> None:
        from sched_sdk.errors import SchedError

        queries, empty = [], "It has no queries of its own."
        try:
            queries = await self.link.ask(
                lambda client: self.handle_of(client).query("__queries"), timeout=QUERY_S
            )
        except SchedError as error:
            empty = str(error)
        self.query_one(QueryList).show(queries, empty)

    # -- showing -------------------------------------------------------------------------

    def _take_arrived(self) -> None:
        if not self._arrived:
            return
        events, self._arrived = self._arrived, []
        self.run.take_events(events)
        description = self.run.description
        if description and not description.status.closed and self.run.timeline.closed:
            self.read_now(self._read)  # at once, how it ended
        self.query_one(EventList).events_changed(follow=self._follows)
        timeline = self.query_one(TimelineRows)
        timeline.lines_changed()
        self._refresh_titles()
        if self._follows:
            timeline.action_move_to(-1)
        self._show_event()
        self._show_counts()

    def _show(self) -> None:
        description, now = self.run.description, self.browser.now()
        if description is None:
            return
        self.query_one(Heading).show()
        self.query_one(TimelineRows).lines_changed()
        self._refresh_titles()
        values: dict[str, Any] = {"input": description.input}
        if description.status.closed:
            if description.failure is None:
                values["result"] = description.result
            else:
                values["failure"] = description.failure
        self.query_one("#values", JsonTree).show(values)
        self.query_one("#pending", TextPane).show(pending_lines(description, now))
        self.query_one("#stack", TextPane).show(self._stack_lines())
        self.query_one(RunChain).refresh()
        self._show_counts()

    def _refresh_titles(self) -> None:
        """Those of the timeline have the length of the axis in them."""
        for titles in self.query(Titles):
            titles.refresh()

    def _stack_lines(self) -> Iterable[Any]:
        from rich.text import Text

        sight = self.run.sight
        if sight is None:
            return []
        if sight.description.failure is not None:
            return failure_lines(sight.description.failure)
        if sight.stack:
            return list(stack_lines(sight.stack, self.browser.now()))
        if sight.description.status.closed or sight.stack is not None:
            return [Text("Its code has ended; nothing waits.", "dim")]
        return [Text("No worker has answered where its code waits.", "dim")]

    def _show_counts(self) -> None:
        description = self.run.description
        pending = 0
        if description is not None:
            pending = len(description.activities) + len(description.timers)
            pending += description.workflow_task is not None
        self.query_one(TabLine).counts = {
            "Events": len(self.run.folding.events),
            "Pending": pending,
        }

    def _show_event(self) -> None:
        event = self.query_one(EventList).event
        if event is not None:
            shown = {"event": event.type, **event.attributes}
            self.query_one("#event-detail", JsonTree).show(shown)

    # -- what the widgets tell -----------------------------------------------------------

    def on_tab_chosen(self, message: TabChosen) -> None:
        self.query_one(ContentSwitcher).current = message.tab
        pane = self.query_one(f"#{message.tab}")
        for widget in pane.query(Widget):
            if widget.focusable and not isinstance(widget, Titles):
                widget.focus()
                break
        readers: dict[str, Callable[[], Any]] = {
            "Runs": self._read_chain,
            "Queries": self._read_queries,
        }
        if message.tab in readers:
            self.read_now(readers[message.tab])

    def on_line_highlighted(self, message: LineHighlighted) -> None:
        if isinstance(message.lines, EventList):
            self._show_event()

    def on_line_chosen(self, message: LineChosen) -> None:
        lines: LineList = message.lines
        if isinstance(lines, TimelineRows) and lines.row is not None:
            self.query_one(TabLine).chosen = "Events"
            self.query_one(EventList).go_to(lines.row.position)
        elif isinstance(lines, EventList) and lines.chosen is not None:
            first = lines.chosen.first
            self.run.folding.toggle(lines.chosen)
            lines.lines_changed()
            lines.go_to(first)
        elif isinstance(lines, RunChain) and lines.chosen is not None:
            if key_of(lines.chosen) != self.key:
                self.post_message(RunOpened(key_of(lines.chosen)))
        elif isinstance(lines, QueryList) and lines.chosen is not None:
            ask_query(self, lines.chosen, self._show_answer)

    def _show_answer(self, name: str, answer: object) -> None:
        self.query_one("#answer", JsonTree).show({name: answer})

    # -- actions -------------------------------------------------------------------------

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_tab(self, by: int) -> None:
        self.query_one(TabLine).step(by)

    def action_follow(self) -> None:
        self._follows = not self._follows
        self.query_one(TabLine).note = "follows" if self._follows else ""
        if self._follows:
            for lines in (self.query_one(EventList), self.query_one(TimelineRows)):
                lines.action_move_to(-1)
        self.notify("Follows the newest event." if self._follows else "Does not follow any more.")

    def action_fold(self) -> None:
        events = self.query_one(EventList)
        first = events.chosen.first if events.chosen else 0
        self.run.folding.set_folded(not self.run.folding.folded)
        events.lines_changed()
        events.go_to(first)
        self.notify(
            "What repeats is folded." if self.run.folding.folded else "Every event is shown."
        )

    def action_copy_id(self) -> None:
        self.app.copy_to_clipboard(self.key.workflow_id)
        self.notify(f"Copied {self.key.workflow_id}.")

    def action_signal(self) -> None:
        ask_signal(self, [self.key])

    def action_cancel(self) -> None:
        ask_cancel(self, [self.key])

    def action_terminate(self) -> None:
        ask_terminate(self, [self.key])

    def action_copy_run(self, how: str) -> None:
        ask_copy(self, how, self._event_id)

    def action_step(self) -> None:
        # Textual's widgets of the step view are loaded by those who want it.
        from sched_cli.tui.browser.screens.stepping import step_through

        self.run_worker(step_through(self, self._event_id), group="step", exclusive=True)

    @property
    def _event_id(self) -> int | None:
        """The event under the cursor, when events are shown."""
        event = self.query_one(EventList).event
        return event.event_id if event and self.query_one(TabLine).chosen == "Events" else None

    def action_capture(self) -> None:
        ask_capture(self)
