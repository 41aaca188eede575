"""Commands of a segment, from the wire."""

from __future__ import annotations

import pytest

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server.codec import command_from_proto
from sched_server.codec.commands import UnknownCommand
from sched_server.core import inputs as i
from sched_server.core.values import Failure, Payload, RetryPolicy

PAYLOAD = common_pb2.Payload(encoding="json", data=b"1")
OURS = Payload("json", b"1")
BOOM = common_pb2.Failure(kind=common_pb2.FAILURE_KIND_APPLICATION, type="E", message="boom")


def read(**command: object) -> i.Command:
    return command_from_proto(pb.Command(seq=3, call_site="app.py:7", **command))  # type: ignore[arg-type]


def test_schedule_activity() -> None:
    command = read(
        schedule_activity=pb.ScheduleActivity(
            name="send",
            task_queue="mail",
            input=[PAYLOAD, PAYLOAD],
            retry=common_pb2.RetryPolicy(
                initial_interval_us=5,
                backoff_coefficient=1.5,
                maximum_interval_us=9,
                maximum_attempts=2,
                non_retryable_error_types=["KeyError"],
            ),
            start_to_close_us=1,
            schedule_to_close_us=2,
            schedule_to_start_us=3,
            heartbeat_timeout_us=4,
            summary="to Ada",
        )
    )

    assert command == i.ScheduleActivity(
        seq=3,
        call_site="app.py:7",
        name="send",
        task_queue="mail",
        input=(OURS, OURS),
        retry=RetryPolicy(
            initial_interval_us=5,
            backoff_coefficient=1.5,
            maximum_interval_us=9,
            maximum_attempts=2,
            non_retryable_error_types=("KeyError",),
        ),
        start_to_close_us=1,
        schedule_to_close_us=2,
        schedule_to_start_us=3,
        heartbeat_timeout_us=4,
        summary="to Ada",
    )


def test_an_activity_without_a_retry_policy_has_the_default_one() -> None:
    command = read(schedule_activity=pb.ScheduleActivity(name="send"))

    assert isinstance(command, i.ScheduleActivity)
    assert command.retry == RetryPolicy()


def test_what_a_retry_policy_leaves_out_has_its_default() -> None:
    policy = common_pb2.RetryPolicy(maximum_attempts=0)
    command = read(schedule_activity=pb.ScheduleActivity(name="send", retry=policy))

    assert isinstance(command, i.ScheduleActivity)
    assert command.retry == RetryPolicy(maximum_attempts=0), "0 attempts: without limit"


def test_request_cancel_activity() -> None:
    command = read(request_cancel_activity=pb.RequestCancelActivity())

    assert command == i.RequestCancelActivity(seq=3, call_site="app.py:7")


def test_start_timer() -> None:
    command = read(start_timer=pb.StartTimer(duration_us=12))

    assert command == i.StartTimer(seq=3, call_site="app.py:7", duration_us=12)


def test_cancel_timer() -> None:
    assert read(cancel_timer=pb.CancelTimer()) == i.CancelTimer(seq=3, call_site="app.py:7")


def test_record_step_with_a_result() -> None:
    command = read(
        record_step=pb.RecordStep(name="charge", attempt=2, duration_us=9, result=PAYLOAD)
    )

    assert command == i.RecordStep(
        seq=3, call_site="app.py:7", name="charge", attempt=2, duration_us=9, result=OURS
    )


def test_record_step_with_a_failure() -> None:
    command = read(record_step=pb.RecordStep(name="charge", retry_after_us=5, failure=BOOM))

    assert command == i.RecordStep(
        seq=3,
        call_site="app.py:7",
        name="charge",
        attempt=0,
        retry_after_us=5,
        failure=Failure(type="E", message="boom"),
    )


def test_record_marker() -> None:
    command = read(record_marker=pb.RecordMarker(kind=1, id="new-tax"))  # type: ignore[arg-type]

    assert command == i.RecordMarker(call_site="app.py:7", kind=1, id="new-tax")


def test_complete_workflow() -> None:
    command = read(complete_workflow=pb.CompleteWorkflow(result=PAYLOAD))

    assert command == i.CompleteWorkflow(result=OURS)


def test_fail_workflow() -> None:
    command = read(fail_workflow=pb.FailWorkflow(failure=BOOM))

    assert command == i.FailWorkflow(failure=Failure(type="E", message="boom"))


def test_cancel_workflow() -> None:
    command = read(cancel_workflow=pb.CancelWorkflowExecution(failure=BOOM))

    assert command == i.CancelWorkflowExecution(failure=Failure(type="E", message="boom"))


def test_every_command_of_the_api_can_be_read() -> None:
    for field in pb.Command.DESCRIPTOR.oneofs_by_name["command"].fields:
        message = pb.Command(seq=1)
        getattr(message, field.name).SetInParent()
        assert command_from_proto(message) is not None


def test_an_unknown_command_says_what_to_do() -> None:
    with pytest.raises(UnknownCommand) as caught:
        command_from_proto(pb.Command(seq=3))

    assert str(caught.value) == (
        "command 3 is of a kind that this engine does not know; upgrade the engine to the "
        "version of the worker's SDK"
    )
