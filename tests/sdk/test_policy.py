from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk import DefinitionError, RetryPolicy
from sched_sdk._policy import as_microseconds, as_timedelta
from sched_sdk.api.v1 import common_pb2


def test_the_default_waits_1_2_4_8_seconds_and_then_gives_up() -> None:
    policy = RetryPolicy()
    assert policy.maximum_attempts == 5
    assert [policy.backoff(n) for n in (1, 2, 3, 4)] == [timedelta(seconds=s) for s in (1, 2, 4, 8)]
    assert policy.backoff(7) == policy.backoff(10**6) == timedelta(seconds=60)


def test_seconds_may_be_given_instead_of_timedeltas() -> None:
    assert RetryPolicy(initial_interval=0.5, maximum_interval=90) == RetryPolicy(
        initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=90)
    )


def test_goes_to_the_api() -> None:
    policy = RetryPolicy(
        initial_interval=0.25,
        backoff_coefficient=1.5,
        maximum_interval=10,
        maximum_attempts=0,
        non_retryable_error_types=[ValueError, "CardDeclined"],
    )
    assert policy.to_proto() == common_pb2.RetryPolicy(
        initial_interval_us=250_000,
        backoff_coefficient=1.5,
        maximum_interval_us=10_000_000,
        maximum_attempts=0,
        non_retryable_error_types=["ValueError", "CardDeclined"],
    )


def test_policies_are_values() -> None:
    assert len({RetryPolicy(), RetryPolicy(), RetryPolicy(maximum_attempts=1)}) == 2
    with pytest.raises(AttributeError):
        RetryPolicy().maximum_attempts = 3  # type: ignore[misc]  # frozen, which is the point


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial_interval": 0}, "initial_interval is 0"),
        ({"initial_interval": -1}, "a duration cannot be negative"),
        ({"initial_interval": 120}, "set maximum_interval too"),
        ({"initial_interval": "1s"}, "initial_interval is '1s'; give seconds as a number"),
        ({"maximum_interval": float("inf")}, "the longest is a hundred years"),
        ({"backoff_coefficient": 0.5}, "it must be 1 (constant) or more"),
        ({"backoff_coefficient": float("nan")}, "it must be 1 (constant) or more"),
        ({"backoff_coefficient": "2"}, "backoff_coefficient is '2'"),
        ({"maximum_attempts": -1}, "1 or more, or 0 (without limit)"),
        ({"maximum_attempts": 2.5}, "maximum_attempts is 2.5"),
        ({"non_retryable_error_types": "ValueError"}, "give a list or tuple"),
        ({"non_retryable_error_types": [3]}, "holds 3; give exception classes or their names"),
    ],
)
def test_values_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        RetryPolicy(**arguments)
    assert message in str(caught.value)


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        RetryPolicy().backoff(0)


@settings(derandomize=True)
@given(
    st.floats(1e-3, 1e4),
    st.floats(1, 100),
    st.floats(1e4, 1e6),
    st.integers(1, 10_000),
)
def test_backoff_is_monotone_and_capped(
    initial: float, coefficient: float, maximum: float, attempt: int
) -> None:
    policy = RetryPolicy(initial, coefficient, maximum)
    assert policy.initial_interval <= policy.backoff(attempt) <= policy.maximum_interval
    assert policy.backoff(attempt) <= policy.backoff(attempt + 1)


def test_durations() -> None:
    assert as_timedelta(2) == timedelta(seconds=2)
    assert as_microseconds(None) == 0
    assert as_microseconds(1.5) == as_microseconds(timedelta(seconds=1.5)) == 1_500_000
    with pytest.raises(DefinitionError, match=r"start_to_close is True; give seconds"):
        as_timedelta(True, "start_to_close")
