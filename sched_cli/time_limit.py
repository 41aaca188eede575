"""Code that never gives control back must not keep a command for ever."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

ResultT = TypeVar("ResultT")

# For all of a history. Ten times what a worker grants the code between two waits.
LIMIT_S = 100.0
_BEAT_S = 0.25


def within_limit(workflow_id: str, replay: Callable[[], ResultT]) -> ResultT:
    """Call `replay`, and return or raise what it does. Raises UsageError when it was
    interrupted because it took too long."""
    from sched_sdk._activations import ActivationGuard

    results: list[ResultT] = []
    guard = ActivationGuard(LIMIT_S)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(min(_BEAT_S, LIMIT_S / 4)):
            guard.check()

    watcher = threading.Thread(target=watch, name="sched-replay-limit", daemon=True)
    watcher.start()
    try:
        error, blocked_for = guard.run(workflow_id, lambda: results.append(replay()))
    finally:
        ended.set()
        watcher.join()
    if blocked_for:
        raise UsageError(
            f"{workflow_id} cannot be replayed: the code ran for {blocked_for:.0f} s without an "
            "end and was interrupted. Does it loop for ever?"
        )
    if error is not None:
        raise error
    return results[0]
