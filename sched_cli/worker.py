"""Serving an app: one worker, from its first connection to a clean end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_cli import logs
from sched_cli.reload.protocol import ChildReport, WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from sched_cli.apps import App
    from sched_cli.loops import StopRequest
    from sched_sdk import Worker

    Beside = Callable[
        [Worker, StopRequest, Callable[[], Awaitable[None]]], Coroutine[None, None, None]
    ]

logger = logging.getLogger("sched.worker")

# Someone who waits this long for the end wants to know what for.
_TELL_AFTER_S = 1.0
# What an urgent stop may take: handing the work back, if the engine answers.
_LAST_WORDS_S = 0.7


async def serve_app(
    app: App,
    options: WorkerOptions,
    stop: StopRequest,
    report: Callable[[ChildReport], None],
    *,
    metrics_port_comes: bool = False,
    beside: Beside | None = None,
) -> None:
    """Serve until `stop` is requested; `report` hears of every change of state.

    After a gentle stop running activities have the grace period to finish; what
    is still running then, or at once after an urgent stop, is handed back to the
    engine and runs again elsewhere.

    `metrics_port_comes`: wait for the metrics port if it is taken, instead of
    raising UsageError. `beside` runs beside the worker until that ends; it is given
    the worker, the stop request, and what lets go of the metrics port.
    """
    from sched_cli.tracing import traced

    async with traced(options.otlp_endpoint):
        await _serve(
            app, options, stop, report, metrics_port_comes=metrics_port_comes, beside=beside
        )


async def _serve(
    app: App,
    options: WorkerOptions,
    stop: StopRequest,
    report: Callable[[ChildReport], None],
    *,
    metrics_port_comes: bool,
    beside: Beside | None,
) -> None:
    from sched_cli import access
    from sched_sdk import Worker

    given = access.given()
    metrics = None
    if options.metrics_port is not None:
        from sched_cli.worker_metrics import WorkerMetricsServer

        metrics = WorkerMetricsServer(options.metrics_host, options.metrics_port)

    worker = Worker(
        options.engine,
        task_queue=options.task_queue,
        workflows=app.workflows,
        activities=app.activities,
        build_id=app.build_id,
        graceful_shutdown=options.grace_s,
        metrics=None if metrics is None else metrics.registry,
        check_determinism="warn" if options.check_determinism else False,
        tls=given.tls,
        token=given.token,
    )
    if metrics is not None:
        await metrics.start(worker, wait_for_port=metrics_port_comes)
    running = asyncio.create_task(worker.run(), name="worker")
    telling = asyncio.create_task(_tell_when_ready(worker, app, report))
    stopping = asyncio.create_task(_stop_when_asked(worker, running, stop, report))
    helping = [telling, stopping]
    if beside is not None:

        async def close_metrics() -> None:
            if metrics is not None:
                await metrics.close()

        helping.append(asyncio.create_task(beside(worker, stop, close_metrics)))
    try:
        await running
    except asyncio.CancelledError:
        if not stop.requested:
            raise
    finally:
        for task in helping:
            task.cancel()
        await asyncio.wait(helping)
        if metrics is not None:
            await metrics.close()


async def _tell_when_ready(worker: Worker, app: App, report: Callable[[ChildReport], None]) -> None:
    # The report says that it is connected; the worker's log need not say it too.
    with logs.only_warnings("sched.worker"):
        await worker.ready()
    report(
        ChildReport(
            "ready",
            workflows=list(app.workflow_names),
            activities=list(app.activity_names),
            build_id=app.build_id,
        )
    )


async def _stop_when_asked(
    worker: Worker,
    running: asyncio.Task[None],
    stop: StopRequest,
    report: Callable[[ChildReport], None],
) -> None:
    await stop.wait()
    if stop.gently:
        finishing = asyncio.ensure_future(worker.stop())
        hurry = asyncio.ensure_future(stop.wait_until_urgent())
        try:
            waits = {finishing, hurry}
            done, _ = await asyncio.wait(
                waits, timeout=_TELL_AFTER_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                report(ChildReport("draining"))
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not finishing.done():
                logger.warning("asked again to stop: what still runs is handed back")
        finally:
            finishing.cancel()
            hurry.cancel()
    # Ends what is left; what the worker had in hand runs again elsewhere.
    running.cancel()
    await asyncio.wait([running], timeout=_LAST_WORDS_S)
    running.cancel()
