"""Redis, looked at from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.times import size
from sched_cli.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_server.queue.redis.checkup import RedisFacts

__all__ = ["examine", "judge"]

_FULL = 0.9


async def examine(url: str) -> list[Finding]:
    """Look at the server that the URL names. Raises RedisUrlError for what is none."""
    from sched_server.queue.redis import checkup
    from sched_server.queue.redis.link import UnusableError

    try:
        facts = await checkup.examine(url)
    except UnusableError as error:
        return [
            fail(
                "redis.reach",
                f"Redis at {redact(url)} cannot be looked at: {error}",
                "Start it, correct --redis-url, or mend the way to it; engines work without it "
                "meanwhile, from memory.",
            )
        ]
    return judge(facts)


def judge(facts: RedisFacts) -> list[Finding]:
    """What is to be said of it."""
    return [_reach(facts), *_memory(facts), *_persistence(facts)]


def _reach(facts: RedisFacts) -> Finding:
    where = f"Redis {facts.version} at {facts.address}"
    if facts.refusal:
        what, _, remedy = facts.refusal.partition(". ")
        return fail("redis.reach", f"{facts.address}: {what}.", remedy or "Use another server.")
    if facts.replica:
        return fail(
            "redis.reach",
            f"{where} is a replica, which takes no writes.",
            "Name its primary in --redis-url.",
        )
    if facts.loading:
        return warn("redis.reach", f"{where} still loads its data.", "Wait; it serves soon.")
    return ok("redis.reach", where)


def _memory(facts: RedisFacts) -> Iterator[Finding]:
    for warning in facts.warnings:
        what, _, remedy = warning.rstrip(".").rpartition(". ")
        yield warn("redis.memory", f"{what}.", f"{remedy}.")
    used = f"{size(facts.used_bytes)} of {size(facts.allowed_bytes)}"
    if facts.allowed_bytes and facts.used_bytes > _FULL * facts.allowed_bytes:
        yield warn(
            "redis.memory",
            f"Redis uses {used} of memory; full, it takes no more tasks, which then wait in the "
            "engine's memory.",
            "Raise maxmemory, or keep other data elsewhere.",
        )
    elif not facts.warnings:
        told = used if facts.allowed_bytes else f"{size(facts.used_bytes)}, without a limit"
        yield ok("redis.memory", f"Memory: {told}; eviction: {facts.eviction}")
    if facts.allowed_clients and facts.clients > _FULL * facts.allowed_clients:
        yield warn(
            "redis.memory",
            f"{facts.clients} of {facts.allowed_clients} clients are connected to Redis.",
            "Raise maxclients, or look who does not disconnect.",
        )


def _persistence(facts: RedisFacts) -> Iterator[Finding]:
    if facts.snapshots_fail or facts.log_fails:
        what = "snapshot" if facts.snapshots_fail else "append-only file"
        yield fail(
            "redis.persistence",
            f"Redis could not write its last {what}, and by default refuses writes then.",
            "Free space on its disk, or switch persistence off (save '' and appendonly no): sched "
            "needs none.",
        )
        return
    kept = "an append-only file is kept" if facts.log_kept else "no append-only file"
    yield ok("redis.persistence", f"Persistence: {kept}; sched needs none")
