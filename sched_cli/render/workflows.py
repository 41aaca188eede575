"""Workflows on a terminal: lists, counts, one in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_cli.render.failures import failure_lines
from sched_cli.render.hanging import Hanging
from sched_cli.render.plain import compact, dumps, jsonable
from sched_cli.render.reasons import as_json
from sched_cli.render.tables import Column, Cut, FittedTable
from sched_cli.render.times import ago, duration, local, size, until
from sched_cli.render.why import reasons, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.text import Text

    from sched_cli.looking import Sight
    from sched_sdk._client.models import (
        WorkflowCount,
        WorkflowDescription,
        WorkflowInfo,
        WorkflowStatus,
    )

_STATUS_STYLES = {
    "RUNNING": "blue",
    "COMPLETED": "green",
    "FAILED": "bold red",
    "TIMED_OUT": "red",
    "TERMINATED": "red",
    "CANCELED": "yellow",
    "CONTINUED_AS_NEW": "cyan",
}
_VALUE_LIMIT = 200
_SHOWN_REASONS = 5
_LABEL_WIDTH = 12
_TRACEBACK_INDENT = 4


def status_text(status: WorkflowStatus) -> Text:
    """A status in its colour."""
    from rich.text import Text

    return Text(status.value, style=_STATUS_STYLES.get(status.value, ""))


def workflow_table(runs: Sequence[WorkflowInfo], now: datetime) -> FittedTable:
    """A list of runs, one a line; what they say they are doing, if any of them does."""
    details = any(run.details for run in runs)
    said = Column(title="DETAILS", cut=Cut.END, least=20, weight=3)
    table = FittedTable(
        Column(title="ID", cut=Cut.MIDDLE, least=16, share=2),
        Column(title="TYPE", cut=Cut.MIDDLE, least=12),
        Column(title="STATUS"),
        Column(title="STARTED"),
        Column(title="TOOK", weight=1),
        Column(title="EVENTS", right=True, weight=2),
        *([said] if details else []),
    )
    for run in runs:
        table.add(
            run.workflow_id,
            run.workflow_type,
            _status(run.status),
            ago(run.start_time, now),
            duration(run.close_time - run.start_time) if run.close_time else "",
            str(run.history_length),
            *([run.details] if details else []),
        )
    return table


def count_table(count: WorkflowCount) -> FittedTable:
    """How many, by status, and in all."""
    table = FittedTable(Column(title="STATUS"), Column(title="WORKFLOWS", right=True))
    for status, number in count.by_status.items():
        table.add(_status(status), str(number))
    table.add("total", str(count.total))
    return table


def _status(status: WorkflowStatus) -> tuple[str, str]:
    return status.value, _STATUS_STYLES.get(status.value, "")


def sight_object(sight: Sight, now: datetime) -> dict[str, Any]:
    """One workflow in full, for `--output json`: the description's fields, what
    its code says, and why it is where it is."""
    return {
        **jsonable(sight.description),
        "details": sight.description.info.details,
        "reasons": [as_json(reason) for reason in reasons(sight.description, now, sight)],
    }


def description_lines(
    description: WorkflowDescription, now: datetime, sight: Sight | None = None
) -> list[Text | Hanging]:
    """One workflow in full: how it stands, why, what is pending, how it ended."""
    from rich.text import Text

    info = description.info
    heading = Text.assemble(
        (info.workflow_type, "bold"), "  ", info.workflow_id, "  ", status_text(info.status)
    )
    lines: list[Text | Hanging] = [heading]
    found = reasons(description, now, sight)
    stuck = {reason.sentence for reason in found if reason.stuck}
    lines += [
        Hanging("  ", sentence, style="yellow" if sentence in stuck else "")
        for sentence in shorten(found, _SHOWN_REASONS)
    ]
    if info.details:
        lines += [Text(), _field("Details", info.details)]
    lines.append(Text())
    lines += [_field(name, value) for name, value in _facts(description, now)]
    if description.status == "COMPLETED":
        lines.append(_field("Result", _value(description.result)))
    if description.failure is not None:
        lines += [Text(), *map(_hung, failure_lines(description.failure))]
    return lines


def _field(name: str, value: str) -> Hanging:
    return Hanging(f"{name:<{_LABEL_WIDTH}}", value)


def _hung(line: Text) -> Hanging:
    """A line of a failure, or of its traceback."""
    indented = line.plain.startswith(" ")
    return Hanging.behind(line, _TRACEBACK_INDENT if indented else _LABEL_WIDTH)


def _value(value: Any) -> str:
    text = dumps(value, pretty=False)
    return text if len(text) <= _VALUE_LIMIT else f"{compact(value, _VALUE_LIMIT)} (-o json: all)"


def _facts(description: WorkflowDescription, now: datetime) -> list[tuple[str, str]]:
    info = description.info
    started = f"{local(info.start_time)} ({ago(info.start_time, now)})"
    facts = [("Run", info.run_id), ("Task queue", info.task_queue), ("Started", started)]
    if info.close_time is not None:
        took = duration(info.close_time - info.start_time)
        facts.append(("Ended", f"{local(info.close_time)} (took {took})"))
    if description.execution_deadline is not None and info.close_time is None:
        deadline = description.execution_deadline
        facts.append(("Times out", f"{local(deadline)} ({until(deadline, now)})"))
    if description.origin is not None:
        origin = description.origin
        facts.append(("From", f"events 1 to {origin.event_id} of run {origin.run_id}"))
    if description.new_run_id:
        facts.append(("Goes on as", f"run {description.new_run_id}"))
    events = "event" if info.history_length == 1 else "events"
    history = f"{info.history_length} {events}, {size(description.history_bytes)}"
    facts.append(("History", f"{history}: sched workflow history {info.workflow_id}"))
    facts += [("Input", _value(argument)) for argument in description.input]
    return facts
