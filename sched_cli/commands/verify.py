"""`sched verify`: many histories against local code, before a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.commands.replay import (
    AllOption,
    HistoriesArgument,
    LimitOption,
    StrictOption,
    wanted_of,
)
from sched_cli.commands.workflow.reading import (
    BuildOption,
    FilterQueueOption,
    IdPrefixOption,
    StatusOption,
    TypeOption,
    filters_of,
)
from sched_cli.options import (
    DEFAULT_ENGINE,
    AppOption,
    EngineOption,
    OutputFormat,
    OutputOption,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_cli.apps import App
    from sched_cli.render.divergence import LocalCode
    from sched_cli.replay_reports import Reports
    from sched_cli.replaying import Report, Wanted


@examples(
    "sched verify --open --app app.py",
    "sched verify --all --newest-per-type 200",
    "sched verify histories/ --strict --output json",
)
def verify(
    given: HistoriesArgument = None,
    app: AppOption = None,
    only_open: Annotated[
        bool,
        typer.Option("--open", envvar="SCHED_OPEN", help="The workflows that are open."),
    ] = False,
    everything: AllOption = False,
    status: StatusOption = None,
    workflow_type: TypeOption = None,
    task_queue: FilterQueueOption = None,
    id_prefix: IdPrefixOption = None,
    build: BuildOption = None,
    limit: LimitOption = None,
    newest_per_type: Annotated[
        int | None,
        typer.Option(
            "--newest-per-type",
            metavar="N",
            min=1,
            envvar="SCHED_NEWEST_PER_TYPE",
            show_default=False,
            help="Of each workflow type of the app: only the newest ones, so many.",
        ),
    ] = None,
    strict: StrictOption = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            min=1,
            envvar="SCHED_JOBS",
            show_default="one a core",
            help="How many processes replay at a time.",
        ),
    ] = None,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Replay many histories on local code: would it break a workflow?

    Nothing is executed but the workflow functions. Exit code 1 if one would break.
    """
    from sched_cli.errors import UsageError
    from sched_cli.replaying import load_chosen_app

    if only_open and status:
        raise UsageError("--open means --status RUNNING; give one of them.")
    filters = filters_of(
        ["RUNNING"] if only_open else status, workflow_type, task_queue, id_prefix, build
    )
    wanted = wanted_of(
        given, filters, everything=everything, limit=limit, newest_per_type=newest_per_type
    )
    if wanted is None:
        raise UsageError(
            "Say what to verify: --open, --all, a filter, a folder of captured histories, "
            "files or workflow ids."
        )
    loaded = load_chosen_app(app or ())
    reports = _verify(wanted, app or (), loaded, engine, output, strict=strict, jobs=jobs)
    if reports.exit_code:
        raise typer.Exit(reports.exit_code)


def _verify(
    wanted: Wanted,
    given_app: Sequence[str],
    app: App,
    engine: str,
    output: OutputFormat,
    *,
    strict: bool,
    jobs: int | None,
) -> Reports:
    import time

    from sched_cli import loops
    from sched_cli.obvious_app import obvious_app
    from sched_cli.render import console
    from sched_cli.render.divergence import local_code
    from sched_cli.render.progress import Progress
    from sched_cli.replay_pool import default_jobs, replay_in_parallel
    from sched_cli.replay_reports import Reports
    from sched_cli.replaying import definitions_of, nothing_replayed, only_of_others

    definitions = definitions_of(app)
    reports = Reports(strict, _line if output is OutputFormat.JSONL else None)
    started = time.monotonic()
    with Progress("replayed", lambda: reports.done) as progress:
        loops.run_once(
            replay_in_parallel(
                wanted,
                given_app or [obvious_app()],
                definitions,
                engine,
                reports,
                progress.expect,
                jobs=jobs or default_jobs(),
            )
        )
    if reports.is_empty and reports.skipped and wanted.filters is None:
        # Of captured histories somebody meant these; an engine may have none of the app's.
        raise only_of_others(reports.skipped, app.workflow_names)
    code = local_code(app.build_id, given_app)
    _show(reports, code, output, time.monotonic() - started)
    if reports.is_empty:
        console.say(nothing_replayed(reports.skipped, app.workflow_names))
    return reports


def _line(report: Report) -> None:
    from sched_cli.render import plain
    from sched_cli.render.replay_json import as_json

    plain.print_json_line(as_json(report))


def _show(reports: Reports, code: LocalCode, output: OutputFormat, seconds: float) -> None:
    if output is OutputFormat.TABLE:
        from sched_cli.render.replay import show_reports

        show_reports(reports, code)
    elif output is OutputFormat.JSON:
        from sched_cli.render import plain
        from sched_cli.render.replay_json import summary_as_json

        plain.print_json(summary_as_json(reports, code.build_id, seconds))
