"""What a worker's stream says, turned into inputs and acknowledgements.

One `WorkerLink` per stream. A frame is worked off synchronously where its
runs are in memory; the others are loaded first. Acknowledgements are put into
the session's outbox by the commit that makes the report durable.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server import edge
from sched_server.activity_reports import read_report, release_activity
from sched_server.codec import (
    command_from_proto,
    failure_from_proto,
    payload_from_proto,
)
from sched_server.codec.commands import UnknownCommand
from sched_server.core.decision import Rejection, Verdict
from sched_server.core.inputs import (
    CompleteSegment,
    FailWorkflowTask,
    HeartbeatActivity,
)
from sched_server.core.values import Failure, Status, TaskFailureCause
from sched_server.insist import insist
from sched_server.observability.log_fields import about
from sched_server.store.port import ACTIVITY_TASK, StoreDataError, StoreError
from sched_server.tasks import first_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_server.execution import Execution
    from sched_server.settings import ApiLimits
    from sched_server.shard_group import ShardGroup
    from sched_server.workers import WorkerSession

    Handler = Callable[[Execution | None, Any], None]

logger = logging.getLogger("sched.engine")

# Pause before a run is looked up again after a store failure.
_RETRY_S = 0.5

_OUTCOMES = {
    Verdict.ACCEPTED: pb.SegmentAck.OUTCOME_ACCEPTED,
    Verdict.DUPLICATE: pb.SegmentAck.OUTCOME_ACCEPTED,
    Verdict.STALE: pb.SegmentAck.OUTCOME_STALE,
    Verdict.CLOSE_REFUSED: pb.SegmentAck.OUTCOME_CLOSE_REFUSED,
    Verdict.INVALID: pb.SegmentAck.OUTCOME_INVALID,
}


class WorkerLink:
    def __init__(
        self,
        group: ShardGroup,
        session: WorkerSession,
        find: Callable[[str], Awaitable[Execution | None]],
        limits: ApiLimits,
    ) -> None:
        self._group = group
        self._monotonic = group.machine.monotonic
        self._session = session
        self._find = find
        self._limits = limits
        self._loads: set[asyncio.Task[None]] = set()

    async def settled(self) -> None:
        """Wait until all that was received so far has reached its run."""
        while self._loads:
            await asyncio.wait(self._loads)

    def receive(self, frame: pb.WorkerFrame) -> None:
        """Take a frame (its `hello` was taken before)."""
        self._session.heard_s = self._monotonic()
        for segment in frame.segments:
            self._with_run(segment.run_id, self._segment, segment)
        for failure in frame.task_failures:
            self._with_run(failure.run_id, self._task_failure, failure)
        # Last details before the end of their attempt.
        for heartbeat in frame.heartbeats:
            self._with_run(heartbeat.run_id, self._heartbeat, heartbeat)
        for report in frame.activity_reports:
            self._with_run(report.run_id, self._report, report)
        for dispatch in frame.renewals:
            self._group.dispatcher.renew(self._session, dispatch)
        for run_id in frame.evicted_run_ids:
            execution = self._group.cache.get_by_run_id(run_id)
            if execution is not None:
                self._group.dispatcher.forget_cached(execution.run_key)
        if frame.HasField("keep_runs"):
            self._group.spawn(self._keep(frame.keep_runs))
        if frame.drain:
            self._session.draining = True
            self._group.dispatcher.routes.release(self._session)
        for dispatch in frame.returned:
            self._returned(dispatch)
        for answer in frame.query_answers:
            asked = self._session.questions.pop(answer.query_id, None)
            if asked is not None and not asked.done():
                asked.set_result(answer)

    def _with_run(self, run_id: str, handle: Handler, message: Any) -> None:
        execution = self._group.cache.get_by_run_id(run_id)
        if execution is not None:
            handle(execution, message)
        else:
            load = self._group.spawn(self._load_and(run_id, handle, message))
            self._loads.add(load)
            load.add_done_callback(self._loads.discard)

    async def _load_and(self, run_id: str, handle: Handler, message: Any) -> None:
        while True:
            try:
                execution = await self._find(run_id)
                break
            except StoreError as error:
                logger.warning("run %s could not be read: %s", run_id, error)
                if isinstance(message, pb.WorkflowSegment):
                    self._ack_segment(message, pb.SegmentAck.OUTCOME_RETRY)
                    return
                if self._session.outbox.closed:
                    return  # not acknowledged, so it comes again with the next stream
                await asyncio.sleep(_RETRY_S)
        handle(execution, message)

    # ------------------------------------------------------------ workflow tasks

    def _segment(self, execution: Execution | None, segment: pb.WorkflowSegment) -> None:
        if execution is None or self._overtaken(execution, segment.dispatch):
            self._ack_segment(segment, pb.SegmentAck.OUTCOME_STALE)
            return
        request = self._read_segment(segment)
        if isinstance(request, FailWorkflowTask):
            self._invalid(execution, segment, request)
            return
        decision = self._group.apply(execution, request)
        verdict, message = decision.verdict, decision.message
        keeps = segment.more and verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE)
        self._update_holder(execution, segment, verdict, keeps=keeps)
        base, time_us = execution.state.base, execution.state.base_time_us

        def committed(error: Exception | None) -> None:
            if isinstance(error, StoreDataError):
                self._group.spawn(self._refused_by_store(segment, error))
                return
            if error is not None:
                self._ack_segment(segment, pb.SegmentAck.OUTCOME_RETRY, str(error))
                return
            ack = self._ack_segment(segment, _OUTCOMES[verdict], message)
            ack.base, ack.time_us = base, time_us
            if keeps:
                unseen = execution.unseen_events()
                page, last = first_page(unseen)
                ack.events.extend(page)
                whole = not unseen or last == unseen[-1][0]
                ack.last_event_id = execution.committed_event_id if whole else last

        self._group.when_settled(execution, committed)

    async def _refused_by_store(self, segment: pb.WorkflowSegment, error: StoreDataError) -> None:
        """The database will never take a value in it: the task fails, whole."""
        message = f"the store does not take a value of this segment: {error}"
        request = self._unacceptable(segment, TaskFailureCause.INVALID_COMMAND, message)

        async def refuse() -> None:
            execution = await self._find(segment.run_id)
            if execution is not None:
                self._invalid(execution, segment, request)

        await insist(self._group, "a refused segment could not be answered", refuse)

    def _unacceptable(
        self, segment: pb.WorkflowSegment, cause: TaskFailureCause, message: str
    ) -> FailWorkflowTask:
        """The failure that a segment becomes which cannot be taken as it is."""
        hello = self._session.hello
        return FailWorkflowTask(
            base=segment.base,
            cause=int(cause),
            failure=Failure(type=cause.name, message=message),
            identity=hello.identity,
            build_id=hello.build_id,
        )

    def _overtaken(self, execution: Execution, dispatch: int) -> bool:
        """A newer dispatch of the task was made."""
        holder = execution.holder
        return holder is not None and holder.dispatch > dispatch

    def _read_segment(self, segment: pb.WorkflowSegment) -> CompleteSegment | FailWorkflowTask:
        """The request, or the failure of the task when a command is unacceptable."""
        hello = self._session.hello
        try:
            edge.check_segment(self._limits, segment)
            commands = tuple([command_from_proto(c) for c in segment.commands])
        except Rejection as over:
            return self._unacceptable(segment, TaskFailureCause.LIMIT_EXCEEDED, over.message)
        except UnknownCommand as unknown:
            return self._unacceptable(segment, TaskFailureCause.INVALID_COMMAND, str(unknown))
        return CompleteSegment(
            base=segment.base,
            seen=segment.seen,
            more=segment.more,
            segment_id=segment.segment_id,
            commands=commands,
            identity=hello.identity,
            build_id=hello.build_id,
            sdk=hello.sdk,
            sdk_flags=tuple(segment.sdk_flags),
            details=segment.details if segment.HasField("details") else None,
        )

    def _invalid(
        self, execution: Execution, segment: pb.WorkflowSegment, request: FailWorkflowTask
    ) -> None:
        self._fail_task(execution, request)
        message = request.failure.message

        def committed(error: Exception | None) -> None:
            outcome = (
                pb.SegmentAck.OUTCOME_INVALID if error is None else pb.SegmentAck.OUTCOME_RETRY
            )
            self._ack_segment(segment, outcome, message)

        self._group.when_settled(execution, committed)

    def _update_holder(
        self,
        execution: Execution,
        segment: pb.WorkflowSegment,
        verdict: Verdict,
        *,
        keeps: bool,
    ) -> None:
        group, session = self._group, self._session
        dispatcher = group.dispatcher
        if keeps:
            holder = execution.holder
            if holder is not None and holder.dispatch == segment.dispatch:
                dispatcher.renew(session, segment.dispatch)
            elif holder is None and execution.state.status is Status.RUNNING:
                self._go_on(execution, segment.dispatch)
            return
        dispatcher.let_go(execution)
        if verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE):
            if execution.state.status is Status.RUNNING:
                dispatcher.remember_cached(execution.run_key, session)
            return
        dispatcher.forget_cached(execution.run_key)
        if verdict is Verdict.INVALID:
            dispatcher.routes.remember_failing(
                group.workflow_key(execution.state), execution.run_key
            )
        elif verdict is Verdict.STALE:
            group.when_settled(execution, lambda _: dispatcher.workflow_task(execution))

    def _go_on(self, execution: Execution, dispatch: int) -> None:
        """The engine restarted meanwhile; the worker goes on with its task. Unless
        it is gone itself: nobody would ever take the task from it."""
        group, session = self._group, self._session
        here = group.workers.sessions.get(session.session_id) is session
        if here and dispatch not in session.held:
            group.dispatcher.hold(execution, session, dispatch)
        else:
            group.when_settled(execution, lambda _: group.dispatcher.workflow_task(execution))

    def _ack_segment(
        self,
        segment: pb.WorkflowSegment,
        outcome: pb.SegmentAck.Outcome.ValueType,
        message: str = "",
    ) -> pb.SegmentAck:
        return self._session.outbox.frame.segment_acks.add(
            run_id=segment.run_id,
            dispatch=segment.dispatch,
            segment_id=segment.segment_id,
            outcome=outcome,
            message=message,
        )

    def _task_failure(self, execution: Execution | None, failure: pb.WorkflowTaskFailure) -> None:
        dispatch = failure.dispatch
        if execution is None or self._overtaken(execution, dispatch):
            self._session.outbox.frame.task_failure_acks.append(dispatch)
            return
        request = FailWorkflowTask(
            base=failure.base,
            cause=failure.cause or int(TaskFailureCause.SDK_ERROR),
            failure=failure_from_proto(failure.failure),
            identity=self._session.identity,
            build_id=self._session.hello.build_id,
        )
        self._fail_task(execution, request)

        def committed(error: Exception | None) -> None:
            if error is None:
                self._session.outbox.frame.task_failure_acks.append(dispatch)

        self._group.when_settled(execution, committed)

    def _fail_task(self, execution: Execution, request: FailWorkflowTask) -> None:
        group = self._group
        decision = group.apply(execution, request)
        verdict = decision.verdict
        group.measures.task_failures[request.cause] += 1
        if decision.events:  # the same failure again is recorded, and said, once
            name, message = execution.state.workflow_id, request.failure.message
            logger.warning(
                "workflow %s: its task failed: %s", name, message, extra=about(execution.state)
            )
        group.dispatcher.let_go(execution)
        group.dispatcher.forget_cached(execution.run_key)
        if verdict is Verdict.STALE:
            # It failed on something else than the task as it stands now.
            group.when_settled(execution, lambda _: group.dispatcher.workflow_task(execution))
            return
        key = group.workflow_key(execution.state)
        group.dispatcher.routes.remember_failing(key, execution.run_key)
        if request.cause == TaskFailureCause.NON_DETERMINISM:
            group.dispatcher.routes.offer_to_fitting_code(execution, key, request.build_id)

    # ------------------------------------------------------------ activities

    def _report(self, execution: Execution | None, report: pb.ActivityReport) -> None:
        dispatch = report.dispatch
        if execution is None:
            self._activity_over(dispatch)
            self._session.outbox.frame.activity_acks.append(dispatch)
            return
        self._group.apply(execution, read_report(self._limits, report, report.seq, dispatch))
        # Freed before the commit, so that a next activity of the same commit
        # can be assigned to this worker.
        self._activity_over(dispatch)

        def committed(error: Exception | None) -> None:
            if error is None:
                self._session.outbox.frame.activity_acks.append(dispatch)
            else:
                self._group.spawn(self._report_again(report))

        self._group.when_settled(execution, committed)

    async def _report_again(self, report: pb.ActivityReport) -> None:
        """Its commit failed, so the rows still have the assignment, which nobody else
        remembers: not the session, and the worker may be gone for good meanwhile."""

        async def again() -> None:
            self._report(await self._find(report.run_id), report)

        await insist(self._group, "the report of an activity could not be recorded", again)

    def _activity_over(self, dispatch: int) -> None:
        if self._session.activities.pop(dispatch, None) is not None:
            self._group.dispatcher.slot_freed(self._session, ACTIVITY_TASK)

    def _heartbeat(self, execution: Execution | None, heartbeat: pb.ActivityHeartbeat) -> None:
        dispatch = heartbeat.dispatch
        if execution is None:
            self._session.outbox.frame.lost_activities.append(dispatch)
            return
        details = heartbeat.details if heartbeat.HasField("details") else None
        if details is not None and len(details.data) > self._limits.payload_bytes:
            details = None
        request = HeartbeatActivity(
            seq=heartbeat.seq,
            dispatch=dispatch,
            details=None if details is None else payload_from_proto(details),
        )
        lost = self._group.apply(execution, request).verdict is Verdict.STALE
        cancel = not lost and execution.state.activities[heartbeat.seq].cancel_requested
        if not lost and not cancel:
            return

        def committed(error: Exception | None) -> None:
            if error is not None:
                return
            frame = self._session.outbox.frame
            if lost:
                frame.lost_activities.append(dispatch)
            else:
                frame.cancel_activities.add(dispatch=dispatch, reason="the workflow asked for it")

        self._group.when_settled(execution, committed)

    # ------------------------------------------------------------ runs it keeps

    async def _keep(self, keep: pb.KeepRuns) -> None:
        session = self._session
        await self._group.dispatcher.routes.keep(session, keep.run_ids, only=keep.only)
        session.outbox.frame.runs_kept = keep.number

    # ------------------------------------------------------------ hand back

    def _returned(self, dispatch: int) -> None:
        session, group = self._session, self._group
        execution = session.held.get(dispatch)
        if execution is not None:
            group.lose_workflow_task(execution, returned=True)
            return
        claim = session.activities.get(dispatch)
        if claim is not None:
            group.spawn(release_activity(group, claim, dispatch, returned=True))
            self._activity_over(dispatch)
