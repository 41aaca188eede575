"""The step view as an application of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from sched_cli.tui.palette import themes
from sched_cli.tui.step.screen import StepScreen

if TYPE_CHECKING:
    from sched_cli.step_moves import Journey

__all__ = ["StepApp"]


class StepApp(App[None]):
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, journey: Journey, workflow_id: str, workflow_type: str) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sched-dark"
        self._first_screen = StepScreen(journey, workflow_id, workflow_type)

    def get_default_screen(self) -> StepScreen:
        return self._first_screen

    def action_other_theme(self) -> None:
        self.theme = "sched-light" if self.current_theme.dark else "sched-dark"
