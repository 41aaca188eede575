"""A replay that can be stopped whenever the code is about to get something.

The events of a history reach the code in activations: one outside event, or one
step outcome, after which the code runs until everything waits. Between two
activations the run stands still and can be looked at. `arrivals` stops there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._replay.delivery import deliver, is_from_outside
from sched_sdk._replay.divergence import stands_still
from sched_sdk._replay.run import WorkflowRun
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sched_sdk._replay.commands import Command
    from sched_sdk._replay.instance import Instance

__all__ = ["SteppedRun"]

Event = history_pb2.HistoryEvent

_TASK_COMPLETED = history_pb2.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_STEPS = (history_pb2.EVENT_TYPE_STEP_COMPLETED, history_pb2.EVENT_TYPE_STEP_FAILED)


class SteppedRun(WorkflowRun):
    """A run that is never driven live. What it does is what WorkflowRun does."""

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def produced(self) -> Sequence[Command]:
        """What the code asked for and no event has answered yet, in order."""
        return self._instance.journal.produced

    def arrivals(self, event: Event) -> Iterator[Event]:
        """Apply the next event of the history. Yields what the code is about to
        get, each time before it does. Raises NonDeterminismError."""
        if event.type == _TASK_COMPLETED:
            self._inside(lambda: self._open_segment(event))
            seen = event.workflow_task_completed.seen
            yield from self._deliveries(seen)
            self._received = max(self._received, event.event_id)
        else:
            if event.type in _STEPS and not is_from_outside(event) and not self.produced:
                yield event
            self.replay([event])

    def leftovers(self) -> Iterator[Event]:
        """All events were applied: hand over what no worker has seen yet, as the
        next task would. Yields like `arrivals`; nothing is compared any more."""
        self._inside(self.end_replay)
        self._instance.facts.seen = max(self._instance.facts.seen, self._received)
        yield from self._deliveries(self._received)

    def _deliveries(self, last_event_id: int) -> Iterator[Event]:
        unseen = self._unseen
        while unseen and unseen[0].event_id <= last_event_id:
            yield unseen[0]
            self._inside(lambda: deliver(self._instance, unseen.popleft()))
        self._inside(self._instance.try_to_close)

    def _inside(self, work: Callable[[], None]) -> None:
        loop = self._instance.loop
        loop.enter()
        try:
            work()
        except NonDeterminismError as error:
            raise stands_still(error, self.waiting()) from None
        finally:
            loop.leave()
