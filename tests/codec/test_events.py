"""Events to bytes and back, and the agreement of the core's names with the API's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_server.codec import decode_event, encode_event, failure_from_proto, failure_to_proto
from sched_server.codec.events import UnknownEvent
from sched_server.codec.values import MAX_CAUSES
from sched_server.core import events as e
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    FailureKind,
    HistoryOrigin,
    MarkerKind,
    Payload,
    RetryPolicy,
    Status,
    TaskFailureCause,
)

from .strategies import events_of

KINDS = sorted(e.EVENT_TYPES, key=lambda kind: e.EVENT_TYPES[kind])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_event_survives_its_bytes(kind: type, data: st.DataObject) -> None:
    event = data.draw(events_of(kind))

    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_core_and_the_api_name_the_same_fields(kind: Any) -> None:
    message = history_pb2.DESCRIPTOR.message_types_by_name[kind.__name__]

    assert set(kind.__struct_fields__) == set(message.fields_by_name)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Payload, common_pb2.Payload),
        (Failure, common_pb2.Failure),
        (RetryPolicy, common_pb2.RetryPolicy),
        (AttemptSummary, history_pb2.AttemptSummary),
        (HistoryOrigin, history_pb2.HistoryOrigin),
    ],
)
def test_values_have_the_same_fields_too(kind: Any, message: Any) -> None:
    assert set(kind.__struct_fields__) == set(message.DESCRIPTOR.fields_by_name)


def test_every_event_type_of_the_api_is_known_by_its_number() -> None:
    numbers = dict(history_pb2.EventType.items())
    del numbers["EVENT_TYPE_UNSPECIFIED"]

    known = {
        "EVENT_TYPE" + "".join(f"_{c}" if c.isupper() else c.upper() for c in kind.__name__): number
        for kind, number in e.EVENT_TYPES.items()
    }
    assert known == numbers


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (FailureKind, common_pb2.FailureKind, "FAILURE_KIND_"),
        (TaskFailureCause, history_pb2.WorkflowTaskFailureCause, "WORKFLOW_TASK_FAILURE_CAUSE_"),
        (Status, common_pb2.WorkflowStatus, "WORKFLOW_STATUS_"),
        (MarkerKind, history_pb2.MarkerRecorded.Kind, "KIND_"),
    ],
)
def test_enumerations_have_the_apis_numbers(ours: Any, theirs: Any, prefix: str) -> None:
    known = {prefix + item.name: item.value for item in ours if item.value}
    wanted = {name: number for name, number in theirs.items() if number}

    assert known == wanted


@settings(max_examples=1, deadline=None)
@given(events=st.tuples(*[events_of(kind) for kind in KINDS]))
def test_only_events_for_people_may_be_ignored(events: tuple[e.Event, ...]) -> None:
    ignorable = [
        type(event.attributes)
        for event in events
        if history_pb2.HistoryEvent.FromString(encode_event(event)).may_ignore
    ]

    assert ignorable == [e.WorkflowTaskFailed, e.ActivityRetryScheduled]


def test_an_unknown_event_says_who_can_read_it() -> None:
    data = history_pb2.HistoryEvent(event_id=7, type=999).SerializeToString()  # type: ignore[arg-type]

    with pytest.raises(UnknownEvent) as caught:
        decode_event(data)

    assert str(caught.value) == (
        "event 7 has type 999, which this version of sched does not know; run the version that "
        "wrote it, or a newer one"
    )


def test_fields_of_a_newer_version_are_passed_over() -> None:
    event = e.Event(3, 5, e.TimerFired(seq=9))
    unknown_field = b"\xf8\x3f\x01"  # field 1023, a number

    assert decode_event(encode_event(event) + unknown_field) == event


def test_a_failure_without_a_kind_is_an_application_failure() -> None:
    assert failure_from_proto(common_pb2.Failure(message="x")).kind == FailureKind.APPLICATION


def test_endless_causes_are_cut_off() -> None:
    failure = Failure(message="0")
    for number in range(1, MAX_CAUSES + 10):
        failure = Failure(message=str(number), cause=failure)

    cut = failure_from_proto(failure_to_proto(failure))

    depth = 0
    while cut.cause is not None:
        cut, depth = cut.cause, depth + 1
    assert depth == MAX_CAUSES
