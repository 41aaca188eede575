"""How long to wait before the next try."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .values import Failure, RetryPolicy

SECOND_US = 1_000_000

# A failed workflow task is tried again after 1, 2, 4, 8, 10, 10 … seconds: code
# that is being mended should go on soon after it was mended.
_TASK_BACKOFF_CAP_US = 10 * SECOND_US
# A task that killed two workers in a row waits longer and longer.
_LOST_BACKOFF_CAP_US = 60 * SECOND_US


def activity_backoff_us(policy: RetryPolicy, attempt: int) -> int:
    """The wait behind a failed `attempt` (1, 2, …); grows, capped by the policy."""
    interval = float(policy.initial_interval_us)
    cap = policy.maximum_interval_us or 100 * policy.initial_interval_us
    # Multiplying step by step stops at the cap, so that a large attempt
    # number cannot overflow.
    for _ in range(attempt - 1):
        if interval >= cap:
            break
        interval *= policy.backoff_coefficient
    return int(min(interval, cap))


def may_retry(policy: RetryPolicy, attempt: int, failure: Failure) -> bool:
    if failure.non_retryable or failure.type in policy.non_retryable_error_types:
        return False
    return policy.maximum_attempts == 0 or attempt < policy.maximum_attempts


def task_backoff_us(attempt: int) -> int:
    """The wait behind a workflow task's failed `attempt`."""
    return int(min(SECOND_US << min(attempt - 1, 10), _TASK_BACKOFF_CAP_US))


def lost_backoff_us(lost: int) -> int:
    """The wait after `lost` workers in a row died with a task: none the first time."""
    if lost <= 1:
        return 0
    return int(min(SECOND_US << min(lost - 2, 10), _LOST_BACKOFF_CAP_US))
