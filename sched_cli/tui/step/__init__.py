"""Going through a history on screen: `sched replay --step`, and `p` in the browser.

The screen knows a Journey (`sched_cli.step_moves`) and shows its views; each pane
shows a part of a view and knows nothing of the others.

    app            the screen as an application of its own
    screen         the panes, and what each key does
    panes          what all panes have in common
    source_pane    the code, with the current line
    locals_pane    local variables, and which have changed
    awaits_pane    what every coroutine waits for
    event_pane     the event with its payload
    commands_pane  what the code asks for
    position_bar   where this is in the history
    prompt         a question for one line of text
    help_screen    the keys
"""

from sched_cli.tui.step.app import StepApp
from sched_cli.tui.step.screen import StepScreen

__all__ = ["StepApp", "StepScreen"]
