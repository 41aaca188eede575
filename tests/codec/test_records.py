"""Pending records: what one version stores, another one reads."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_server.codec import decode_record, encode_activity_record, encode_task_record
from sched_server.core.state import ActivityPhase, ActivityRecord, TaskPhase, WorkflowTaskRecord

from .strategies import failures, int32, int64, payloads, text

activity_records = st.builds(
    ActivityRecord,
    phase=st.sampled_from(ActivityPhase),
    attempt=int32,
    dispatch=int64,
    assignee=text,
    identity=text,
    detached=st.booleans(),
    ready_since_us=int64,
    started_us=int64,
    due_us=int64,
    last_failure=st.none() | failures,
    heartbeat_us=int64,
    heartbeat_details=st.none() | payloads,
    lost=int32,
)
task_records = st.builds(
    WorkflowTaskRecord,
    phase=st.sampled_from(TaskPhase),
    attempt=int32,
    ready_since_us=int64,
    due_us=int64,
    close_refusals=int32,
    lost=int32,
    failure_cause=int32,
    failure=st.none() | failures,
)


@settings(max_examples=50, deadline=None)
@given(record=activity_records)
def test_an_activity_record_survives_its_bytes(record: ActivityRecord) -> None:
    assert decode_record(encode_activity_record(record), ActivityRecord) == record


@settings(max_examples=50, deadline=None)
@given(record=task_records)
def test_a_task_record_survives_its_bytes(record: WorkflowTaskRecord) -> None:
    assert decode_record(encode_task_record(record), WorkflowTaskRecord) == record


def test_fields_of_a_newer_version_are_passed_over() -> None:
    stored = msgspec.msgpack.encode({"phase": 2, "attempt": 3, "invented_later": {"x": 1}})

    assert decode_record(stored, ActivityRecord) == ActivityRecord(
        phase=ActivityPhase.STARTED, attempt=3
    )
    assert decode_record(stored, WorkflowTaskRecord) == WorkflowTaskRecord(
        phase=TaskPhase.BACKOFF, attempt=3
    )


def test_fields_that_an_older_version_did_not_have_get_their_defaults() -> None:
    assert decode_record(msgspec.msgpack.encode({}), ActivityRecord) == ActivityRecord()
    assert decode_record(msgspec.msgpack.encode({}), WorkflowTaskRecord) == WorkflowTaskRecord()


def test_a_phase_that_is_not_known_is_an_error_not_a_guess() -> None:
    stored = msgspec.msgpack.encode({"phase": 77})

    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 77"):
        decode_record(stored, ActivityRecord)
