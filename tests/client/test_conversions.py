"""API messages as the client's models."""

from __future__ import annotations

from sched_sdk._client.conversions import event_from_bytes, info_from_proto
from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as service


def last_type(number: int) -> str:
    """What a list calls the type of a last event."""
    mark = service.EventMark(type=number, time_us=1)  # type: ignore[arg-type]  # an int on the wire
    status = common_pb2.WORKFLOW_STATUS_RUNNING
    last = info_from_proto(service.WorkflowInfo(status=status, last_event=mark)).last_event
    assert last is not None
    return last.type


def test_the_last_event_is_called_as_in_the_history() -> None:
    fields = history_pb2.HistoryEvent.DESCRIPTOR.oneofs_by_name["attributes"].fields
    assert len(fields) == len(history_pb2.EventType.values()) - 1
    for field in fields:
        number = history_pb2.EventType.Value(f"EVENT_TYPE_{field.name.upper()}")
        raw = history_pb2.HistoryEvent(type=number)
        getattr(raw, field.name).SetInParent()
        assert last_type(number) == event_from_bytes(raw.SerializeToString()).type


def test_an_event_of_a_newer_engine_is_unknown() -> None:
    assert last_type(9999) == "Unknown"
