"""An event as JSON and back: nothing is lost, and people read what they know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_cli.render.plain import jsonable
from sched_sdk._capture.events import event_from_json, event_to_json
from sched_sdk._client.conversions import event_from_bytes
from sched_sdk.api.v1 import history_pb2
from sched_sdk.api.v1.common_pb2 import Payload
from tests.capture.events import ATTRIBUTES, Event, events


def round_trip(event: Event) -> tuple[dict[str, Any], Event]:
    data = json.loads(json.dumps(event_to_json(event)))
    return data, event_from_json(data, exact=True)


@pytest.mark.parametrize("name", ATTRIBUTES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    event = data.draw(events(name))
    written, back = round_trip(event)
    assert back == event
    assert back.SerializeToString(deterministic=True) == event.SerializeToString(deterministic=True)
    shown = jsonable(event_from_bytes(event.SerializeToString()))
    assert {key: written[key] for key in shown} == json.loads(json.dumps(shown))


def completed(payload: Payload) -> Event:
    return Event(
        event_id=4,
        time_us=1_767_225_600_123_456,
        type=history_pb2.EVENT_TYPE_ACTIVITY_COMPLETED,
        activity_completed=history_pb2.ActivityCompleted(seq=1, result=payload),
    )


def test_plain_values_stand_alone() -> None:
    written, _ = round_trip(completed(Payload(data=b'{"a":1.0,"b":[true,null]}')))
    assert written == {
        "event_id": 4,
        "type": "ActivityCompleted",
        "time": "2026-01-01T00:00:00.123456Z",
        "attributes": {"seq": 1, "result": {"a": 1.0, "b": [True, None]}},
    }


@pytest.mark.parametrize(
    ("payload", "shown", "encodings", "stored"),
    [
        (Payload(encoding="binary", data=b"\0\1"), {"base64": "AAE="}, "binary", False),
        (Payload(encoding="aes;key=k1", data=b"\0\1"), {"base64": "AAE="}, "aes;key=k1", False),
        (Payload(encoding="json", data=b"1"), 1, "json", False),
        (Payload(data=b'{"base64":"AAE="}'), {"base64": "AAE="}, None, False),
        (Payload(data=b"not json"), {"base64": "bm90IGpzb24="}, "", False),
        (Payload(data=b'{"a": 1}'), {"a": 1}, None, True),
    ],
)
def test_what_json_alone_does_not_say_stands_beside_it(
    payload: Payload, shown: Any, encodings: str | None, stored: bool
) -> None:
    written, back = round_trip(completed(payload))
    assert written["attributes"]["result"] == shown
    assert written.get("encodings", {}).get("result") == encodings
    assert ("stored" in written) == stored
    assert back == completed(payload)


def test_an_event_of_a_newer_engine_is_kept() -> None:
    event = Event.FromString(b"\x08\x05\x10\x80\x80\x80\x80\x10\x18\x63\xfa\x07\x02\x08\x01")
    written, back = round_trip(event)
    assert (written["type"], written["attributes"]) == ("Unknown", {})
    assert back.SerializeToString() == event.SerializeToString()


def test_names_of_a_newer_version_are_skipped() -> None:
    written, _ = round_trip(completed(Payload(data=b"1")))
    written["attributes"]["invented_later"] = [1]
    written["invented_later"] = True
    assert event_from_json(written, exact=True) == completed(Payload(data=b"1"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "ActivityExploded"}, "no event type 'ActivityExploded'"),
        ({"time": "yesterday"}, "yesterday"),
        ({"time": "2026-01-01T00:00:00"}, "no zone"),
        ({"attributes": {"seq": "one"}}, "seq cannot be 'one'"),
        ({"attributes": {"summary": 3}}, "summary is no object"),
        ({"attributes": []}, "attributes is no object"),
        ({"stored": "!"}, "not a stored event"),
        ({"encodings": {"result": "aes"}}, "encoded as 'aes'"),
    ],
)
def test_what_is_wrong_with_an_event_is_said(change: dict[str, Any], complaint: str) -> None:
    written, _ = round_trip(completed(Payload(data=b"1")))
    with pytest.raises(ValueError, match=complaint):
        event_from_json({**written, **change}, exact=True)


def test_events_as_history_prints_them_are_read_too() -> None:
    event = completed(Payload(encoding="binary", data=b"\0\1"))
    shown = json.loads(json.dumps(jsonable(event_from_bytes(event.SerializeToString()))))
    assert event_from_json(shown, exact=False) == event
