"""The panes, and what each key does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer

from sched_cli.errors import UsageError
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

    from sched_sdk._stepping import Stepper, View

__all__ = ["StepScreen"]


class StepScreen(Screen[None]):
    """Shows one position of a Stepper at a time. `q` leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,p", "back", "Back", key_display="←", priority=True),
        Binding("right,n", "forward", "Step", key_display="→", priority=True),
        Binding("home", "first", "First", priority=True),
        Binding("end", "last", "Last", priority=True),
        Binding("g", "ask_event", "Event"),
        Binding("f", "next_failure", "Failure"),
        Binding("b", "ask_line", "Line"),
        Binding("z", "zoom", "Zoom"),
        Binding("d", "toggle_dark", "Dark or light", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
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

    def __init__(self, stepper: Stepper, workflow_id: str, workflow_type: str) -> None:
        super().__init__()
        self._stepper = stepper
        self._bar = PositionBar(workflow_id, workflow_type)

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
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(SourcePane).focus()
        self._show(self._stepper.view)

    def _show(self, view: View) -> None:
        self._bar.show(view)
        for pane in self.query(Pane):
            pane.show(view)

    def _say(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    def action_forward(self) -> None:
        self._show(self._stepper.forward())

    def action_back(self) -> None:
        self._show(self._stepper.back())

    def action_first(self) -> None:
        self._show(self._stepper.first())

    def action_last(self) -> None:
        self._show(self._stepper.last())

    def action_next_failure(self) -> None:
        view = self._stepper.next_failure()
        if view is None:
            self._say("Nothing fails behind this.")
        else:
            self._show(view)

    def action_ask_event(self) -> None:
        last = len(self._stepper.events)
        self.app.push_screen(Prompt("Go to which event?", f"1 to {last:,}"), self._go_to_event)

    def _go_to_event(self, text: str | None) -> None:
        if not text:
            return
        if not text.isdigit():
            self._say(f"{text!r} is not the number of an event.")
            return
        try:
            self._show(self._stepper.to(int(text)))
        except LookupError as error:
            self._say(str(error))

    def action_ask_line(self) -> None:
        here = self._current_file()
        question = f"Stop at which line of {here}?" if here else "Stop at which line?"
        self.app.push_screen(Prompt(question, "a line, or file:line"), self._go_to_line)

    def _current_file(self) -> str:
        frames = self._stepper.view.frames
        return frames[0].call_site.rpartition(":")[0] if frames else ""

    def _go_to_line(self, text: str | None) -> None:
        from sched_cli.stepping import place_of

        if not text:
            return
        frames = self._stepper.view.frames
        try:
            place = place_of(f"{frames[0].file}:{text}" if text.isdigit() and frames else text)
        except UsageError as error:
            self._say(str(error))
            return
        view = self._stepper.to_line(place)
        if view is None:
            self._say(f"{place} does not run any more behind this.")
        else:
            self._show(view)

    def action_zoom(self) -> None:
        """The focused pane alone, and back."""
        if self.maximized is not None:
            self.minimize()
        elif isinstance(self.focused, Pane):
            self.maximize(self.focused)

    def action_toggle_dark(self) -> None:
        dark = self.app.current_theme.dark
        self.app.theme = "textual-light" if dark else "textual-dark"

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.app.exit()
