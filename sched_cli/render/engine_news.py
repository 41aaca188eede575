"""What `sched engine` says while it serves: where, on what, and in which role.

For people these are lines on stderr. Where logs are JSON, they are records like
all others, so that whoever reads the stream finds nothing else in it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_cli import logs
from sched_cli.render import console

if TYPE_CHECKING:
    from sched_server import EngineServer

logger = logging.getLogger("sched.engine")

_LOOK_EVERY_S = 0.05
# Between two leaders, and at the start, nobody leads for a moment; not worth a line.
_SETTLED_S = 0.5


class EngineNews:
    """Tells of one engine that has started."""

    def __init__(self, server: EngineServer) -> None:
        self._server = server
        self._as_json = logs.as_json()

    async def tell(self) -> None:
        """Say what serves, and then each change of role. Does not end by itself."""
        self._say_what_serves()
        clock = asyncio.get_running_loop().time
        said, seen, since = "", "", clock()
        while True:
            now, leads = self._role()
            if now != seen:
                seen, since = now, clock()
            if seen != said and (leads or clock() - since >= _SETTLED_S):
                said = seen
                self._say("role", said, "green" if leads else "cyan")
            await asyncio.sleep(_LOOK_EVERY_S)

    def _say_what_serves(self) -> None:
        server = self._server
        advertised = server.settings.advertise
        elsewhere = advertised and advertised != server.address
        known_as = f", known to others as {advertised}" if elsewhere else ""
        self._say("engine", f"{server.address}{known_as}", "green")
        self._say("store", server.host.backend.store.description)
        self._say("queue", _queue(server.settings.redis_url))
        if server.metrics_url:
            self._say("metrics", server.metrics_url)
        if server.settings.otlp_endpoint:
            self._say("spans", f"to {server.settings.otlp_endpoint}")

    def _role(self) -> tuple[str, bool]:
        """In words, and whether it leads."""
        from sched_server.errors import Unavailable

        try:
            return f"leads, epoch {self._server.engine.group.epoch}", True
        except Unavailable as standing_by:
            leader = getattr(standing_by, "leader", "")
            return f"stands by; {f'the leader is at {leader}' if leader else 'nobody leads'}", False

    def _say(self, label: str, text: str, style: str = "") -> None:
        if self._as_json:
            logger.info("%s: %s", label, text)
        else:
            console.labelled(label, text, style)


def _queue(redis_url: str) -> str:
    if not redis_url:
        return "in the engine's memory"
    from sched_server.queue.redis import RedisTaskQueue

    return RedisTaskQueue(redis_url, prefix="sched").status().description
