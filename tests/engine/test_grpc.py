"""The same engine through real gRPC: streams, unary calls, statuses, restarts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sched_sdk.api.v1 import cluster_service_pb2, common_pb2, history_pb2
from sched_sdk.api.v1 import worker_service_pb2 as worker_pb
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import EngineServer
from sched_server.errors import EngineStartError
from sched_server.settings import MEMORY, ApiLimits, EngineSettings

from .harness import RESULT, claim, complete, event_names, within
from .remote import START, Stream, result_call, serving

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = worker_pb.SegmentAck.OUTCOME_ACCEPTED


# ---------------------------------------------------------------- unary calls


async def test_a_workflow_from_start_to_result() -> None:
    async with serving() as remote:
        worker = remote.worker("w")
        started = await remote.client.StartWorkflow(START)
        welcome = await within(worker.welcome.get())
        assert welcome.epoch == 1
        assert welcome.workflow_task_timeout_us == 10_000_000

        assert (await worker.close(await worker.task())).outcome == ACCEPTED

        reply = await remote.client.GetWorkflowResult(
            pb.GetWorkflowResultRequest(workflow_id="wf", wait_ms=5_000)
        )
        assert reply.outcome.run_id == started.run_id
        assert reply.outcome.status == common_pb2.WORKFLOW_STATUS_COMPLETED
        await worker.disconnect()


async def test_every_unary_call_is_served() -> None:
    async with serving() as remote:
        client = remote.client
        await client.StartWorkflow(START)
        await client.SignalWorkflow(pb.SignalWorkflowRequest(workflow_id="wf", name="go"))
        await client.CancelWorkflow(pb.CancelWorkflowRequest(workflow_id="wf"))
        described = await client.DescribeWorkflow(pb.DescribeWorkflowRequest(workflow_id="wf"))
        assert described.cancel_requested
        await client.TerminateWorkflow(pb.TerminateWorkflowRequest(workflow_id="wf"))
        listed = await client.ListWorkflows(pb.ListWorkflowsRequest())
        assert [info.workflow_id for info in listed.workflows] == ["wf"]
        counted = await client.CountWorkflows(pb.CountWorkflowsRequest())
        assert counted.total == 1


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason"),
    [
        (
            "SignalWorkflow",
            pb.SignalWorkflowRequest(workflow_id="nobody", name="go"),
            grpc.StatusCode.NOT_FOUND,
            "WORKFLOW_NOT_FOUND",
        ),
        ("StartWorkflow", START, grpc.StatusCode.ALREADY_EXISTS, "WORKFLOW_ALREADY_STARTED"),
        (
            "StartWorkflow",
            pb.StartWorkflowRequest(),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_ARGUMENT",
        ),
        (
            "StartWorkflow",
            pb.StartWorkflowRequest(
                workflow_type="X", input=[common_pb2.Payload(data=b"x" * 3_000_000)]
            ),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "LIMIT_EXCEEDED",
        ),
        (
            "SignalWorkflow",
            pb.SignalWorkflowRequest(workflow_id="closed", name="go"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "WORKFLOW_CLOSED",
        ),
    ],
)
async def test_errors_have_a_status_and_a_reason(
    method: str, request_: Any, code: grpc.StatusCode, reason: str
) -> None:
    async with serving() as remote:
        await remote.client.StartWorkflow(START)
        await remote.client.StartWorkflow(
            pb.StartWorkflowRequest(workflow_id="closed", workflow_type="Order")
        )
        await remote.client.TerminateWorkflow(pb.TerminateWorkflowRequest(workflow_id="closed"))

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(remote.client, method)(request_)

        assert caught.value.code() == code
        metadata: Any = caught.value.trailing_metadata()
        assert dict(metadata)["sched-reason"] == reason
        assert caught.value.details()


# ---------------------------------------------------------------- histories


async def test_a_history_is_read_in_pages() -> None:
    async with serving() as remote:
        await remote.client.StartWorkflow(START)
        for _ in range(4):
            await remote.client.SignalWorkflow(
                pb.SignalWorkflowRequest(workflow_id="wf", name="go")
            )
        sizes, ids, after, more = [], [], 0, True
        while more:
            page = await remote.client.GetHistory(
                pb.GetHistoryRequest(workflow_id="wf", after_event_id=after, page_size=2)
            )
            ids += [history_pb2.HistoryEvent.FromString(data).event_id for data in page.events]
            sizes.append(len(page.events))
            after, more = ids[-1], page.more

        assert ids == [1, 2, 3, 4, 5]
        assert sizes == [2, 2, 1]
        beyond = await remote.client.GetHistory(
            pb.GetHistoryRequest(workflow_id="wf", after_event_id=9)
        )
        assert not beyond.events
        assert not beyond.more


async def test_followers_see_events_as_they_happen_until_the_end() -> None:
    async with serving(api_limits=ApiLimits(page_events=2)) as remote:
        await remote.client.StartWorkflow(START)
        follow = remote.client.FollowHistory(pb.FollowHistoryRequest(workflow_id="wf"))
        pages = follow.__aiter__()
        assert event_names((await within(pages.__anext__())).events) == ["WorkflowStarted"]

        await remote.client.SignalWorkflow(pb.SignalWorkflowRequest(workflow_id="wf", name="go"))
        assert event_names((await within(pages.__anext__())).events) == ["SignalReceived"]
        await remote.client.TerminateWorkflow(pb.TerminateWorkflowRequest(workflow_id="wf"))

        rest = [event_names(page.events) async for page in pages]
        assert rest == [["WorkflowTerminated"]]
        again = remote.client.FollowHistory(
            pb.FollowHistoryRequest(workflow_id="wf", after_event_id=1)
        )
        assert [len(page.events) async for page in again] == [2]


async def test_followers_of_nothing_are_told() -> None:
    async with serving() as remote:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in remote.client.FollowHistory(pb.FollowHistoryRequest(workflow_id="x")):
                pass
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_the_pages_of_a_tasks_history() -> None:
    async with serving() as remote:
        started = await remote.client.StartWorkflow(START)
        big = [common_pb2.Payload(data=b"x" * 600_000)]
        for _ in range(4):
            await remote.client.SignalWorkflow(
                pb.SignalWorkflowRequest(workflow_id="wf", name="go", input=big)
            )
        worker = remote.worker()
        task = await worker.task()
        names = event_names(task.events)
        assert task.more_pages

        request = worker_pb.GetTaskHistoryRequest(
            run_id=started.run_id, after_event_id=len(names), last_event_id=task.last_event_id
        )
        async for page in remote.workers.GetTaskHistory(request):
            names += event_names(page.events)

        assert names == ["WorkflowStarted"] + ["SignalReceived"] * 4
        await worker.disconnect()


# ---------------------------------------------------------------- tokens


async def test_an_activity_is_completed_by_its_token() -> None:
    async with serving() as remote:
        worker = remote.worker()
        task = await remote.activity(worker)
        worker.report(task, detached=True)
        assert await within(worker.activity_acks.get()) == task.dispatch

        beat = await remote.workers.HeartbeatActivity(
            worker_pb.HeartbeatActivityRequest(
                task_token=task.task_token, details=common_pb2.Payload(data=b"50")
            )
        )
        assert not beat.cancel_requested
        request = worker_pb.CompleteActivityRequest(task_token=task.task_token, result=RESULT)
        await remote.workers.CompleteActivity(request)

        assert event_names((await worker.task()).events) == ["ActivityCompleted"]
        for call, again in (
            (remote.workers.CompleteActivity, request),
            (
                remote.workers.HeartbeatActivity,
                worker_pb.HeartbeatActivityRequest(task_token=task.task_token),
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(again)
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            assert "was completed, timed out" in (caught.value.details() or "")
        await worker.disconnect()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            worker_pb.CompleteActivityRequest(task_token=b"\xff", result=RESULT),
            "the task token is not one that sched made",
        ),
        (worker_pb.CompleteActivityRequest(task_token=b"x"), "the outcome is missing"),
    ],
)
async def test_a_bad_token_is_refused(request_: Any, message: str) -> None:
    async with serving() as remote:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await remote.workers.CompleteActivity(request_)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert (caught.value.details() or "").startswith(message)


# ---------------------------------------------------------------- workers' streams


async def test_a_broken_stream_gives_the_task_to_another_worker() -> None:
    async with serving() as remote:
        first = remote.worker("first")
        await remote.client.StartWorkflow(START)
        await first.task()
        second = remote.worker("second")
        await within(second.welcome.get())

        await first.disconnect()

        assert (await second.task()).attempt == 2
        await second.disconnect()


async def test_a_second_stream_of_one_session_replaces_the_first() -> None:
    async with serving() as remote:
        worker = remote.worker("w")
        task = await remote.activity(worker)

        back = remote.worker("w", running_activities=[claim(task)])

        await within(worker.ended.wait())
        await back.finish(task)
        await worker.disconnect()
        await back.disconnect()


@pytest.mark.parametrize(
    ("hello", "message"),
    [
        ({"task_queue": ""}, "the task queue is empty; give one"),
        ({"workflow_types": ["a\0b"]}, r"the workflow type 'a\x00b' contains U+0000"),
        ({"activity_slots": 100_001}, "activity_slots is 100,001, the limit is 100,000"),
        ({"activity_names": ["x"] * 10_001}, "10,001 activity names, the limit is 10,000"),
    ],
)
async def test_a_bad_hello_is_refused(hello: dict[str, Any], message: str) -> None:
    async with serving() as remote:
        worker = remote.worker(**hello)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await within(worker.reader)

        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert (caught.value.details() or "").startswith(message)
        assert not remote.server.engine.workers.sessions


# ---------------------------------------------------------------- the process


async def test_the_engine_says_what_it_is() -> None:
    async with serving() as remote:
        worker = remote.worker("w")
        await within(worker.welcome.get())
        await remote.client.StartWorkflow(START)
        await remote.client.StartWorkflow(
            pb.StartWorkflowRequest(workflow_type="Nobodys", task_queue="lonely")
        )
        task = await worker.task()

        status = await remote.cluster.GetStatus(cluster_service_pb2.GetStatusRequest())
        version = await remote.cluster.GetVersion(cluster_service_pb2.GetVersionRequest())

        assert status.role == cluster_service_pb2.GetStatusResponse.ROLE_LEADER
        assert (status.epoch, status.store, status.open_workflows) == (1, "sqlite :memory:", 2)
        assert [w.identity for w in status.workers] == ["w"]
        assert status.workers[0].workflow_tasks_running == 1
        heard_us = status.workers[0].last_heard_time_us
        assert abs(heard_us - status.workers[0].connected_time_us) < 5_000_000
        assert heard_us <= status.clock.cluster_time_us
        await worker.answer(task)
        later = await remote.cluster.GetStatus(cluster_service_pb2.GetStatusRequest())
        for latency in (later.commit_latency, later.dispatch_latency):
            assert latency.count > 0
            assert latency.total_us > 0
        assert later.commit_latency.count > status.commit_latency.count
        assert heard_us < later.workers[0].last_heard_time_us <= later.clock.cluster_time_us
        queues = {q.name: (q.workers, q.pending_workflow_tasks) for q in status.task_queues}
        assert queues["lonely"] == (0, 1)
        assert version.version == status.version
        health: Any = health_pb2_grpc.HealthStub(remote.channel)
        answer = await health.Check(
            health_pb2.HealthCheckRequest(service="sched.v1.WorkflowService")
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        await worker.disconnect()


async def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    async with serving() as remote:
        port = int(remote.server.address.rpartition(":")[2])
        second = EngineServer(EngineSettings(db=MEMORY, port=port))

        with pytest.raises(EngineStartError, match=f"127.0.0.1:{port} cannot be used"):
            await second.start()


async def test_a_database_that_is_in_use_is_an_error_that_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "sched.db"):
        second = EngineServer(EngineSettings(db=tmp_path / "sched.db", port=0))

        with pytest.raises(EngineStartError, match=r"sched\.db"):
            await second.start()


async def test_stopping_ends_every_stream_and_the_next_engine_goes_on(tmp_path: Path) -> None:
    db = tmp_path / "sched.db"
    async with serving(db) as remote:
        worker = remote.worker("w")
        task = await remote.activity(worker)
        await remote.client.StartWorkflow(
            pb.StartWorkflowRequest(workflow_id="second", workflow_type="Order")
        )
        held = await worker.task()
        stream = Stream(remote)
        stream.send(result_call(1, wait_ms=60_000))
        await within(remote.server.stop(0.5))
        await within(worker.ended.wait())
        await within(asyncio.wait([stream.reader]))
        await within(remote.server.wait())
        await worker.disconnect()
        await stream.close()

    async with serving(db) as remote:
        worker = remote.worker("w", running_activities=[claim(task)])
        await worker.finish(task)
        again = [await worker.task(), await worker.task()]
        by_id = {t.workflow_id: t for t in again}
        assert by_id["second"].attempt == held.attempt, "the stop was no sign against the task"
        assert event_names(by_id["wf"].events)[-1] == "ActivityCompleted"
        for workflow_task in again:
            assert (await worker.answer(workflow_task, complete())).outcome == ACCEPTED
        await worker.disconnect()


async def test_an_engine_that_is_fenced_off_ends() -> None:
    async with serving() as remote:
        await remote.client.StartWorkflow(START)
        await remote.server.engine.store.acquire(0, "another:1")

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await remote.client.SignalWorkflow(
                pb.SignalWorkflowRequest(workflow_id="wf", name="go")
            )

        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        await within(remote.server.wait())
