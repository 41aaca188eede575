"""What is begun anew from an earlier point is the same up to there: the events of a
copy, and the signals that came later, each once. A reset ends its source in the
same transaction, and no signal that was acknowledged on the way gets lost: it is in
exactly one place of the run that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.deciders.copy import IN_SEGMENT
from sched_server.core.events import EVENT_TYPES, TERMINAL
from sched_server.core.values import Status
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import CommitBatch, RunChange
    from tests.sim.truth import Run
    from tests.sim.world import World

WITHOUT_SIGNALS = "-without-signals"
_STARTED_ANEW = ("workflow_id", "run_id", "request_id", "identity", "previous_run_id", "origin")


class Copies(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._fresh: list[Run] = []
        """Ended for another run, or begun for one, in the transaction of now."""

    def committing(self, batch: CommitBatch) -> None:
        self._check_pairs()

    def looked(self) -> None:
        self._check_pairs()

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        if change.created is not None and run.origin is not None:
            self._check_copy(run)
        if run.successor or run.origin is not None:
            self._fresh.append(run)

    def _check_pairs(self) -> None:
        """Behind a transaction: whoever was reset has ended and has a successor."""
        truth = self.world.checkers.truth
        fresh, self._fresh = self._fresh, []
        for run in fresh:
            if run.successor and run.successor not in truth.by_run_id:
                self.wrong(f"{run}: ended for {run.successor}, which there is not")
            origin = run.origin
            if origin is not None and origin.workflow_id == run.workflow_id:
                source = truth.by_run_id[origin.run_id]
                if not source.closed:
                    self.wrong(f"{run}: begun for {source}, which goes on")

    def _check_copy(self, run: Run) -> None:
        origin = run.origin
        assert origin is not None
        source = self.world.checkers.truth.by_run_id.get(origin.run_id)
        if source is None:
            self.wrong(f"{run}: a copy of nothing")
            return
        kept = origin.event_id
        for ours, theirs in zip(run.events[1:kept], source.events[1:kept], strict=True):
            if ours != theirs:
                self.wrong(f"{run}: event {ours.event_id} is not that of {source}")
        self._check_start(run, source)
        if kept < len(source.events):
            behind = EVENT_TYPES[type(source.events[kept].attributes)]
            last = type(source.events[kept - 1].attributes)
            if behind in IN_SEGMENT and last not in TERMINAL:
                self.wrong(f"{run}: cut in the middle of a segment, behind event {kept}")
        self._check_signals(run, source, kept, origin.signals)

    def _check_start(self, run: Run, source: Run) -> None:
        ours, theirs = run.events[0], source.events[0]
        for name in ours.attributes.__struct_fields__:
            same = getattr(ours.attributes, name) == getattr(theirs.attributes, name)
            if not same and name not in _STARTED_ANEW:
                self.wrong(f"{run}: starts with another {name} than {source}")
        if ours.time_us != theirs.time_us:
            self.wrong(f"{run}: starts at another time than {source}")

    def _check_signals(self, run: Run, source: Run, kept: int, count: int) -> None:
        """Those behind the cut follow it, in order, or none of them does."""
        later = _signals(source.events[kept:])
        carried = _signals(run.events[kept:])
        started = run.events[0].attributes
        assert isinstance(started, e.WorkflowStarted)
        # Clients give such a request an id that says so.
        expected = [] if started.request_id.endswith(WITHOUT_SIGNALS) else later
        if carried != expected or len(carried) != count:
            self.wrong(f"{run}: {carried} are carried over from {source}, not {expected}")

    def ended(self) -> None:
        truth = self.world.checkers.truth
        for told in self.world.ledger.acknowledged:
            if told.kind != "signal":
                continue
            run = truth.last(told.run_id)
            if run is None:
                continue
            times = _signals(run.events).count(told.detail)
            if times != 1:
                self.wrong(f"{run}: signal {told.detail} is in it {times} times")
        for run in truth.by_key.values():
            if run.successor and run.status != Status.TERMINATED:
                self.wrong(f"{run}: has a successor, and was not ended for it")


def _signals(events: list[Event]) -> list[str]:
    return [
        event.attributes.request_id
        for event in events
        if isinstance(event.attributes, e.SignalReceived)
    ]
