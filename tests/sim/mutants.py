"""Does the simulator find bugs? `python -m tests.sim.mutants` puts realistic ones
in, one at a time, and looks after how many seeds each is found.

A mutant is a line of the product that is replaced in a copy of it. One that is
not found means that a checker or a fault is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
_PRODUCT = ("sched_sdk", "sched_server", "sched_cli", "migrations", "tests/sim")


class Mutant(NamedTuple):
    name: str
    path: str
    old: str
    """Stands in the file exactly once."""
    new: str


_GROUP = "sched_server/shard_group.py"
_LINK = "sched_server/worker_link.py"
_ENGINE = "sched_server/engine.py"
_SESSIONS = "sched_server/sessions.py"
_WRITE = "sched_server/store/sqlite/write.py"
_SQL = "sched_server/store/sqlite/statements.py"
_ACTIVITY = "sched_server/core/deciders/activity.py"
_SEGMENT = "sched_server/core/deciders/segment.py"
_RUN = "sched_server/core/deciders/run.py"
_WAKE = "sched_server/core/deciders/wake.py"
_CHANGES = "sched_server/changes.py"

MUTANTS = (
    Mutant("the fence is skipped", _WRITE, "        _check_fence(connection, batch)\n", ""),
    Mutant(
        "the epoch is not raised",
        _SQL,
        "SET epoch = epoch + 1, address",
        "SET epoch = epoch, address",
    ),
    Mutant(
        "used run keys are not remembered",
        _SQL,
        "SET next_run_key = max(next_run_key, ?)",
        "SET next_run_key = max(next_run_key, 0 * ?)",
    ),
    Mutant(
        "dispatch numbers begin anew with each leader",
        "sched_server/dispatcher.py",
        "self._next_dispatch = epoch << 32",
        "self._next_dispatch = 1 << 32",
    ),
    Mutant(
        "a start is answered before its commit",
        _ENGINE,
        "            await self.group.settled(execution)\n            return execution, True",
        "            return execution, True",
    ),
    Mutant(
        "a signal is answered before its commit",
        _ENGINE,
        "            if decision.verdict is not Verdict.HOLD:\n"
        "                await self.group.settled(execution)\n",
        "            if decision.verdict is not Verdict.HOLD:\n",
    ),
    Mutant(
        "a segment is acknowledged before its commit",
        _LINK,
        "ack.last_event_id = execution.committed_event_id if whole else last\n\n"
        "        self._group.when_settled(execution, committed)",
        "ack.last_event_id = execution.committed_event_id if whole else last\n\n"
        "        committed(None)",
    ),
    Mutant(
        "a report is acknowledged before its commit",
        _LINK,
        "self._group.spawn(self._load_and(report.run_id, self._report, report))\n\n"
        "        self._group.when_settled(execution, committed)",
        "self._group.spawn(self._load_and(report.run_id, self._report, report))\n\n"
        "        committed(None)",
    ),
    Mutant(
        "an activity is pushed before its assignment is durable",
        "sched_server/assignments.py",
        "        pending.actions.append(\n"
        "            lambda: self._group.dispatcher.push_activity"
        "(execution, seq, session, dispatch)\n"
        "        )",
        "        self._group.dispatcher.push_activity(execution, seq, session, dispatch)",
    ),
    Mutant(
        "callers of a failed commit are told that it succeeded",
        _GROUP,
        "            for callback in pending.callbacks:\n                callback(error)",
        "            for callback in pending.callbacks:\n                callback(None)",
    ),
    Mutant(
        "a run is not revived after a failed commit",
        _GROUP,
        "        self.spawn(revive(self, execution.run_key, closing=closing))\n",
        "",
    ),
    Mutant(
        "a dropped run stays in memory",
        "sched_server/cache.py",
        "            del self._alive[execution.run_key]\n        self._remove(execution)",
        "            pass",
    ),
    Mutant(
        "overdue timers are forgotten on recovery",
        "sched_server/timers.py",
        "                if key not in self._due:\n",
        "                if key not in self._due and row.due_us > now:\n",
    ),
    Mutant(
        "activities of absent workers are forgotten on recovery",
        _SESSIONS,
        "        for session_id in self._orphans:\n"
        "            self._group.spawn(self._release_after_grace(session_id))\n",
        "",
    ),
    Mutant(
        "workflow tasks of a lost worker are kept",
        _SESSIONS,
        "            group.lose_workflow_task(execution, returned=session.draining)",
        "            pass",
    ),
    Mutant(
        "lost deliveries are not looked for",
        "sched_server/upkeep.py",
        "            await group.dispatcher.reconcile()",
        "            pass",
    ),
    Mutant(
        "a signal sent again is taken again",
        _RUN,
        "    if request.request_id and request.request_id in state.signal_request_ids:",
        "    if not request.request_id:",
    ),
    Mutant(
        "a start sent again is made again",
        _ENGINE,
        "                if earlier is not None:\n",
        "                if earlier is not None and False:\n",
    ),
    Mutant(
        "a cancel request sent again is refused",
        _RUN,
        "    if request.request_id and request.request_id == state.cancel_request_id:",
        "    if not request.request_id:",
    ),
    Mutant(
        "a report counts whatever its dispatch",
        _ACTIVITY,
        "    if activity is None or activity.record.dispatch != request.dispatch:\n"
        "        return Decision(verdict=_STALE)\n    if request.result",
        "    if activity is None:\n        return Decision(verdict=_STALE)\n    if request.result",
    ),
    Mutant(
        "a segment counts whatever it builds on",
        _SEGMENT,
        "        or request.base != state.base\n",
        "",
    ),
    Mutant(
        "what a segment has seen is lost",
        _SEGMENT,
        "        seen=request.seen,",
        "        seen=request.base,",
    ),
    Mutant(
        "a run closes over signals that it has not seen",
        _SEGMENT,
        "    if closes and any(event_id > request.seen for event_id in state.unseen_signals):",
        "    if not request.commands:",
    ),
    Mutant(
        "attempts are not limited",
        "sched_server/core/retry.py",
        "policy.maximum_attempts == 0 or attempt < policy.maximum_attempts",
        "policy.maximum_attempts != 1",
    ),
    Mutant(
        "an activity that may run once runs again when its worker is lost",
        _ACTIVITY,
        "    if activity.scheduled.retry.maximum_attempts == 1:",
        "    if activity.scheduled.retry.maximum_attempts == -1:",
    ),
    Mutant(
        "silence of an activity is not noticed",
        _ACTIVITY,
        "        decision.effects.append(SetTimer(TimerKind.HEARTBEAT, request.seq, due))",
        "        pass",
    ),
    Mutant(
        "the back-off of a retry has no timer",
        _ACTIVITY,
        "    decision.effects.append(SetTimer(TimerKind.ACTIVITY_BACKOFF, seq, due))\n"
        "    return decision",
        "    return decision",
    ),
    Mutant(
        "the execution timeout is forgotten",
        _RUN,
        "        decision.effects.append(SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, due))",
        "        pass",
    ),
    Mutant(
        "timers outlive their run",
        _WAKE,
        "        decision.effects.append(ClearTimer(TimerKind.USER, seq))",
        "        pass",
    ),
    Mutant(
        "activities outlive their run",
        _CHANGES,
        "        pending.touched.update((ACTIVITY_TASK, seq) for seq in state.activities)\n",
        "",
    ),
    Mutant(
        "event times follow a clock that jumps back",
        _GROUP,
        "        now = max(self.clock.now_us(), state.last_time_us)",
        "        now = self.clock.now_us()",
    ),
    Mutant(
        "pending records are not restored",
        "sched_server/cache.py",
        "                restore_activity(state, task.seq, decode_record(task.record, "
        "ActivityRecord))",
        "                pass",
    ),
    Mutant(
        "events that are not durable are told to workers",
        "sched_server/execution.py",
        "        return [(i, recent[i]) for i in self.state.unseen if i <= last]",
        "        return [(i, recent[i]) for i in self.state.unseen if i <= last + 9]",
    ),
    Mutant(
        "a step starts before the outcome of the last is durable",
        "sched_sdk/_worker/run_driver.py",
        "        if not self._handed:\n            self._start_steps()",
        "        self._start_steps()",
    ),
    Mutant(
        "a worker forgets what it asked for twice",
        "sched_sdk/_worker/run_driver.py",
        "            commands=self._commands,\n        )\n        self._commands = []",
        "            commands=self._commands,\n        )\n"
        "        self._commands = self._commands[:0] if more else self._commands",
    ),
)


def product_with(mutant: Mutant, folder: Path) -> None:
    """A copy of the product that has the bug."""
    for part in _PRODUCT:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored, dirs_exist_ok=True)
    (folder / "tests" / "__init__.py").touch()
    path = folder / mutant.path
    text = path.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.name}: its text is not in {mutant.path} once"
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def try_mutant(mutant: Mutant, *, seeds: int, first: int) -> tuple[int, str]:
    """After how many seeds it was found (0: not at all), and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        product_with(mutant, Path(folder))
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "tests.sim", "--no-shrink"),
                *("--seeds", str(seeds), "--first", str(first)),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode == 0:
        return 0, "not found"
    found = re.search(r"^seed (\d+): (.*)$", ran.stdout, re.MULTILINE)
    if found is None:
        return 1, (ran.stderr.strip().splitlines() or ["it ended"])[-1]
    return int(found.group(1)) - first + 1, found.group(2)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="tried at most for each (200)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    arguments = parser.parse_args()
    missed = 0
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]
    for mutant in chosen:
        began = time.monotonic()
        after, said = try_mutant(mutant, seeds=arguments.seeds, first=arguments.first)
        missed += not after
        print(f"{after or '-':>4}  {time.monotonic() - began:6.1f} s  {mutant.name}: {said[:140]}")
        sys.stdout.flush()
    print(f"{len(chosen) - missed} of {len(chosen)} mutants were found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
