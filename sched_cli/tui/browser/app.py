"""The browser: its screens, its themes, its connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen
from textual.worker import WorkerFailed

from sched_cli.tui.browser.enduring import Enduring, begin_work
from sched_cli.tui.browser.failures import Failures
from sched_cli.tui.browser.link import Link, LinkLostError, connector
from sched_cli.tui.browser.messages import RunOpened
from sched_cli.tui.browser.screens.base import BrowserScreen
from sched_cli.tui.browser.screens.workflows import WorkflowsScreen
from sched_cli.tui.palette import themes

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sched_cli.tui.browser.link import Connect

__all__ = ["Browser"]

_ERROR_SHOWN_S = 10.0


class Browser(Enduring, App[None]):
    """`sched tui`."""

    TITLE = "sched"
    CSS = """
    Toast { padding: 0 1; margin: 0; max-width: 70; background: $panel; }
    ToastRack { margin-bottom: 1; }
    CommandPalette { align-horizontal: center; }
    CommandPalette > Vertical { width: 68; max-width: 95%; background: $panel; margin-top: 2; }
    CommandPalette #--input, CommandPalette #--input.--list-visible {
        height: 3; border: round $primary; background: $panel;
    }
    CommandPalette SearchIcon { display: none; }
    CommandPalette CommandInput, CommandPalette CommandInput:focus { height: 1; border: none; }
    CommandPalette CommandList, CommandPalette CommandList:focus {
        background: $panel; border: none; scrollbar-size-vertical: 1; max-height: 16;
    }
    CommandPalette CommandList > .option-list--option-highlighted {
        background: $block-cursor-background;
    }
    Input > .input--placeholder, Input > .input--suggestion { color: $dim; }
    """
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {}
    DEFAULT_MODE = "workflows"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "switch_mode('workflows')", "Workflows", show=False),
        Binding("2", "switch_mode('cluster')", "Cluster", show=False),
        Binding("t", "other_theme", "Dark or light", show=False),
        Binding("question_mark", "help", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, system=True),
    ]

    def __init__(
        self,
        engine: str,
        *,
        connect: Connect | None = None,
        light: bool = False,
        log: Path | None = None,
        app_targets: Sequence[str] = (),
    ) -> None:
        """`log` is where tracebacks of the browser's own errors go; `app_targets` is the
        code to step through, as for `sched replay --app`. `connect` is for tests with
        recorded data."""
        super().__init__()
        self.engine = engine
        self.failures = Failures(log)
        self.app_targets = tuple(app_targets)
        self.begun = False
        """Whether the first screen has been painted."""
        self.problem = ""
        """Why there is no connection; empty when there is one."""
        self._heard: datetime | None = None
        self.link = Link(connect or connector(engine), self._connection_changed)
        self.now = self.link.now
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sched-light" if light else "sched-dark"

    def begin(self) -> None:
        """Connect; called when the first screen is painted: importing the client takes 90 ms
        of processor time, which would be missing there."""
        self.begun = True
        begin_work(self, self.link.run)

    # -- errors --------------------------------------------------------------------------

    def tell(self, error: Exception) -> None:
        """A notice of what went wrong: in the words of the engine, or as our own bug."""
        from sched_cli.errors import explain

        explained = error if isinstance(error, LinkLostError) else explain(error)
        notice = self.failures.take(error) if explained is None else str(explained)
        if notice:
            self.notify(notice, severity="error", timeout=_ERROR_SHOWN_S, markup=False)

    def _handle_exception(self, error: Exception) -> None:
        """Where textual brings every error that nobody caught, and would end the app."""
        if not self.begun:
            super()._handle_exception(error)
        elif self.is_running and not self._exit:
            self.tell(error.error if isinstance(error, WorkerFailed) else error)  # type: ignore[arg-type]  # only exceptions of its kind are wrapped

    # -- the connection ------------------------------------------------------------------

    def _connection_changed(self, problem: str) -> None:
        if problem:
            self.problem = f"{problem[:1].upper()}{problem[1:]}. Trying again."
            if self.link.ever_connected:
                self._heard = self._heard or self.now()
                self.problem += f" What is shown is of {self._heard.astimezone():%H:%M:%S}."
        else:
            if self.problem:
                self.notify("The engine answers again.")
            self.problem, self._heard = "", None
        if self.screen_stack and isinstance(self.screen, BrowserScreen):
            self.screen.tell_connection()

    # -- screens -------------------------------------------------------------------------

    def on_run_opened(self, message: RunOpened) -> None:
        from sched_cli.tui.browser.screens.workflow import WorkflowScreen

        self.push_screen(WorkflowScreen(message.run))

    # -- actions -------------------------------------------------------------------------

    def action_other_theme(self) -> None:
        self.theme = "sched-light" if self.current_theme.dark else "sched-dark"

    def action_help(self) -> None:
        from sched_cli.tui.browser.screens.help import HelpScreen

        own = self.screen.keys if isinstance(self.screen, BrowserScreen) else ()
        self.push_screen(HelpScreen(own))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that has a key on this screen, by name, once; what the screen
        itself can do first. Moving about, and what textual adds, has keys only."""
        found: dict[tuple[int, str], tuple[ActiveBinding, list[str]]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            ours = isinstance(active.node, Browser | BrowserScreen) and "." not in binding.action
            ours = ours and binding.action != "command_palette"
            if ours and binding.description and not binding.system and active.enabled:
                _, keys = found.setdefault((id(active.node), binding.action), (active, []))
                keys.append(self.get_key_display(binding))
        actives = sorted(found.values(), key=lambda one: isinstance(one[0].node, Browser))
        for active, keys in actives:

            async def run(active: ActiveBinding = active) -> None:
                await self.run_action(active.binding.action, active.node)

            yield SystemCommand(active.binding.description, f"key {' or '.join(keys)}", run)


def _cluster_screen() -> Screen[None]:
    from sched_cli.tui.browser.screens.cluster import ClusterScreen

    return ClusterScreen()


Browser.MODES = {"workflows": WorkflowsScreen, "cluster": _cluster_screen}
