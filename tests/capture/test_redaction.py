"""Redaction: what is named is gone, and the history still replays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from sched_sdk import ApplicationError, CaptureError, WorkflowContext, activity, workflow
from sched_sdk._capture import CapturedHistory, Redaction, dump_capture, parse_capture, redact
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from tests.replay.engine import Event, run_to_end

CARD = "4111111111111111"


@dataclass
class Card:
    number: str
    expires: date
    key: UUID
    limit: float
    active: bool
    tags: list[str]


@activity
async def charge(card: Card, cents: int) -> bytes: ...


@workflow(name="Test")
async def pay(ctx: WorkflowContext, card: Card, note: str) -> str:
    receipt = await ctx.queue_activity(charge, card, 1250)
    try:
        await ctx.step(refuse)
    except ApplicationError:
        return f"{len(receipt)} {card.active}"
    return note


def refuse() -> None:
    raise ApplicationError(f"card {CARD} refused", details=[{"number": CARD}])


def captured() -> CapturedHistory:
    key = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    card = Card(CARD, date(2030, 4, 1), key, 99.5, True, ["vip"])
    engine = run_to_end(
        pay, card, f"card {CARD} of Zoë", activities=lambda name, args: CARD.encode()
    )
    return CapturedHistory(events=tuple(engine.history))


def redacted(*texts: str) -> tuple[CapturedHistory, dict[str, int]]:
    return redact(captured(), [Redaction.parse(text) for text in texts])


def events_of(history: CapturedHistory) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(dump_capture(history))["events"]
    return events


def test_a_key_is_redacted_wherever_it_stands() -> None:
    history, counts = redacted("number")
    assert counts == {"number": 3}
    events = events_of(history)
    assert events[0]["attributes"]["input"][0]["number"] == "1" * 16
    assert events[0]["redacted"] == ["input[0].number"]
    assert "redacted" not in events[1]
    failed = next(event for event in events if event["type"] == "StepFailed")
    assert failed["redacted"] == ["failure.details[0].number"]


def test_a_whole_argument_keeps_its_shape() -> None:
    history, _ = redacted("input[0]")
    assert events_of(history)[0]["attributes"]["input"][0] == {
        "number": "1" * 16,
        "expires": "1111-11-11",
        "key": "11111111-1111-1111-1111-111111111111",
        "limit": 0.0,
        "active": True,
        "tags": ["xxx"],
    }


def test_raw_bytes_become_zeros_and_stay_as_many() -> None:
    history, _ = redacted("ActivityCompleted:result")
    event = next(event for event in history.events if event.HasField("activity_completed"))
    assert event.activity_completed.result.data == bytes(16)
    assert event.activity_completed.result.encoding == "binary"


def test_an_expression_finds_text_in_values_and_failures() -> None:
    history, counts = redacted(r"/\d{16}/", "traceback")
    text = dump_capture(history)
    assert CARD not in text
    assert f'"card {"1" * 16} of Zoë"' in text
    assert f'"message": "card {"1" * 16} refused"' in text
    assert counts[r"/\d{16}/"] >= 4
    assert counts["traceback"] == 1


def test_the_redacted_history_replays() -> None:
    history, _ = redacted("input", "result", "message", "details", "traceback", "identity")
    again = parse_capture(dump_capture(history), "x")
    assert again == history
    assert again.redactions == ("input", "result", "message", "details", "traceback", "identity")
    assert again.redacted[1] == ("input[0]", "input[1]")
    result = replay_history(workflow_definition_of(pay), again.events)
    assert result.divergence is None
    assert result.closed


def test_what_replay_compares_is_never_redacted() -> None:
    history, counts = redacted("name", "call_site", "workflow_type", "seq", "*_id", "type")
    assert not any(counts.values())
    assert history.events == captured().events


def test_nothing_of_an_unusual_spelling_is_left() -> None:
    event = Event.FromString(captured().events[0].SerializeToString())
    event.workflow_started.input[1].data = b'  "secret"'
    history = CapturedHistory(events=(event, *captured().events[1:]))
    assert "stored" in events_of(history)[0]
    history, _ = redact(history, [Redaction.parse("input[1]")])
    assert "stored" not in events_of(history)[0]
    assert "secret" not in dump_capture(history)


def test_an_event_that_cannot_be_looked_into_cannot_be_redacted() -> None:
    newer = Event.FromString(b"\x08\x0a\x18\x63\xfa\x07\x02\x08\x01")
    history = CapturedHistory(events=(*captured().events, newer))
    with pytest.raises(CaptureError, match="Event 10 is of type 99"):
        redact(history, [Redaction.parse("password")])
    assert redact(history, []) == (history, {})


@pytest.mark.parametrize("text", ["", "a b[", ".", "input[0", "in put:", ":", "no type:x"])
def test_a_redaction_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(CaptureError, match="names nothing"):
        Redaction.parse(text)


def test_a_broken_expression_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"/\[/ is no regular expression"):
        Redaction.parse("/[/")


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("password", ("input", 0, "password"), True),
        ("pass*", ("input", 0, "password"), True),
        ("password", ("input", 0, "password", "hint"), False),
        ("input[*].card", ("input", 3, "card"), True),
        ("input[1].card", ("input", 0, "card"), False),
        ("card.number", ("input", 0, "card", "number"), True),
        ("card.number", ("input", 0, "number"), False),
    ],
)
def test_what_a_path_names(pattern: str, path: tuple[str | int, ...], named: bool) -> None:
    assert Redaction.parse(pattern).names("WorkflowStarted", path) == named
