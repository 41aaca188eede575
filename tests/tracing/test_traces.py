"""Which spans there are, and how they hang together."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import time
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from prometheus_client import CollectorRegistry

from sched_sdk import (
    Client,
    RetryPolicy,
    SyncClient,
    Worker,
    WorkflowAlreadyStartedError,
    WorkflowContext,
    WorkflowFailedError,
    activity,
    activity_context,
    workflow,
)
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._payloads import encode_all
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1.history_pb2 import HistoryEvent
from sched_sdk.api.v1.workflow_service_pb2 import GetHistoryRequest, StartWorkflowRequest
from sched_sdk.api.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from sched_server import EngineServer, EngineSettings
from sched_server.observability.otlp import SpanSender
from tests.tracing.receiver import NO_PARENT, SKEW_NS, GrpcReceiver, HttpReceiver
from tests.worker.waiting import until

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

pytestmark = pytest.mark.usefixtures("traced")


def span_of_the_app(name: str) -> AbstractContextManager[trace.Span]:
    return trace.get_tracer("app").start_as_current_span(name)


@activity
async def greet(name: str) -> str:
    with span_of_the_app("look up"):
        await asyncio.sleep(0)
    return f"Hello, {name}!"


@activity
def greet_in_thread(name: str) -> str:
    with span_of_the_app("look up in thread"):
        return f"Hello, {name}!"


@activity(retry=RetryPolicy(initial_interval=0.01, maximum_attempts=3))
async def flaky() -> int:
    attempt = activity_context().attempt
    if attempt < 3:
        raise ValueError(f"try {attempt}")
    return attempt


@activity(retry=RetryPolicy(maximum_attempts=1))
async def tell_context() -> str:
    context = trace.get_current_span().get_span_context()
    sampled = int(context.trace_flags.sampled)
    return f"{context.trace_id:032x} {sampled} {context.trace_state.to_header()}"


@workflow
async def greets(ctx: WorkflowContext, name: str) -> str:
    await ctx.queue_activity(greet, name)
    return await ctx.queue_activity(greet_in_thread, name)


@workflow
async def tries(ctx: WorkflowContext) -> int:
    return await ctx.queue_activity(flaky)


@workflow
async def fails(ctx: WorkflowContext) -> None:
    raise ValueError("no")


@workflow
async def tells_context(ctx: WorkflowContext) -> str:
    return await ctx.queue_activity(tell_context)


@workflow
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


WORKFLOWS = [greets, tries, fails, tells_context, waits]
ACTIVITIES = [greet, greet_in_thread, flaky, tell_context]


def worker_of(client: Client) -> Worker:
    return Worker(client, workflows=WORKFLOWS, activities=ACTIVITIES)


# -- one trace ---------------------------------------------------------------------


async def test_a_trace_from_the_caller_to_the_code_of_activities(
    client: Client, receiver: GrpcReceiver
) -> None:
    before = time.time_ns()
    async with worker_of(client):
        with span_of_the_app("request"):
            await client.execute_workflow(greets, "world", id="greets-1")
    (request,) = await receiver.named("request")
    (start,) = await receiver.named("start_workflow.greets")
    (run,) = await receiver.named("workflow.greets")
    (greeting,) = await receiver.named("activity.greet")
    (in_thread,) = await receiver.named("activity.greet_in_thread")
    (look_up,) = await receiver.named("look up")
    (look_up_in_thread,) = await receiver.named("look up in thread")

    assert {span.trace_id for span in receiver.spans} == {request.trace_id}
    assert start.parent_id == request.span_id
    assert run.parent_id == start.span_id
    assert greeting.parent_id == in_thread.parent_id == run.span_id
    assert look_up.parent_id == greeting.span_id
    assert look_up_in_thread.parent_id == in_thread.span_id
    assert (start.kind, run.kind, greeting.kind) == ("CLIENT", "SERVER", "CONSUMER")
    assert (run.service, greeting.service) == ("sched-engine", "test")
    assert {span.status for span in receiver.spans} == {"UNSET"}
    assert before - SKEW_NS < run.start_ns < greeting.start_ns + SKEW_NS
    assert greeting.start_ns < greeting.end_ns < in_thread.start_ns < in_thread.end_ns
    assert in_thread.end_ns - SKEW_NS < run.end_ns < time.time_ns() + SKEW_NS

    run_id = run.attributes["sched.run_id"]
    assert start.attributes == {
        "sched.workflow_id": "greets-1",
        "sched.run_id": run_id,
        "sched.workflow_name": "greets",
        "sched.task_queue": "default",
    }
    assert run.attributes == {
        **start.attributes,
        "sched.status": "completed",
        "sched.history_events": 9,
    }
    assert greeting.attributes == {
        **start.attributes,
        "sched.activity_name": "greet",
        "sched.activity_seq": 1,
        "sched.attempt": 1,
        "sched.status": "completed",
    }


async def test_over_http(http_receiver: HttpReceiver) -> None:
    engine = EngineServer(EngineSettings(db=":memory:", port=0, otlp_endpoint=http_receiver.url))
    await engine.start()
    async with (
        await Client.connect(engine.address) as client,
        Worker(client, workflows=[fails]),
    ):
        with contextlib.suppress(WorkflowFailedError):
            await client.execute_workflow(fails)
    (run,) = await http_receiver.named("workflow.fails")
    assert run.status == "ERROR"
    await engine.stop(0)


async def test_headers_for_the_receiver(
    receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "billing")
    sender = SpanSender(receiver.url, "sched-worker")
    sender.provider().get_tracer("app").start_span("one").end()
    await sender.close()
    assert [span.service for span in await receiver.named("one")] == ["billing"]
    assert receiver.headers[0]["authorization"] == "Bearer abc"


async def test_the_synchronous_client(engine: EngineServer, receiver: GrpcReceiver) -> None:
    def view() -> None:
        with (
            SyncClient.connect(engine.address) as client,
            span_of_the_app("view"),
        ):
            client.start_workflow(waits).terminate("enough")

    await asyncio.to_thread(view)
    (view_span,) = await receiver.named("view")
    (start,) = await receiver.named("start_workflow.waits")
    (run,) = await receiver.named("workflow.waits")
    assert start.parent_id == view_span.span_id
    assert run.parent_id == start.span_id


async def test_a_start_that_is_refused(client: Client, receiver: GrpcReceiver) -> None:
    await client.start_workflow(waits, id="one")
    with pytest.raises(WorkflowAlreadyStartedError):
        await client.start_workflow(waits, id="one")
    started, refused = await receiver.named("start_workflow.waits", 2)
    assert (started.status, refused.status) == ("UNSET", "ERROR")
    assert "already running" in refused.message


async def test_a_start_that_is_closed_in_another_context(
    client: Client, receiver: GrpcReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """As the garbage collector closes it, when nobody keeps its task."""
    start: Any = client.start_workflow(waits)
    contextvars.copy_context().run(start.send, None)
    start.close()
    (span,) = await receiver.named("start_workflow.waits")
    assert span.status == "UNSET"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_workflow_that_an_activity_starts(client: Client, receiver: GrpcReceiver) -> None:
    @activity
    async def start_another() -> None:
        await client.start_workflow(fails)

    @workflow
    async def starts(ctx: WorkflowContext) -> None:
        await ctx.queue_activity(start_another)

    async with Worker(client, workflows=[starts, fails], activities=[start_another]):
        await client.execute_workflow(starts)
        (run,) = await receiver.named("workflow.fails")
    (start,) = await receiver.named("start_workflow.fails")
    (parent,) = await receiver.named("activity.start_another")
    assert run.parent_id == start.span_id
    assert start.parent_id == parent.span_id


# -- the caller's context ------------------------------------------------------------


async def call(engine: EngineServer, name: str, **fields: str) -> str:
    """Start a workflow as a program without OpenTelemetry, or in another language,
    does; returns its result, if it has one, as JSON."""
    async with grpc.aio.insecure_channel(engine.address) as channel:
        stub: Any = WorkflowServiceStub(channel)
        request = StartWorkflowRequest(workflow_type=name, wait_ms=10_000, **fields)
        response = await stub.StartWorkflow(request)
    return response.outcome.result.data.decode()


async def test_a_start_without_a_context_begins_a_trace(
    engine: EngineServer, client: Client, receiver: GrpcReceiver
) -> None:
    async with worker_of(client):
        await call(engine, "greets", input=encode_all(["world"]))
        await call(engine, "greets", input=encode_all(["world"]))
    runs = await receiver.named("workflow.greets", 2)
    activities = await receiver.named("activity.greet", 2)
    assert [run.parent_id for run in runs] == [NO_PARENT, NO_PARENT]
    assert [x.parent_id for x in activities] == [run.span_id for run in runs]
    assert [x.trace_id for x in activities] == [run.trace_id for run in runs]
    assert runs[0].trace_id != runs[1].trace_id


async def test_the_callers_flag_and_state_are_passed_on(
    engine: EngineServer, client: Client, receiver: GrpcReceiver
) -> None:
    async with worker_of(client):
        sampled, not_sampled = [
            json.loads(
                await call(engine, "tells_context", traceparent=CALLER + flag, tracestate="a=1,b=2")
            )
            for flag in ("-01", "-00")
        ]
        await call(engine, "fails")  # what comes before it has been decided
        await receiver.named("workflow.fails")
    assert sampled == f"{CALLER[3:35]} 1 a=1,b=2"
    assert not_sampled == f"{CALLER[3:35]} 0 a=1,b=2"
    (run,) = await receiver.named("workflow.tells_context")
    (told,) = await receiver.named("activity.tell_context")
    assert run.parent_id == CALLER[36:]
    assert run.trace_state == told.trace_state == "a=1,b=2"


@pytest.mark.parametrize(
    ("traceparent", "tracestate"),
    [
        ("nonsense", ""),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", ""),
        (f"{CALLER}-01-more", ""),
        ("", "a=1"),
        (f"ff{CALLER[2:]}-01", "a=1"),
    ],
)
async def test_a_context_that_cannot_be_read_is_none(
    engine: EngineServer,
    client: Client,
    receiver: GrpcReceiver,
    traceparent: str,
    tracestate: str,
) -> None:
    async with worker_of(client):
        await call(engine, "fails", traceparent=traceparent, tracestate=tracestate)
    (run,) = await receiver.named("workflow.fails")
    assert (run.parent_id, run.trace_state) == (NO_PARENT, "")


async def test_an_endless_state_is_left_out(
    engine: EngineServer, client: Client, receiver: GrpcReceiver
) -> None:
    async with worker_of(client):
        await call(engine, "fails", traceparent=f"{CALLER}-01", tracestate="a=" + "1" * 600)
    (run,) = await receiver.named("workflow.fails")
    assert (run.parent_id, run.trace_state) == (CALLER[36:], "")


async def test_an_engine_that_makes_no_spans_passes_the_context_on(
    receiver: GrpcReceiver,
) -> None:
    engine = EngineServer(EngineSettings(db=":memory:", port=0))
    await engine.start()
    async with await Client.connect(engine.address) as client, worker_of(client):
        await client.execute_workflow(tries)
    await engine.stop(0)
    (start,) = await receiver.named("start_workflow.tries")
    attempts = await receiver.named("activity.flaky", 3)
    assert {span.parent_id for span in attempts} == {start.span_id}


async def test_the_usual_sampler_variables_count(
    receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    engine = EngineServer(EngineSettings(db=":memory:", port=0, otlp_endpoint=receiver.url))
    await engine.start()
    async with await Client.connect(engine.address) as client, worker_of(client):
        unsampled = json.loads(await call(engine, "tells_context"))
        await call(engine, "fails", traceparent=f"{CALLER}-01")
    await engine.stop(0)
    assert unsampled.split()[1] == "0"
    await receiver.named("workflow.fails")
    assert {span.name for span in receiver.spans} == {"workflow.fails"}


# -- how runs and attempts end ---------------------------------------------------------


async def test_each_attempt_has_a_span(client: Client, receiver: GrpcReceiver) -> None:
    async with worker_of(client):
        await client.execute_workflow(tries)
        (run,) = await receiver.named("workflow.tries")
    attempts = await receiver.named("activity.flaky", 3)
    assert {span.parent_id for span in attempts} == {run.span_id}
    assert [span.attributes["sched.attempt"] for span in attempts] == [1, 2, 3]
    assert [span.attributes["sched.status"] for span in attempts] == [
        "failed",
        "failed",
        "completed",
    ]
    assert [span.status for span in attempts] == ["ERROR", "ERROR", "UNSET"]
    assert [span.events for span in attempts] == [["exception"], ["exception"], []]
    assert attempts[0].message == "ValueError: try 1"
    assert attempts[0].attributes["error.type"] == "ValueError"


async def test_attempts_that_end_otherwise(client: Client, receiver: GrpcReceiver) -> None:
    entered = asyncio.Event()

    @activity
    async def hold(how: str) -> None:
        if how == "detached":
            activity_context().complete_elsewhere()
        entered.set()
        await asyncio.Event().wait()

    @workflow
    async def holds(ctx: WorkflowContext, how: str) -> None:
        await ctx.queue_activity(hold, how)

    async with Worker(client, workflows=[holds], activities=[hold]):
        for how in ("detached", "canceled", "abandoned"):
            entered.clear()
            handle = await client.start_workflow(holds, how)
            if how == "detached":
                await receiver.named("activity.hold")
                await handle.terminate()
                continue
            await asyncio.wait_for(entered.wait(), 10)
            await (handle.cancel() if how == "canceled" else handle.terminate())
            with contextlib.suppress(WorkflowFailedError):
                await handle.result()
        await until(lambda: sum(x.name == "activity.hold" for x in receiver.spans) == 3)
    spans = await receiver.named("activity.hold", 3)
    assert [x.attributes["sched.status"] for x in spans] == ["detached", "canceled", "abandoned"]
    assert {span.status for span in spans} == {"UNSET"}


async def test_every_way_to_end_a_run(client: Client, receiver: GrpcReceiver) -> None:
    async with worker_of(client):
        with contextlib.suppress(WorkflowFailedError):
            await client.execute_workflow(fails, id="failed")
        for how in ("canceled", "terminated"):
            handle = await client.start_workflow(waits, id=how)
            await (handle.cancel() if how == "canceled" else handle.terminate("enough"))
            with contextlib.suppress(WorkflowFailedError):
                await handle.result()
        await client.start_workflow(waits, id="timed_out", execution_timeout=0.01)
        await client.start_workflow(waits, id="replaced")
        goes_on = await client.start_workflow(
            waits, id="replaced", id_conflict="terminate_existing"
        )
        await goes_on.signal("go")
        await goes_on.result()
        runs = [*await receiver.named("workflow.fails"), *await receiver.named("workflow.waits", 5)]
    ends = [
        (x.attributes["sched.workflow_id"], x.attributes["sched.status"], x.status, x.message)
        for x in runs
    ]
    assert sorted(ends) == [
        ("canceled", "canceled", "UNSET", ""),
        ("failed", "failed", "ERROR", "ValueError: no"),
        ("replaced", "completed", "UNSET", ""),
        (
            "replaced",
            "terminated",
            "ERROR",
            "terminated: replaced by a new run under the same workflow id",
        ),
        ("terminated", "terminated", "ERROR", "terminated: enough"),
        (
            "timed_out",
            "timed_out",
            "ERROR",
            "execution: the workflow did not end within its execution timeout of 0.01 s",
        ),
    ]
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)


# -- replay ----------------------------------------------------------------------------


@workflow
async def slowly(ctx: WorkflowContext) -> None:
    for _ in range(3):
        await ctx.queue_activity(greet, "world")
        await ctx.wait_for_signal("go")


@pytest.mark.parametrize("cached", [1, 100])
async def test_replay_makes_no_spans(client: Client, receiver: GrpcReceiver, cached: int) -> None:
    """Three runs that take turns: with room for one of them, each turn is a replay."""
    registry = CollectorRegistry()
    async with Worker(
        client,
        workflows=[slowly],
        activities=[greet],
        max_cached_workflows=cached,
        metrics=registry,
    ):
        handles = [await client.start_workflow(slowly) for _ in range(3)]
        for turn in range(3):
            await receiver.named("activity.greet", 3 * (turn + 1))
            for handle in handles:
                await handle.signal("go")
        for handle in handles:
            await handle.result()
        replays = registry.get_sample_value("sched_worker_replays_total")
    await receiver.named("workflow.slowly", 3)
    assert bool(replays) == (cached == 1)
    assert Counter(span.name for span in receiver.spans) == {
        "start_workflow.slowly": 3,
        "workflow.slowly": 3,
        "activity.greet": 9,
        "look up": 9,
    }


async def test_replaying_a_history_makes_no_spans(
    client: Client, receiver: GrpcReceiver, traced: SpanSender
) -> None:
    async with worker_of(client):
        handle = await client.start_workflow(greets, "world")
        await handle.result()
        await receiver.named("workflow.greets")
    async with grpc.aio.insecure_channel(client.addresses[0]) as channel:
        stub: Any = WorkflowServiceStub(channel)
        page = await stub.GetHistory(GetHistoryRequest(workflow_id=handle.id))
    traced.processor.force_flush()
    before = len(receiver.spans)
    events = [HistoryEvent.FromString(data) for data in page.events]
    result = replay_history(workflow_definition_of(greets), events)
    assert result.closed
    assert result.divergence is None
    traced.processor.force_flush()
    assert len(receiver.spans) == before


async def test_a_reset_run_has_a_span_of_its_own_and_what_is_kept_none(
    client: Client, receiver: GrpcReceiver
) -> None:
    async with worker_of(client):
        handle = await client.start_workflow(greets, "world")
        await handle.result()
        (before,) = await receiver.named("workflow.greets")
        again = await handle.reset("last")
        await again.result()
        spans = await receiver.named("workflow.greets", 2)
    after = spans[1]
    assert after.attributes["sched.run_id"] == again.run_id
    assert after.span_id != before.span_id
    assert (after.trace_id, after.parent_id) == (before.trace_id, before.parent_id)
    assert after.start_ns > before.end_ns, "it begins with the reset"
    names = Counter(span.name for span in receiver.spans)
    assert names["activity.greet"] == names["activity.greet_in_thread"] == 1
