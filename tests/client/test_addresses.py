"""Addresses as users write them."""

from __future__ import annotations

import pytest

from sched_sdk import InvalidArgumentError
from sched_sdk._client.addresses import Rotation, parse_addresses
from sched_sdk._client.transport import Backoff, frame_entry
from sched_sdk.api.v1.workflow_service_pb2 import Call, ClientFrame, StartWorkflowRequest


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:1", ("localhost:1",)),
        ("engine", ("engine:50051",)),
        ("a:1, b:2,a:1", ("a:1", "b:2")),
        ("[::1]:7", ("[::1]:7",)),
        ("[::1]", ("[::1]:50051",)),
        ("unix:/tmp/engine.sock", ("unix:/tmp/engine.sock",)),
    ],
)
def test_what_is_an_address(text: str, addresses: tuple[str, ...]) -> None:
    assert parse_addresses(text) == addresses


@pytest.mark.parametrize("text", ["", "a:1,,b:2", "a:port", "a:0", "a:70000", "::1", "http://a:1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="write host:port"):
        parse_addresses(text)


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCHED_ENGINE_ADDRESS", raising=False)
    monkeypatch.delenv("ENGINE_ADDRESS", raising=False)
    assert parse_addresses(None) == ("localhost:50051",)
    monkeypatch.setenv("ENGINE_ADDRESS", "a:1")
    assert parse_addresses(None) == ("a:1",)
    monkeypatch.setenv("SCHED_ENGINE_ADDRESS", "b:2")
    assert parse_addresses(None) == ("b:2",)


def test_the_rotation_says_when_it_is_round() -> None:
    rotation = Rotation(("a:1", "b:2"))
    assert rotation.current == "a:1"
    assert not rotation.advance()
    assert rotation.current == "b:2"
    assert rotation.advance()


def test_backoff_is_short_first_and_capped() -> None:
    backoff = Backoff(uniform=lambda low, high: high)
    waits = [backoff.next() for _ in range(20)]
    assert waits[0] <= 0.05
    assert waits == sorted(waits)
    assert waits[-1] == 1.0
    backoff.reset()
    assert backoff.next() == waits[0]


@pytest.mark.parametrize("size", [0, 1, 120, 127, 128, 129, 16_380, 16_384, 3_000_000])
def test_entries_put_together_are_a_frame(size: int) -> None:
    call = Call(id=5, start_workflow=StartWorkflowRequest(workflow_id="x" * size))
    entry = frame_entry(ClientFrame.CALLS_FIELD_NUMBER, call.SerializeToString())
    assert ClientFrame.FromString(entry * 2) == ClientFrame(calls=[call, call])
