"""What must hold of every history, whatever was killed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1 import history_pb2

if TYPE_CHECKING:
    from pathlib import Path

    from sched_sdk.api.v1.history_pb2 import HistoryEvent
    from tests.crash.load import Job

TERMINAL = {
    "WORKFLOW_COMPLETED",
    "WORKFLOW_FAILED",
    "WORKFLOW_CANCELED",
    "WORKFLOW_TERMINATED",
    "WORKFLOW_TIMED_OUT",
}
RESOLVES = {
    "ACTIVITY_COMPLETED",
    "ACTIVITY_FAILED",
    "ACTIVITY_TIMED_OUT",
    "ACTIVITY_CANCELED",
    "TIMER_FIRED",
    "STEP_COMPLETED",
    "STEP_FAILED",
}
# The ledger has the machine's time. Cluster time lags behind it by as long as a busy
# engine took to hear of its lease.
CLOCK_TOLERANCE_S = 0.25


def type_name(event: HistoryEvent) -> str:
    return history_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_")


def attributes(event: HistoryEvent):  # type: ignore[no-untyped-def]
    return getattr(event, event.WhichOneof("attributes"))


def check_job(job: Job, events: list[HistoryEvent]) -> None:
    """It ended as it must, and so says its history."""
    status, result = job.outcome
    assert status == job.status, f"{job.workflow_id} ended {status}: {result}"
    if status == "COMPLETED":
        assert result == job.result, job.workflow_id
    elif job.result is not None:
        assert job.result in result, job.workflow_id
    check_shape(events)
    check_signals(job, events)
    check_timers(events)
    check_replay(job, events)


def check_shape(events: list[HistoryEvent]) -> None:
    """Ids dense, time monotone, one end and it is last, everything at most once."""
    names = [type_name(event) for event in events]
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    times = [event.time_us for event in events]
    assert times == sorted(times)
    assert names[0] == "WORKFLOW_STARTED"
    assert [name in TERMINAL for name in names].count(True) == 1, names
    assert names[-1] in TERMINAL, names
    resolved = Counter(
        attributes(event).seq for event, name in zip(events, names, strict=True) if name in RESOLVES
    )
    assert all(count == 1 for count in resolved.values()), resolved
    scheduled = Counter(
        attributes(event).seq
        for event, name in zip(events, names, strict=True)
        if name in ("ACTIVITY_SCHEDULED", "TIMER_SCHEDULED")
    )
    assert all(count == 1 for count in scheduled.values()), scheduled


def check_signals(job: Job, events: list[HistoryEvent]) -> None:
    """In order, each exactly once."""
    signals = [event.signal_received for event in events if event.HasField("signal_received")]
    assert [json.loads(signal.input[0].data) for signal in signals] == job.signals
    ids = [signal.request_id for signal in signals]
    assert len(ids) == len(set(ids))


def check_timers(events: list[HistoryEvent]) -> None:
    """No timer fires early."""
    due = {
        event.timer_scheduled.seq: event.timer_scheduled.due_time_us
        for event in events
        if event.HasField("timer_scheduled")
    }
    for event in events:
        if event.HasField("timer_fired"):
            assert event.time_us >= due[event.timer_fired.seq]


def check_replay(job: Job, events: list[HistoryEvent]) -> None:
    result = replay_history(workflow_definition_of(job.function), events)
    assert result.divergence is None, f"{job.workflow_id}: {result.divergence}"


def check_activities(ledger: Path, histories: dict[str, list[HistoryEvent]]) -> int:
    """No activity starts once its completion is recorded; none that is recorded
    never ran. Returns how many runs were repeated because of a kill or a retry."""
    runs: dict[tuple[str, int], list[float]] = defaultdict(list)
    for line in ledger.read_text().splitlines():
        started, _kind, workflow_id, seq = json.loads(line)
        runs[workflow_id, int(seq)].append(started)
    repeated = 0
    for workflow_id, events in histories.items():
        for event in events:
            if not event.HasField("activity_completed"):
                continue
            starts = runs[workflow_id, event.activity_completed.seq]
            assert starts, f"{workflow_id}: completed without having run"
            latest_s = event.time_us / 1e6 + CLOCK_TOLERANCE_S
            late = [start for start in sorted(starts)[1:] if start > latest_s]
            assert not late, f"{workflow_id}: an activity ran again after its completion"
            repeated += len(starts) - 1
    return repeated
