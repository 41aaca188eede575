"""Talking to the engine for the length of one command."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, TypeVar

from sched_cli import loops
from sched_cli.errors import EXIT_UNREACHABLE, CliError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_sdk._client import Client, WorkflowHandle

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

    return loops.run_once(main())


def with_workflow(
    engine: str,
    given: str,
    act: Callable[[WorkflowHandle[object]], Awaitable[ResultT]],
    *,
    run_id: str | None = None,
) -> ResultT:
    """Connect, call `act` with the workflow that `given` means (see `on_workflow`),
    disconnect; returns what `act` returned. Raises like both."""

    async def use(client: Client) -> ResultT:
        return await on_workflow(
            client, given, lambda found: act(client.workflow(found, run_id=run_id))
        )

    return with_client(engine, use)


async def connect(engine: str, *, retry_timeout: float = 60.0) -> Client:
    """A connected client, whose calls wait so many seconds for an engine that is gone.
    Raises CliError with exit code 3 when no engine answers, and AuthenticationError."""
    from sched_cli import access
    from sched_sdk import Client
    from sched_sdk._client.addresses import parse_addresses
    from sched_sdk.errors import EngineUnavailableError

    addresses, given = parse_addresses(engine), access.given()
    connecting = asyncio.ensure_future(
        Client.connect(
            engine,
            timeout=_CONNECT_TIMEOUT_S,
            retry_timeout=retry_timeout,
            tls=given.tls,
            token=given.token,
        )
    )
    refused = asyncio.ensure_future(_everyone_refuses(addresses))
    try:
        await asyncio.wait([connecting, refused], return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done() and await refused:
            raise CliError(_no_engine(addresses), exit_code=EXIT_UNREACHABLE)
        return await connecting
    except EngineUnavailableError as error:
        raise CliError(_no_engine(addresses), exit_code=EXIT_UNREACHABLE) from error
    finally:
        for task in (connecting, refused):
            task.cancel()
        await asyncio.wait([connecting, refused])


async def _everyone_refuses(addresses: tuple[str, ...]) -> bool:
    """Whether nobody listens at any of these. A client waits for an engine that
    may be about to start; a person wants to know at once."""
    loop = asyncio.get_running_loop()
    try:
        for address in addresses:
            host, _, port = address.rpartition(":")
            # A name may stand for several machines, or for one in two protocols.
            for *_, where in await loop.getaddrinfo(
                host.strip("[]"), port, type=socket.SOCK_STREAM
            ):
                where_host, where_port = str(where[0]), int(where[1])
                with contextlib.suppress(ConnectionRefusedError):
                    _, writer = await asyncio.open_connection(where_host, where_port)
                    writer.close()
                    return False
    except OSError:
        return False
    return True


def _no_engine(addresses: tuple[str, ...]) -> str:
    return f"No engine at {' or '.join(addresses)}. Start one: sched dev"


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
        from sched_cli.suggesting import similar_id

        like = await similar_id(client, prefix)
        see = " See which there are: sched workflow list"
        raise NotFoundError(f"There is no workflow {prefix!r}.{like or see}")
    if len(candidates) > 1:
        ids = list(candidates)
        shown = "\n".join(f"  {workflow_id}" for workflow_id in ids[:_SHOWN_CANDIDATES])
        more = len(ids) - _SHOWN_CANDIDATES
        rest = f"\n  and {more} more" if more > 0 else ""
        raise UsageError(f"{prefix!r} begins several ids. Give more of it:\n{shown}{rest}")
    return next(iter(candidates))
