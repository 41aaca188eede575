"""Traces of runs whose engine and workers were killed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace

from sched_sdk import Client
from sched_server import EngineServer
from tests.crash.processes import Member, free_port
from tests.ha.cluster import until as until_awaited
from tests.tracing.receiver import SKEW_NS, GrpcReceiver
from tests.worker.waiting import until

APP = Path(__file__).with_name("app.py")

pytestmark = pytest.mark.usefixtures("traced")


class Processes:
    """Engines and workers that trace; all are killed at the end."""

    def __init__(self, folder: Path, receiver: GrpcReceiver) -> None:
        self._folder = folder
        self._environment = {"MARKS": str(folder), "SCHED_OTLP_ENDPOINT": receiver.url}
        self._members: list[Member] = []

    def start(self, name: str, *arguments: str) -> Member:
        member = Member(name, list(arguments), self._environment, self._folder)
        self._members.append(member)
        member.start()
        return member

    def end(self) -> None:
        for member in self._members:
            member.kill()
            print(f"--- {member.name}\n{member.log}")


@pytest.fixture
def processes(tmp_path: Path, receiver: GrpcReceiver) -> Iterator[Processes]:
    processes = Processes(tmp_path, receiver)
    yield processes
    processes.end()


async def test_everybody_is_killed_in_the_middle_of_a_run(
    processes: Processes, tmp_path: Path, receiver: GrpcReceiver
) -> None:
    port = free_port()
    serving = ("dev", "--db", str(tmp_path / "state.db"), "--port", str(port))
    working = ("worker", str(APP), "--engine", f"127.0.0.1:{port}")
    engine = processes.start("engine", *serving, "--metrics-port", "0")
    worker = processes.start("worker", *working)
    async with await Client.connect(f"127.0.0.1:{port}", timeout=20) as client:
        with trace.get_tracer("app").start_as_current_span("request"):
            handle = await client.start_workflow("goes_on")

        async def first_is_over() -> bool:
            return "ActivityCompleted" in [event.type async for event in handle.history()]

        await receiver.named("activity.first")
        # Its span may come before its end is durable; killed now, it would run twice.
        await until_awaited(first_is_over, "the first activity is over")
        engine.kill()
        worker.kill()
        engine.start()
        worker.start()
        await handle.signal("go")
        await handle.result()
    (run,) = await receiver.named("workflow.goes_on")
    (first,) = await receiver.named("activity.first")
    (second,) = await receiver.named("activity.second")
    (start,) = await receiver.named("start_workflow.goes_on")
    (request,) = await receiver.named("request")
    assert start.parent_id == request.span_id
    assert run.parent_id == start.span_id
    assert first.parent_id == second.parent_id == run.span_id
    assert {span.trace_id for span in receiver.spans} == {request.trace_id}
    assert len(receiver.spans) == 5
    assert run.start_ns - SKEW_NS < first.start_ns < second.start_ns < run.end_ns + SKEW_NS


async def test_a_worker_is_killed_in_an_activity(
    processes: Processes,
    tmp_path: Path,
    receiver: GrpcReceiver,
    engine: EngineServer,
    client: Client,
) -> None:
    """What it ran it takes with it; the execution that ends has its span."""
    worker = processes.start("worker", "worker", str(APP), "--engine", engine.address)
    handle = await client.start_workflow("survives")
    await until((tmp_path / "deadly").exists)
    worker.kill()
    worker.start()
    await handle.result()
    (run,) = await receiver.named("workflow.survives")
    (survivor,) = await receiver.named("activity.deadly")
    assert survivor.parent_id == run.span_id
    assert survivor.attributes["sched.attempt"] == 1, "a lost worker uses up no attempt"
    assert survivor.service == "sched-worker"
    assert len(await receiver.named("start_workflow.survives")) == 1
    assert len(receiver.spans) == 3
