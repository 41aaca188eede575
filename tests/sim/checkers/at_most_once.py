"""An activity with one attempt runs once at most; one with two, twice at most,
unless workers were lost with it; and no attempt begins behind the last result."""

from __future__ import annotations

from sched_server.core import events as e
from tests.sim.checkers.base import Checker


class AtMostOnce(Checker):
    def ended(self) -> None:
        for run in self.world.checkers.truth.by_key.values():
            for event in run.events:
                attributes = event.attributes
                if not isinstance(attributes, e.ActivityScheduled):
                    continue
                attempts = self.world.ledger.attempts.get((run.run_id, attributes.seq), [])
                dispatches = [attempt.dispatch for attempt in attempts]
                if len(set(dispatches)) != len(dispatches):
                    self.wrong(f"{run}: a dispatch of {attributes.seq} ran twice: {dispatches}")
                limit = attributes.retry.maximum_attempts
                if limit == 1 and len(attempts) > 1:
                    self.wrong(f"{run}: {attributes.name} may run once, and ran {attempts}")
                if limit and any(attempt.number > limit for attempt in attempts):
                    self.wrong(f"{run}: {attributes.name} had an attempt above {limit}")
