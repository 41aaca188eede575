"""Talking to the engine for the length of one command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from sched_cli.errors import EXIT_UNREACHABLE, CliError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_sdk._client import Client

ResultT = TypeVar("ResultT")

# A person waits: an engine that does not answer by then is not there.
_CONNECT_TIMEOUT_S = 1.5
_SHOWN_CANDIDATES = 5
# Enough runs to see more candidates than are shown, unless one id has very many.
_CANDIDATE_RUNS = 200


def with_client(engine: str, use: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
    """Connect, call `use`, disconnect; returns what `use` returned.

    Raises CliError with exit code 3 when no engine answers.
    """

    async def main() -> ResultT:
        async with await connect(engine) as client:
            return await use(client)

    return asyncio.run(main())


async def connect(engine: str) -> Client:
    """A connected client. Raises CliError with exit code 3 when no engine answers."""
    from sched_sdk import Client
    from sched_sdk.errors import EngineUnavailableError

    try:
        return await Client.connect(engine, timeout=_CONNECT_TIMEOUT_S)
    except EngineUnavailableError as error:
        raise CliError(no_engine_message(engine), exit_code=EXIT_UNREACHABLE) from error


def no_engine_message(engine: str) -> str:
    """What to say when nobody answers."""
    places = " or ".join(engine.split(","))
    return f"No engine at {places}. Start one: sched dev"


async def on_workflow(
    client: Client, given: str, act: Callable[[str], Awaitable[ResultT]]
) -> ResultT:
    """Call `act` with the workflow id that `given` means: the id itself, or else
    the only id that begins with it.

    Raises NotFoundError when there is none, UsageError when there are several.
    """
    from sched_sdk.errors import WorkflowNotFoundError

    try:
        return await act(given)
    except WorkflowNotFoundError:
        return await act(await _complete_id(client, given))


async def _complete_id(client: Client, prefix: str) -> str:
    candidates: dict[str, None] = {}
    async for run in client.list_workflows(id_prefix=prefix, limit=_CANDIDATE_RUNS):
        candidates[run.workflow_id] = None
    if not candidates:
        raise NotFoundError(
            f"There is no workflow {prefix!r}. See which there are: sched workflow list"
        )
    if len(candidates) > 1:
        ids = list(candidates)
        shown = "\n".join(f"  {workflow_id}" for workflow_id in ids[:_SHOWN_CANDIDATES])
        more = len(ids) - _SHOWN_CANDIDATES
        rest = f"\n  and {more} more" if more > 0 else ""
        raise UsageError(f"{prefix!r} begins several ids. Give more of it:\n{shown}{rest}")
    return next(iter(candidates))
