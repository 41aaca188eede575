"""`sched replay`: run local code over recorded histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sched_cli import completion
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
    RunIdOption,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_cli.apps import App
    from sched_cli.commands.workflow.reading import Filters
    from sched_cli.replay_reports import Reports
    from sched_cli.replaying import Report, Wanted

HistoriesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID|FILE",
        autocompletion=completion.histories,
        help="Workflow ids, captured histories, or folders of them.",
        show_default=False,
    ),
]
AllOption = Annotated[
    bool,
    typer.Option("--all", envvar="SCHED_ALL", help="Every workflow that the filters let pass."),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        envvar="SCHED_REPLAY_LIMIT",
        show_default=False,
        help="Of those that the engine lists: only the newest ones, so many.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", envvar="SCHED_STRICT", help="Arguments that differ are errors."),
]
StepOption = Annotated[
    bool,
    typer.Option(
        "--step", envvar="SCHED_STEP", help="Go through one history, forward and back, on screen."
    ),
]
AtOption = Annotated[
    int | None,
    typer.Option(
        "--at",
        metavar="EVENT",
        min=1,
        envvar="SCHED_STEP_AT",
        show_default=False,
        help="Show how the code stands at this event; with --step or --pdb begin there.",
    ),
]
BreakOption = Annotated[
    str | None,
    typer.Option(
        "--break",
        metavar="FILE:LINE",
        envvar="SCHED_STEP_BREAK",
        show_default=False,
        help="The same, when this line is about to run.",
    ),
]
PdbOption = Annotated[
    bool,
    typer.Option(
        "--pdb",
        envvar="SCHED_STEP_PDB",
        help="Stop in Python's debugger: there, or where it diverges or raised.",
    ),
]


@examples(
    "sched replay order-7",
    "sched replay order-7.json --app app.py",
    "sched replay --type Order --status RUNNING --limit 500",
    "sched replay order-7 --step",
)
def replay(
    given: HistoriesArgument = None,
    app: AppOption = None,
    everything: AllOption = False,
    status: StatusOption = None,
    workflow_type: TypeOption = None,
    task_queue: FilterQueueOption = None,
    id_prefix: IdPrefixOption = None,
    build: BuildOption = None,
    limit: LimitOption = None,
    run_id: RunIdOption = "",
    strict: StrictOption = False,
    step: StepOption = False,
    at: AtOption = None,
    break_at: BreakOption = None,
    pdb: PdbOption = False,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Run local code over histories, and show where the two part.

    Nothing is executed but the workflow functions: activities and steps are
    answered from the history.
    """
    from sched_cli.errors import UsageError
    from sched_cli.replaying import load_chosen_app

    filters = filters_of(status, workflow_type, task_queue, id_prefix, build)
    wanted = wanted_of(given, filters, everything=everything, run_id=run_id, limit=limit)
    if wanted is None:
        raise UsageError("Say what to replay: a workflow id, a captured history, or --all.")
    if step or pdb or at is not None or break_at is not None:
        from sched_cli.stepping import Stop, step_through

        stop = Stop(step=step, pdb=pdb, event_id=at, line=break_at)
        code = step_through(wanted, app or (), engine, stop, output)
        if code:
            raise typer.Exit(code)
        return
    loaded = load_chosen_app(app or ())
    if output is OutputFormat.TABLE:
        reports = _replay_and_show(wanted, loaded, app or (), engine, strict=strict)
    else:
        reports = _replay_as_json(wanted, loaded, engine, output, strict=strict)
    if reports.exit_code:
        raise typer.Exit(reports.exit_code)


def wanted_of(
    given: list[str] | None,
    filters: Filters,
    *,
    everything: bool,
    run_id: str = "",
    limit: int | None = None,
    newest_per_type: int | None = None,
) -> Wanted | None:
    """What the arguments and options ask for; None: nothing. Raises UsageError."""
    from sched_cli.errors import UsageError
    from sched_cli.replaying import Wanted, sort_out

    named = (newest_per_type, *filters.values())
    filtered = everything or any(value is not None for value in named)
    if not given and not filtered:
        return None
    files, ids = sort_out(given or ())
    wanted = Wanted(
        files=files,
        ids=ids,
        run_id=run_id,
        filters=dict(filters) if filtered else None,
        limit=limit,
        newest_per_type=newest_per_type,
    )
    if run_id and not (wanted.only_one and ids):
        raise UsageError("--run-id goes with one workflow id.")
    return wanted


def _replay_and_show(
    wanted: Wanted, app: App, given_app: Sequence[str], engine: str, *, strict: bool
) -> Reports:
    from sched_cli.render import console
    from sched_cli.render.divergence import local_code
    from sched_cli.render.replay import agreement, show_findings, show_reports
    from sched_cli.replay_reports import Reports
    from sched_cli.replaying import nothing_replayed

    code = local_code(app.build_id, given_app)
    if not wanted.only_one:
        reports = Reports(strict)
        _replay(wanted, app, engine, reports)
        show_reports(reports, code)
        if reports.is_empty:
            console.say(nothing_replayed(reports.skipped, app.workflow_names))
        return reports

    def show(report: Report) -> None:
        if report.replay is not None and report.replay.divergence is None:
            console.data().print(agreement(report.replay), soft_wrap=True)

    reports = Reports(strict, show)
    _replay(wanted, app, engine, reports)
    show_findings(reports, code)
    return reports


def _replay_as_json(
    wanted: Wanted, app: App, engine: str, output: OutputFormat, *, strict: bool
) -> Reports:
    from sched_cli.render import plain
    from sched_cli.render.replay_json import as_json
    from sched_cli.replay_reports import Reports

    found: list[Any] = []

    def show(report: Report) -> None:
        if output is OutputFormat.JSONL:
            plain.print_json_line(as_json(report))
        else:
            found.append(as_json(report))

    reports = Reports(strict, show)
    _replay(wanted, app, engine, reports)
    if output is OutputFormat.JSON:
        plain.print_json(found)
    return reports


def _replay(wanted: Wanted, app: App, engine: str, reports: Reports) -> None:
    from sched_cli import loops
    from sched_cli.render.progress import Progress
    from sched_cli.replaying import definitions_of, only_of_others, replay_all

    definitions = definitions_of(app)
    with Progress("replayed", lambda: reports.done) as progress:
        loops.run_once(replay_all(wanted, definitions, engine, reports, progress.expect))
    if reports.skipped and reports.is_empty and wanted.filters is None:
        # Of captured histories somebody meant these; an engine may have none of the app's.
        raise only_of_others(reports.skipped, app.workflow_names)
