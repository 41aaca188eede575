"""`sched dev`: an engine for development, and with an app a reloading worker."""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli.errors import UsageError
from sched_cli.options import (
    DEFAULT_CHECK_TIME,
    DEFAULT_GRACE,
    DEFAULT_PORT,
    RELOAD_PARAMETERS,
    CheckDeterminismOption,
    CheckRunsOption,
    CheckTimeOption,
    GraceOption,
    HostOption,
    MetricsPortOption,
    OnBreakOption,
    OtlpEndpointOption,
    PortOption,
    ServingCertificateOption,
    ServingClientCaOption,
    ServingKeyOption,
    ServingTokensOption,
    TaskQueueOption,
    refuse_typed,
)
from sched_cli.parser import examples
from sched_cli.reload.on_break import OnBreak, ReloadCheck

DEFAULT_DATABASE = ".sched/dev.db"

_CHECK = ReloadCheck()


@examples(
    "sched dev",
    "sched dev app.py",
    "sched dev app.py --db :memory: --port 0",
    "sched dev app.py --ha",
)
def dev(
    context: typer.Context,
    app: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="APP", help="Also run a worker that serves this, and follows its edits."
        ),
    ] = None,
    db: Annotated[
        str,
        typer.Option(
            "--db",
            metavar="PATH",
            envvar="SCHED_DB",
            help="Where the engine keeps its state; :memory: forgets it at the end.",
        ),
    ] = DEFAULT_DATABASE,
    host: HostOption = "127.0.0.1",
    port: PortOption = DEFAULT_PORT,
    metrics_port: MetricsPortOption = None,
    otlp_endpoint: OtlpEndpointOption = "",
    tls_cert: ServingCertificateOption = "",
    tls_key: ServingKeyOption = "",
    tls_client_ca: ServingClientCaOption = "",
    token_file: ServingTokensOption = "",
    ha: Annotated[
        bool,
        typer.Option(
            "--ha",
            envvar="SCHED_HA",
            help="Run two engines, with Postgres and Redis, to see one take over.",
        ),
    ] = False,
    task_queue: TaskQueueOption = "default",
    on_break: OnBreakOption = OnBreak.ROUTE,
    check_runs: CheckRunsOption = _CHECK.newest,
    check_time: CheckTimeOption = DEFAULT_CHECK_TIME,
    grace: GraceOption = DEFAULT_GRACE,
    check_determinism: CheckDeterminismOption = True,
) -> None:
    """Run an engine on SQLite, and with APP a worker that reloads.

    The lines on stderr say where it listens. Ctrl-C ends it; what runs goes on at the
    next start. Without --token-file and --tls-client-ca whoever reaches it gets in.
    """
    from sched_cli import loops
    from sched_cli.access import Serving
    from sched_cli.dev_worker import DevWorker
    from sched_cli.tracing import checked_endpoint

    checked_endpoint(otlp_endpoint)
    if not app:
        why = "is about reloading an app: name it, sched dev app.py"
        refuse_typed(context, RELOAD_PARAMETERS, why)
    serving = Serving(
        tls_cert=tls_cert, tls_key=tls_key, tls_client_ca=tls_client_ca, token_file=token_file
    )
    worker = DevWorker(
        targets=tuple(app or ()),
        task_queue=task_queue,
        grace_s=grace,
        reload_check=ReloadCheck(on_break, check_runs, check_time),
        otlp_endpoint=otlp_endpoint,
        check_determinism=check_determinism,
        serving=serving,
    )
    if ha:
        if db != DEFAULT_DATABASE:
            raise UsageError("--ha keeps its state in Postgres, below .sched; it takes no --db.")
        if metrics_port is not None:
            raise UsageError("--ha shows a takeover, without metrics; it takes no --metrics-port.")
        from sched_cli.ha.dev_cluster import DevCluster

        cluster = DevCluster(host=host, port=port, worker=worker, otlp_endpoint=otlp_endpoint)
        loops.run(cluster.run())
        return
    from sched_cli.dev_server import DevServer

    server = DevServer(
        database=db,
        host=host,
        port=port,
        metrics_port=metrics_port,
        worker=worker,
        otlp_endpoint=otlp_endpoint,
        serving=serving,
    )
    loops.run(server.run())
