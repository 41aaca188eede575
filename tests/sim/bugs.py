"""Realistic bugs in the engine and the worker, as changes of their text."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BUGS", "Mutant"]


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

BUGS = (
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
        "self._group.spawn(self._report_again(report))\n\n"
        "        self._group.when_settled(execution, committed)",
        "self._group.spawn(self._report_again(report))\n\n        committed(None)",
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
        "        self._revivals.begin(execution.run_key, closing=closing)\n",
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
        "                self.restore(row.run_key, row.kind, row.seq, due)\n",
        "                if row.due_us > now:\n"
        "                    self.restore(row.run_key, row.kind, row.seq, due)\n",
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
    Mutant(
        "a timer fires before the one that a failed commit has put off",
        _GROUP,
        "        if self._revivals.hold_back(run_key):\n",
        "        if run_key < 0:\n",
    ),
    Mutant(
        "a report that is not recorded yet is forgotten with its worker",
        _LINK,
        "        await insist("
        'self._group, "the report of an activity could not be recorded", again)\n',
        "        await self._load_and(report.run_id, self._report, report)\n",
    ),
    Mutant(
        "a timer that came due while its run was read anew is forgotten",
        "sched_server/upkeep.py",
        "        self._held_back.add(run_key)\n        return True\n",
        "        return True\n",
    ),
    Mutant(
        "the slot of an activity that ended with its assignment stays taken",
        "sched_server/dispatcher.py",
        "            if session.activities.pop(dispatch, None) is not None:\n",
        "            if session.activities.pop(dispatch, None) is not None and not session:\n",
    ),
)
