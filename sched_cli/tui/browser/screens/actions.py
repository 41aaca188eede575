"""Actions on workflows: ask, do, say what was done. Used by every screen that has runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.errors import UsageError
from sched_cli.tui.browser.acting import act_on_all
from sched_cli.tui.browser.screens.dialog import Answers, Dialog, Field
from sched_cli.tui.browser.widgets.common.painting import fit_middle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_cli.tui.browser.acting import Act
    from sched_cli.tui.browser.model.run_list import RunKey
    from sched_cli.tui.browser.screens.base import BrowserScreen

__all__ = ["ask_cancel", "ask_signal", "ask_terminate", "inputs_of", "inputs_problem"]

_SHOWN, _NAME = 3, 30
_INPUT_HINT = 'nothing, 42, "text" or {"by": "ops"}'


def ask_signal(screen: BrowserScreen, runs: Sequence[RunKey]) -> None:
    """Send a signal, with one argument or none."""
    dialog = Dialog(
        "Signal",
        f"Send a signal to {_names(runs)}.",
        do="Send",
        fields=[
            Field("name", "Name", needed=True),
            Field("input", "Argument, as JSON or plain text", hint=_INPUT_HINT),
        ],
        check=lambda answers: inputs_problem(answers["input"]),
    )

    def make(answers: Answers) -> tuple[str, Act]:
        name, arguments = answers["name"].strip(), inputs_of(answers["input"])
        return f"Sent signal {name} to", lambda handle: handle.signal(name, *arguments)

    _ask(screen, dialog, runs, make)


def ask_cancel(screen: BrowserScreen, runs: Sequence[RunKey]) -> None:
    """Ask the code to stop."""
    code = "Its" if len(runs) == 1 else "Their"
    _ask_reason(
        screen,
        runs,
        "Cancel",
        f"Ask {_names(runs)} to cancel? {code} code may clean up first.",
        lambda reason: ("Asked to cancel:", lambda handle: handle.cancel(reason)),
    )


def ask_terminate(screen: BrowserScreen, runs: Sequence[RunKey]) -> None:
    """End at once."""
    code = "Its" if len(runs) == 1 else "Their"
    _ask_reason(
        screen,
        runs,
        "Terminate",
        f"End {_names(runs)} at once? {code} code is not asked, and nothing is cleaned up.",
        lambda reason: ("Terminated", lambda handle: handle.terminate(reason)),
    )


def _ask_reason(
    screen: BrowserScreen,
    runs: Sequence[RunKey],
    what: str,
    question: str,
    make: Callable[[str], tuple[str, Act]],
) -> None:
    dialog = Dialog(
        what,
        question,
        do=f"{what} it" if len(runs) == 1 else f"{what} {len(runs)}",
        fields=[Field("reason", "Reason, for the history")],
        destroys=True,
    )
    _ask(screen, dialog, runs, lambda answers: make(answers["reason"]))


def inputs_of(text: str) -> list[object]:
    """The arguments that were typed: none or one. Raises UsageError."""
    from sched_cli.values import parse_inputs

    return parse_inputs([text], "The argument") if text.strip() else []


def inputs_problem(text: str) -> str:
    """What is wrong with what was typed, in a line; empty when nothing is."""
    try:
        inputs_of(text)
    except UsageError as error:
        return str(error).splitlines()[0]
    return ""


def _ask(
    screen: BrowserScreen,
    dialog: Dialog,
    runs: Sequence[RunKey],
    make: Callable[[Answers], tuple[str, Act]],
) -> None:
    if not runs:
        screen.notify("There is no workflow to do that to.", severity="warning")
        return

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            what, act = make(answers)
            screen.run_worker(_do(screen, runs, what, act), group="act")

    screen.app.push_screen(dialog, answered)


async def _do(screen: BrowserScreen, runs: Sequence[RunKey], what: str, act: Act) -> None:
    outcome = await act_on_all(screen.link, runs, what, act)
    screen.notify(outcome.message, severity="error" if outcome.failed else "information")


def _names(runs: Sequence[RunKey]) -> str:
    if len(runs) == 1:
        return runs[0].workflow_id
    more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
    names = ", ".join(fit_middle(run.workflow_id, _NAME) for run in runs[:_SHOWN])
    return f"{len(runs)} runs ({names}{more})"
