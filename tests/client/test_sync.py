"""The synchronous face."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sched_sdk import SyncClient, WorkflowFailedError, WorkflowNotFoundError
from sched_sdk._client import SyncWorkflowHandle
from sched_server import EngineServer, EngineSettings

ROOT = Path(__file__).parent.parent.parent


def test_the_file_is_what_the_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import generate_sync_client

    try:
        expected = generate_sync_client.generate()
    finally:
        del sys.modules["generate_sync_client"]
    assert generate_sync_client.TARGET.read_text() == expected


@pytest.fixture
def address() -> Iterator[str]:
    """An engine in a thread of its own."""
    started, stop = threading.Event(), asyncio.Event()
    server: list[EngineServer] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        engine = EngineServer(EngineSettings(db=":memory:", port=0))
        await engine.start()
        server.append(engine)
        started.set()
        await stop.wait()
        await engine.stop(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield server[0].address
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_calls_wait(address: str) -> None:
    with SyncClient.connect(address) as client:
        handle = client.start_workflow("order", "tea", id="o1")
        assert isinstance(handle, SyncWorkflowHandle)
        handle.signal("s", 1)
        assert handle.describe().input == ("tea",)
        assert [event.type for event in handle.history()] == ["WorkflowStarted", "SignalReceived"]
        handle.terminate()
        with pytest.raises(WorkflowFailedError):
            client.workflow("o1").result(timeout=60)
        with pytest.raises(WorkflowNotFoundError):
            client.workflow("nobody").describe()
        assert [info.workflow_id for info in client.list_workflows()] == ["o1"]
        assert client.count_workflows().total == 1
        assert client.cluster_status().address == address
        assert repr(handle).startswith("SyncWorkflowHandle(id='o1'")
    with pytest.raises(RuntimeError, match="closed"):
        client.count_workflows()


def test_an_iteration_may_be_left(address: str) -> None:
    with SyncClient.connect(address) as client:
        for number in range(3):
            client.start_workflow("order", id=f"o{number}")
        for _ in client.workflow("o1").history(follow=True):
            break
        for _ in client.list_workflows():
            break


def test_threads_may_share_a_client(address: str) -> None:
    with SyncClient.connect(address) as client:
        threads = [
            threading.Thread(target=client.start_workflow, args=("order",)) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.count_workflows().total == 20


def test_it_does_not_block_a_running_loop(address: str) -> None:
    with SyncClient.connect(address) as client:

        async def wrong() -> None:
            client.count_workflows()

        with pytest.raises(RuntimeError, match="use `Client` in async code"):
            asyncio.run(wrong())
