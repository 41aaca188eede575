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
    from sched_server import EngineServer, Standing

logger = logging.getLogger("sched.engine")

# Between two leaders, and at the start, nobody leads for a moment; not worth a line.
_SETTLED_S = 0.5


class EngineNews:
    """Tells of one engine. Belongs to the running event loop."""

    def __init__(self) -> None:
        self._as_json = logs.as_json()
        self._loop = asyncio.get_running_loop()
        self._said = ""
        self._settling: asyncio.TimerHandle | None = None

    def serves(self, server: EngineServer) -> None:
        """Say where, and on what."""
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

    def hear(self, standing: Standing) -> None:
        """Its standing has changed: say so, if it stays like this or leads."""
        from sched_server import Role

        self.end()
        if standing.role is Role.LEADER:
            self._say_role(f"leads, epoch {standing.epoch}", "green")
            return
        leader = standing.leader
        role = "stands by; " + (f"the leader is at {leader}" if leader else "nobody leads")
        if standing.role is Role.RECOVERING:
            role = "takes over"
        self._settling = self._loop.call_later(_SETTLED_S, self._say_role, role, "cyan")

    def end(self) -> None:
        """Say nothing more of what it was."""
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _say_role(self, role: str, style: str) -> None:
        if role != self._said:
            self._said = role
            self._say("role", role, style)

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
