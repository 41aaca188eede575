"""The histories that two words mean: files, workflow ids or the beginning of one,
run ids or the beginning of one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli import loops
from sched_cli.errors import NotFoundError, UsageError
from sched_cli.render.progress import Progress
from sched_cli.replaying import Histories, Source, is_file

if TYPE_CHECKING:
    from sched_sdk._capture import CapturedHistory

_RUN_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")
# Runs cannot be looked up by their ids, so the newest are listed.
_SEARCHED_RUNS = 10_000


def read_both(left: str, right: str, engine: str) -> tuple[CapturedHistory, CapturedHistory]:
    """Raises CliError when one cannot be found or read."""

    async def read() -> tuple[CapturedHistory, CapturedHistory]:
        async with Histories(engine, progress=progress) as histories:
            return await _read(left, histories), await _read(right, histories)

    with Progress("read events") as progress:
        return loops.run_once(read())


async def _read(given: str, histories: Histories) -> CapturedHistory:
    if is_file(given):
        return await histories.read(Source(path=Path(given)))
    try:
        return await histories.read(Source(workflow_id=given))
    except NotFoundError:
        run = await _run(given, histories)
        if run is None:
            raise
        return await histories.read(run)


async def _run(given: str, histories: Histories) -> Source | None:
    """The run whose id begins so."""
    if not _RUN_ID.fullmatch(given):
        return None
    client = await histories.client()
    found = [
        Source(workflow_id=run.workflow_id, run_id=run.run_id, workflow_type=run.workflow_type)
        async for run in client.list_workflows(limit=_SEARCHED_RUNS)
        if run.run_id.startswith(given)
    ]
    if len(found) > 1:
        raise UsageError(f"{given!r} begins several run ids. Give more of it.")
    return found[0] if found else None
