"""Replay and captured histories, given what no engine wrote: a stated end, always."""

from __future__ import annotations

import functools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk import CaptureError
from sched_sdk._capture import CapturedHistory, dump_capture, parse_capture
from sched_server.codec import encode_event
from sched_server.codec.events import UnknownEvent, event_from_proto

from .histories import a_history, mutated_history, replayed
from .hostile import Hostile

if TYPE_CHECKING:
    from sched_sdk.api.v1.history_pb2 import HistoryEvent

HISTORIES = 12

seeds = st.integers(0, 2**32)


@functools.cache
def history(number: int) -> list[HistoryEvent]:
    return a_history(number)


def hostile(seed: int) -> Hostile:
    found = Hostile(random.Random(seed))
    for seq in range(1, 6):
        found.know(seq=seq, seen=seq * 2, base=seq)
    for word in ("book", "extra", "go", "Trip"):
        found.know(name=word, workflow_type=word)
    return found


@pytest.mark.parametrize("number", range(HISTORIES))
def test_what_is_mutated_replays_as_it_is(number: int) -> None:
    assert replayed(history(number)) == ("agrees", "")


@settings(max_examples=400, deadline=None)
@given(number=st.integers(0, HISTORIES - 1), seed=seeds)
def test_a_mutated_history_ends_in_words(number: int, seed: int) -> None:
    outcome, said = replayed(mutated_history(hostile(seed), history(number)))
    assert outcome in ("agrees", "diverges", "SchedError"), said


@settings(max_examples=150, deadline=None)
@given(number=st.integers(0, HISTORIES - 1), seed=seeds)
def test_the_engine_reads_back_what_it_would_write(number: int, seed: int) -> None:
    """A mutated event is either unknown, or means what it says: no third thing."""
    attacker = hostile(seed)
    event = attacker.mutated(attacker.chance.choice(history(number)))
    try:
        decoded = event_from_proto(event)
    except UnknownEvent:
        return
    written = encode_event(decoded)  # as bytes: a NaN is not equal to itself
    assert encode_event(event_from_proto(type(event).FromString(written))) == written


@settings(max_examples=150, deadline=None)
@given(number=st.integers(0, HISTORIES - 1), seed=seeds)
def test_a_mutated_capture_is_read_or_refused_in_words(number: int, seed: int) -> None:
    chance = random.Random(seed)
    text = _mutated_text(chance, dump_capture(CapturedHistory(events=tuple(history(number)))))
    said = ""
    try:
        replayed(parse_capture(text, "orders.json").events)
    except CaptureError as error:
        said = str(error)
    assert not said or (said.startswith("orders.json") and len(said) < 1_500)


_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1.5, "", "x", "\x00", "\ud800", [], {}, [[]], {"a": 1},
    "2026-01-01", "9999-12-31T23:59:59Z",
)  # fmt: skip


def _mutated_text(chance: random.Random, text: str) -> str:
    """A value replaced, a member left out, or a place in the text damaged."""
    if chance.random() < 0.3:
        place = chance.randrange(len(text))
        return text[:place] + chance.choice(("", "{", "]", '"', "null")) + text[place + 3 :]
    document = json.loads(text)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(_places(document))
        if isinstance(container, dict) and chance.random() < 0.3:
            del container[key]
        else:
            container[key] = chance.choice(_VALUES)
    return json.dumps(document)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: what holds it, and its key or number there."""
    keys: Any = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    places = [(value, key) for key in keys]
    for key in keys:
        places.extend(_places(value[key]))
    return places
