"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli import completion
from sched_cli.global_options import EVERYWHERE
from sched_cli.reload.on_break import OnBreak, ReloadCheck
from sched_cli.values import Seconds, seconds, seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_PORT = 50051
DEFAULT_METRICS_PORT = 9090
DEFAULT_ENGINE = f"localhost:{DEFAULT_PORT}"


def _everywhere(option: str) -> str:
    variable, text = EVERYWHERE[option]
    return f"{text}  [env var: {variable}]"


class OutputFormat(StrEnum):
    """How a command that reads shows what it read."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="HOST:PORT[,…]",
        envvar=["SCHED_ENGINE_ADDRESS", "ENGINE_ADDRESS"],
        help="Where the engine is; several addresses for replicas.",
    ),
]
PostgresOption = Annotated[
    str | None,
    typer.Option(
        "--postgres-dsn",
        metavar="DSN",
        envvar="SCHED_POSTGRES_DSN",
        show_default=False,
        help="The store is this Postgres database: postgresql://user:password@host/database.",
    ),
]
RedisOption = Annotated[
    str,
    typer.Option(
        "--redis-url",
        metavar="URL",
        envvar=["SCHED_REDIS_URL", "REDIS_ADDR"],
        show_default=False,
        help="Waiting tasks go through this Redis, redis://host:6379; else they wait in memory.",
    ),
]
OutputOption = Annotated[
    OutputFormat,
    typer.Option("--output", "-o", envvar="SCHED_OUTPUT", help="How to show it."),
]
WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch",
        envvar="SCHED_WATCH",
        help="Look again and again until Ctrl-C; with --output jsonl a line for each change.",
    ),
]
IntervalOption = Annotated[
    str,
    typer.Option(
        "--interval",
        metavar="DURATION",
        envvar="SCHED_INTERVAL",
        help="With --watch: how often (500ms, 2s, 1m).",
    ),
]
DEFAULT_INTERVAL = "2s"
TaskQueueOption = Annotated[
    str,
    typer.Option(
        "--task-queue",
        metavar="NAME",
        envvar=["SCHED_TASK_QUEUE", "TASK_QUEUE"],
        autocompletion=completion.task_queues,
        help="The queue that workers take the work from.",
    ),
]
GraceOption = Annotated[
    float,
    typer.Option(
        "--grace",
        metavar="DURATION",
        parser=seconds,
        envvar="SCHED_SHUTDOWN_GRACE_SECONDS",
        help="How long running activities may take to finish after SIGTERM or a reload.",
    ),
]
DEFAULT_GRACE = Seconds(8)
DEFAULT_CHECK_TIME = Seconds(ReloadCheck().seconds)
OnBreakOption = Annotated[
    OnBreak,
    typer.Option(
        "--on-break",
        envvar="SCHED_ON_BREAK",
        help="What a reload does when open workflows would break on the new code.",
    ),
]
CheckRunsOption = Annotated[
    int,
    typer.Option(
        "--check-runs",
        metavar="N",
        min=1,
        envvar="SCHED_CHECK_RUNS",
        help="A reload tries the new code on the newest open workflows, so many of each type.",
    ),
]
CheckTimeOption = Annotated[
    float,
    typer.Option(
        "--check-time",
        metavar="DURATION",
        parser=seconds_between(0.1, 600),
        envvar="SCHED_CHECK_TIME",
        help="It tries for so long, and goes on with what it knows then.",
    ),
]
HostOption = Annotated[
    str,
    typer.Option("--host", metavar="HOST", envvar="SCHED_HOST", help="The address to listen on."),
]
PortOption = Annotated[
    int,
    typer.Option(
        "--port", metavar="PORT", min=0, max=65535, envvar="SCHED_PORT", help="0 picks a free one."
    ),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="VALUE",
        help="An argument: JSON, or else a string; repeatable.  [env var: SCHED_INPUT, one]",
    ),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        metavar="PORT",
        min=0,
        max=65535,
        envvar="SCHED_METRICS_PORT",
        show_default=False,
        help="Serve /metrics, /healthz and /readyz here; 0 picks a free port.",
    ),
]
OtlpEndpointOption = Annotated[
    str,
    typer.Option(
        "--otlp-endpoint",
        metavar="URL",
        envvar="SCHED_OTLP_ENDPOINT",
        show_default=False,
        help="Send spans to this OTLP receiver, http://host:4317 or http://host:4318/v1/traces.",
    ),
]


def _serving(option: str, metavar: str, text: str) -> typer.models.OptionInfo:
    variable = f"SCHED_ENGINE_{option.upper().replace('-', '_')}"
    found: typer.models.OptionInfo = typer.Option(
        f"--{option}", metavar=metavar, envvar=variable, show_default=False, help=text
    )
    return found


# The engine's own; those of its callers are in `access`.
ServingCertificateOption = Annotated[
    str,
    _serving("tls-cert", "FILE", "Serve by TLS, with this certificate (and those between), PEM."),
]
ServingKeyOption = Annotated[str, _serving("tls-key", "FILE", "The key that belongs to it, PEM.")]
ServingClientCaOption = Annotated[
    str,
    _serving("tls-client-ca", "FILE", "Callers have to show a certificate of this CA, PEM."),
]
ServingTokensOption = Annotated[
    str,
    _serving("token-file", "FILE", "Callers have to show a token of this file, one a line."),
]


def everywhere(
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            autocompletion=completion.profile_names,
            show_default=False,
            help=_everywhere("--profile"),
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help=_everywhere("--quiet"))] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help=_everywhere("--no-color"))] = False,
    debug: Annotated[bool, typer.Option("--debug", help=_everywhere("--debug"))] = False,
) -> None:
    """Durable workflows in Python.

    sched init my-app makes a starter; sched dev app.py runs it.
    """
    # For help and completion; they are taken off the line before it gets here.


AppOption = Annotated[
    list[str] | None,
    typer.Option(
        "--app",
        metavar="APP",
        envvar="SCHED_APP",
        help="A file, a folder or a module; repeatable. By default the only one here.",
    ),
]
CheckDeterminismOption = Annotated[
    bool,
    typer.Option(
        "--check-determinism/--no-check-determinism",
        envvar="SCHED_CHECK_DETERMINISM",
        help="Run workflow code a second time after each task, and warn if it does otherwise.",
    ),
]
WorkflowIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The workflow's id, or the beginning of it.",
        autocompletion=completion.workflow_ids,
    ),
]
RunIdOption = Annotated[
    str,
    typer.Option(
        "--run-id",
        metavar="RUN",
        envvar="SCHED_RUN_ID",
        show_default=False,
        help="This run of the workflow; the newest by default.",
    ),
]


def refuse_typed(context: typer.Context, parameters: Sequence[str], why: str) -> None:
    """Raises UsageError if one of these options was typed; variables of the environment
    are for many commands, and may be there."""
    from sched_cli.errors import UsageError

    for parameter in parameters:
        source = context.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{parameter.replace('_', '-')} {why}")


RELOAD_PARAMETERS = ("on_break", "check_runs", "check_time")
