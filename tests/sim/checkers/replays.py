"""Every history replays on the code that made it, to the same commands."""

from __future__ import annotations

from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1 import history_pb2
from tests.sim.checkers.base import Checker


class Replays(Checker):
    def ended(self) -> None:
        database = self.world.database
        for run in self.world.checkers.truth.by_key.values():
            rows = database.read_history(run.key)
            events = [history_pb2.HistoryEvent.FromString(row.data) for row in rows]
            definition = workflow_definition_of(self.world.code[run.workflow])
            result = replay_history(definition, events)
            if result.divergence is not None:
                self.wrong(f"{run}: {result.divergence}")
