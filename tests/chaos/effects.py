"""What the code noted while it ran, and what the histories say of it.

Nothing is recorded that never ran; the answer that counts is that of the newest
dispatch, and none is made behind it; and no step begins before what it was given
is durable.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from tests.sim.truth import Run

# Of the database's clock, at the takeover, against that of the workers.
_TOLERANCE_S = 0.05


class Effects(Checker):
    def ended(self) -> None:
        for run in self.world.checkers.truth.by_key.values():
            self._check(run)
        self._check_steps()

    def _check(self, run: Run) -> None:
        started = run.events[0].attributes
        assert isinstance(started, e.WorkflowStarted)
        copied = started.origin.event_id if started.origin is not None else 0
        for event in run.events[copied:]:
            attributes = event.attributes
            if isinstance(attributes, e.ActivityCompleted):
                self._check_activity(run, attributes)
            elif isinstance(attributes, e.StepCompleted):
                name = json.loads(attributes.result.data)[0]
                if not self.world.ledger.steps[run.run_id, name]:
                    self.wrong(f"{run}: step {name} is recorded, and never ran")

    def _check_activity(self, run: Run, completed: e.ActivityCompleted) -> None:
        attempts = self.world.ledger.attempts.get((run.run_id, completed.seq), [])
        if not attempts:
            self.wrong(f"{run}: activity {completed.seq} is completed, and never ran")
        elif run.workflow == "dispatches":
            said = int(json.loads(completed.result.data))
            newest = max(attempt.dispatch for attempt in attempts)
            if said != newest:
                self.wrong(f"{run}: dispatch {said} of {completed.seq} counted, {newest} was begun")

    def _check_steps(self) -> None:
        recorded = {
            (run.run_id, json.loads(event.attributes.result.data)[0]): event.time_us / 1e6
            for run in self.world.checkers.truth.by_key.values()
            for event in run.events
            if isinstance(event.attributes, e.StepCompleted)
        }
        for step in self.world.ledger.step_lines:
            if not step.after:
                continue
            durable = recorded.get((step.run_id, step.after))
            if durable is None or durable > step.at + _TOLERANCE_S:
                self.wrong(
                    f"{self.world.checkers.truth.by_run_id.get(step.run_id)}: step {step.name} "
                    f"began at {step.at:.3f}, {step.after} was recorded at {durable}"
                )
