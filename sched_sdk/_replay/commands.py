"""One small class per command.

Replay compares these light objects with the history; the message for the
engine is built only for commands that are sent. `kind` and `describe` speak to
people, in the words that errors use on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sched_sdk._replay.call_sites import NOWHERE, CallSite, format_site
from sched_sdk.api.v1 import common_pb2, worker_service_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._replay.journal import Journal
    from sched_sdk.api.v1 import history_pb2

__all__ = [
    "ActivityOptions",
    "CancelTimer",
    "CancelWorkflow",
    "Command",
    "CompleteWorkflow",
    "FailWorkflow",
    "RecordMarker",
    "RecordStep",
    "RequestCancelActivity",
    "ScheduleActivity",
    "StartTimer",
    "describe_patch",
    "describe_timer",
]

_Message = worker_service_pb2.Command
_GROUPS = ("ExceptionGroup", "BaseExceptionGroup")


class Command:
    """What a workflow task asked for. `seq` is 0 until the activation ends."""

    __slots__ = ("seq", "site")

    kind: ClassVar[str]

    def __init__(self, site: CallSite = NOWHERE) -> None:
        self.seq = 0
        self.site = site

    @property
    def call_site(self) -> str:
        return format_site(self.site)

    def settle(self, journal: Journal) -> None:
        journal.produced.append(self)

    def describe(self) -> str:
        return self.kind

    def to_message(self) -> worker_service_pb2.Command:
        raise NotImplementedError


class ActivityOptions:
    """The options of one activity call, in the units of the API."""

    __slots__ = (
        "heartbeat_timeout_us",
        "retry",
        "schedule_to_close_us",
        "schedule_to_start_us",
        "start_to_close_us",
        "summary",
        "task_queue",
    )

    def __init__(
        self,
        *,
        task_queue: str = "",
        retry: common_pb2.RetryPolicy | None = None,
        start_to_close_us: int = 0,
        schedule_to_close_us: int = 0,
        schedule_to_start_us: int = 0,
        heartbeat_timeout_us: int = 0,
        summary: str = "",
    ) -> None:
        self.task_queue = task_queue
        self.retry = retry
        self.start_to_close_us = start_to_close_us
        self.schedule_to_close_us = schedule_to_close_us
        self.schedule_to_start_us = schedule_to_start_us
        self.heartbeat_timeout_us = heartbeat_timeout_us
        self.summary = summary


class ScheduleActivity(Command):
    __slots__ = ("name", "options", "payloads")

    kind = "activity"

    def __init__(
        self,
        name: str,
        payloads: Sequence[common_pb2.Payload],
        options: ActivityOptions,
        site: CallSite,
    ) -> None:
        self.seq = 0
        self.site = site
        self.name = name
        self.payloads = payloads
        self.options = options

    def describe(self) -> str:
        return f"activity {self.name}"

    def to_message(self) -> worker_service_pb2.Command:
        options = self.options
        return _Message(
            seq=self.seq,
            call_site=self.call_site,
            schedule_activity=worker_service_pb2.ScheduleActivity(
                name=self.name,
                task_queue=options.task_queue,
                input=self.payloads,
                retry=options.retry,
                start_to_close_us=options.start_to_close_us,
                schedule_to_close_us=options.schedule_to_close_us,
                schedule_to_start_us=options.schedule_to_start_us,
                heartbeat_timeout_us=options.heartbeat_timeout_us,
                summary=options.summary,
            ),
        )


class RequestCancelActivity(Command):
    __slots__ = ("scheduled",)

    kind = "cancellation of an activity"

    def __init__(self, scheduled: ScheduleActivity, site: CallSite) -> None:
        super().__init__(site)
        self.scheduled = scheduled

    def settle(self, journal: Journal) -> None:
        # The activity was asked for earlier, so it has its number by now.
        self.seq = self.scheduled.seq
        journal.produced.append(self)

    def describe(self) -> str:
        return f"cancellation of activity {self.scheduled.name}"

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(
            seq=self.seq,
            call_site=self.call_site,
            request_cancel_activity=worker_service_pb2.RequestCancelActivity(),
        )


class StartTimer(Command):
    __slots__ = ("duration_us",)

    kind = "timer"

    def __init__(self, duration_us: int, site: CallSite) -> None:
        super().__init__(site)
        self.duration_us = duration_us

    def describe(self) -> str:
        return describe_timer(self.duration_us)

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(
            seq=self.seq,
            call_site=self.call_site,
            start_timer=worker_service_pb2.StartTimer(duration_us=self.duration_us),
        )


class CancelTimer(Command):
    __slots__ = ("started",)

    kind = "cancellation of a timer"

    def __init__(self, started: StartTimer, site: CallSite) -> None:
        super().__init__(site)
        self.seq = started.seq
        self.started = started

    def describe(self) -> str:
        return f"cancellation of {describe_timer(self.started.duration_us)}"

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(
            seq=self.seq,
            call_site=self.call_site,
            cancel_timer=worker_service_pb2.CancelTimer(),
        )


class RecordStep(Command):
    """Exists only live: in replay the recorded outcome is handed to the code."""

    __slots__ = ("message",)

    kind = "step"

    def __init__(self, seq: int, site: CallSite, message: worker_service_pb2.RecordStep) -> None:
        super().__init__(site)
        self.seq = seq
        self.message = message

    def describe(self) -> str:
        return f"step {self.message.name}"

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(seq=self.seq, call_site=self.call_site, record_step=self.message)


class RecordMarker(Command):
    """Which path a patch takes. It has no number: code that stops asking must
    not shift those of the commands behind it."""

    __slots__ = ("id", "marker")

    kind = "patch"

    def __init__(
        self, marker: history_pb2.MarkerRecorded.Kind.ValueType, patch: str, site: CallSite
    ) -> None:
        super().__init__(site)
        self.marker = marker
        self.id = patch

    def settle(self, journal: Journal) -> None:
        journal.produced.append(self)

    def describe(self) -> str:
        return describe_patch(self.id)

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(
            call_site=self.call_site,
            record_marker=worker_service_pb2.RecordMarker(kind=self.marker, id=self.id),
        )


class CompleteWorkflow(Command):
    __slots__ = ("result",)

    kind = "completion of the workflow"

    def __init__(self, result: common_pb2.Payload) -> None:
        super().__init__()
        self.result = result

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(complete_workflow=worker_service_pb2.CompleteWorkflow(result=self.result))


class FailWorkflow(Command):
    __slots__ = ("failure",)

    kind = "failure of the workflow"

    def __init__(self, failure: common_pb2.Failure, site: CallSite = NOWHERE) -> None:
        super().__init__(site)
        self.failure = failure

    @property
    def raised(self) -> common_pb2.Failure:
        """What code raised: of a group, which only says how many there are, the first one."""
        failure = self.failure
        while failure.type in _GROUPS and failure.HasField("cause"):
            failure = failure.cause
        return failure

    def describe(self) -> str:
        return f"{self.kind} ({self.raised.type}: {self.raised.message})"

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(fail_workflow=worker_service_pb2.FailWorkflow(failure=self.failure))


class CancelWorkflow(Command):
    __slots__ = ("failure",)

    kind = "cancellation of the workflow"

    def __init__(self, failure: common_pb2.Failure) -> None:
        super().__init__()
        self.failure = failure

    def to_message(self) -> worker_service_pb2.Command:
        return _Message(
            cancel_workflow=worker_service_pb2.CancelWorkflowExecution(failure=self.failure)
        )


def describe_timer(duration_us: int) -> str:
    return f"timer {duration_us / 1_000_000:g} s"


def describe_patch(patch: str) -> str:
    return f"patch {patch!r}"
