"""Exceptions survive the way through a failure, and stay within bounds."""

from __future__ import annotations

import asyncio
import itertools
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk import _failures, _payloads
from sched_sdk._failures import exception_from_failure, failure_from_exception
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


class CardDeclined(ApplicationError):
    pass


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def raised(exception: BaseException, cause: BaseException | None = None) -> BaseException:
    """The exception with a traceback, as a runner catches it."""
    exception.__cause__ = cause or exception.__cause__
    try:
        raise exception
    except BaseException as caught:
        return caught


def through(exception: BaseException) -> FailureError:
    data = failure_from_exception(exception).SerializeToString()
    return exception_from_failure(common_pb2.Failure.FromString(data))


def test_an_exception_of_user_code() -> None:
    failure = failure_from_exception(raised(ValueError("no such month")))
    assert failure.kind == common_pb2.FAILURE_KIND_APPLICATION
    assert (failure.type, failure.message) == ("ValueError", "no such month")
    assert failure.traceback.startswith("Traceback (most recent call last):\n")
    assert failure.traceback.endswith("ValueError: no such month")
    assert "raise exception" in failure.traceback
    assert not failure.non_retryable


def test_it_comes_back_as_an_application_error() -> None:
    error = through(raised(ValueError("no such month")))
    assert type(error) is ApplicationError
    assert str(error) == "ValueError: no such month"
    assert "raise exception" in error.remote_traceback


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (
            ApplicationError("x", type="T", details=[1, {"a": None}], non_retryable=True),
            "APPLICATION",
        ),
        (CardDeclined("no funds", details=["4242"]), "APPLICATION"),
        (TimeoutFailureError("late", type="heartbeat"), "TIMEOUT"),
        (CanceledFailureError("enough"), "CANCELED"),
        (TerminatedFailureError("operator"), "TERMINATED"),
        (WorkerLostError("gone"), "WORKER_LOST"),
        (ActivityError("send_email failed", activity_name="send_email"), "ACTIVITY"),
    ],
    ids=str,
)
def test_errors_of_sched_keep_kind_and_fields(exception: FailureError, kind: str) -> None:
    failure = failure_from_exception(exception)
    assert common_pb2.FailureKind.Name(failure.kind) == f"FAILURE_KIND_{kind}"
    error = exception_from_failure(failure)
    expected_class = ApplicationError if kind == "APPLICATION" else type(exception)
    assert type(error) is expected_class
    assert (error.message, error.type) == (exception.message, exception.type)
    assert (error.details, error.non_retryable) == (exception.details, exception.non_retryable)
    assert getattr(error, "activity_name", "") == getattr(exception, "activity_name", "")


def test_asyncio_cancellation_is_a_cancellation() -> None:
    error = through(raised(asyncio.CancelledError()))
    assert type(error) is CanceledFailureError
    assert error.message == "canceled"


def test_a_builtin_timeout_is_an_error_of_user_code() -> None:
    assert type(through(raised(TimeoutError("socket")))) is ApplicationError


def test_kind_says_what_other_exceptions_count_as() -> None:
    outer = raised(KeyError("x"), cause=ValueError("y"))
    failure = failure_from_exception(outer, kind=common_pb2.FAILURE_KIND_CANCELED)
    assert failure.kind == common_pb2.FAILURE_KIND_CANCELED
    assert failure.cause.kind == common_pb2.FAILURE_KIND_APPLICATION


def test_causes_and_contexts_are_chained() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("middle")  # noqa: B904 - the implicit context is what is tested
    except ValueError as caught:
        middle = caught
    error = through(raised(RuntimeError("outer"), cause=middle))
    chain = [error, error.__cause__, error.__cause__.__cause__]  # type: ignore[union-attr]
    assert [link.type for link in chain] == ["RuntimeError", "ValueError", "KeyError"]  # type: ignore[union-attr]


def test_from_none_ends_the_chain() -> None:
    error = ValueError("shown")
    error.__context__ = KeyError("secret")
    assert failure_from_exception(error).HasField("cause")
    error.__suppress_context__ = True  # what `from None` does
    assert not failure_from_exception(error).HasField("cause")


def test_a_group_is_shown_whole_and_caused_by_its_first() -> None:
    group = raised(ExceptionGroup("both failed", [KeyError("a"), ValueError("b")]))
    failure = failure_from_exception(group)
    assert failure.cause.type == "KeyError"
    assert "ValueError: b" in failure.traceback


def test_python_prints_the_remote_tracebacks() -> None:
    remote = failure_from_exception(raised(ValueError("outer"), cause=raised(KeyError("inner"))))
    text = "".join(traceback.format_exception(raised(exception_from_failure(remote))))
    assert text.count("Remote traceback:") == 2
    assert "  KeyError: 'inner'" in text
    assert text.index("KeyError") < text.index("ValueError")


def test_a_traceback_keeps_its_origin_over_several_hops() -> None:
    first = through(raised(ValueError("x")))
    second = through(raised(first))
    third = through(raised(ActivityError("send failed", activity_name="send"), cause=second))
    assert second.remote_traceback == first.remote_traceback
    assert third.__cause__.remote_traceback == first.remote_traceback  # type: ignore[union-attr]
    assert "send failed" in third.remote_traceback


def test_frames_of_sched_and_of_hidden_paths_are_left_out() -> None:
    try:
        exception_from_failure(None)  # type: ignore[arg-type]  # to fail inside sched
    except AttributeError as caught:
        inside = caught
    shown = failure_from_exception(inside).traceback
    assert "test_failures.py" in shown
    assert '_failures.py", line' not in shown.replace("test_failures.py", "")
    hidden = failure_from_exception(raised(ValueError()), hide_frames_of=[__file__])
    assert "test_failures.py" in hidden.traceback  # nothing else would be left


async def test_the_frames_between_loop_and_user_code_are_left_out() -> None:
    def activity() -> None:
        raise ValueError("in a thread")

    with pytest.raises(ValueError, match="in a thread") as caught:
        await asyncio.to_thread(activity)
    shown = failure_from_exception(caught.value.with_traceback(caught.tb.tb_next)).traceback
    assert "thread.py" not in shown
    assert "in activity" in shown


def test_everything_is_bounded() -> None:
    error: BaseException = raised(ValueError("root " + "ż" * 100_000))
    for depth in range(50):
        wrapper = ApplicationError(
            f"{depth} " + "x" * 100_000, type="T" * 1000, details=["d" * 200_000]
        )
        error = raised(wrapper, cause=error)
    failure = failure_from_exception(error)
    assert failure.ByteSize() < 600_000
    links = [failure]
    while links[-1].HasField("cause"):
        links.append(links[-1].cause)
    assert len(links) == _failures.MAXIMUM_CHAIN
    assert all(len(link.message.encode()) <= _failures.MAXIMUM_MESSAGE_BYTES for link in links)
    assert all(len(link.type) <= _failures.MAXIMUM_TYPE_BYTES for link in links)
    assert links[0].message.startswith("49 xxx")
    assert links[-1].message.startswith("root ")
    assert "41 causes" in links[-1].message
    assert "detail left out" in links[1].details[0].data.decode()


def test_a_deep_recursion_has_a_short_traceback() -> None:
    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    failure = failure_from_exception(caught.value)
    assert len(failure.traceback.encode()) <= _failures.MAXIMUM_TRACEBACK_BYTES
    assert failure.type == "RecursionError"


def test_nothing_in_an_exception_can_prevent_its_report() -> None:
    assert "its __str__ raised RuntimeError" in through(raised(Unspeakable())).message
    odd = through(raised(ApplicationError("\0 and \ud800", details=[object(), 1])))
    assert odd.message == "\\x00 and \\ud800"
    assert "detail left out" in odd.details[0]
    assert odd.details[1] == 1
    loop = ValueError("loop")
    loop.__cause__ = KeyError("in")
    loop.__cause__.__cause__ = loop
    assert through(loop).__cause__.__cause__ is None  # type: ignore[union-attr]


def test_details_that_cannot_be_read_come_as_bytes() -> None:
    payload = common_pb2.Payload(encoding="later", data=b"x")
    assert exception_from_failure(common_pb2.Failure(details=[payload])).details == (b"x",)


def test_a_kind_of_a_later_version_is_an_application_error() -> None:
    failure = common_pb2.Failure(kind=99, message="m")  # type: ignore[arg-type]  # not known yet
    assert type(exception_from_failure(failure)) is ApplicationError


classes = st.sampled_from(
    [ApplicationError, TimeoutFailureError, CanceledFailureError, WorkerLostError, ActivityError]
)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
errors = st.builds(
    lambda kind, message, type_, details, final: kind(
        message, type=type_, details=details, non_retryable=final
    ),
    classes,
    words,
    words,
    st.lists(st.none() | st.integers() | words, max_size=3),
    st.booleans(),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(errors, min_size=1, max_size=_failures.MAXIMUM_CHAIN))
def test_chains_round_trip(chain: list[FailureError]) -> None:
    for outer, cause in itertools.pairwise(chain):
        outer.__cause__ = cause
    link: BaseException | None = through(chain[0])
    for expected in chain:
        assert isinstance(link, FailureError)
        assert type(link) is type(expected)
        assert (link.message, link.type) == (expected.message, expected.type)
        assert (link.details, link.non_retryable) == (expected.details, expected.non_retryable)
        link = link.__cause__
    assert link is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(words, words)
def test_a_failure_is_a_fixed_point(kind: str, message: str) -> None:
    failure = failure_from_exception(type(kind or "E", (Exception,), {})(message))
    assert failure_from_exception(exception_from_failure(failure)) == failure


def test_a_payload_that_does_not_fit_comes_without_the_insides_of_the_codec() -> None:
    try:
        _payloads.decode(_payloads.encode(5), str)
    except PayloadError as error:
        failure = failure_from_exception(error)
    assert "expected str, found int 5" in failure.message
    assert "_decoders" not in failure.traceback
    assert not failure.HasField("cause")
