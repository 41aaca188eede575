"""The panes, and what each key does."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from sched_cli.errors import UsageError
from sched_cli.step_moves import Move
from sched_cli.tui.browser.widgets.common.key_line import KeyLine
from sched_cli.tui.step.awaits_pane import AwaitsPane
from sched_cli.tui.step.commands_pane import CommandsPane
from sched_cli.tui.step.event_pane import EventPane
from sched_cli.tui.step.help_screen import HelpScreen
from sched_cli.tui.step.locals_pane import LocalsPane
from sched_cli.tui.step.panes import Pane
from sched_cli.tui.step.position_bar import PositionBar
from sched_cli.tui.step.prompt import Prompt
from sched_cli.tui.step.source_pane import SourcePane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sched_cli.step_moves import Journey
    from sched_sdk._stepping import View

__all__ = ["StepScreen"]


# A move that takes longer says so.
_PATIENCE_S = 0.3


class StepScreen(Screen[str]):
    """Shows one position of a journey at a time.

    Its result is empty, or says why there is nothing to be seen at all.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,p", "back", "Back", key_display="←", priority=True),
        Binding("right,n", "forward", "Step", key_display="→", priority=True),
        Binding("home", "first", "First", show=False, priority=True),
        Binding("end", "last", "Last", show=False, priority=True),
        Binding("g", "ask_event", "Event"),
        Binding("f", "next_failure", "Failure"),
        Binding("b", "ask_line", "Line"),
        Binding("z", "zoom", "Zoom"),
        Binding("d", "app.other_theme", "Dark or light", show=False),
        Binding("question_mark", "help", "Keys", key_display="?"),
        Binding("q", "leave", "Quit"),
    ]
    DEFAULT_CSS = """
    StepScreen {
        #left { width: 3fr; }
        #right { width: 2fr; border-left: solid $foreground 30%; }
        SourcePane { height: 3fr; }
        EventPane { height: 2fr; }
        LocalsPane { height: 5fr; }
        AwaitsPane { height: 3fr; }
        CommandsPane { height: 3fr; }
    }
    """

    def __init__(self, journey: Journey, workflow_id: str, workflow_type: str) -> None:
        super().__init__()
        self._journey = journey
        self._bar = PositionBar(workflow_id, workflow_type)
        self._view: View | None = None
        self._moves: deque[Move] = deque()
        self._travels = False

    def compose(self) -> ComposeResult:
        yield self._bar
        with Horizontal():
            with Vertical(id="left"):
                yield SourcePane()
                yield EventPane()
            with Vertical(id="right"):
                yield LocalsPane()
                yield AwaitsPane()
                yield CommandsPane()
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(SourcePane).focus()
        self._go(Move("stay"))

    def on_unmount(self) -> None:
        self._journey.close()

    # Going somewhere

    def _go(self, move: Move) -> None:
        """Soon, behind the moves that are under way: keys never wait for code that runs."""
        self._moves.append(move)
        if not self._travels:
            self._travels = True
            self.run_worker(self._travel())

    async def _travel(self) -> None:
        slow = self.set_timer(_PATIENCE_S, lambda: self._bar.set_busy(True))
        try:
            while self._moves:
                await self._make(self._moves.popleft())
        finally:
            self._travels = False
            slow.stop()
            self._bar.set_busy(False)

    async def _make(self, move: Move) -> None:
        try:
            self._view = await self._journey.go(move)
        except UsageError as error:
            self._moves.clear()
            if self._view is None:
                self.dismiss(str(error))
            else:
                self._say(str(error))
            return
        if not self._moves:
            self._show(self._view)

    def _show(self, view: View) -> None:
        self._bar.show(view)
        for pane in self.query(Pane):
            pane.show(view)

    def _say(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    def action_forward(self) -> None:
        self._go(Move("forward"))

    def action_back(self) -> None:
        self._go(Move("back"))

    def action_first(self) -> None:
        self._go(Move("first"))

    def action_last(self) -> None:
        self._go(Move("last"))

    def action_next_failure(self) -> None:
        self._go(Move("next_failure"))

    def action_ask_event(self) -> None:
        last = self._journey.last_event_id
        self.app.push_screen(Prompt("Go to which event?", f"1 to {last:,}"), self._go_to_event)

    def _go_to_event(self, text: str | None) -> None:
        if not text:
            return
        if not text.isdigit():
            self._say(f"{text!r} is not the number of an event.")
            return
        self._go(Move("to_event", event_id=int(text)))

    def action_ask_line(self) -> None:
        here = self._current_file()
        question = f"Stop at which line of {here}?" if here else "Stop at which line?"
        self.app.push_screen(Prompt(question, "a line, or file:line"), self._go_to_line)

    def _current_file(self) -> str:
        frames = self._view.frames if self._view is not None else ()
        return frames[0].call_site.rpartition(":")[0] if frames else ""

    def _go_to_line(self, text: str | None) -> None:
        if not text:
            return
        frames = self._view.frames if self._view is not None else ()
        place = f"{frames[0].file}:{text}" if text.isdigit() and frames else text
        self._go(Move("to_line", place=place))

    # Looking

    def action_zoom(self) -> None:
        """The focused pane alone, and back."""
        if self.maximized is not None:
            self.minimize()
        elif isinstance(self.focused, Pane):
            self.maximize(self.focused)

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.dismiss("")
        else:
            self.app.exit()
