"""`sched replay`: run local code over recorded histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

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
    EngineOption,
    OutputFormat,
    OutputOption,
    RunIdOption,
)

if TYPE_CHECKING:
    from sched_cli.apps import App
    from sched_cli.replaying import Reports, Wanted


def replay(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID|FILE…",
            help="Workflow ids, captured histories, or folders of them.",
            show_default=False,
        ),
    ] = None,
    app: Annotated[
        list[str] | None,
        typer.Option(
            "--app",
            metavar="APP",
            envvar="SCHED_APP",
            help="A file, a folder or a module; repeatable. By default the only one here.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", envvar="SCHED_ALL", help="Every workflow that the filters let pass."),
    ] = False,
    status: StatusOption = None,
    workflow_type: TypeOption = None,
    task_queue: FilterQueueOption = None,
    id_prefix: IdPrefixOption = None,
    build: BuildOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            envvar="SCHED_REPLAY_LIMIT",
            show_default=False,
            help="With --all: only the newest ones, so many.",
        ),
    ] = None,
    run_id: RunIdOption = "",
    strict: Annotated[
        bool,
        typer.Option("--strict", envvar="SCHED_STRICT", help="Arguments that differ are errors."),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Run local code over histories, and show where the two part.

    Nothing is executed but the workflow functions: activities and steps are
    answered from the history.
    """
    from sched_cli.errors import UsageError
    from sched_cli.replaying import Reports, Wanted, sort_out

    filters = filters_of(status, workflow_type, task_queue, id_prefix, build)
    filtered = everything or any(value is not None for value in filters.values())
    if not given and not filtered:
        raise UsageError("Say what to replay: a workflow id, a captured history, or --all.")
    files, ids = sort_out(given or ())
    wanted = Wanted(
        files=files,
        ids=ids,
        run_id=run_id,
        filters=dict(filters) if filtered else None,
        limit=limit,
    )
    if run_id and not (wanted.only_one and ids):
        raise UsageError("--run-id goes with one workflow id.")
    reports = Reports(strict=strict)
    loaded = _load(app or [])
    _replay_with_progress(wanted, loaded, engine, reports)
    _show(reports, loaded, wanted, output)
    if reports.exit_code:
        raise typer.Exit(reports.exit_code)


def _load(given: list[str]) -> App:
    from sched_cli.apps import load_app
    from sched_cli.obvious_app import obvious_app
    from sched_cli.replaying import prints_aside

    with prints_aside():
        return load_app(given or [obvious_app()])


def _replay_with_progress(wanted: Wanted, app: App, engine: str, reports: Reports) -> None:
    import asyncio

    from sched_cli.render.progress import Progress
    from sched_cli.replaying import definitions_of, nothing_to_replay, replay_all

    definitions = definitions_of(app)
    with Progress("replayed", lambda: len(reports.found)) as progress:
        asyncio.run(replay_all(wanted, definitions, engine, reports, progress.expect))
    error = nothing_to_replay(reports, definitions)
    if error is not None:
        raise error


def _show(reports: Reports, app: App, wanted: Wanted, output: OutputFormat) -> None:
    from sched_cli.render import plain
    from sched_cli.render.replay_json import as_json

    if output is OutputFormat.TABLE:
        from sched_cli.render.replay import show_reports

        show_reports(reports, app.build_id, one=wanted.only_one)
    elif output is OutputFormat.JSON:
        plain.print_json([as_json(report) for report in reports.found])
    else:
        for report in reports.found:
            plain.print_json_line(as_json(report))
