"""`sched doctor`: is this installation as it should be?"""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    OutputFormat,
    OutputOption,
    PostgresOption,
    RedisOption,
)
from sched_cli.parser import examples


@examples(
    "sched doctor",
    "sched doctor --output json",
    "sched doctor --redis-url redis://cache.example:6379",
)
def doctor(
    postgres_dsn: PostgresOption = None,
    redis_url: RedisOption = "",
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            envvar="SCHED_DOCTOR_LIMIT",
            help="How many open workflows to look at, the newest ones.",
        ),
    ] = 1_000,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Check an installation, and say what to do about what is wrong.

    With --postgres-dsn and --redis-url it also looks into those servers.
    """
    from sched_cli import loops
    from sched_cli.doctor.examination import examine
    from sched_cli.doctor.findings import Level, verdict
    from sched_cli.errors import EXIT_FAILED, EXIT_UNREACHABLE
    from sched_cli.redis_url import checked_redis_url
    from sched_cli.render import console, plain
    from sched_cli.render.doctor import as_json, finding_as_json, print_findings
    from sched_sdk._client.addresses import parse_addresses

    examined = loops.run_once(
        examine(
            parse_addresses(engine),
            postgres_dsn=postgres_dsn or "",
            redis_url=checked_redis_url(redis_url),
            limit=limit,
        )
    )
    if output is OutputFormat.TABLE:
        print_findings(console.data(), examined.findings)
    elif output is OutputFormat.JSON:
        plain.print_json(as_json(examined.findings))
    else:
        for finding in examined.findings:
            plain.print_json_line(finding_as_json(finding))
    if not examined.engine_answers:
        raise typer.Exit(EXIT_UNREACHABLE)
    if verdict(examined.findings) is Level.FAIL:
        raise typer.Exit(EXIT_FAILED)
