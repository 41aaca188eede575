"""`sched engine`: an engine on Postgres, which others can stand by for."""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli.options import (
    DEFAULT_GRACE,
    DEFAULT_METRICS_PORT,
    DEFAULT_PORT,
    HostOption,
    OtlpEndpointOption,
    PortOption,
    PostgresOption,
    RedisOption,
    ServingCertificateOption,
    ServingClientCaOption,
    ServingKeyOption,
    ServingTokensOption,
)
from sched_cli.parser import examples
from sched_cli.values import Seconds, seconds

DEFAULT_LOCK_KEY = "0x53636845644c6431"


@examples(
    "sched engine --postgres-dsn postgresql://sched:secret@db.example/sched --migrate",
    "sched engine --redis-url redis://cache.example:6379 --host 0.0.0.0",
    "sched engine --host 0.0.0.0 --tls-cert engine.pem --tls-key engine.key --token-file tokens",
)
def engine(
    postgres_dsn: PostgresOption = None,
    redis_url: RedisOption = "",
    host: HostOption = "127.0.0.1",
    port: PortOption = DEFAULT_PORT,
    metrics_port: Annotated[
        int,
        typer.Option(
            "--metrics-port",
            metavar="PORT",
            min=0,
            max=65535,
            envvar="SCHED_METRICS_PORT",
            help="Serve /metrics, /healthz and /readyz here; 0 picks a free port.",
        ),
    ] = DEFAULT_METRICS_PORT,
    otlp_endpoint: OtlpEndpointOption = "",
    tls_cert: ServingCertificateOption = "",
    tls_key: ServingKeyOption = "",
    tls_client_ca: ServingClientCaOption = "",
    token_file: ServingTokensOption = "",
    advertise: Annotated[
        str,
        typer.Option(
            "--advertise",
            metavar="HOST:PORT",
            envvar="SCHED_ADVERTISE",
            show_default=False,
            help="Where clients and workers reach this engine; --host and --port by default.",
        ),
    ] = "",
    migrate: Annotated[
        bool,
        typer.Option(
            "--migrate", envvar="SCHED_MIGRATE", help="Bring an older schema up to date first."
        ),
    ] = False,
    lock_key: Annotated[
        str,
        typer.Option(
            "--lock-key",
            metavar="INTEGER",
            envvar="SCHED_LEADER_LOCK_KEY",
            help="The advisory lock that the engines of one cluster contend for.",
        ),
    ] = DEFAULT_LOCK_KEY,
    wait: Annotated[
        float,
        typer.Option(
            "--store-wait",
            metavar="DURATION",
            parser=seconds,
            envvar="SCHED_STORE_WAIT",
            help="How long to wait at the start for a Postgres that is away or being migrated.",
        ),
    ] = Seconds(30),
    grace: Annotated[
        float,
        typer.Option(
            "--grace",
            metavar="DURATION",
            parser=seconds,
            envvar="SCHED_SHUTDOWN_GRACE_SECONDS",
            help="How long calls under way may take to finish after SIGTERM.",
        ),
    ] = DEFAULT_GRACE,
) -> None:
    """Run an engine on Postgres.

    Start several on one database: one leads, the others stand by and take over when it
    ends. Give clients and workers all addresses. Without --token-file and --tls-client-ca
    whoever reaches it gets in: docs/guide/security.md.
    """
    from sched_cli import loops
    from sched_cli.access import Serving
    from sched_cli.engine_server import EngineOptions, serve

    options = EngineOptions(
        postgres_dsn=postgres_dsn or "",
        redis_url=redis_url,
        host=host,
        port=port,
        metrics_port=metrics_port,
        otlp_endpoint=otlp_endpoint,
        serving=Serving(
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            token_file=token_file,
        ),
        advertise=advertise,
        migrate=migrate,
        lock_key=lock_key,
        wait_s=wait,
        grace_s=grace,
    )
    loops.run(serve(options))
