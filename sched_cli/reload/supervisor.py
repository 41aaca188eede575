"""Keeps a worker running on the newest code that works.

At any time at most one child *serves*, at most one is *starting* on newer code,
a few *keep* the workflows that newer code would break, and any number are
*leaving* (finishing what they had in hand):

    what happens            what the supervisor does
    ──────────────────────  ─────────────────────────────────────────────────────
    an edit                 drop the starting child, start another, try the code
                            on open workflows (`Gate`)
    the gate opens          the starting child connects
    starting child ready    it serves; the one before is asked to leave, or keeps
                            what would break; others that keep what fits leave
    starting child failed   show why; the one before goes on serving
    serving child died      start another, after a pause that grows; one that
                            stands at the gate serves at once
    keeping child exits     nothing, or say what it kept: newer code gets it
    leaving child exits     nothing
    leaving child too slow  kill it

Everything that happens is handled in one event loop, one thing at a time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from typing import TYPE_CHECKING, Protocol

from sched_cli.reload.gate import Gate, GateAnnouncer
from sched_cli.reload.keepers import Keepers
from sched_cli.reload.on_break import OnBreak, ReloadCheck
from sched_cli.reload.process import ChildProcess
from sched_cli.reload.protocol import ChildReport, Order
from sched_cli.reload.verdict import CheckOptions
from sched_cli.reload.watch import EditWatcher
from sched_cli.targets import find_targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sched_cli.reload.protocol import WorkerOptions
    from sched_cli.reload.verdict import Break

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
# A child that served for so long was fine: the next crash is a first one again.
_SETTLED_AFTER_S = 30.0
# Beyond the grace period of a child, before it is killed.
_PATIENCE_S = 1.5

Worker = ChildProcess[ChildReport]


class Announcer(GateAnnouncer, Protocol):
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

    def fits_again(self, released: Sequence[Break]) -> None:
        """The new code goes on with these, which old code had kept."""

    def keeper_ended(self, kept: Sequence[Break], *, how: str) -> None:
        """Old code that kept these is gone; `how` it died, or empty: they are over."""

    def problem(self, message: str) -> None:
        """Something else that people should know."""


class Supervisor:
    """Runs a worker in child processes and replaces it when its code changes.

    Raises UsageError, at construction, when a target does not exist. Belongs to
    the running event loop.
    """

    def __init__(
        self,
        options: WorkerOptions,
        announcer: Announcer,
        *,
        check: ReloadCheck,
    ) -> None:
        self._options = options
        self._check = check
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
        self._keepers = Keepers()
        self._gate: Gate | None = None
        self._serves: tuple[str, ...] = ()
        """The workflow types of the code that serves."""
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
        self._close_gate()
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
        self._close_gate()
        for child in self._children():
            child.kill()

    # -- what happens ----------------------------------------------------------------

    def _on_edit(self, files: list[Path]) -> None:
        if self._stopped:
            return
        self._announcer.edited(files)
        self._reloading = True
        self._pause_s = _FIRST_PAUSE_S
        self._start_child(checked=self._check.on_break is not OnBreak.IGNORE)

    def _on_report(self, child: Worker, report: ChildReport) -> None:
        if self._stopped:
            return
        if report.state == "draining":
            self._announcer.leaving(grace_s=self._options.grace_s)
        elif report.state == "failed":
            self._failed.add(child)
            if child is self._starting:
                self._close_gate()
            if child not in self._leaving:
                self._announcer.failed(report.message, old_code_serves=self._old_code_serves())
        elif report.state == "keeping":
            if self._gate is not None and child is self._serving:
                self._gate.kept()
        elif child is not self._starting:
            return
        elif report.state == "loaded":
            if self._gate is None:
                child.tell(Order("serve").encode())
            else:
                self._gate.child_loaded()
        else:
            self._take_over(child, report)

    def _take_over(self, child: Worker, report: ChildReport) -> None:
        before, self._serving, self._starting = self._serving, child, None
        seconds = self._loop.time() - child.started_at
        self._announcer.serving(report, reloaded=self._reloading, seconds=seconds)
        self._reloading = False
        self._serves = tuple(report.workflows)
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.close()
        if before is not None:
            if gate is not None and gate.stays:
                self._keepers.add(before, gate.stays)
            else:
                self._finish(before)
        if gate is not None and gate.verdict is not None:
            self._release(gate.verdict.fitting)

    def _release(self, fitting: frozenset[str]) -> None:
        released, idle = self._keepers.release(fitting)
        if released:
            self._announcer.fits_again(released)
        for keeper in idle:
            self._finish(keeper)

    def _finish(self, child: Worker) -> None:
        child.finish()
        self._leave(child, self._options.grace_s + _PATIENCE_S)

    def _on_exit(self, child: Worker, code: int) -> None:
        was_starting, was_serving = child is self._starting, child is self._serving
        has_said_why = child in self._failed
        self._failed.discard(child)
        self._leaving.discard(child)
        kept = self._keepers.gone(child)
        if kept is not None and not self._stopped:
            self._announcer.keeper_ended(kept, how=ending(code) if code else "")
        if was_starting:
            self._starting = None
            self._close_gate()
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
            if self._gate is not None:
                self._gate.stays = ()
                self._gate.open()
        else:
            self._start_later(child, ending(code))

    # -- children ----------------------------------------------------------------------

    def _start_child(self, *, checked: bool = False) -> None:
        """`checked`: what serves goes on until the code was tried on open workflows."""
        self._cancel_restart()
        self._close_gate()
        serving = self._serving if checked and self._old_code_serves() else None
        if self._starting is not None:
            # Not ready, so it has nothing in hand.
            self._starting.hang_up()
            self._leave(self._starting, _PATIENCE_S)
        self._starting = ChildProcess(
            "sched_cli.reload.child",
            dataclasses.replace(self._options, waits=serving is not None).encode(),
            decode=ChildReport.decode,
            on_report=self._on_report,
            on_exit=self._on_exit,
        )
        if serving is not None:
            self._gate = Gate(
                self._starting,
                serving,
                self._keepers,
                self._check_options(),
                self._check.on_break,
                self._announcer,
            )

    def _check_options(self) -> CheckOptions:
        options = self._options
        return CheckOptions(
            targets=options.targets,
            engine=options.engine,
            task_queue=options.task_queue,
            workflow_types=self._serves,
            kept=self._keepers.runs,
            newest=self._check.newest,
            seconds=self._check.seconds,
        )

    def _close_gate(self) -> None:
        if self._gate is not None:
            self._gate.close()
            self._gate = None

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
        return [
            *self._leaving,
            *self._keepers.children,
            *(child for child in current if child is not None),
        ]


def ending(code: int) -> str:
    """How a process ended, from its exit code."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
