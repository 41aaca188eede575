"""What a person should know of a Redis before tasks go through it.

Only facts, from `INFO` and one setting; what is good or bad about them is for whoever shows
them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import hiredis
from msgspec import Struct
from redis.exceptions import RedisError, ResponseError

from sched_server.queue.redis.link import Address, UnusableError
from sched_server.queue.redis.wire import parse_info, server_facts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["RedisFacts", "examine"]

_TIMEOUT_S = 3.0


class RedisFacts(Struct, frozen=True, kw_only=True):
    """One look at a server."""

    address: str
    """Host and port, or the path of a socket."""
    version: str
    refusal: str
    """Why an engine would not use it; empty if it would."""
    warnings: tuple[str, ...]
    """What works but should be set otherwise, each with its remedy."""
    eviction: str
    """The policy for when memory runs out: "noeviction"."""
    used_bytes: int
    allowed_bytes: int
    """0: as much as the machine has."""
    clients: int
    allowed_clients: int
    """0: unknown."""
    loading: bool
    """It reads its data from disk, and serves when it has."""
    replica: bool
    snapshots_fail: bool
    """The last snapshot could not be written, whereupon Redis takes no writes unless
    told otherwise."""
    log_fails: bool
    """The same for its append-only file."""
    log_kept: bool
    """It keeps an append-only file."""


async def examine(url: str) -> RedisFacts:
    """Look at a server.

    Raises RedisUrlError for what is no URL of a Redis, and UnusableError, which says
    why without the password, when it cannot be looked at.
    """
    address = Address(url)
    connection = address.connection(_TIMEOUT_S)
    connect: Callable[[], Awaitable[None]] = connection.connect
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await connect()
            info: bytes = await _ask(connection, "INFO")
            saves = await _takes_snapshots(connection)
    except (RedisError, OSError, TimeoutError) as error:
        raise UnusableError(f"{address.describe(error).rstrip('.')}.") from error
    finally:
        await connection.disconnect(nowait=True)
    return _facts(address.text, info, saves=saves)


async def _ask(connection: Any, *words: str) -> Any:
    packed: tuple[Any, ...] = words
    command: Any = hiredis.pack_command(packed)
    await connection.send_packed_command([command], check_health=False)
    return await connection.read_response()


async def _takes_snapshots(connection: Any) -> bool:
    """One that failed is remembered, and refuses nothing, when they were switched off."""
    try:
        setting: list[bytes] = await _ask(connection, "CONFIG", "GET", "save")
    except ResponseError:
        return True  # not for this user to know
    return setting[1:] != [b""]


def _facts(address: str, info: bytes, *, saves: bool) -> RedisFacts:
    values = parse_info(info)
    server = server_facts(info)
    return RedisFacts(
        address=address,
        version=server.version,
        refusal=server.refusal(),
        warnings=server.warnings(),
        eviction=server.eviction,
        used_bytes=_number(values, "used_memory"),
        allowed_bytes=_number(values, "maxmemory"),
        clients=_number(values, "connected_clients"),
        allowed_clients=_number(values, "maxclients"),
        loading=_number(values, "loading") != 0,
        replica=values.get("role") == "slave",
        snapshots_fail=saves and values.get("rdb_last_bgsave_status", "ok") != "ok",
        log_fails=_number(values, "aof_enabled") != 0
        and values.get("aof_last_write_status", "ok") != "ok",
        log_kept=_number(values, "aof_enabled") != 0,
    )


def _number(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "")
    return int(text) if text.isdigit() else 0
