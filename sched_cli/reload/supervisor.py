"""Keeps a worker running on the newest code that works.

At any time at most one child *serves*, at most one is *starting* on newer code,
and any number are *leaving* (finishing what they had in hand):

    what happens            what the supervisor does
    ──────────────────────  ─────────────────────────────────────────────────────
    an edit                 drop the starting child, start another
    starting child ready    it serves; the one before is asked to leave
    starting child failed   show why; the one before goes on serving
    serving child died      start another, after a pause that grows
    leaving child exits     nothing
    leaving child too slow  kill it

Everything that happens is handled in one event loop, one thing at a time.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Protocol

from sched_cli.reload.process import ChildProcess
from sched_cli.reload.protocol import ChildReport
from sched_cli.reload.watch import EditWatcher
from sched_cli.targets import find_targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sched_cli.reload.protocol import WorkerOptions

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
# A child that served for so long was fine: the next crash is a first one again.
_SETTLED_AFTER_S = 30.0
# Beyond the grace period of a child, before it is killed.
_PATIENCE_S = 1.5

Worker = ChildProcess[ChildReport]


class Announcer(Protocol):
    """Tells people what the supervisor does."""

    def serving(self, report: ChildReport, *, reloaded: bool, seconds: float) -> None:
        """New code serves, `seconds` after it was started."""

    def edited(self, files: Sequence[Path]) -> None:
        """Code was edited; a reload begins."""

    def failed(self, message: str, *, old_code_serves: bool) -> None:
        """The newest code cannot be served."""

    def crashed(self, how: str, *, restart_in_s: float) -> None:
        """The worker process died."""

    def leaving(self, *, grace_s: float) -> None:
        """A process that was asked to go still finishes what it has in hand."""

    def problem(self, message: str) -> None:
        """Something else that people should know."""


class Supervisor:
    """Runs a worker in child processes and replaces it when its code changes.

    Raises UsageError, at construction, when a target does not exist. Belongs to
    the running event loop.
    """

    def __init__(self, options: WorkerOptions, announcer: Announcer) -> None:
        self._options = options
        self._announcer = announcer
        self._loop = asyncio.get_running_loop()
        self._watcher = EditWatcher(
            [target.code for target in find_targets(options.targets)],
            on_edit=self._on_edit,
            on_problem=announcer.problem,
        )
        self._serving: Worker | None = None
        self._starting: Worker | None = None
        self._leaving: set[Worker] = set()
        self._reloading = False
        self._failed: set[Worker] = set()
        self._pause_s = _FIRST_PAUSE_S
        self._restart: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the worker, and begin to watch its code."""
        self._start_child()
        self._watcher.start()

    async def stop(self, *, gently: bool) -> None:
        """Stop every child: at once, or once its running activities are done
        (within the grace period). May be called again to stop sooner."""
        self._stopped = True
        self._watcher.stop()
        self._cancel_restart()
        children = self._children()
        for child in children:
            if gently and child is not self._starting:
                child.finish()
            else:
                child.hang_up()
        patience = (self._options.grace_s if gently else 0) + _PATIENCE_S
        waits = [asyncio.ensure_future(child.wait()) for child in children]
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=patience)
        if late:
            for child in self._children():
                child.kill()
            await asyncio.wait(late)

    def kill(self) -> None:
        """End every child without a last word."""
        for child in self._children():
            child.kill()

    # -- what happens ----------------------------------------------------------------

    def _on_edit(self, files: list[Path]) -> None:
        if self._stopped:
            return
        self._announcer.edited(files)
        self._reloading = True
        self._pause_s = _FIRST_PAUSE_S
        self._start_child()

    def _on_report(self, child: Worker, report: ChildReport) -> None:
        if self._stopped:
            return
        if report.state == "draining":
            self._announcer.leaving(grace_s=self._options.grace_s)
        elif report.state == "failed":
            self._failed.add(child)
            if child not in self._leaving:
                self._announcer.failed(report.message, old_code_serves=self._old_code_serves())
        elif child is self._starting:
            self._take_over(child, report)

    def _take_over(self, child: Worker, report: ChildReport) -> None:
        before, self._serving, self._starting = self._serving, child, None
        seconds = self._loop.time() - child.started_at
        self._announcer.serving(report, reloaded=self._reloading, seconds=seconds)
        self._reloading = False
        if before is not None:
            before.finish()
            self._leave(before, self._options.grace_s + _PATIENCE_S)

    def _on_exit(self, child: Worker, code: int) -> None:
        was_starting, was_serving = child is self._starting, child is self._serving
        has_said_why = child in self._failed
        self._failed.discard(child)
        self._leaving.discard(child)
        if was_starting:
            self._starting = None
        if was_serving:
            self._serving = None
        if self._stopped or not (was_starting or was_serving):
            return
        if was_starting and has_said_why:
            # Code that cannot be served is not tried again before it is edited.
            return
        if was_starting and self._serving is not None:
            self._announcer.failed(
                f"The process with the new code {ending(code)} before it was ready.",
                old_code_serves=True,
            )
        elif self._starting is not None:
            self._announcer.crashed(ending(code), restart_in_s=0)
        else:
            self._start_later(child, ending(code))

    # -- children ----------------------------------------------------------------------

    def _start_child(self) -> None:
        self._cancel_restart()
        if self._starting is not None:
            # Not ready, so it has nothing in hand.
            self._starting.hang_up()
            self._leave(self._starting, _PATIENCE_S)
        self._starting = ChildProcess(
            "sched_cli.reload.child",
            self._options.encode(),
            decode=ChildReport.decode,
            on_report=self._on_report,
            on_exit=self._on_exit,
        )

    def _start_later(self, child: Worker, how: str) -> None:
        if self._loop.time() - child.started_at > _SETTLED_AFTER_S:
            self._pause_s = _FIRST_PAUSE_S
        self._announcer.crashed(how, restart_in_s=self._pause_s)
        self._cancel_restart()
        self._restart = self._loop.call_later(self._pause_s, self._start_child)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _cancel_restart(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None

    def _leave(self, child: Worker, patience_s: float) -> None:
        self._leaving.add(child)
        self._loop.call_later(patience_s, self._kill_if_still_there, child)

    def _kill_if_still_there(self, child: Worker) -> None:
        if child in self._leaving:
            child.kill()

    def _old_code_serves(self) -> bool:
        return self._serving is not None and self._serving not in self._failed

    def _children(self) -> list[Worker]:
        current = (self._serving, self._starting)
        return [*self._leaving, *(child for child in current if child is not None)]


def ending(code: int) -> str:
    """How a process ended, from its exit code."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
