"""The document: stable, exact for replay, and clear about files it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sched_sdk import CaptureError, WorkflowContext, activity, workflow
from sched_sdk._capture import CapturedHistory, dump_capture, parse_capture, read_capture
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from tests.replay.engine import run_to_end


@activity
async def charge(order: str) -> bytes: ...


@workflow(name="Test")
async def order(ctx: WorkflowContext, number: str) -> str:
    receipt = await ctx.queue_activity(charge, number)
    await ctx.sleep(60)
    return f"{number}: {receipt.hex()}"


def captured() -> CapturedHistory:
    engine = run_to_end(order, "A-1", activities=lambda name, args: b"\0\xff")
    return CapturedHistory(
        events=tuple(engine.history), sched_version="1.2.3", captured_time_us=1_767_225_600_000_000
    )


def test_what_is_read_is_what_was_written() -> None:
    assert parse_capture(dump_capture(captured()), "x") == captured()


def test_replay_from_the_document_is_replay_from_the_engine() -> None:
    definition = workflow_definition_of(order)
    from_engine = replay_history(definition, captured().events)
    from_file = replay_history(definition, parse_capture(dump_capture(captured()), "x").events)
    assert from_engine.divergence is None
    assert (from_file.events, from_file.segments, from_file.closed, from_file.divergence) == (
        from_engine.events,
        from_engine.segments,
        from_engine.closed,
        None,
    )


def test_the_shape_is_stable() -> None:
    text = dump_capture(captured())
    assert text.startswith(
        "{\n"
        '  "format": "sched.history",\n'
        '  "format_version": 1,\n'
        '  "sched_version": "1.2.3",\n'
        '  "captured_time": "2026-01-01T00:00:00.000000Z",\n'
        '  "workflow_id": "wf-test",\n'
        '  "run_id": "run-test",\n'
        '  "workflow_type": "Test",\n'
        '  "redactions": [],\n'
        '  "events": [\n'
        '    {"event_id": 1, "type": "WorkflowStarted", '
    )
    assert len(text.splitlines()) == 9 + 1 + len(captured().events) + 2
    assert json.loads(text)["events"][3] == {
        "event_id": 4,
        "type": "ActivityCompleted",
        "time": "2026-01-01T00:00:00.000004Z",
        "attributes": {"seq": 1, "result": {"base64": "AP8="}},
        "encodings": {"result": "binary"},
    }


def complaint(text: str) -> str:
    with pytest.raises(CaptureError) as caught:
        parse_capture(text, "orders.json")
    return str(caught.value)


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    text = dump_capture(captured())
    for end in range(1, len(text) - 2, 7):
        assert "orders.json" in complaint(text[:end])
    assert "is cut off: it ends in line 11" in complaint(text[: text.index('"type"')])


def edited(**changes: object) -> str:
    return json.dumps({**json.loads(dump_capture(captured())), **changes})


def event(**fields: object) -> str:
    """A document of one event."""
    return json.dumps([{"event_id": 1, "time": "2026-01-01T00:00:00Z"} | fields])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "orders.json is empty"),
        ("# Orders", "orders.json is not JSON: line 1, column 1"),
        ('{"orders": []}', "is JSON, but not a captured history. Make one: sched capture"),
        ("3", "is JSON, but not a captured history"),
        ("[]", "has no events"),
        ("[1]", "event 1 is no event"),
        ('[{"type": "WorkflowStarted"}]', "event 1 has no 'event_id'"),
        (edited(events=[]), "has no events"),
        (edited(events=None), "has no events"),
        (edited(format_version=None), "has no format_version"),
        (
            edited(format_version=2, sched_version="9.0.0"),
            "format version 2, written by sched 9.0.0; this sched reads up to version 1. Upgrade",
        ),
        (edited(format_version=3, sched_version=""), "written by sched a newer version"),
        (edited(redactions=7), "orders.json: redactions is 7, not a list"),
        ("[" * 200_000, "nested too deeply"),
        ("9" * 5_000, "orders.json cannot be read: Exceeds the limit"),
        (
            event(type="WorkflowTaskFailed", attributes={"cause": "\ud800"}),
            r"event 1: cause cannot be '\ud800'",
        ),
        (
            event(type="ActivityScheduled", attributes={"start_to_close": float("inf")}),
            "event 1: start_to_close cannot be inf",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(text: str, expected: str) -> None:
    said = complaint(text)
    assert expected in said
    assert "\n" not in said


def test_a_history_has_no_gaps_and_begins_at_its_beginning() -> None:
    events = json.loads(dump_capture(captured()))["events"]
    assert "event 4 is missing, event 5 stands in its place" in complaint(
        edited(events=events[:3] + events[4:])
    )
    started_late = [{**events[1], "event_id": 1}]
    assert "the first event is not WorkflowStarted" in complaint(edited(events=started_late))


def test_fields_of_a_newer_version_are_skipped() -> None:
    assert parse_capture(edited(invented_later=1, captured_time="?"), "x").workflow_id == "wf-test"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    with pytest.raises(CaptureError, match=r"orders\.json does not exist"):
        read_capture(path)
    with pytest.raises(CaptureError, match="is a folder"):
        read_capture(tmp_path)
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(CaptureError, match="it is no text"):
        read_capture(path)
    path.write_text(dump_capture(captured()), encoding="utf-8")
    assert read_capture(path) == captured()
