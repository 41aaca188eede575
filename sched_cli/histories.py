"""Histories for replay and capture: from the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sched_cli.connection import on_workflow, with_client

if TYPE_CHECKING:
    from sched_cli.render.progress import Progress
    from sched_sdk._capture import CapturedHistory
    from sched_sdk._client import Client

_NANOSECONDS_PER_MICROSECOND = 1_000


def fetch_history(engine: str, workflow_id: str, run_id: str = "") -> CapturedHistory:
    """The history of the workflow that `workflow_id` means: an id, or else the
    beginning of one. Raises CliError."""

    from sched_cli.render.progress import Progress

    async def read(client: Client) -> CapturedHistory:
        return await on_workflow(
            client,
            workflow_id,
            lambda found: read_history(client, found, run_id, progress=progress),
        )

    with Progress("read events") as progress:
        return with_client(engine, read)


async def read_history(
    client: Client, workflow_id: str, run_id: str = "", *, progress: Progress | None = None
) -> CapturedHistory:
    """The history of one run; of the newest without a run id. `progress` hears of its
    events."""
    import sched_sdk
    from sched_sdk._capture import CapturedHistory

    handle = client.workflow(workflow_id, run_id=run_id or None)
    history = handle.history()
    counted = history if progress is None else progress.count(history)
    events = tuple([event.raw async for event in counted])
    return CapturedHistory(
        events=events,
        sched_version=sched_sdk.__version__,
        captured_time_us=time.time_ns() // _NANOSECONDS_PER_MICROSECOND,
    )
