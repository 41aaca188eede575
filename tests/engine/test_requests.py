"""Signals, cancels, reads and lists; bad input and limits."""

from __future__ import annotations

from typing import Any

import pytest

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server.errors import Rejection
from sched_server.settings import ApiLimits

from .harness import complete, event_names, running, within

RUNNING = common_pb2.WORKFLOW_STATUS_RUNNING
BIG = common_pb2.Payload(data=b"x" * (2 * 1024 * 1024 + 1))


async def test_a_cancel_request_reaches_the_code() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task())

        await engine.cancel(reason="no need", request_id="c")
        await engine.cancel(reason="no need", request_id="c")

        assert event_names((await worker.task()).events) == ["WorkflowCancelRequested"]
        assert (await engine.describe()).cancel_requested


async def test_terminate_tells_who_and_why() -> None:
    async with running() as engine:
        await engine.start()
        await engine.terminate(reason="enough", identity="ada", request_id="t")
        await engine.terminate(
            reason="enough", identity="ada", request_id="t", run_id=(await engine.result()).run_id
        )

        outcome = await engine.result()

        assert outcome.status == common_pb2.WORKFLOW_STATUS_TERMINATED
        assert outcome.failure.message == "terminated by ada: enough"


async def test_a_result_of_an_open_workflow_says_that_it_runs() -> None:
    async with running() as engine:
        started = await engine.start()

        outcome = await engine.result(wait_ms=1)

        assert (outcome.status, outcome.run_id) == (RUNNING, started.run_id)


async def test_an_older_run_is_found_by_its_run_id() -> None:
    async with running() as engine:
        first = await engine.start()
        await engine.terminate()
        await engine.start()

        outcome = await engine.result(run_id=first.run_id)

        assert outcome.status == common_pb2.WORKFLOW_STATUS_TERMINATED
        with pytest.raises(Rejection, match="already ended"):
            await engine.signal(run_id=first.run_id)


@pytest.mark.parametrize("call", ["signal", "cancel", "terminate", "describe", "result"])
async def test_an_unknown_workflow_is_named(call: str) -> None:
    async with running() as engine:
        await engine.start("other")
        for ids in ({}, {"run_id": (await engine.describe("other")).info.run_id}):
            with pytest.raises(Rejection) as caught:
                await getattr(engine, call)("nobody", **ids)

            assert caught.value.reason == "WORKFLOW_NOT_FOUND"
            assert "no workflow 'nobody'" in caught.value.message


async def test_describe_shows_a_closed_workflow() -> None:
    async with running() as engine:
        worker = engine.worker()
        payload = common_pb2.Payload(data=b"1")
        await engine.start(input=[payload])
        await worker.answer(await worker.task(), complete(b"2"))

        described = await engine.describe()

        assert described.info.status == common_pb2.WORKFLOW_STATUS_COMPLETED
        assert described.info.history_length == 3
        assert described.info.close_time_us >= described.info.start_time_us
        assert list(described.input) == [payload]
        assert described.outcome.result.data == b"2"
        assert not described.HasField("workflow_task")
        assert described.history_bytes > 0


# ---------------------------------------------------------------- lists


async def list_ids(engine: Any, **filter_: Any) -> list[str]:
    """All pages of two."""
    ids: list[str] = []
    token = b""
    while True:
        request = pb.ListWorkflowsRequest(
            filter=pb.WorkflowFilter(**filter_), page_size=2, page_token=token
        )
        reply = await engine.call("list_workflows", request)
        assert len(reply.workflows) <= 2
        ids += [info.workflow_id for info in reply.workflows]
        token = reply.next_page_token
        if not token:
            return ids


async def test_workflows_are_listed_newest_first_in_pages() -> None:
    async with running() as engine:
        for number in range(5):
            await engine.start(f"wf-{number}", task_queue="even" if number % 2 == 0 else "odd")
        await engine.start("x%y", workflow_type="Other")
        await engine.terminate("wf-3")

        assert await list_ids(engine) == ["x%y", "wf-4", "wf-3", "wf-2", "wf-1", "wf-0"]
        assert await list_ids(engine, workflow_id_prefix="wf-") == [
            f"wf-{n}" for n in (4, 3, 2, 1, 0)
        ]
        assert await list_ids(engine, workflow_id_prefix="x%") == ["x%y"]
        assert await list_ids(engine, workflow_id_prefix="%") == []
        assert await list_ids(engine, task_queue="odd") == ["wf-3", "wf-1"]
        assert await list_ids(engine, workflow_type="Other") == ["x%y"]
        assert await list_ids(engine, statuses=[common_pb2.WORKFLOW_STATUS_TERMINATED]) == ["wf-3"]


async def test_the_last_events_are_listed_when_asked_for() -> None:
    async with running() as engine:
        await engine.start("wf-0")
        await engine.start("wf-1")
        await engine.terminate("wf-1")

        listed = await engine.call("list_workflows", pb.ListWorkflowsRequest(with_last_event=True))
        assert [info.last_event.type for info in listed.workflows] == [
            history_pb2.EVENT_TYPE_WORKFLOW_TERMINATED,
            history_pb2.EVENT_TYPE_WORKFLOW_STARTED,
        ]
        closed = listed.workflows[0]
        assert closed.last_event.time_us == closed.close_time_us
        for info in listed.workflows:
            request = pb.DescribeWorkflowRequest(workflow_id=info.workflow_id)
            described = await engine.call("describe_workflow", request)
            assert described.info.last_event == info.last_event

        unasked = await engine.call("list_workflows", pb.ListWorkflowsRequest())
        assert not any(info.HasField("last_event") for info in unasked.workflows)


async def test_workflows_are_counted_by_status() -> None:
    async with running() as engine:
        for number in range(3):
            await engine.start(f"wf-{number}")
        await engine.terminate("wf-1")

        reply = await engine.call("count_workflows", pb.CountWorkflowsRequest())

        assert reply.total == 3
        assert {x.status: x.count for x in reply.by_status} == {
            RUNNING: 2,
            common_pb2.WORKFLOW_STATUS_TERMINATED: 1,
        }


# ---------------------------------------------------------------- bad input

LONG = "x" * 256

BAD_STARTS: list[tuple[dict[str, Any], str, str]] = [
    ({"workflow_type": ""}, "INVALID_ARGUMENT", "the workflow type is empty; give one"),
    (
        {"workflow_id": LONG},
        "INVALID_ARGUMENT",
        f"the workflow id {LONG[:40]!r}… has 256 characters, the limit is 255; choose",
    ),
    ({"task_queue": "a\0b"}, "INVALID_ARGUMENT", r"the task queue 'a\x00b' contains U+0000"),
    ({"identity": "a\0b"}, "INVALID_ARGUMENT", "the identity contains U+0000"),
    (
        {"input": [BIG]},
        "LIMIT_EXCEEDED",
        "the input of workflow 'Order' has 2,097,153 bytes, the limit is 2,097,152; store large",
    ),
    (
        {"execution_timeout_us": -1_000_000},
        "INVALID_ARGUMENT",
        "execution_timeout is negative (-1 s); use 0 for none",
    ),
    ({"start_delay_us": 2**62}, "INVALID_ARGUMENT", "start_delay is over 100 years"),
    ({"id_conflict": 77}, "INVALID_ARGUMENT", "id_conflict 77 is not known to this engine"),
]


@pytest.mark.parametrize(("fields", "reason", "message"), BAD_STARTS)
async def test_a_bad_start_is_refused(fields: dict[str, Any], reason: str, message: str) -> None:
    async with running() as engine:
        given = {"workflow_id": "wf"} | fields
        with pytest.raises(Rejection) as caught:
            await engine.start(**given)

        assert caught.value.reason == reason
        assert caught.value.message.startswith(message)
        reply = await engine.call("count_workflows", pb.CountWorkflowsRequest())
        assert reply.total == 0


async def test_a_bad_signal_is_refused() -> None:
    async with running() as engine:
        await engine.start()
        for fields, message in (
            ({"name": ""}, "the signal name is empty"),
            ({"request_id": LONG}, "the request id 'x"),
            ({"input": [BIG]}, "the payload of signal 'go' has 2,097,153 bytes"),
        ):
            with pytest.raises(Rejection) as caught:
                await engine.signal(**fields)
            assert caught.value.message.startswith(message)
        assert await engine.history() == ["WorkflowStarted"]


async def test_a_bad_page_is_refused() -> None:
    async with running() as engine:
        for request, message in (
            (pb.ListWorkflowsRequest(page_size=-1), "page_size is -1; it must be 0 or more"),
            (pb.ListWorkflowsRequest(page_token=b"[1]"), "page_token is not one"),
            (pb.ListWorkflowsRequest(page_token=b"x"), "page_token is not one"),
        ):
            with pytest.raises(Rejection) as caught:
                await within(engine.call("list_workflows", request))
            assert caught.value.message.startswith(message)


async def test_limits_are_settings() -> None:
    limits = ApiLimits(payload_bytes=3, id_characters=5)
    async with running(api_limits=limits) as engine:
        await engine.start("12345", input=[common_pb2.Payload(data=b"123")])
        with pytest.raises(Rejection, match="the limit is 5"):
            await engine.start("123456")
        with pytest.raises(Rejection, match="has 4 bytes, the limit is 3"):
            await engine.start("1", input=[common_pb2.Payload(data=b"12")] * 2)
