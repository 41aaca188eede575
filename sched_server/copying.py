"""Reset and fork: a new run from the first events of another one.

A reset ends the source (if it is open) and begins the copy in one commit, under
the same workflow id. A fork leaves the source alone and has an id of its own.
Either way the copy is decided at a moment when all of the source's history is
durable and read: what comes to the source later is refused by its end (reset),
or is the source's own (fork). So no signal is lost or doubled.

The same request again finds the run that it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sched_server.codec import decode_event, encode_event
from sched_server.core import events as e
from sched_server.core.deciders import copy
from sched_server.core.inputs import ResumeCopy, TerminateWorkflow
from sched_server.core.values import HistoryOrigin, Status
from sched_server.errors import Rejection, Unavailable
from sched_server.lookup import id_from_request
from sched_server.store.port import EventRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.engine import Engine
    from sched_server.execution import Execution

_ROUNDS = 100
_PAGE_EVENTS = 2_000
_PAGE_BYTES = 4 * 1024 * 1024
_STARTED = e.EVENT_TYPES[e.WorkflowStarted]
_SIGNAL = e.EVENT_TYPES[e.SignalReceived]


class CopyRequest(msgspec.Struct, frozen=True, kw_only=True):
    workflow_id: str
    run_id: str = ""
    """Empty: the current run, or the last."""
    point: Callable[[Sequence[int]], int]
    """The last event to keep, given the types of all events."""
    keep_signals: bool = True
    fork: bool = False
    new_workflow_id: str = ""
    """Of a fork; empty: one that follows from the request id."""
    reason: str = ""
    request_id: str
    identity: str = ""


class Copy(msgspec.Struct, frozen=True):
    workflow_id: str
    run_id: str
    origin: HistoryOrigin


async def begin_copy(engine: Engine, request: CopyRequest) -> Copy:
    """Raises Rejection, Unavailable."""
    target_id = request.workflow_id
    if request.fork:
        target_id = request.new_workflow_id or id_from_request(request.request_id)
    await engine.turns.take(target_id)
    try:
        earlier = await engine.store.find_start(target_id, request.request_id)
        if earlier is not None:
            return await _done_before(engine, earlier.run_key)
        return await _copy(engine, request, target_id)
    finally:
        engine.turns.give_back(target_id)


async def _copy(engine: Engine, request: CopyRequest, target_id: str) -> Copy:
    source = await engine.lookup.execution(request.workflow_id, request.run_id)
    history: list[EventRow] = []
    for _ in range(_ROUNDS):
        await engine.group.settled(source)
        if source.dropped:
            source = await engine.lookup.execution(request.workflow_id, source.state.run_id)
            history.clear()
            continue
        await _read_on(engine, source, history)
        rival = await engine.current(target_id)
        # The source itself is another object once a failed commit has dropped it.
        if rival is not None and (request.fork or rival.run_key != source.run_key):
            await engine.group.settled(rival)  # a refusal, too, tells only what is durable
            if rival.state.start_request_id == request.request_id:
                return await _done_before(engine, rival.run_key)  # sent twice; that was faster
            raise _taken(rival)
        # One whose asker went away may have been made before it was our turn.
        earlier = await engine.store.find_start(target_id, request.request_id)
        if earlier is not None:
            return await _done_before(engine, earlier.run_key)
        unchanged = source.settled and not source.dropped
        if not unchanged or len(history) != source.state.last_event_id:
            continue  # more has come meanwhile
        rival = engine.group.cache.get_open(target_id)
        if rival is not None and rival is not source:
            continue
        copy_, origin = _begin(engine, request, target_id, source, history)
        await engine.group.settled(copy_)
        return Copy(target_id, copy_.state.run_id, origin)
    raise Unavailable(f"workflow {request.workflow_id!r} changes too quickly; try again")


def _begin(
    engine: Engine,
    request: CopyRequest,
    target_id: str,
    source: Execution,
    history: list[EventRow],
) -> tuple[Execution, HistoryOrigin]:
    """Decide it, without a pause: nothing can come in between."""
    group, state = engine.group, source.state
    types = [row.type for row in history]
    kept = copy.cut(types, request.point(types))
    signals = _signals_behind(history, kept) if request.keep_signals else ()
    now = max(group.clock.now_us(), state.last_time_us)
    origin = HistoryOrigin(state.workflow_id, state.run_id, kept, len(signals), now)
    run_id = str(engine.machine.new_uuid())
    first = _first_event(history[0], request, target_id, run_id, origin)
    events, resume = [first, *history[1:kept]], ResumeCopy(signals=signals)
    if not request.fork and state.status is Status.RUNNING:
        reason = f"reset to event {kept}" + (f": {request.reason}" if request.reason else "")
        group.apply(
            source,
            TerminateWorkflow(reason=reason, identity=request.identity, new_run_id=run_id),
        )
        assert source.pending is not None
        source.pending.broken = True  # unless the copy is made, too
        begun = group.create_copy(target_id, events, resume)
        source.pending.linked, source.pending.broken = begun, False
    else:
        begun = group.create_copy(target_id, events, resume)
    return begun, origin


def _first_event(
    row: EventRow, request: CopyRequest, target_id: str, run_id: str, origin: HistoryOrigin
) -> EventRow:
    """The source's start, with the ids of the copy. Its time and its seed stay,
    since the code has seen them."""
    event = decode_event(row.data)
    assert isinstance(event.attributes, e.WorkflowStarted)
    started = msgspec.structs.replace(
        event.attributes,
        workflow_id=target_id,
        run_id=run_id,
        request_id=request.request_id,
        identity=request.identity,
        previous_run_id="" if request.fork else origin.run_id,
        origin=origin,
    )
    data = encode_event(e.Event(event.event_id, event.time_us, started))
    return EventRow(row.event_id, row.type, row.time_us, data)


def _signals_behind(history: Sequence[EventRow], kept: int) -> tuple[e.SignalReceived, ...]:
    signals = []
    for row in history[kept:]:
        if row.type == _SIGNAL:
            attributes = decode_event(row.data).attributes
            assert isinstance(attributes, e.SignalReceived)
            signals.append(attributes)
    return tuple(signals)


async def _read_on(engine: Engine, source: Execution, history: list[EventRow]) -> None:
    """Append what is committed and not read yet."""
    while len(history) < source.committed_event_id:
        history += await engine.store.read_history(
            source.run_key,
            after_event_id=len(history),
            limit=_PAGE_EVENTS,
            max_bytes=_PAGE_BYTES,
        )


async def _done_before(engine: Engine, run_key: int) -> Copy:
    started = await engine.beginning_of(run_key)
    if started.origin is None:
        raise Rejection(
            "INVALID_ARGUMENT",
            f"request id {started.request_id!r} has started workflow {started.workflow_id!r}; use "
            "another one",
        )
    return Copy(started.workflow_id, started.run_id, started.origin)


def _taken(rival: Execution) -> Rejection:
    state = rival.state
    return Rejection(
        "WORKFLOW_ALREADY_STARTED",
        f"workflow {state.workflow_id!r} is running (run {state.run_id}); end it first, reset "
        "that run, or fork to another id",
    )
