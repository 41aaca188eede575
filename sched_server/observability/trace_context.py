"""Trace contexts as W3C writes them, and the span that a run has before it is made.

    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    version     trace id                    span id      flags (01: sampled)

The span of a run is made when the run closes, perhaps by another engine than
the one that started it, and until then activities already hang below it. So
nobody keeps its ids: they follow from the run's id.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)
_SAMPLED = 1
# What W3C asks everybody to be able to pass on.
_TRACESTATE_CHARACTERS = 512
_TRACEPARENT_CHARACTERS = 128


class TraceContext(NamedTuple):
    """Names a span to those below it."""

    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def parse(traceparent: str) -> TraceContext | None:
    """None for what names no span."""
    if len(traceparent) > _TRACEPARENT_CHARACTERS:
        return None
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["rest"]):
        return None
    trace_id, span_id = int(found["trace"], 16), int(found["span"], 16)
    if not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, bool(int(found["flags"], 16) & _SAMPLED))


def usable(traceparent: str, tracestate: str) -> tuple[str, str]:
    """What of a caller's context is kept. A context that cannot be read is left
    out, as W3C wants it: a mistake in tracing must not keep work from starting."""
    if parse(traceparent) is None:
        return "", ""
    plain = tracestate.isascii() and tracestate.isprintable()
    if len(tracestate) > _TRACESTATE_CHARACTERS or not plain:
        return traceparent, ""
    return traceparent, tracestate


def trace_of_run(run_id: str) -> int:
    """The trace id of a run whose start had no context."""
    return _derived(run_id, b"sched trace", size=16)


def span_of_run(run_id: str) -> int:
    return _derived(run_id, b"sched span", size=8)


def _derived(run_id: str, purpose: bytes, *, size: int) -> int:
    digest = hashlib.blake2b(run_id.encode(), digest_size=size, person=purpose).digest()
    return int.from_bytes(digest, "big") or 1  # 0 names nothing
