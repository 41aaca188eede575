from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

import pytest

from sched_sdk import CanceledFailureError, DefinitionError, PayloadError, activity_context
from sched_sdk._activity_context import (
    ActivityContext,
    ActivityInfo,
    CompleteElsewhere,
    current_activity,
)
from sched_sdk._payloads import encode
from sched_sdk.api.v1 import common_pb2

NOW = datetime(2026, 11, 1, tzinfo=UTC)
INFO = ActivityInfo(
    workflow_id="report-1",
    run_id="run",
    workflow_type="report",
    activity_name="send",
    seq=3,
    task_queue="default",
    attempt=2,
    maximum_attempts=5,
    scheduled_time=NOW,
    started_time=NOW,
)


def make(
    *, is_async: bool = False, details: common_pb2.Payload | None = None
) -> tuple[ActivityContext, list[common_pb2.Payload | None]]:
    beats: list[common_pb2.Payload | None] = []
    context = ActivityContext(
        INFO,
        task_token=b"token",
        heartbeat=beats.append,
        is_async=is_async,
        heartbeat_details=details,
    )
    return context, beats


def test_outside_an_activity_it_says_where_to_go() -> None:
    with pytest.raises(DefinitionError, match="outside a running activity"):
        activity_context()


async def test_an_activity_finds_its_context_also_in_a_thread() -> None:
    context, _ = make()
    token = current_activity.set(context)
    try:
        assert activity_context() is context
        assert await asyncio.to_thread(activity_context) is context
    finally:
        current_activity.reset(token)


def test_heartbeats_carry_details() -> None:
    context, beats = make()
    context.heartbeat()
    context.heartbeat({"done": 3})
    assert beats == [None, encode({"done": 3})]
    with pytest.raises(PayloadError):
        context.heartbeat(object())


def test_the_details_of_the_previous_attempt() -> None:
    context, _ = make(details=encode({"2": 3}))
    assert context.last_heartbeat_details == {"2": 3}
    assert context.heartbeat_details_as(dict[int, int]) == {2: 3}
    with pytest.raises(PayloadError):
        context.heartbeat_details_as(int)
    assert make()[0].last_heartbeat_details is None
    assert make()[0].heartbeat_details_as(int) is None
    assert context.attempt == 2


def test_a_function_in_a_thread_learns_of_cancellation_at_a_heartbeat() -> None:
    context, beats = make()
    assert (context.cancelled, context.wait_cancelled(0)) == (False, False)
    context.request_cancel("no longer needed")
    context.request_cancel("later reasons do not count")
    assert (context.cancelled, context.wait_cancelled()) == (True, True)
    assert context.cancel_reason == "no longer needed"
    with pytest.raises(CanceledFailureError, match="no longer needed"):
        context.heartbeat(1)
    assert beats == [encode(1)]  # what was reached is not lost


def test_a_coroutine_is_cancelled_at_an_await_not_at_a_heartbeat() -> None:
    context, beats = make(is_async=True)
    context.request_cancel()
    context.heartbeat()
    assert beats == [None]


def test_completing_elsewhere_passes_by_except_exception() -> None:
    context, _ = make()

    def activity() -> None:
        with contextlib.suppress(Exception):
            context.complete_elsewhere()

    with pytest.raises(CompleteElsewhere):
        activity()


def test_log_records_say_which_activity_wrote_them(caplog: pytest.LogCaptureFixture) -> None:
    context, _ = make()
    with caplog.at_level(logging.INFO, logger="sched.activity"):
        context.logger.info("half way", extra={"part": 1})
    record = caplog.records[0].__dict__
    assert (record["workflow_id"], record["attempt"], record["part"]) == (
        "report-1",
        2,
        1,
    )
