"""The metrics of a worker process, over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError
from sched_cli.render import console

if TYPE_CHECKING:
    from sched_sdk import Worker

_RETRY_S = 0.2


class WorkerMetricsServer:
    """Give `registry` to the worker, then `start`."""

    def __init__(self, host: str, port: int) -> None:
        from sched_server.observability import exposition
        from sched_server.observability.endpoint import Endpoint

        self._host, self._port = host, port
        self._worker: Worker | None = None
        self._coming: asyncio.Task[None] | None = None
        self.registry = exposition.process_registry()
        self._endpoint = Endpoint(self._page, self._not_ready)

    async def start(self, worker: Worker, *, wait_for_port: bool) -> None:
        """Listen; in the background, as soon as the port is free, if the caller
        wants to wait for it. Raises UsageError when the port cannot be used."""
        self._worker = worker
        try:
            await self._endpoint.start(self._host, self._port)
        except OSError as error:
            if not wait_for_port:
                raise UsageError(
                    f"{self._host}:{self._port} cannot be used for metrics "
                    f"({error.strerror or error}). Choose another --metrics-port; 0 picks a free "
                    "one."
                ) from error
            self._coming = asyncio.create_task(self._keep_trying())
        else:
            console.labelled("metrics", self._endpoint.url)

    async def close(self) -> None:
        """Let go of the port."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait([self._coming])
        await self._endpoint.close()

    async def _keep_trying(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_S)
            try:
                await self._endpoint.start(self._host, self._port)
            except OSError:
                continue
            return  # at the address that the process before has named

    def _not_ready(self) -> str:
        worker = self._worker
        if worker is None or not worker.connected:
            return "this worker has no engine"
        return "this worker is stopping" if worker.draining else ""

    async def _page(self, accept: str) -> tuple[bytes, str]:
        from sched_server.observability import exposition

        return exposition.render(self.registry, accept)
