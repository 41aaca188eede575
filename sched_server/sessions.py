"""Workers that come, go, and come back.

When a stream breaks, its workflow tasks go to another worker at once. Its
activities wait for a grace: the worker may have survived and claims them when
it is back. The same holds for the activities that a new leader finds assigned
in its rows.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any

from sched_server.activity_reports import release_activity
from sched_server.codec import decode_record
from sched_server.core.decision import Verdict
from sched_server.core.inputs import HastenWorkflowTask, HeartbeatActivity
from sched_server.core.state import ActivityRecord
from sched_server.insist import insist
from sched_server.store.port import ACTIVITY_TASK
from sched_server.workers import WorkerSession

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sched_sdk.api.v1 import worker_service_pb2 as pb
    from sched_server.shard_group import ShardGroup

logger = logging.getLogger("sched.engine")

PAGE = 1_000

Orphans = dict[int, tuple[int, int]]


class Sessions:
    """The sessions of one shard group's workers."""

    def __init__(self, group: ShardGroup) -> None:
        self._group = group
        self._orphans: dict[str, Orphans] = {}
        """Assigned activities by absent session: (run_key, seq) by dispatch."""

    async def recover(self) -> None:
        """Find the activities that workers ran under the leader before."""
        after: tuple[int, int] | None = None
        while True:
            rows = await self._group.store.assigned_tasks(
                self._group.number, after=after, limit=PAGE
            )
            for row in rows:
                dispatch = decode_record(row.record, ActivityRecord).dispatch
                orphans = self._orphans.setdefault(row.assignee, {})
                orphans[dispatch] = (row.run_key, row.seq)
            if len(rows) < PAGE:
                break
            after = (rows[-1].run_key, rows[-1].seq)
        for session_id in self._orphans:
            self._group.spawn(self._release_after_grace(session_id))

    def join(self, hello: pb.WorkerHello) -> WorkerSession:
        """A stream opened. Its first frame must be worked off before
        `release_unclaimed`, since it repeats what was not acknowledged."""
        old = self._group.workers.sessions.get(hello.session_id)
        if old is not None:
            self.leave(old)  # its old stream is dead; the news is only late
        group = self._group
        session = WorkerSession(hello, group.machine.monotonic)
        orphans = self._orphans.get(session.session_id, {})
        for claim in hello.running_activities:
            found = orphans.pop(claim.dispatch, None)
            if found is None:
                session.outbox.frame.lost_activities.append(claim.dispatch)
                continue
            session.activities[claim.dispatch] = found
            self._group.spawn(self._confirm(session, found, claim.dispatch))
        group.workers.add(session)
        group.workers.keep(session, hello.keep_runs.run_ids, only=hello.keep_runs.only)
        return session

    def start(self, session: WorkerSession) -> None:
        """The first frame is worked off: what the worker did not mention, it
        does not have. From now on it gets tasks."""
        unclaimed = self._orphans.pop(session.session_id, {})
        for dispatch, claim in unclaimed.items():
            self._group.spawn(release_activity(self._group, claim, dispatch, returned=False))
        self._group.dispatcher.session_joined(session)
        if session.hello.HasField("keep_runs"):
            session.outbox.frame.runs_kept = session.hello.keep_runs.number
            self._group.spawn(self._group.dispatcher.routes.offer_kept(session))
        for key in session.workflow_keys:
            failing = self._group.dispatcher.routes.take_failing(key)
            if failing:
                self._group.spawn(self._hasten(failing))

    def leave(self, session: WorkerSession) -> None:
        """The stream is gone."""
        group = self._group
        session.outbox.close()
        session.lose_questions()
        group.workers.remove(session)
        if group.closed:
            return  # the next leader finds in its rows what the worker had
        group.dispatcher.routes.release(session)
        for execution in list(session.held.values()):
            group.lose_workflow_task(execution, returned=session.draining)
        if session.activities:
            self._orphans.setdefault(session.session_id, {}).update(session.activities)
            session.activities.clear()
            group.spawn(self._release_after_grace(session.session_id))

    async def _release_after_grace(self, session_id: str) -> None:
        orphans = self._orphans.get(session_id, {})
        await asyncio.sleep(self._group.settings.activity_grace_s)
        if self._orphans.get(session_id) is not orphans:
            return  # it came back; if it left again, another grace runs
        del self._orphans[session_id]
        if orphans:
            logger.warning("a worker did not come back; %d activities go to others", len(orphans))
        for dispatch, claim in orphans.items():
            self._group.spawn(release_activity(self._group, claim, dispatch, returned=False))

    def _confirm(
        self, session: WorkerSession, claim: tuple[int, int], dispatch: int
    ) -> Coroutine[Any, Any, None]:
        return insist(
            self._group,
            "a claimed activity could not be confirmed",
            lambda: self._confirm_once(session, claim, dispatch),
        )

    async def _confirm_once(
        self, session: WorkerSession, claim: tuple[int, int], dispatch: int
    ) -> None:
        """The worker still runs it: the time without a stream was no silence.
        What happened to the activity meanwhile is told now."""
        run_key, seq = claim
        if dispatch not in session.activities:
            return  # reported meanwhile, or the worker is gone again
        execution = await self._group.load(run_key)
        if execution is None:
            return
        decision = self._group.apply(execution, HeartbeatActivity(seq=seq, dispatch=dispatch))
        await self._group.settled(execution)
        if decision.verdict is Verdict.STALE:
            session.outbox.frame.lost_activities.append(dispatch)
            if session.activities.pop(dispatch, None) is not None:
                self._group.dispatcher.slot_freed(session, ACTIVITY_TASK)
            return
        activity = execution.state.activities.get(seq)
        if activity is not None and activity.cancel_requested:
            session.outbox.frame.cancel_activities.add(
                dispatch=dispatch, reason="the workflow asked for it"
            )

    async def _hasten(self, run_keys: list[int]) -> None:
        for run_key in run_keys:
            await insist(
                self._group,
                "a failing workflow task could not be hastened",
                functools.partial(self._hasten_once, run_key),
            )

    async def _hasten_once(self, run_key: int) -> None:
        execution = await self._group.load(run_key)
        if execution is not None:
            self._group.apply(execution, HastenWorkflowTask())
