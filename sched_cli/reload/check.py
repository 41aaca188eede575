"""A check under way, seen from the supervisor: one checker process and its time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_cli.reload.process import ChildProcess
from sched_cli.reload.verdict import Break, CheckReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_cli.reload.verdict import CheckOptions

# Before histories are looked at, for finding the open workflows and loading the code once more. It
# counts from when the process that is to serve has loaded it.
_BEGINS_WITHIN_S = 10.0

_Checker = ChildProcess[CheckReport]


class Check:
    """Starts at once. `on_verdict` is called once, unless `cancel` comes first.
    Belongs to the running event loop."""

    def __init__(self, options: CheckOptions, on_verdict: Callable[[Verdict], None]) -> None:
        self._looks_for_s = options.seconds
        self._on_verdict = on_verdict
        self._breaks: list[Break] = []
        self._fitting: set[str] = set()
        self._open_runs = 0
        self._looks_at: CheckReport | None = None
        self._looks_since = 0.0
        self._begun = False
        self._over = False
        self._time: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._process = _Checker(
            "sched_cli.reload.checker",
            options.encode(),
            decode=CheckReport.decode,
            on_report=self._on_report,
            on_exit=self._on_exit,
        )

    def hurry(self) -> None:
        """The new code is loaded and waits for the verdict."""
        if not self._begun and not self._over:
            self._allow(_BEGINS_WITHIN_S)

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        self._end()
        self._process.kill()

    async def wait(self) -> None:
        """Return when the process is gone."""
        await self._process.wait()

    def _on_report(self, _: _Checker, report: CheckReport) -> None:
        if self._over:
            return
        self._looks_at = None
        if report.state == "begins":
            self._begun, self._open_runs = True, report.open_runs
            self._allow(self._looks_for_s)
        elif report.state == "looks":
            self._looks_at, self._looks_since = report, self._loop.time()
        elif report.state == "fits":
            self._fitting.add(report.run_id)
        elif report.state == "breaks":
            self._breaks.append(_break(report, **report.found))
        else:
            self._decide(report.message)

    def _on_exit(self, _: _Checker, code: int) -> None:
        if self._over:
            return
        # Code of the app may end the process, or be ended with it.
        if self._looks_at is not None:
            why = f"its replay ended the process (exit code {code})"
            self._breaks.append(_break(self._looks_at, why=why))
        self._decide(f"the check ended early (exit code {code})")

    def _time_is_up(self) -> None:
        looks_at, since = self._looks_at, self._looks_since
        looked_for_s = self._loop.time() - since
        if looks_at is not None and looked_for_s > self._looks_for_s / 2:
            why = f"its replay did not end within {looked_for_s:.1f} s"
            self._breaks.append(_break(looks_at, why=why))
        had = f"the check had {self._looks_for_s:g} s"
        self._decide(had if self._begun else "the check took long")

    def _decide(self, problem: str) -> None:
        verdict = Verdict(
            breaks=tuple(self._breaks),
            fitting=frozenset(self._fitting),
            open_runs=self._open_runs,
            problem=problem,
        )
        self.cancel()
        self._on_verdict(verdict)

    def _allow(self, seconds: float) -> None:
        if self._time is not None:
            self._time.cancel()
        self._time = self._loop.call_later(seconds, self._time_is_up)

    def _end(self) -> None:
        self._over = True
        if self._time is not None:
            self._time.cancel()


def _break(report: CheckReport, **found: str | int) -> Break:
    return Break(
        workflow_id=report.workflow_id,
        run_id=report.run_id,
        workflow_type=report.workflow_type,
        event_id=int(found.get("event_id", 0)),
        history=str(found.get("history", "")),
        code=str(found.get("code", "")),
        why=str(found.get("why", "")),
    )
