"""What a worker and its supervisor tell people, in lines on stderr."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sched_cli.render import reload_news
from sched_cli.render.console import labelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sched_cli.reload.protocol import ChildReport
    from sched_cli.reload.verdict import Break, Verdict

_SHOWN_FILES = 3


class WorkerNews:
    """An announcer (see `sched_cli.reload.supervisor`) that prints."""

    def __init__(self, *, next_step: str = "") -> None:
        """`next_step` is a hint that is given once, when the worker serves for
        the first time, with `{name}` for one of its workflows."""
        self._next_step = next_step

    def hear(self, report: ChildReport) -> None:
        """The reports of a worker in this process."""
        if report.state == "ready":
            self.serving(report, reloaded=False, seconds=0)
        elif report.state == "draining":
            labelled("worker", "finishes what is running; Ctrl-C ends it at once", "dim")

    def serving(self, report: ChildReport, *, reloaded: bool, seconds: float) -> None:
        """New code serves."""
        if reloaded:
            labelled("reload", f"the new code serves after {seconds:.1f} s", "green")
        else:
            labelled("worker", f"serves {served(report)}", "green")
        if self._next_step and report.workflows:
            labelled("next", self._next_step.format(name=report.workflows[0]))
            self._next_step = ""

    def edited(self, files: Sequence[Path]) -> None:
        """Code was edited."""
        names = [os.path.relpath(path) for path in files]
        more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
        labelled("reload", f"{', '.join(names[:_SHOWN_FILES])}{more} changed", "cyan")

    def failed(self, message: str, *, old_code_serves: bool) -> None:
        """The newest code cannot be served."""
        going_on = (
            "The code from before goes on serving; save the mended file."
            if old_code_serves
            else "No worker runs; it starts when the file is mended and saved."
        )
        labelled("error", f"{message}\n{going_on}", "red")

    def crashed(self, how: str, *, restart_in_s: float) -> None:
        """The worker process died."""
        again = (
            f"starts again in {restart_in_s:g} s" if restart_in_s else "the next one is starting"
        )
        labelled("error", f"the worker process {how}; {again}", "red")

    def leaving(self, *, grace_s: float) -> None:
        """A process that was asked to go still finishes what it has in hand."""
        labelled("worker", f"the old code finishes what is running (at most {grace_s:g} s)", "dim")

    def fits(self, verdict: Verdict) -> None:
        """Nothing that was looked at would break."""
        note = reload_news.incomplete(verdict)
        if note:
            labelled("reload", note, "yellow")
        elif verdict.open_runs:
            fitting = reload_news.workflows(verdict.open_runs, "open ")
            labelled("reload", f"the new code fits {fitting}", "dim")

    def breaks(self, verdict: Verdict, *, held: bool, too_many: bool) -> None:
        """Something would break."""
        report = reload_news.breaks_report(verdict, held=held, too_many=too_many)
        labelled("reload", report, "yellow")

    def fits_again(self, released: Sequence[Break]) -> None:
        """The new code goes on with what old code had kept."""
        names = reload_news.names(released)
        labelled("reload", f"the new code goes on with {names} too", "green")

    def keeper_ended(self, kept: Sequence[Break], *, how: str) -> None:
        """Old code that kept these is gone."""
        names = reload_news.names(kept)
        if not how:
            labelled("worker", f"the old code has ended; what it kept is over ({names})", "dim")
            return
        message = (
            f"the process with the old code {how}; the new code gets\nwhat it kept: {names}.\n"
            "What does not fit waits until the code does; see sched why ID."
        )
        labelled("error", message, "red")

    def problem(self, message: str) -> None:
        """Something else that people should know."""
        labelled("error", message, "red")


def served(report: ChildReport) -> str:
    """What a worker serves: names, as many as fit a line or two."""
    parts = []
    for names, singular, plural in (
        (report.workflows, "workflow", "workflows"),
        (report.activities, "activity", "activities"),
    ):
        if names:
            shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
            parts.append(f"{singular if len(names) == 1 else plural} {shown}")
    return " and ".join(parts)
