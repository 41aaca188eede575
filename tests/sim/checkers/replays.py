"""Every history replays on the code that made it, to the same commands."""

from __future__ import annotations

from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1 import history_pb2
from sched_server.store.sqlite import read
from tests.sim.checkers.base import Checker
from tests.sim.workflows import BY_NAME


class Replays(Checker):
    def ended(self) -> None:
        connection = self.world.database.connection
        for run in self.world.checkers.truth.by_key.values():
            rows = read.history(connection, run.key, 0, 1 << 30, 1 << 40)
            events = [history_pb2.HistoryEvent.FromString(row.data) for row in rows]
            definition = workflow_definition_of(BY_NAME[run.workflow])
            result = replay_history(definition, events)
            if result.divergence is not None:
                self.wrong(f"{run}: {result.divergence}")
