"""One line for each event of a history: what happened, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_cli.render.plain import compact
from sched_cli.render.times import duration, local_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rich.text import Text

    from sched_sdk._client.models import Event

    Attributes = Mapping[str, Any]

_ID_WIDTH = 5
_CLOCK_WIDTH = 12
_OFFSET_WIDTH = 10
_TYPE_WIDTH = 23
_VALUE_LIMIT = 120

_BAD = frozenset(
    {
        "WorkflowTaskFailed",
        "ActivityFailed",
        "ActivityTimedOut",
        "ActivityRetryScheduled",
        "StepFailed",
        "WorkflowFailed",
        "WorkflowTimedOut",
        "WorkflowTerminated",
    }
)
_GOOD = frozenset({"ActivityCompleted", "StepCompleted", "WorkflowCompleted"})
_BOOKKEEPING = frozenset({"WorkflowTaskCompleted"})


class EventLines:
    """Renders the events of one run, in order.

    Resolutions carry only the number of what they resolve; this remembers the
    names that go with the numbers.
    """

    def __init__(self) -> None:
        self._started: datetime | None = None
        self._names: dict[int, str] = {}

    def header(self) -> Text:
        """The titles of the columns."""
        from rich.text import Text

        titles = (
            f"{'ID':>{_ID_WIDTH}}  {'TIME':<{_CLOCK_WIDTH}}  {'AFTER':>{_OFFSET_WIDTH}}  "
            f"{'EVENT':<{_TYPE_WIDTH}}  WHAT"
        )
        return Text(titles, style="dim")

    def line(self, event: Event) -> Text:
        """One event."""
        from rich.text import Text

        if self._started is None:
            self._started = event.time
        after = "+" + duration(event.time - self._started)
        return Text.assemble(
            (f"{event.event_id:>{_ID_WIDTH}}  ", "dim"),
            (f"{local_clock(event.time):<{_CLOCK_WIDTH}}  {after:>{_OFFSET_WIDTH}}  ", "dim"),
            (f"{event.type:<{_TYPE_WIDTH}}  ", style_of(event.type)),
            (self.what(event), "dim" if event.type in _BOOKKEEPING else ""),
        )

    def what(self, event: Event) -> str:
        """The event's details in a few words, on one line."""
        attributes = event.attributes
        seq = attributes.get("seq")
        if seq is not None and attributes.get("name"):
            self._names[seq] = attributes["name"]
        describe = _DETAILS.get(event.type)
        words = describe(attributes) if describe else ""
        subject = self._names.get(seq, "") if seq is not None else ""
        return " ".join(f"{subject}{'' if words.startswith('(') else ' '}{words}".split())


def style_of(event_type: str) -> str:
    """The style of an event's name: what went wrong, well, or is bookkeeping."""
    if event_type in _BAD:
        return "red"
    if event_type in _GOOD:
        return "green"
    return "dim" if event_type in _BOOKKEEPING else "cyan"


def _arguments(attributes: Attributes) -> str:
    values = [compact(value, _VALUE_LIMIT) for value in attributes.get("input", ())]
    return f"({', '.join(values)})"


def _place(attributes: Attributes) -> str:
    call_site = attributes.get("call_site")
    return f" at {call_site}" if call_site else ""


def failure_words(failure: Mapping[str, Any] | None) -> str:
    """ "ConnectionError: refused", with the causes behind it, on one line."""
    words = []
    while failure:
        name, message = failure.get("type", ""), failure.get("message", "")
        words.append(f"{name}: {message}" if name and message else name or message)
        failure = failure.get("cause")
    return " ← ".join(" ".join(part.split()) for part in words)


def _attempts(attributes: Attributes) -> str:
    attempts = attributes.get("summary", {}).get("attempts", 0)
    return f" after {attempts} attempts" if attempts > 1 else ""


def _moot(attributes: Attributes) -> str:
    return " (it was over already)" if attributes.get("moot") else ""


def _started(attributes: Attributes) -> str:
    words = f"{attributes.get('workflow_type', '')}{_arguments(attributes)}"
    words += f" on {attributes.get('task_queue', 'default')}"
    if "start_delay" in attributes:
        words += f", starts after {duration(attributes['start_delay'])}"
    if "execution_timeout" in attributes:
        words += f", at most {duration(attributes['execution_timeout'])}"
    return words


def _task_completed(attributes: Attributes) -> str:
    identity, build = attributes.get("identity", ""), attributes.get("build_id", "")
    return f"by {identity}" + (f", build {build}" if build else "") if identity else ""


def _task_failed(attributes: Attributes) -> str:
    cause = attributes.get("cause", "").replace("_", " ").lower()
    return f"{cause}: {failure_words(attributes.get('failure'))}".strip(": ")


def _retry(attributes: Attributes) -> str:
    words = f"attempt {attributes.get('attempt', 0)} failed: "
    words += failure_words(attributes.get("failure"))
    due = attributes.get("next_attempt_time")
    return f"{words}; next try at {local_clock(due)}" if due else words


def _step(attributes: Attributes) -> str:
    words = f"→ {compact(attributes.get('result'), _VALUE_LIMIT)}"
    if "duration" in attributes:
        words += f" in {duration(attributes['duration'])}"
    return words + _place(attributes)


def _step_failed(attributes: Attributes) -> str:
    words = f"attempt {attributes.get('attempt', 1)}: {failure_words(attributes.get('failure'))}"
    if "retry_after" in attributes:
        words += f"; again after {duration(attributes['retry_after'])}"
    return words + _place(attributes)


_DETAILS: dict[str, Callable[[Attributes], str]] = {
    "WorkflowStarted": _started,
    "WorkflowTaskCompleted": _task_completed,
    "WorkflowTaskFailed": _task_failed,
    "ActivityScheduled": lambda a: _arguments(a) + _place(a),
    "ActivityCompleted": lambda a: f"→ {compact(a.get('result'), _VALUE_LIMIT)}{_attempts(a)}",
    "ActivityFailed": lambda a: failure_words(a.get("failure")) + _attempts(a),
    "ActivityTimedOut": lambda a: failure_words(a.get("failure")) + _attempts(a),
    "ActivityCanceled": lambda a: failure_words(a.get("failure")),
    "ActivityCancelRequested": lambda a: _moot(a) + _place(a),
    "ActivityRetryScheduled": _retry,
    "TimerScheduled": lambda a: (
        f"for {duration(a['duration'])}{_place(a)}" if "duration" in a else _place(a)
    ),
    "TimerFired": lambda a: f"timer {a.get('seq', '')}",
    "TimerCanceled": lambda a: f"timer {a.get('seq', '')}{_moot(a)}{_place(a)}",
    "SignalReceived": lambda a: f"{a.get('name', '')}{_arguments(a)}",
    "WorkflowCancelRequested": lambda a: a.get("reason", ""),
    "StepCompleted": _step,
    "StepFailed": _step_failed,
    "WorkflowCompleted": lambda a: f"→ {compact(a.get('result'), _VALUE_LIMIT)}",
    "WorkflowFailed": lambda a: failure_words(a.get("failure")),
    "WorkflowCanceled": lambda a: failure_words(a.get("failure")),
    "WorkflowTerminated": lambda a: a.get("reason", ""),
    "MarkerRecorded": lambda a: f"{a.get('kind', '')} {a.get('id', '')}{_place(a)}",
    "WorkflowTimedOut": lambda a: failure_words(a.get("failure")),
}
