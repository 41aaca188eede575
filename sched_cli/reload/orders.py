"""The child's side of the supervisor's orders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_cli.reload.closing import until_closed
from sched_cli.reload.protocol import ChildReport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_cli.loops import StopRequest
    from sched_cli.reload.protocol import Order, SupervisorLink
    from sched_sdk import Worker


class Orders:
    """Those that come to this process. Belongs to the running event loop."""

    def __init__(self, link: SupervisorLink, engine: str) -> None:
        self._link = link
        self._engine = engine
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        link.on_order = lambda order: _put(loop, self._orders, order)

    async def told_to_serve(self, stop: StopRequest) -> bool:
        """Wait for the order to serve, and for what it waits for. False: to stop."""
        self._link.report(ChildReport("loaded"))
        stopping = asyncio.ensure_future(stop.wait())
        serving = asyncio.ensure_future(self._until_served())
        try:
            await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
            return not stop.requested
        finally:
            stopping.cancel()
            serving.cancel()

    async def _until_served(self) -> None:
        """A later order replaces the one before it."""
        order = await self._orders.get()
        while True:
            closed = asyncio.ensure_future(until_closed(self._engine, order.runs))
            other = asyncio.ensure_future(self._orders.get())
            try:
                await asyncio.wait([closed, other], return_when=asyncio.FIRST_COMPLETED)
                if closed.done():
                    return closed.result()
                order = other.result()
            finally:
                closed.cancel()
                other.cancel()

    async def obey(
        self, worker: Worker, stop: StopRequest, close_metrics: Callable[[], Awaitable[None]]
    ) -> None:
        """Keep what the last order says, beside the worker."""
        keeping: asyncio.Task[None] | None = None
        try:
            while True:
                order = await self._orders.get()
                if order.order != "keep":
                    continue
                if keeping is not None:
                    keeping.cancel()
                keeping = asyncio.create_task(self._keep(worker, order, stop, close_metrics))
        finally:
            if keeping is not None:
                keeping.cancel()

    async def _keep(
        self,
        worker: Worker,
        order: Order,
        stop: StopRequest,
        close_metrics: Callable[[], Awaitable[None]],
    ) -> None:
        run_ids = [run_id for _, run_id in order.runs]
        if not order.only:
            await worker.keep_runs(run_ids)
            self._link.report(ChildReport("keeping"))
            return
        await close_metrics()  # the newer code waits for the port
        await worker.keep_runs(run_ids, only=True)
        await until_closed(self._engine, order.runs)
        stop.request(gently=True)


def _put(loop: asyncio.AbstractEventLoop, orders: asyncio.Queue[Order], order: Order) -> None:
    try:
        loop.call_soon_threadsafe(orders.put_nowait, order)
    except RuntimeError:
        return  # the loop is closed: the process ends
