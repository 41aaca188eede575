"""What a worker counts equals what it did."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sched_sdk import (
    Client,
    DefinitionError,
    RetryPolicy,
    Worker,
    WorkflowContext,
    WorkflowFailedError,
    activity,
    activity_context,
    workflow,
)
from sched_server import EngineServer, EngineSettings
from tests.cli.support import DEADLINE_S, Running, sched, start_dev
from tests.observability.scraping import Scrape, get, get_until, scrape, scrape_until
from tests.worker.waiting import until

ONCE = RetryPolicy(maximum_attempts=1)


@activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity(retry=ONCE)
def refuse() -> None:
    raise ValueError("no")


@workflow
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)


@workflow
async def refused(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(refuse)


@workflow
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def look(registry: CollectorRegistry) -> Scrape:
    return Scrape(generate_latest(registry).decode())


async def test_activities_and_workflow_tasks(client: Client, registry: CollectorRegistry) -> None:
    async with Worker(
        client, workflows=[hello, refused], activities=[greet, refuse], metrics=registry
    ):
        for name in "abc":
            await client.execute_workflow(hello, name)
        with pytest.raises(WorkflowFailedError):
            await client.execute_workflow(refused)
        await until(lambda: look(registry)("sched_worker_cached_runs") == 0)
        seen = look(registry)
    assert seen("sched_worker_activities_executed_total", status="completed") == 3
    assert seen("sched_worker_activities_executed_total", status="failed") == 1
    assert seen("sched_worker_activities_executed_total", status="canceled") == 0
    assert seen("sched_worker_activity_duration_seconds_count") == 4
    assert seen("sched_worker_workflow_tasks_total", outcome="completed") == 8
    assert seen("sched_worker_workflow_tasks_total", outcome="failed") == 0
    assert seen("sched_worker_replays_total") == 0
    assert seen("sched_worker_connected") == 1
    assert seen("sched_worker_reconnects_total") == 0


async def test_slots_while_something_runs(client: Client, registry: CollectorRegistry) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    @activity
    async def hold() -> None:
        entered.set()
        await go_on.wait()

    @workflow
    async def holds(ctx: WorkflowContext) -> None:
        await ctx.queue_activity(hold)

    async with Worker(
        client,
        workflows=[holds],
        activities=[hold],
        max_concurrent_activities=3,
        max_concurrent_workflow_tasks=5,
        metrics=registry,
    ):
        handle = await client.start_workflow(holds)
        await asyncio.wait_for(entered.wait(), 10)
        seen = look(registry)
        assert seen("sched_worker_slots", kind="activity") == 3
        assert seen("sched_worker_slots", kind="workflow") == 5
        assert seen("sched_worker_slots_used", kind="activity") == 1
        assert seen("sched_worker_cached_runs") == 1
        go_on.set()
        await handle.result()
        assert look(registry)("sched_worker_slots_used", kind="activity") == 0


async def test_a_run_that_left_memory_is_replayed(
    client: Client, registry: CollectorRegistry
) -> None:
    async with Worker(client, workflows=[waits], max_cached_workflows=1, metrics=registry):
        handles = [await client.start_workflow(waits) for _ in range(3)]
        await until(lambda: look(registry)("sched_worker_cache_evictions_total") == 2)
        assert look(registry)("sched_worker_cached_runs") == 1
        for handle in handles:
            await handle.signal("go")
            await handle.result()
        assert look(registry)("sched_worker_replays_total") >= 2


async def test_a_workflow_task_that_fails(client: Client, registry: CollectorRegistry) -> None:
    @workflow
    async def large(ctx: WorkflowContext) -> str:
        return "x" * (2 * 1024 * 1024)

    async with Worker(client, workflows=[large], metrics=registry):
        await client.start_workflow(large)
        await until(lambda: look(registry)("sched_worker_workflow_tasks_total", outcome="failed"))


async def test_a_stream_that_is_opened_again(tmp_path: Path, registry: CollectorRegistry) -> None:
    engine = EngineServer(EngineSettings(db=tmp_path / "state.db", port=0))
    await engine.start()
    async with Worker(engine.address, workflows=[waits], metrics=registry) as worker:
        await worker.ready()
        await engine.stop(0)
        await until(lambda: look(registry)("sched_worker_connected") == 0)
        port = int(engine.address.rpartition(":")[2])
        engine = EngineServer(EngineSettings(db=tmp_path / "state.db", port=port))
        await engine.start()
        await until(lambda: look(registry)("sched_worker_connected") == 1)
        assert look(registry)("sched_worker_reconnects_total") == 1
    await engine.stop(0)


async def test_code_that_blocks_the_loop(client: Client, registry: CollectorRegistry) -> None:
    @activity
    async def block() -> None:
        time.sleep(0.6)  # noqa: ASYNC251 - blocking is the point

    @workflow
    async def blocks(ctx: WorkflowContext) -> None:
        await ctx.queue_activity(block)

    async with Worker(client, workflows=[blocks], activities=[block], metrics=registry):
        await client.execute_workflow(blocks)
        await until(lambda: look(registry)("sched_worker_loop_blocked_seconds_total") > 0.2)


async def test_what_goes_on_elsewhere_is_no_completion(
    client: Client, registry: CollectorRegistry
) -> None:
    tokens: list[bytes] = []

    @activity
    async def delegate() -> str:
        tokens.append(activity_context().task_token)
        activity_context().complete_elsewhere()

    @workflow
    async def delegates(ctx: WorkflowContext) -> str:
        return await ctx.queue_activity(delegate)

    async with Worker(client, workflows=[delegates], activities=[delegate], metrics=registry):
        handle = await client.start_workflow(delegates)
        await until(lambda: tokens)
        await client.activity(tokens[0]).complete("done")
        assert await handle.result() == "done"
    assert len(tokens) == 1


async def test_a_registry_is_for_one_worker_at_a_time(
    client: Client, registry: CollectorRegistry
) -> None:
    async with Worker(client, workflows=[waits], metrics=registry):
        with pytest.raises(DefinitionError, match="a registry of its own"):
            Worker(client, workflows=[waits], metrics=registry)
    assert generate_latest(registry) == b"", "a worker that has stopped has left it"
    async with Worker(client, workflows=[waits], metrics=registry):
        assert look(registry).has("sched_worker_connected")


async def test_it_may_be_read_in_another_thread(
    client: Client, registry: CollectorRegistry
) -> None:
    """As prometheus_client's own server does."""
    done = threading.Event()
    problems: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                look(registry)
        except BaseException as error:
            problems.append(error)

    reader = threading.Thread(target=read)
    async with Worker(client, workflows=[hello], activities=[greet], metrics=registry):
        reader.start()
        try:
            await asyncio.gather(*(client.execute_workflow(hello, "x") for _ in range(50)))
        finally:
            done.set()
            await asyncio.to_thread(reader.join)
    assert problems == []


# -- as processes ------------------------------------------------------------------

APP = """
from sched_sdk import WorkflowContext, activity, workflow

@activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"

@workflow(name="Hello")
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)
"""
URL = r"metrics\s+(http://127\.0\.0\.1:\d+/metrics)"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


async def test_engine_and_worker_as_people_run_them(app: Path) -> None:
    dev, address = start_dev(app, "--db", ":memory:", "--metrics-port", "0")
    with dev:
        engine_url = dev.wait_for(URL).group(1)
        environment = {"SCHED_METRICS_PORT": "0", "SCHED_ENGINE_ADDRESS": address}
        with Running("worker", "app.py", cwd=app, environment=environment) as worker:
            worker_url = worker.wait_for(URL).group(1)
            worker.wait_for("serves workflow")
            assert (await get(worker_url, "/readyz")).status == 200
            done = await asyncio.to_thread(
                sched,
                *("workflow", "start", "Hello", "--input", "x", "--wait", "--engine", address),
            )
            assert done.returncode == 0, done.stderr
            of_worker = await scrape(worker_url)
            assert of_worker("sched_worker_activities_executed_total", status="completed") == 1
            of_engine = await scrape(engine_url)
            assert of_engine("sched_activities_executed_total", status="completed") == 1
            assert of_engine("process_resident_memory_bytes") > 1_000_000

            os.kill(dev.process.pid, signal.SIGKILL)
            reply = await get_until(worker_url, "/readyz", lambda r: r.status != 200)
            assert (reply.status, reply.body) == (503, "this worker has no engine\n")
            assert (await get(worker_url, "/healthz")).status == 200


async def test_after_a_reload_the_new_code_serves_them(app: Path) -> None:
    dev, address = start_dev(app, "--db", ":memory:", "--metrics-port", "0")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    options = ("--reload", "--metrics-port", port, "--engine", address)
    with dev, Running("worker", "app.py", *options, cwd=app) as worker:
        url = worker.wait_for(URL).group(1)
        worker.wait_for("serves workflow")
        before = await scrape(url)
        (app / "app.py").write_text(APP + "\n# edited\n")
        worker.wait_for("the new code serves")
        started = "process_start_time_seconds"
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await scrape_until(url, lambda s: s(started) != before(started))
                except OSError:
                    await asyncio.sleep(0.01)  # between the two
                    continue
                break


def test_a_metrics_port_that_is_taken(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = sched("worker", "app.py", "--metrics-port", port, cwd=app)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"error: 127.0.0.1:{port} cannot be used for metrics")
        done = sched("dev", "--db", ":memory:", "--port", "0", "--metrics-port", port, cwd=app)
        assert done.returncode == 1
        assert "--metrics-port" in done.stderr
        assert "Traceback" not in done.stderr


def test_dev_takes_another_port_if_the_usual_one_is_taken(app: Path) -> None:
    first, _ = start_dev(app, "--db", ":memory:")
    with first:
        second, _ = start_dev(app, "--db", ":memory:")
        with second:
            second.wait_for(r"metrics\s+http://127\.0\.0\.1:\d+/metrics \(9090 is taken\)")


def test_a_worker_has_none_unless_asked(app: Path) -> None:
    dev, address = start_dev(app, "--db", ":memory:")
    with dev, Running("worker", "app.py", "--engine", address, cwd=app) as worker:
        worker.wait_for("serves workflow")
        assert "metrics" not in worker.output
