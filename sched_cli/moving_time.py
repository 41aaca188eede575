"""Moving the clock of a dev server, and saying how far it is."""

from __future__ import annotations

import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING

from sched_cli.render.times import duration

if TYPE_CHECKING:
    from datetime import timedelta

    from sched_sdk._client.models import TimeAdvance

__all__ = ["advance_time"]


async def advance_time(engine: str, by: timedelta, patience: timedelta) -> TimeAdvance:
    """Move the clock of the engine that leads; how far it came.

    Raises CliError with exit code 3 when no engine answers, and InvalidArgumentError
    from one whose clock cannot be moved.
    """
    from sched_cli.cluster import find_status
    from sched_cli.render import console
    from sched_sdk._client import cluster
    from sched_sdk.errors import EngineUnavailableError

    # Answers of a standby name the leader.
    status = await find_status(engine)
    address = status.leader_address if status.role != "LEADER" else status.address
    last: TimeAdvance | None = None
    messages = console.messages()
    with (
        messages.status("moving the clock")
        if messages.is_terminal and not console.is_quiet()
        else contextlib.nullcontext(None) as shown
    ):
        async with aclosing(cluster.advance_time(address, by, patience=patience)) as progress:
            async for last in progress:
                if shown is not None:
                    shown.update(f"moved {duration(last.advanced)} of {duration(by)}")
    if last is None:
        raise EngineUnavailableError("the engine ended while its clock was moved; try again")
    return last
