"""What a client was told is durable when it is told, and stays: nothing
acknowledged is lost, ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from tests.sim.ledger import Acknowledged


class Acknowledgements(Checker):
    def acknowledged(self, acknowledged: Acknowledged) -> None:
        self._check(acknowledged)

    def ended(self) -> None:
        for acknowledged in self.world.ledger.acknowledged:
            self._check(acknowledged)

    def _check(self, told: Acknowledged) -> None:
        run = self.world.checkers.truth.by_run_id.get(told.run_id)
        if run is None:
            self.wrong(f"{told} is acknowledged, and there is no such run")
            return
        kinds = [event.attributes for event in run.events]
        holds = True
        match told.kind:
            case "start":
                first = kinds[0]
                holds = isinstance(first, e.WorkflowStarted) and first.request_id == told.detail
            case "signal":
                holds = any(
                    isinstance(kind, e.SignalReceived) and kind.request_id == told.detail
                    for kind in kinds
                )
            case "cancel":
                holds = any(isinstance(kind, e.WorkflowCancelRequested) for kind in kinds)
            case "terminate":
                holds = isinstance(kinds[-1], e.WorkflowTerminated) or run.closed
            case "result":
                last = self.world.checkers.truth.last(told.run_id)
                holds = last is not None and last.closed and last.status_name == told.detail
            case "elsewhere":
                holds = any(isinstance(kind, e.ActivityCompleted) for kind in kinds)
            case "history":
                holds = run.closed and len(run.events) == int(told.detail)
        if not holds:
            self.wrong(f"{told} is acknowledged, and not there: {run}")
