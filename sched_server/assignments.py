"""Which worker runs an activity.

An activity is pushed only with a committed assignment, so that a new leader
knows what runs where. Where a worker has a free slot, the assignment is part of
the commit that asks for the activity; else the activity waits in its queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core.decision import StopAttempt, Verdict
from sched_server.core.inputs import StartActivity
from sched_server.store.port import ACTIVITY_TASK, TaskKey

if TYPE_CHECKING:
    from sched_server.execution import Execution, PendingChange
    from sched_server.shard_group import ShardGroup
    from sched_server.workers import WorkerSession

__all__ = ["Assignments"]


class Assignments:
    """Those of one shard group."""

    def __init__(self, group: ShardGroup) -> None:
        self._group = group

    def offer(self, execution: Execution, pending: PendingChange, seq: int) -> None:
        """Assign it in this very commit if a worker has a free slot."""
        scheduled = execution.state.activities[seq].scheduled
        key = TaskKey(scheduled.task_queue, ACTIVITY_TASK, scheduled.name)
        holder = execution.holder
        preferred = holder.session.session_id if holder is not None else None
        session = self._group.dispatcher.reserve(key, execution, preferred)
        if session is None:
            pending.actions.append(lambda: self._group.dispatcher.activity(execution, seq))
        else:
            self.assign(execution, seq, session)

    def assign(self, execution: Execution, seq: int, session: WorkerSession) -> None:
        """Give the activity to the session; it is pushed once that is durable."""
        dispatch = self._group.dispatcher.next_dispatch()
        request = StartActivity(
            seq=seq, dispatch=dispatch, session=session.session_id, identity=session.identity
        )
        if self._group.apply(execution, request).verdict is not Verdict.ACCEPTED:
            return
        session.activities[dispatch] = (execution.run_key, seq)
        pending = execution.pending
        assert pending is not None
        pending.actions.append(
            lambda: self._group.dispatcher.push_activity(execution, seq, session, dispatch)
        )

        def give_up(error: Exception | None) -> None:
            if error is not None:
                session.activities.pop(dispatch, None)
                self._group.dispatcher.slot_freed(session, ACTIVITY_TASK)

        pending.callbacks.append(give_up)

    def stop(self, effect: StopAttempt) -> None:
        session = self._group.workers.sessions.get(effect.session)
        if session is None:
            return
        if effect.canceled:
            session.outbox.frame.cancel_activities.add(
                dispatch=effect.dispatch, reason="the workflow asked for it"
            )
            return
        session.outbox.frame.lost_activities.append(effect.dispatch)
        if session.activities.pop(effect.dispatch, None) is not None:
            self._group.dispatcher.slot_freed(session, ACTIVITY_TASK)
