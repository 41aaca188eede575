"""Retry policies, and durations as users write them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RetryPolicy", "as_microseconds", "as_timedelta"]

_MICROSECOND = timedelta(microseconds=1)
_MAXIMUM_ATTEMPTS = 2**31 - 1
# A hundred years: whatever is longer is a mistake of units.
_MAXIMUM_DURATION = timedelta(days=36525)


def as_timedelta(value: timedelta | float, name: str = "duration") -> timedelta:
    """A duration from a timedelta or from seconds. Raises DefinitionError when
    it is negative, not finite or longer than a hundred years."""
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise DefinitionError(
            f"{name} is {value!r}; give seconds as a number, or a datetime.timedelta"
        )
    elif not math.isfinite(value) or value > _MAXIMUM_DURATION.total_seconds():
        raise DefinitionError(f"{name} is {value!r} seconds; the longest is a hundred years")
    else:
        duration = timedelta(seconds=value)
    if duration < timedelta(0):
        raise DefinitionError(f"{name} is {value!r}; a duration cannot be negative")
    if duration > _MAXIMUM_DURATION:
        raise DefinitionError(f"{name} is {value!r}; the longest is a hundred years")
    return duration


def as_microseconds(value: timedelta | float | None, name: str = "duration") -> int:
    """A duration as the API carries it; None is 0, "not set"."""
    if value is None:
        return 0
    return as_timedelta(value, name) // _MICROSECOND


@dataclass(frozen=True, slots=True, init=False)
class RetryPolicy:
    """How often and when a failed activity or step is tried again.

    The wait after attempt *n* is `initial_interval * backoff_coefficient ** (n - 1)`,
    at most `maximum_interval`. Durations may be given in seconds.

    `maximum_attempts` counts the first try; 0 means without limit, and 1 means
    at most once: no retry even when the worker dies.
    `non_retryable_error_types` are exception classes or their names; an error
    whose class has exactly such a name fails at once. An ApplicationError with
    `non_retryable=True` does so too.

    Raises DefinitionError for values that make no sense.
    """

    initial_interval: timedelta
    backoff_coefficient: float
    maximum_interval: timedelta
    maximum_attempts: int
    non_retryable_error_types: tuple[str | type[BaseException], ...]
    _proto: common_pb2.RetryPolicy = field(repr=False, compare=False)

    def __init__(
        self,
        initial_interval: timedelta | float = timedelta(seconds=1),
        backoff_coefficient: float = 2.0,
        maximum_interval: timedelta | float = timedelta(seconds=60),
        maximum_attempts: int = 5,
        non_retryable_error_types: Iterable[str | type[BaseException]] = (),
    ) -> None:
        initial = as_timedelta(initial_interval, "initial_interval")
        maximum = as_timedelta(maximum_interval, "maximum_interval")
        if initial < _MICROSECOND:
            raise DefinitionError(
                "initial_interval is 0; give at least a microsecond, for example 0.001 seconds"
            )
        if maximum < initial:
            raise DefinitionError(
                f"maximum_interval ({maximum}) is below initial_interval ({initial}); "
                "set maximum_interval too"
            )
        if not isinstance(backoff_coefficient, int | float) or not (
            1 <= backoff_coefficient < math.inf
        ):
            raise DefinitionError(
                f"backoff_coefficient is {backoff_coefficient!r}; it must be 1 (constant) or more"
            )
        if not isinstance(maximum_attempts, int) or not 0 <= maximum_attempts <= _MAXIMUM_ATTEMPTS:
            raise DefinitionError(
                f"maximum_attempts is {maximum_attempts!r}; it must be a whole number, "
                "1 or more, or 0 (without limit)"
            )
        if isinstance(non_retryable_error_types, str):
            raise DefinitionError(
                "non_retryable_error_types is one str; give a list or tuple of names or classes"
            )
        types = tuple(non_retryable_error_types)
        put = object.__setattr__  # the class is frozen
        put(self, "initial_interval", initial)
        put(self, "backoff_coefficient", float(backoff_coefficient))
        put(self, "maximum_interval", maximum)
        put(self, "maximum_attempts", int(maximum_attempts))
        put(self, "non_retryable_error_types", types)
        put(
            self,
            "_proto",
            common_pb2.RetryPolicy(
                initial_interval_us=initial // _MICROSECOND,
                backoff_coefficient=backoff_coefficient,
                maximum_interval_us=maximum // _MICROSECOND,
                maximum_attempts=maximum_attempts,
                non_retryable_error_types=[_error_type_name(kind) for kind in types],
            ),
        )

    def to_proto(self) -> common_pb2.RetryPolicy:
        """The policy as the API carries it; shared, not to be changed."""
        return self._proto

    def backoff(self, attempt: int) -> timedelta:
        """The wait after attempt `attempt` (1 is the first) has failed."""
        if attempt < 1:
            raise ValueError(f"attempts count from 1, got {attempt}")
        try:
            factor = self.backoff_coefficient ** (attempt - 1)
            return min(self.initial_interval * factor, self.maximum_interval)
        except OverflowError:
            return self.maximum_interval


def _error_type_name(kind: str | type[BaseException]) -> str:
    if isinstance(kind, str) and kind:
        return kind
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return kind.__name__
    raise DefinitionError(
        f"non_retryable_error_types holds {kind!r}; give exception classes or their names"
    )
