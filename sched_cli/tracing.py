"""Sending spans, as far as commands are concerned."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKER_SERVICE = "sched-worker"


def checked_endpoint(given: str) -> str:
    """The endpoint, if it is one that spans can be sent to; empty if none is
    given. Raises UsageError."""
    if given:
        from sched_server.observability.otlp_endpoint import TracingError, check

        try:
            check(given)
        except TracingError as error:
            raise UsageError(str(error)) from error
    return given


@contextlib.asynccontextmanager
async def traced(endpoint: str) -> AsyncIterator[None]:
    """While the block runs, what this process makes of spans is sent there; what is
    left at the end too, for a bounded time. Raises UsageError."""
    if not checked_endpoint(endpoint):
        yield
        return
    from sched_server.observability.otlp import trace_this_process

    sender = trace_this_process(endpoint, WORKER_SERVICE)
    try:
        yield
    finally:
        if sender is not None:
            await sender.close()
