"""What things look like, for fixed data at a fixed time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sched_cli.render import plain, times
from sched_cli.render.events import EventLines
from sched_cli.render.failures import failure_lines
from sched_cli.render.why import reasons, shorten
from sched_cli.render.workflows import description_lines, workflow_table
from sched_sdk._client.conversions import event_from_bytes
from sched_sdk._client.models import (
    PendingActivity,
    PendingTimer,
    PendingWorkflowTask,
    TaskState,
    WorkflowDescription,
    WorkflowInfo,
    WorkflowStatus,
)
from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.errors import ActivityError, ApplicationError

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def info(**changes: Any) -> WorkflowInfo:
    fields: dict[str, Any] = {
        "workflow_id": "wf-1a2b",
        "run_id": "run-1",
        "workflow_type": "MonthlyReport",
        "task_queue": "default",
        "status": WorkflowStatus.RUNNING,
        "start_time": NOW - timedelta(seconds=12),
        "close_time": None,
        "history_length": 7,
    }
    return WorkflowInfo(**{**fields, **changes})


def description(**changes: Any) -> WorkflowDescription:
    fields: dict[str, Any] = {
        "info": info(),
        "input": ("2026-11",),
        "result": None,
        "failure": None,
        "execution_deadline": None,
        "cancel_requested": False,
        "workflow_task": None,
        "activities": (),
        "timers": (),
        "history_bytes": 2150,
    }
    return WorkflowDescription(**{**fields, **changes})


def task(**changes: Any) -> PendingWorkflowTask:
    fields: dict[str, Any] = {
        "state": TaskState.SCHEDULED,
        "attempt": 1,
        "has_worker": True,
        "queue_has_workers": True,
        "identity": "",
        "due_time": None,
        "last_failure_cause": "",
        "last_failure": None,
    }
    return PendingWorkflowTask(**{**fields, **changes})


def pending(**changes: Any) -> PendingActivity:
    fields: dict[str, Any] = {
        "seq": 1,
        "name": "send_email",
        "task_queue": "mail",
        "state": TaskState.SCHEDULED,
        "attempt": 1,
        "maximum_attempts": 5,
        "has_worker": True,
        "queue_has_workers": True,
        "identity": "",
        "scheduled_time": NOW,
        "started_time": None,
        "due_time": None,
        "last_failure": None,
        "heartbeat_details": None,
        "last_heartbeat_time": None,
        "cancel_requested": False,
        "call_site": "app.py:12",
        "summary": "",
    }
    return PendingActivity(**{**fields, **changes})


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ({}, "It waits for a signal; nothing else is pending."),
        (
            {"workflow_task": task(has_worker=False, queue_has_workers=False)},
            (
                "No worker serves workflow type MonthlyReport on task queue default. "
                "Start one: sched worker app.py"
            ),
        ),
        (
            {
                "workflow_task": task(has_worker=False, queue_has_workers=False),
                "info": info(task_queue="mail"),
            },
            (
                "No worker serves workflow type MonthlyReport on task queue mail. "
                "Start one: sched worker app.py --task-queue mail"
            ),
        ),
        ({"workflow_task": task()}, "Its code waits for a worker that is free."),
        (
            {"workflow_task": task(state=TaskState.STARTED, identity="7@host")},
            "Its code runs on worker 7@host.",
        ),
        (
            {"workflow_task": task(state=TaskState.BACKOFF, due_time=NOW + timedelta(seconds=90))},
            "It starts in 1 m 30 s.",
        ),
        (
            {
                "workflow_task": task(
                    state=TaskState.BACKOFF,
                    attempt=3,
                    due_time=NOW + timedelta(seconds=4),
                    last_failure_cause="NON_DETERMINISM",
                    last_failure=ApplicationError(
                        "expected a timer. sched replay shows both sides.",
                        type="NonDeterminismError",
                    ),
                )
            },
            (
                "The last workflow task failed with non-determinism (attempt 3, next try in 4 s): "
                "expected a timer. sched replay wf-1a2b shows both sides."
            ),
        ),
        (
            {
                "activities": (
                    pending(
                        state=TaskState.BACKOFF,
                        attempt=3,
                        due_time=NOW + timedelta(seconds=4),
                        last_failure=ApplicationError("refused\nby host", type="ConnectionError"),
                    ),
                )
            },
            (
                "It waits for activity send_email at app.py:12, attempt 3 of 5, next try in 4 s: "
                "ConnectionError: refused by host."
            ),
        ),
        (
            {
                "activities": (
                    pending(
                        state=TaskState.STARTED,
                        identity="7@host",
                        started_time=NOW - timedelta(seconds=3),
                    ),
                )
            },
            ("It waits for activity send_email at app.py:12, which runs for 3 s on worker 7@host."),
        ),
        (
            {"activities": (pending(has_worker=False, queue_has_workers=False),)},
            (
                "It waits for activity send_email at app.py:12, but no worker serves that on task "
                "queue mail. Start one: sched worker app.py --task-queue mail"
            ),
        ),
    ],
)
def test_why_a_workflow_waits(waiting: dict[str, Any], words: str) -> None:
    assert [reason.sentence for reason in reasons(description(**waiting), NOW)] == [words]


def test_why_names_the_earliest_timer() -> None:
    timers = tuple(
        PendingTimer(seq=seq, due_time=NOW + timedelta(hours=hours), call_site="app.py:14")
        for seq, hours in ((1, 50), (2, 2))
    )
    (reason,) = reasons(description(timers=timers), NOW)
    assert reason.sentence.endswith("(in 2 h), at app.py:14.")
    assert not reason.stuck


def test_why_begins_with_what_is_stuck_and_bounds_the_rest() -> None:
    activities = [pending(seq=seq) for seq in range(6)] + [pending(seq=7, has_worker=False)]
    found = reasons(description(activities=tuple(activities)), NOW)
    assert found[0].stuck
    assert shorten(found, 3)[-1] == "And 4 more reasons."


def test_why_a_workflow_has_ended() -> None:
    ended = description(
        info=info(status=WorkflowStatus.FAILED, close_time=NOW - timedelta(seconds=90)),
        failure=ApplicationError("the till is empty.", type="OutOfMoney"),
    )
    (reason,) = reasons(ended, NOW)
    assert reason.sentence == "It failed 1 m 30 s ago: OutOfMoney: the till is empty."
    assert reason.kind == "closed"
    assert reason.fields["failure"] == {"type": "OutOfMoney", "message": "the till is empty."}


def test_show_says_how_it_ended() -> None:
    ended = description(
        info=info(status=WorkflowStatus.COMPLETED, close_time=NOW), result={"sent": 3}
    )
    text = "\n".join(line.plain for line in description_lines(ended, NOW))
    assert text.startswith("MonthlyReport  wf-1a2b  COMPLETED\n")
    assert "(took 12 s)" in text
    assert 'Input       "2026-11"' in text
    assert 'Result      {"sent": 3}' in text
    assert "7 events, 2.1 KiB" in text


def test_a_failure_shows_its_causes_and_where_they_were_raised() -> None:
    failure = ActivityError("activity send_email failed", activity_name="send_email")
    failure.__cause__ = ApplicationError(
        "refused", type="ConnectionError", remote_traceback='  File "app.py", line 9\n'
    )
    assert [line.plain for line in failure_lines(failure)] == [
        "Failure     ActivityError: activity send_email failed",
        "caused by   ConnectionError: refused",
        '      File "app.py", line 9',
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (1, "1 s"),
        (4.25, "4.2 s"),
        (9.99, "10 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (18720, "5 h 12 m"),
        (273600, "3 d 4 h"),
        (-5, "0 ms"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert times.duration(timedelta(seconds=seconds)) == words


def test_times_in_words() -> None:
    assert times.ago(NOW - timedelta(seconds=0.5), NOW) == "now"
    assert times.ago(NOW - timedelta(seconds=61), NOW) == "1 m 1 s ago"
    assert times.roughly_ago(NOW - timedelta(seconds=119), NOW) == "1 m ago"
    assert times.roughly_ago(NOW + timedelta(seconds=3), NOW) == "now"
    assert times.until(NOW + timedelta(seconds=4), NOW) == "in 4 s"
    assert times.until(NOW, NOW) == "now"
    assert [times.size(count) for count in (812, 2150, 3 << 20)] == ["812 B", "2.1 KiB", "3.0 MiB"]


def test_json_is_stable() -> None:
    error = ApplicationError("no", type="ValueError", details=[1])
    error.__cause__ = KeyError("k")
    value = {
        "time": NOW,
        "length": timedelta(seconds=1.5),
        "raw": b"\x00\xff",
        "status": WorkflowStatus.RUNNING,
        "many": (1, None, True),
        "failure": error,
    }
    assert json.loads(plain.dumps(value, pretty=True)) == {
        "time": "2026-11-23T10:00:00.000000Z",
        "length": 1.5,
        "raw": {"base64": "AP8="},
        "status": "RUNNING",
        "many": [1, None, True],
        "failure": {
            "type": "ValueError",
            "message": "no",
            "traceback": "",
            "details": [1],
            "cause": {
                "type": "KeyError",
                "message": "'k'",
                "traceback": "",
                "details": [],
                "cause": None,
            },
        },
    }
    assert "\n" not in plain.dumps(value, pretty=False)


def test_a_workflow_in_json_has_the_fields_of_the_model() -> None:
    shown = plain.jsonable(description())
    assert set(shown) == set(WorkflowDescription.__dataclass_fields__)
    assert shown["info"]["workflow_id"] == "wf-1a2b"


def _events() -> list[history_pb2.HistoryEvent]:
    """One event of every type that there is, with every field of it set."""
    events = []
    descriptor = history_pb2.HistoryEvent.DESCRIPTOR
    for number, field in enumerate(descriptor.oneofs_by_name["attributes"].fields, start=1):
        event = history_pb2.HistoryEvent(event_id=number, time_us=1_700_000_000_000_000 + number)
        attributes = getattr(event, field.name)
        attributes.SetInParent()
        if "failure" in attributes.DESCRIPTOR.fields_by_name:
            attributes.failure.CopyFrom(
                common_pb2.Failure(
                    type="ActivityError",
                    message="several\nlines",
                    cause=common_pb2.Failure(type="ConnectionError", message="refused"),
                )
            )
        events.append(event)
    return events


def test_every_event_has_a_line() -> None:
    lines = EventLines()
    for raw in _events():
        event = event_from_bytes(raw.SerializeToString())
        text = lines.line(event).plain
        assert event.type in text
        assert "\n" not in text


def test_an_event_of_a_newer_engine_has_a_line_too() -> None:
    raw = history_pb2.HistoryEvent(event_id=1, time_us=1)
    assert "Unknown" in EventLines().line(event_from_bytes(raw.SerializeToString())).plain


def test_the_lines_of_an_activity_name_it() -> None:
    payload = common_pb2.Payload(data=b'"a@b"')
    scheduled = history_pb2.HistoryEvent(
        event_id=3,
        time_us=5_000_000,
        activity_scheduled=history_pb2.ActivityScheduled(
            seq=1, name="send_email", input=[payload], call_site="app.py:30"
        ),
    )
    completed = history_pb2.HistoryEvent(
        event_id=4,
        time_us=7_500_000,
        activity_completed=history_pb2.ActivityCompleted(
            seq=1, result=payload, summary=history_pb2.AttemptSummary(attempts=2)
        ),
    )
    lines = EventLines()
    events = [event_from_bytes(one.SerializeToString()) for one in (scheduled, completed)]
    first, second = (lines.line(event).plain for event in events)
    assert first.endswith('ActivityScheduled        send_email("a@b") at app.py:30')
    assert second.endswith('ActivityCompleted        send_email → "a@b" after 2 attempts')
    assert "+2.5 s" in second


def test_values_are_cut_in_tables_only() -> None:
    long = "x" * 1000
    assert len(plain.compact(long, 120)) == 120
    assert plain.compact(long, 120).endswith("…")
    assert plain.compact(SimpleNamespace.__name__) == '"SimpleNamespace"'


@pytest.mark.parametrize("width", [80, 120])
def test_a_list_fits_the_terminal_and_keeps_both_ends_of_ids(width: int) -> None:
    long = f"order-{'of-a-customer-with-a-long-name-' * 4}0042"
    runs = [info(workflow_id=long), info(status=WorkflowStatus.CONTINUED_AS_NEW)]
    console = Console(width=width)
    with console.capture() as shown:
        console.print(workflow_table(runs, NOW))
    lines = shown.get().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    cut = lines[1].split()[0]
    assert (cut[:6], cut[-4:], "…" in cut) == ("order-", "0042", True)
    assert lines[2].startswith("wf-1a2b ")
    assert "CONTINUED_AS_NEW" in lines[2]


def test_a_list_has_details_if_there_are_any_and_there_is_room() -> None:
    runs = [info(details="sending to ann, " * 12), info()]

    def lines(width: int, runs: list[WorkflowInfo]) -> list[str]:
        console = Console(width=width)
        with console.capture() as shown:
            console.print(workflow_table(runs, NOW))
        return shown.get().splitlines()

    assert lines(120, [info()])[0].split()[-1] == "EVENTS"
    assert lines(60, runs)[0].split()[-1] == "EVENTS"
    wide = lines(120, runs)
    assert wide[0].split()[-1] == "DETAILS"
    assert max(map(len, wide)) <= 120
    assert "sending to ann, send" in wide[1]
    assert wide[1].endswith("…")
    assert wide[1].startswith("wf-1a2b  MonthlyReport  RUNNING"), "nothing else is cut for it"


def test_a_workflow_in_full_has_all_its_details() -> None:
    console = Console(width=60)
    with console.capture() as shown:
        for line in description_lines(description(info=info(details="packing\n43 of 50")), NOW):
            console.print(line)
    assert "Details     packing\n            43 of 50\n" in shown.get()
