"""Values of the core's structs, for hypothesis, from their annotations."""

from __future__ import annotations

import functools
import typing
from typing import Any

from hypothesis import strategies as st

from sched_server.core import events as e
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    HistoryOrigin,
    Payload,
    RetryPolicy,
)

text = st.text(st.characters(codec="utf-8"), max_size=12)
int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
uint32 = st.integers(0, 2**32 - 1)
fixed64 = st.integers(0, 2**64 - 1)

payloads = st.builds(Payload, encoding=text, data=st.binary(max_size=12))
many_payloads = st.lists(payloads, max_size=3).map(tuple)


def _failures(causes: st.SearchStrategy[Failure | None]) -> st.SearchStrategy[Failure]:
    return st.builds(
        Failure,
        kind=st.integers(1, 6),
        type=text,
        message=text,
        traceback=text,
        cause=causes,
        details=many_payloads,
        non_retryable=st.booleans(),
        activity_name=text,
    )


failures = _failures(st.none() | _failures(st.none() | _failures(st.none())))
# On the wire 0 means "not set", that is the default; so it is never recorded.
retries = st.builds(
    RetryPolicy,
    initial_interval_us=st.integers(1, 2**62),
    backoff_coefficient=st.floats(1, 1_000),
    maximum_interval_us=st.integers(1, 2**62),
    maximum_attempts=st.integers(0, 2**31 - 1),
    non_retryable_error_types=st.lists(text, max_size=3).map(tuple),
)
summaries = st.builds(AttemptSummary, attempts=int32, started_time_us=int64, identity=text)
origins = st.none() | st.builds(
    HistoryOrigin,
    workflow_id=text,
    run_id=text.filter(bool),
    event_id=int64,
    signals=int32,
    time_us=int64,
)

_NARROW = {
    "kind": st.integers(1, 2),
    "seq": uint32,
    "attempt": int32,
    "cause": st.integers(1, 6),
    "seed": fixed64,
    "segment_id": fixed64,
}
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: text,
    str | None: st.none() | text,
    int: int64,
    bool: st.booleans(),
    Payload: payloads,
    tuple[Payload, ...]: many_payloads,
    tuple[str, ...]: st.lists(text, max_size=3).map(tuple),
    tuple[int, ...]: st.lists(uint32, max_size=3).map(tuple),
    Failure: failures,
    RetryPolicy: retries,
    AttemptSummary: summaries,
    HistoryOrigin | None: origins,
}


@functools.cache
def attributes_of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of one type of event."""
    fields = {
        name: _NARROW[name] if name in _NARROW else _BY_TYPE[hint]
        for name, hint in typing.get_type_hints(kind).items()
        if name in kind.__struct_fields__  # type: ignore[attr-defined]  # a msgspec Struct
    }
    return st.builds(kind, **fields)


def events_of(kind: type) -> st.SearchStrategy[e.Event]:
    return st.builds(
        e.Event,
        event_id=st.integers(1, 2**63 - 1),
        time_us=int64,
        attributes=attributes_of(kind),
    )
