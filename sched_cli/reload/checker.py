"""The process that tries edited code on the workflows that are open.

python -m sched_cli.reload.checker FILE_DESCRIPTOR OPTIONS

A process of its own, so that code that hangs, exits or eats memory in a replay
hurts nobody; the supervisor ends it when its time is up. Each result is reported
as soon as it is known. Nothing is executed but the workflow functions, and what
they print is dropped: the process that is to serve prints it too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from sched_cli.errors import explain
from sched_cli.reload.child import leave_interrupts_to_the_supervisor
from sched_cli.reload.protocol import SupervisorLink
from sched_cli.reload.verdict import CheckOptions, CheckReport

if TYPE_CHECKING:
    from sched_sdk._client import Client
    from sched_sdk._client.models import WorkflowInfo
    from sched_sdk._debug import Divergence, Side
    from sched_sdk._definitions import WorkflowDefinition

Definitions = dict[str, "WorkflowDefinition"]


def main() -> int:
    """Look at each run. Returns the process's exit code."""
    leave_interrupts_to_the_supervisor()
    link = SupervisorLink(int(sys.argv[1]), when_gone=lambda: os._exit(1))
    options = CheckOptions.decode(sys.argv[2])
    _say_nothing()
    message = ""
    try:
        asyncio.run(_check(options, link))
    except Exception as error:
        explained = explain(error)
        message = f"{type(error).__name__}: {error}" if explained is None else str(explained)
    link.report(CheckReport("done", message=message))
    return 0


def _say_nothing() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


async def _check(options: CheckOptions, link: SupervisorLink) -> None:
    from sched_cli.connection import connect

    async with await connect(options.engine) as client:
        runs, open_runs = await _open_runs(client, options)
        # Without open workflows there is no need to load the code for nothing.
        definitions = _definitions(options) if runs else {}
        link.report(CheckReport("begins", open_runs=open_runs))
        for run in runs:
            name = (run.workflow_id, run.run_id, run.workflow_type)
            link.report(CheckReport("looks", *name))
            found = await _look_at(client, run, definitions)
            if found is None:
                link.report(CheckReport("fits", *name))
            else:
                link.report(CheckReport("breaks", *name, found=found))


def _definitions(options: CheckOptions) -> Definitions:
    from sched_cli.apps import load_app
    from sched_cli.replaying import definitions_of

    return definitions_of(load_app(options.targets))


async def _open_runs(client: Client, options: CheckOptions) -> tuple[list[WorkflowInfo], int]:
    """The runs to look at, those that the old code keeps first; and how many are open."""
    from sched_sdk._client import WorkflowStatus
    from sched_sdk.errors import WorkflowNotFoundError

    runs: dict[str, WorkflowInfo] = {}
    for workflow_id, run_id in options.kept:
        try:
            info = (await client.workflow(workflow_id, run_id=run_id).describe()).info
        except WorkflowNotFoundError:
            continue
        if info.status is WorkflowStatus.RUNNING:
            runs[run_id] = info
    open_runs = 0
    for workflow_type in options.workflow_types:
        newest = [
            run
            async for run in client.list_workflows(
                status=WorkflowStatus.RUNNING,
                workflow_type=workflow_type,
                task_queue=options.task_queue,
                limit=options.newest,
            )
        ]
        if len(newest) < options.newest:
            open_runs += len(newest)
        else:
            count = await client.count_workflows(
                status=WorkflowStatus.RUNNING,
                workflow_type=workflow_type,
                task_queue=options.task_queue,
            )
            open_runs += count.total
        runs.update({run.run_id: run for run in newest})
    return list(runs.values()), max(open_runs, len(runs))


async def _look_at(
    client: Client, run: WorkflowInfo, definitions: Definitions
) -> dict[str, str | int] | None:
    """How the run would break; None: it would not, or it is over."""
    from sched_cli.histories import read_history
    from sched_sdk._debug import replay_capture
    from sched_sdk.errors import SchedError, WorkflowNotFoundError

    definition = definitions.get(run.workflow_type)
    if definition is None:
        return {"why": f"the new code has no workflow named {run.workflow_type!r}"}
    try:
        captured = await read_history(client, run.workflow_id, run.run_id)
    except WorkflowNotFoundError:
        return None
    try:
        replay = replay_capture(definition, captured)
    except SchedError as error:
        return {"why": str(error)}
    if replay.divergence is None or replay.closed:
        return None
    return _in_words(replay.divergence)


def _in_words(divergence: Divergence) -> dict[str, str | int]:
    raised = divergence.raised
    code = divergence.current.what or "nothing; it waits"
    if raised is not None:
        code = f"raises {raised.type}: {raised.message}".rstrip(": ")
    return {
        "event_id": divergence.event_id,
        "history": _placed(divergence.recorded.what, divergence.recorded),
        "code": _placed(code, divergence.current),
    }


def _placed(what: str, side: Side) -> str:
    """The place comes first: what is done may be cut."""
    return f"{side.call_site}: {what}" if side.call_site else what


if __name__ == "__main__":
    sys.exit(main())
