"""The step view, over the run that is shown and the code that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from sched_cli.step_process import ProcessJourney
from sched_cli.tui.browser.enduring import Enduring
from sched_cli.tui.step import StepScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from sched_cli.tui.browser.screens.workflow import WorkflowScreen

__all__ = ["step_through"]


class RunStepScreen(Enduring, StepScreen):
    """Leaves for the screen below it, which is as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "escape", "Browser", key_display="esc")
    ]

    def action_escape(self) -> None:
        if self.maximized is not None:
            self.action_zoom()
        else:
            self.action_leave()


async def step_through(screen: WorkflowScreen, event_id: int | None) -> None:
    """Read the history, and run the code over it in a process of its own: what the
    code does there cannot hurt the browser."""
    from sched_cli.histories import read_history

    captured = await screen.link.ask(lambda client: read_history(client, *screen.key), timeout=None)

    def left(problem: str | None) -> None:
        if problem:
            screen.notify(problem, severity="error", markup=False)

    journey = ProcessJourney(screen.browser.app_targets, captured, event_id)
    screen.app.push_screen(
        RunStepScreen(journey, captured.workflow_id, captured.workflow_type), left
    )
