"""The endpoint of an engine process: open before anything else is, closed last."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from sched_server.errors import EngineStartError, Unavailable
from sched_server.observability.backlog import Backlog
from sched_server.observability.endpoint import Endpoint

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from sched_server.host import EngineHost
    from sched_server.settings import EngineSettings


class EngineEndpoint:
    """Does nothing when the settings name no port."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(self._page, self._not_ready)
        self._host: EngineHost | None = None
        self._stopping = False
        self._backlog = Backlog()
        self._registry: CollectorRegistry | None = None

    @property
    def url(self) -> str:
        """Where the metrics are; empty when there are none."""
        return self._endpoint.url

    @property
    def port(self) -> int:
        """0 when there is none."""
        return self._endpoint.port

    async def open(self) -> None:
        """Listen. Raises EngineStartError when the port cannot be used."""
        settings = self._settings
        if settings.metrics_port is None:
            return
        try:
            await self._endpoint.start(settings.host, settings.metrics_port)
        except OSError as error:
            if not settings.metrics_port_may_differ:
                raise EngineStartError(
                    f"{settings.host}:{settings.metrics_port} cannot be used for metrics: another "
                    "program (perhaps another engine) listens there, or the host is not of this "
                    "machine. Choose another port with --metrics-port; 0 picks a free one"
                ) from error
            await self._endpoint.start(settings.host, 0)

    def serving(self, host: EngineHost) -> None:
        """The engine answers calls, as leader or as standby."""
        self._host = host

    def stopping(self) -> None:
        """It takes no more work."""
        self._stopping = True

    async def close(self) -> None:
        await self._endpoint.close()

    def _not_ready(self) -> str:
        if self._stopping:
            return "this engine is stopping"
        if self._host is None:
            return "this engine is starting"
        try:
            self._host.leading()
        except Unavailable as error:
            return str(error)
        return ""

    async def _page(self, accept: str) -> tuple[bytes, str]:
        # The first import takes 20 ms, for which the engine need not stand still.
        await asyncio.to_thread(_import_collector)
        from sched_server.observability import collector, exposition

        if self._host is None:
            return exposition.render(exposition.process_registry(), accept)
        if self._registry is None:
            self._registry = exposition.process_registry()
            self._registry.register(collector.EngineCollector(self._host, self._backlog))
        await self._backlog.look(self._host.engine)
        return exposition.render(self._registry, accept)


def _import_collector() -> None:
    importlib.import_module("sched_server.observability.collector")
