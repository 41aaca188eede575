"""Arguments that differ while the command is the same.

Replay does not mind: what was recorded stays in force. But a difference often
tells of a mistake, so a replay for people compares what a worker's does not.
It wraps the matchers of replay, which stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sched_sdk import _payloads
from sched_sdk._debug.model import Difference
from sched_sdk._replay.commands import CompleteWorkflow, FailWorkflow, ScheduleActivity, StartTimer
from sched_sdk._replay.divergence import describe_event
from sched_sdk._replay.matching import MATCHERS, Matcher
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from sched_sdk._replay.journal import Journal
    from sched_sdk.api.v1 import common_pb2

__all__ = ["Comparison", "differing_places", "plain_payloads"]

Event = history_pb2.HistoryEvent

_KEPT = 100
_PATHS_PER_COMMAND = 3
_SECOND = 1_000_000


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


class Comparison:
    """Collects differences while one history is replayed."""

    def __init__(self, redacted: Mapping[int, Sequence[str]]) -> None:
        self.differences: list[Difference] = []
        self.count = 0
        self.not_comparable = 0
        # Whatever the code computes after it was given a replaced value may differ.
        self._redacted_from = min(redacted, default=math.inf)

    def matchers(self) -> dict[int, Matcher]:
        """Those of replay, with a comparison behind some of them."""
        compared: dict[int, Matcher] = {
            history_pb2.EVENT_TYPE_ACTIVITY_SCHEDULED: self._activity_scheduled,
            history_pb2.EVENT_TYPE_TIMER_SCHEDULED: self._timer_scheduled,
            history_pb2.EVENT_TYPE_WORKFLOW_COMPLETED: self._workflow_completed,
            history_pb2.EVENT_TYPE_WORKFLOW_FAILED: self._workflow_failed,
        }
        return {**MATCHERS, **compared}

    def _activity_scheduled(self, journal: Journal, event: Event) -> None:
        command = _matched(journal, event)
        assert isinstance(command, ScheduleActivity)
        recorded = event.activity_scheduled.input
        if not _same_payloads(recorded, command.payloads):
            self._differs(
                event,
                command.call_site,
                "input",
                plain_payloads(recorded),
                plain_payloads(command.payloads),
            )

    def _timer_scheduled(self, journal: Journal, event: Event) -> None:
        command = _matched(journal, event)
        assert isinstance(command, StartTimer)
        recorded = event.timer_scheduled.duration_us
        if recorded != command.duration_us:
            self._differs(
                event,
                command.call_site,
                "duration",
                recorded / _SECOND,
                command.duration_us / _SECOND,
            )

    def _workflow_completed(self, journal: Journal, event: Event) -> None:
        command = _matched(journal, event)
        assert isinstance(command, CompleteWorkflow)
        recorded = event.workflow_completed.result
        if not _same_payloads([recorded], [command.result]):
            self._differs(event, "", "result", _plain(recorded), _plain(command.result))

    def _workflow_failed(self, journal: Journal, event: Event) -> None:
        command = _matched(journal, event)
        assert isinstance(command, FailWorkflow)
        recorded, current = event.workflow_failed.failure, command.failure
        self._differs(
            event,
            command.call_site,
            "failure",
            {"type": recorded.type, "message": recorded.message},
            {"type": current.type, "message": current.message},
        )

    def _differs(self, event: Event, site: str, path: str, recorded: Any, current: Any) -> None:
        """Bytes differ; look whether the values do, and where."""
        places = _first(_PATHS_PER_COMMAND, differing_places(path, recorded, current))
        if not places:
            return
        if event.event_id >= self._redacted_from:
            self.not_comparable += 1
            return
        self.count += 1
        if self.count > _KEPT:
            return
        field = event.WhichOneof("attributes")
        recorded_site = getattr(getattr(event, field or ""), "call_site", "")
        self.differences.extend(
            Difference(
                event_id=event.event_id,
                what=describe_event(event),
                path=where,
                recorded=before,
                current=now,
                recorded_call_site=recorded_site,
                current_call_site=site,
            )
            for where, before, now in places
        )


def _matched(journal: Journal, event: Event) -> object:
    """The produced command, once replay's own matcher took it."""
    command = journal.produced[0] if journal.produced else None
    MATCHERS[event.type](journal, event)
    return command


def _same_payloads(
    recorded: Sequence[common_pb2.Payload], current: Sequence[common_pb2.Payload]
) -> bool:
    return len(recorded) == len(current) and all(
        before.data == now.data and before.encoding == now.encoding
        for before, now in zip(recorded, current, strict=True)
    )


def plain_payloads(payloads: Sequence[common_pb2.Payload]) -> list[Any]:
    """Payloads as JSON's own types, or bytes."""
    return [_plain(payload) for payload in payloads]


def _plain(payload: common_pb2.Payload) -> Any:
    try:
        return _payloads.decode(payload)
    except PayloadError:
        return payload.data


def differing_places(path: str, recorded: Any, current: Any) -> Iterator[tuple[str, Any, Any]]:
    """The places at which two plain values differ, outermost first."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        for key in {**recorded, **current}:
            yield from differing_places(
                f"{path}.{key}", recorded.get(key, MISSING), current.get(key, MISSING)
            )
    elif isinstance(recorded, list) and isinstance(current, list):
        for index in range(max(len(recorded), len(current))):
            yield from differing_places(
                f"{path}[{index}]", _item(recorded, index), _item(current, index)
            )
    elif type(recorded) is not type(current) or recorded != current:
        yield path, recorded, current


def _item(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else MISSING


def _first(count: int, places: Iterator[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    return [place for _, place in zip(range(count), places, strict=False)]
