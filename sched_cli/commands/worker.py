"""`sched worker`: serve an app's workflows and activities."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import (
    DEFAULT_CHECK_TIME,
    DEFAULT_ENGINE,
    DEFAULT_GRACE,
    RELOAD_PARAMETERS,
    CheckDeterminismOption,
    CheckRunsOption,
    CheckTimeOption,
    EngineOption,
    GraceOption,
    MetricsPortOption,
    OnBreakOption,
    OtlpEndpointOption,
    TaskQueueOption,
    refuse_typed,
)
from sched_cli.parser import examples
from sched_cli.reload.on_break import OnBreak, ReloadCheck

if TYPE_CHECKING:
    from sched_cli.reload.protocol import WorkerOptions

_CHECK = ReloadCheck()


@examples(
    "sched worker app.py --reload",
    "sched worker app.py more.py --task-queue billing --grace 30s",
    "sched worker app.py --engine engine-a.example:50051,engine-b.example:50051",
)
def worker(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(metavar="APP", help="A file, a folder or a module, or several."),
    ],
    reload: Annotated[
        bool, typer.Option("--reload", envvar="SCHED_RELOAD", help="Follow the edits of the code.")
    ] = False,
    task_queue: TaskQueueOption = "default",
    on_break: OnBreakOption = OnBreak.ROUTE,
    check_runs: CheckRunsOption = _CHECK.newest,
    check_time: CheckTimeOption = DEFAULT_CHECK_TIME,
    grace: GraceOption = DEFAULT_GRACE,
    engine: EngineOption = DEFAULT_ENGINE,
    metrics_port: MetricsPortOption = None,
    metrics_host: Annotated[
        str,
        typer.Option(
            "--metrics-host",
            metavar="HOST",
            envvar="SCHED_METRICS_HOST",
            help="The address to serve them on.",
        ),
    ] = "127.0.0.1",
    otlp_endpoint: OtlpEndpointOption = "",
    check_determinism: CheckDeterminismOption = False,
) -> None:
    """Run a worker that serves the app's workflows and activities."""
    from sched_cli import loops
    from sched_cli.reload.protocol import WorkerOptions
    from sched_cli.tracing import checked_endpoint

    if not reload:
        refuse_typed(context, RELOAD_PARAMETERS, "is about reloading: it goes with --reload.")
    options = WorkerOptions(
        tuple(targets),
        engine,
        task_queue,
        grace,
        metrics_host=metrics_host,
        metrics_port=metrics_port,
        otlp_endpoint=checked_endpoint(otlp_endpoint),
        check_determinism=check_determinism,
    )
    check = ReloadCheck(on_break, check_runs, check_time)
    loops.run(_run_with_reload(options, check) if reload else _run(options))


async def _run(options: WorkerOptions) -> None:
    from sched_cli import logs, loops
    from sched_cli.apps import load_app
    from sched_cli.render.worker_news import WorkerNews
    from sched_cli.worker import serve_app

    news = WorkerNews()
    with loops.stop_on_signals() as stop:
        app = load_app(options.targets)
        logs.set_up(default_level="info")
        await serve_app(app, options, stop, news.hear)


async def _run_with_reload(options: WorkerOptions, check: ReloadCheck) -> None:
    from sched_cli import loops
    from sched_cli.reload.supervisor import Supervisor
    from sched_cli.render.worker_news import WorkerNews

    with loops.stop_on_signals() as stop:
        supervisor = Supervisor(options, WorkerNews(), check=check)
        supervisor.start()
        await stop.wait()
        await stop.carry_out(
            supervisor.stop(gently=stop.gently),
            hurry=functools.partial(supervisor.stop, gently=False),
        )
