"""What an engine says to workers is durable when it is said: acknowledged
segments and reports, assignments, and the events of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_sdk.api.v1 import history_pb2, workflow_service_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from tests.sim.loop import Process


class Wire(Checker):
    def sent(self, client: Process, path: str, message: Any) -> None:
        if isinstance(message, pb.EngineFrame):
            for ack in message.segment_acks:
                if ack.outcome == pb.SegmentAck.OUTCOME_ACCEPTED:
                    self._segment(ack)
                self._events(ack.run_id, ack.events)
            for dispatch in message.activity_acks:
                self._report(dispatch)
            for task in message.activity_tasks:
                self._assigned(task)
            for workflow_task in message.workflow_tasks:
                self._known(workflow_task.run_id, workflow_task.last_event_id)
                self._events(workflow_task.run_id, workflow_task.events)
        elif isinstance(message, workflow_service_pb2.ServerFrame):
            for reply in message.replies:
                if reply.HasField("start_workflow"):
                    self._known(reply.start_workflow.run_id, 1)

    def _segment(self, ack: pb.SegmentAck) -> None:
        run = self.world.checkers.truth.by_run_id.get(ack.run_id)
        if run is None or ack.segment_id not in run.segments:
            self.wrong(f"segment {ack.segment_id} of {run} is acknowledged, and not durable")
        elif ack.last_event_id > len(run.events):
            self.wrong(f"{run}: an acknowledgement has events that are not durable")

    def _events(self, run_id: str, events: Any) -> None:
        if events:
            self._known(run_id, history_pb2.HistoryEvent.FromString(events[-1]).event_id)

    def _report(self, dispatch: int) -> None:
        """It has ended the attempt, or counts for nothing."""
        for run in self.world.checkers.truth.running(dispatch):
            self.wrong(f"{run}: the report of dispatch {dispatch} is acknowledged, and not durable")

    def _assigned(self, task: pb.ActivityTask) -> None:
        run = self.world.checkers.truth.by_run_id.get(task.run_id)
        if run is None or run.dispatches.get(task.seq, 0) < task.dispatch:
            self.wrong(f"{run}: activity {task.seq} is pushed, and its assignment is not durable")

    def _known(self, run_id: str, event_id: int) -> None:
        run = self.world.checkers.truth.by_run_id.get(run_id)
        if run is None or len(run.events) < event_id:
            self.wrong(f"run {run_id}: event {event_id} is told, and not durable ({run})")
