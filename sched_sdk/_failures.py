"""Exceptions to failures and back.

A failure keeps what people and retry policies need of an exception: the class
name, the message, the traceback as text, the chain of causes. It is bounded in
every direction, since it is stored in history: a huge message must not be the
reason why an error cannot be reported. For the same reason nothing here raises
because of what user code put into an exception.

On the way back the text of the remote traceback becomes a note of the
exception, so that Python prints it wherever it prints the exception.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import traceback
from typing import TYPE_CHECKING

from sched_sdk import _payloads
from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import (
    ActivityError,
    ApplicationError,
    CanceledFailureError,
    FailureError,
    PayloadError,
    TerminatedFailureError,
    TimeoutFailureError,
    WorkerLostError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

__all__ = ["exception_from_failure", "failure_from_exception"]

MAXIMUM_MESSAGE_BYTES = 8 * 1024
MAXIMUM_TYPE_BYTES = 255
MAXIMUM_TRACEBACK_BYTES = 32 * 1024
MAXIMUM_CHAIN = 10
# All details of a chain together, and all its tracebacks.
MAXIMUM_DETAILS_BYTES = 256 * 1024
MAXIMUM_ALL_TRACEBACKS_BYTES = 128 * 1024
_MAXIMUM_FRAMES = 100

_OWN_FRAMES = os.path.dirname(os.path.abspath(__file__)) + os.sep
# Between the runner and user code these only say "a thread" or "a task".
_PLUMBING = tuple(
    os.path.dirname(os.__file__) + os.sep + part
    for part in ("asyncio" + os.sep, "concurrent" + os.sep, "contextvars.py")
)

_KINDS: tuple[tuple[type[BaseException], common_pb2.FailureKind.ValueType], ...] = (
    (ActivityError, common_pb2.FAILURE_KIND_ACTIVITY),
    (TimeoutFailureError, common_pb2.FAILURE_KIND_TIMEOUT),
    (CanceledFailureError, common_pb2.FAILURE_KIND_CANCELED),
    (TerminatedFailureError, common_pb2.FAILURE_KIND_TERMINATED),
    (WorkerLostError, common_pb2.FAILURE_KIND_WORKER_LOST),
    (asyncio.CancelledError, common_pb2.FAILURE_KIND_CANCELED),
)

_CLASSES: dict[int, type[FailureError]] = {
    common_pb2.FAILURE_KIND_TIMEOUT: TimeoutFailureError,
    common_pb2.FAILURE_KIND_CANCELED: CanceledFailureError,
    common_pb2.FAILURE_KIND_TERMINATED: TerminatedFailureError,
    common_pb2.FAILURE_KIND_WORKER_LOST: WorkerLostError,
}


def failure_from_exception(
    exception: BaseException,
    *,
    kind: common_pb2.FailureKind.ValueType = common_pb2.FAILURE_KIND_APPLICATION,
    hide_frames_of: Sequence[str] = (),
) -> common_pb2.Failure:
    """Describe an exception and its causes.

    `kind` is what an exception counts as that is none of sched's own (those
    and `asyncio.CancelledError` keep their kind). Frames of files below the
    paths `hide_frames_of`, and of sched itself, are left out of tracebacks.
    """
    chain, left_out = _chain_of(exception)
    hidden = (_OWN_FRAMES, *hide_frames_of)
    details_left = MAXIMUM_DETAILS_BYTES
    tracebacks_left = MAXIMUM_ALL_TRACEBACKS_BYTES
    failures = []
    for link in chain:
        link_kind = kind if link is exception else common_pb2.FAILURE_KIND_APPLICATION
        failure = _one_failure(link, link_kind, details_left)
        limit = min(MAXIMUM_TRACEBACK_BYTES, tracebacks_left)
        failure.traceback = _clean(_traceback_text(link, hidden), limit)
        details_left -= sum(len(detail.data) for detail in failure.details)
        tracebacks_left -= len(failure.traceback.encode())
        failures.append(failure)
    if left_out:
        failures[-1].message = _clean(
            f"{failures[-1].message} ({left_out} causes between this and the next "
            "exception were left out)",
            MAXIMUM_MESSAGE_BYTES,
        )
    result = failures.pop()
    while failures:
        outer = failures.pop()
        outer.cause.CopyFrom(result)
        result = outer
    return result


def exception_from_failure(failure: common_pb2.Failure) -> FailureError:
    """The exception that a failure describes, with its causes in `__cause__`."""
    links: list[FailureError] = []
    link = failure
    while True:
        links.append(_one_exception(link))
        if len(links) >= MAXIMUM_CHAIN or not link.HasField("cause"):
            break
        link = link.cause
    for outer, cause in itertools.pairwise(links):
        outer.__cause__ = cause
    return links[0]


def _chain_of(exception: BaseException) -> tuple[list[BaseException], int]:
    """The exception and its causes, outermost first, and how many were left
    out. In a long chain the root cause is worth more than the middle."""
    chain: list[BaseException] = []
    link: BaseException | None = exception
    while link is not None and len(chain) < 1000 and not any(link is other for other in chain):
        chain.append(link)
        link = _cause_of(link)
    if len(chain) <= MAXIMUM_CHAIN:
        return chain, 0
    return [*chain[: MAXIMUM_CHAIN - 1], chain[-1]], len(chain) - MAXIMUM_CHAIN


def _cause_of(exception: BaseException) -> BaseException | None:
    if isinstance(exception, PayloadError):
        return None  # its message says it all; what is below is of the codec's insides
    if exception.__cause__ is not None:
        return exception.__cause__
    if isinstance(exception, BaseExceptionGroup):
        first: BaseException = exception.exceptions[0]
        return first
    return None if exception.__suppress_context__ else exception.__context__


def _one_failure(
    exception: BaseException, kind: common_pb2.FailureKind.ValueType, details_limit: int
) -> common_pb2.Failure:
    for known, known_kind in _KINDS:
        if isinstance(exception, known):
            kind = known_kind
            break
    failure = common_pb2.Failure(
        kind=kind,
        type=_clean(_type_of(exception), MAXIMUM_TYPE_BYTES),
        message=_clean(_message_of(exception), MAXIMUM_MESSAGE_BYTES),
    )
    if isinstance(exception, FailureError):
        failure.non_retryable = exception.non_retryable
        failure.details.extend(_encode_details(exception.details, details_limit))
    if isinstance(exception, ActivityError):
        failure.activity_name = _clean(exception.activity_name, MAXIMUM_TYPE_BYTES)
    return failure


def _type_of(exception: BaseException) -> str:
    if isinstance(exception, FailureError):
        return str(exception.type)
    return type(exception).__name__


def _message_of(exception: BaseException) -> str:
    if isinstance(exception, FailureError):
        return str(exception.message)
    if isinstance(exception, asyncio.CancelledError) and not exception.args:
        return "canceled"
    try:
        return str(exception)
    except Exception as error:
        return f"(no message: its __str__ raised {type(error).__name__})"


def _encode_details(details: Iterable[Any], limit: int) -> list[common_pb2.Payload]:
    payloads = []
    for detail in details:
        try:
            payload = _payloads.encode(detail)
        except PayloadError as error:
            payload = _payloads.encode(_clean(f"(detail left out: {error})", 1024))
        if len(payload.data) > limit:
            payload = _payloads.encode(
                f"(detail left out: {len(payload.data)} bytes are more than the "
                f"{MAXIMUM_DETAILS_BYTES} that the details of a failure may take)"
            )
        limit -= len(payload.data)
        payloads.append(payload)
    return payloads[:100]


def _traceback_text(exception: BaseException, hidden: Sequence[str]) -> str:
    if isinstance(exception, FailureError) and exception.remote_traceback:
        return exception.remote_traceback
    try:
        stack = _visible_stack(exception, hidden)
        lines = ["Traceback (most recent call last):\n", *stack.format()] if stack else []
        if isinstance(exception, BaseExceptionGroup):
            lines.extend(traceback.TracebackException.from_exception(exception).format(chain=False))
        elif lines:
            lines.extend(traceback.format_exception_only(exception))
    except Exception as error:
        return f"(no traceback: formatting it raised {type(error).__name__})"
    return "".join(lines).rstrip("\n")


def _visible_stack(exception: BaseException, hidden: Sequence[str]) -> traceback.StackSummary:
    frames = list(traceback.walk_tb(exception.__traceback__))
    visible = [entry for entry in frames if not _is_below(entry[0].f_code.co_filename, hidden)]
    start = 0
    while start < len(visible) and _is_below(visible[start][0].f_code.co_filename, _PLUMBING):
        start += 1
    if not visible and isinstance(exception, PayloadError):
        return traceback.StackSummary()
    # Another error of sched itself, or raised right in asyncio, keeps its frames.
    chosen = visible[start:] or visible or frames
    if len(chosen) > _MAXIMUM_FRAMES:
        chosen = chosen[: _MAXIMUM_FRAMES // 4] + chosen[-_MAXIMUM_FRAMES * 3 // 4 :]
    return traceback.StackSummary.extract(iter(chosen), capture_locals=False)


def _is_below(path: str, directories: Iterable[str]) -> bool:
    return any(path.startswith(directory) for directory in directories)


def _clean(text: str, limit: int) -> str:
    """Text that protobuf and the stores take: valid UTF-8 without U+0000, and
    at most `limit` bytes, cut out of the middle."""
    data = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    if limit < 64:
        return ""
    mark = f" … {len(data) - limit} bytes left out … "
    room = limit - len(mark.encode())
    head, tail = data[: room // 2], data[len(data) - room // 2 :]
    return head.decode(errors="ignore") + mark + tail.decode(errors="ignore")


def _one_exception(failure: common_pb2.Failure) -> FailureError:
    fields: dict[str, Any] = {
        "type": failure.type,
        "details": [_decode_detail(detail) for detail in failure.details],
        "non_retryable": failure.non_retryable,
        "remote_traceback": failure.traceback,
    }
    exception: FailureError
    if failure.kind == common_pb2.FAILURE_KIND_ACTIVITY:
        exception = ActivityError(failure.message, activity_name=failure.activity_name, **fields)
    else:
        exception = _CLASSES.get(failure.kind, ApplicationError)(failure.message, **fields)
    if failure.traceback:
        exception.add_note(f"Remote traceback:\n{_indent(failure.traceback)}")
    return exception


def _decode_detail(payload: common_pb2.Payload) -> Any:
    try:
        return _payloads.decode(payload)
    except PayloadError:
        return payload.data


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
