"""For every test: each history that real workers made is replayed at the end.

Whatever a test is about, when its engine stops, the histories in its store must
replay on the code that its workers had, and captures must say all of them. A
test whose point is a divergence is marked with `diverges`.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from typing import Any

import pytest

from sched_sdk import Worker
from sched_sdk._capture.events import event_from_json, event_to_json
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1.history_pb2 import HistoryEvent
from sched_server import EngineServer
from sched_server.store.port import RunFilter, RunRow, Store

# Long histories are more of the same.
MAXIMUM_CAPTURED = 200

Definitions = dict[str, list[WorkflowDefinition]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "diverges: code and history part on purpose; nothing is replayed at the end"
    )


@pytest.fixture(autouse=True)
def replay_what_ran(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions: Definitions = defaultdict(list)
    create, stop = Worker.__init__, EngineServer.stop

    @functools.wraps(create)
    def creates(self: Worker, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        for function in options.get("workflows", ()):
            definition = workflow_definition_of(function)
            definitions[definition.name].append(definition)

    async def stops(self: EngineServer, grace_s: float = 1.0) -> None:
        if self._store is not None and self._server is not None and self._stopping is None:
            await replay_store(self._store, definitions)
        await stop(self, grace_s)

    if request.node.get_closest_marker("diverges") is None:
        monkeypatch.setattr(Worker, "__init__", creates)
        monkeypatch.setattr(EngineServer, "stop", stops)


async def replay_store(store: Store, definitions: Definitions) -> None:
    for row in await store.list_runs(RunFilter(), after=None, limit=100_000):
        candidates = definitions.get(row.workflow_type)
        if candidates:
            events = await _history(store, row)
            check_capture(events)
            divergences = [replay_history(d, events).divergence for d in candidates]
            assert None in divergences, f"{row.workflow_id} does not replay: {divergences}"


def check_capture(events: list[HistoryEvent]) -> None:
    """What is captured of a real history is the history, bit by bit."""
    for event in events[:MAXIMUM_CAPTURED]:
        data = json.loads(json.dumps(event_to_json(event)))
        assert "stored" not in data, f"{data} does not say what was stored"
        assert event_from_json(data, exact=True) == event


async def _history(store: Store, row: RunRow) -> list[HistoryEvent]:
    rows = await store.read_history(
        row.run_key, after_event_id=0, limit=1_000_000, max_bytes=1 << 40
    )
    return [HistoryEvent.FromString(event.data) for event in rows]
