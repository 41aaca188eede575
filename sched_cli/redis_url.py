"""The address of a Redis, as people type it."""

from __future__ import annotations

from sched_cli.errors import UsageError


def checked_redis_url(given: str) -> str:
    """As a URL; a bare "host:port" becomes one, nothing stays nothing. Raises
    UsageError for what is no address of a Redis."""
    if not given:
        return ""
    from sched_server.queue.redis import RedisTaskQueue, RedisUrlError

    url = given if "://" in given else f"redis://{given}"
    try:
        RedisTaskQueue(url, prefix="sched")
    except RedisUrlError as error:
        raise UsageError(f"--redis-url: {error}") from error
    return url
