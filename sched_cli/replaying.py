"""`sched replay`: from what was asked for to what came of each history.

Nothing about a history stops the others: what cannot be read becomes a report
too. Only where a single one was asked for is it an error of the command.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli.errors import EXIT_FAILED, EXIT_USAGE, CliError, UsageError, explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from sched_cli.apps import App
    from sched_sdk._capture import CapturedHistory
    from sched_sdk._client import Client
    from sched_sdk._client.models import WorkflowInfo
    from sched_sdk._debug import Replay
    from sched_sdk._definitions import WorkflowDefinition

ENGINE = "engine"


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    files: tuple[Path, ...]
    ids: tuple[str, ...]
    run_id: str = ""
    filters: dict[str, Any] | None = None
    """Of `list_workflows`: also everything that this finds; None: nothing."""
    limit: int | None = None

    @property
    def only_one(self) -> bool:
        return self.filters is None and len(self.files) + len(self.ids) == 1

    @property
    def needs_engine(self) -> bool:
        return bool(self.ids) or self.filters is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one history."""

    source: str
    """A file, or "engine"."""
    workflow_id: str
    workflow_type: str
    replay: Replay | None
    problem: str = ""
    """Why there was no replay."""


@dataclass
class Reports:
    """What came of all of them."""

    strict: bool
    found: list[Report] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Histories of workflow types that the app does not define."""

    def is_good(self, replay: Replay) -> bool:
        return replay.divergence is None and not (self.strict and replay.difference_count)

    @property
    def exit_code(self) -> int:
        if any(one.replay is not None and not self.is_good(one.replay) for one in self.found):
            return EXIT_FAILED
        return EXIT_USAGE if any(one.replay is None for one in self.found) else 0


def sort_out(given: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files and workflow ids. A folder stands for the captured histories in it.
    Raises UsageError."""
    files: list[Path] = []
    ids: list[str] = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            inside = sorted(path.rglob("*.json"))
            if not inside:
                raise UsageError(f"There is no .json file in {one}.")
            files += inside
        elif path.is_file() or path.suffix == ".json" or "/" in one:
            files.append(path)
        else:
            ids.append(one)
    return tuple(files), tuple(ids)


@contextlib.contextmanager
def prints_aside() -> Iterator[None]:
    """What the app prints is no data of ours."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def definitions_of(app: App) -> dict[str, WorkflowDefinition]:
    """The app's workflow functions, by the name that histories know."""
    from sched_sdk._definitions import workflow_definition_of

    found = (workflow_definition_of(function) for function in app.workflows)
    return {definition.name: definition for definition in found}


async def replay_all(
    wanted: Wanted,
    definitions: dict[str, WorkflowDefinition],
    engine: str,
    reports: Reports,
    progress: Callable[[int], None],
) -> None:
    """Replay everything. `progress` hears how many there are, each time it is known."""
    progress(len(wanted.files) + len(wanted.ids))
    for path in wanted.files:
        _add(reports, definitions, wanted, str(path), _read(path))
    if wanted.needs_engine:
        from sched_cli.connection import connect

        async with await connect(engine) as client:
            async for workflow_id, workflow_type, captured in _fetch(
                client, wanted, definitions, reports, progress
            ):
                _add(reports, definitions, wanted, ENGINE, captured, workflow_id, workflow_type)


def _read(path: Path) -> CapturedHistory | Exception:
    from sched_sdk._capture import read_capture
    from sched_sdk.errors import CaptureError

    try:
        return read_capture(path)
    except CaptureError as error:
        return error


async def _fetch(
    client: Client,
    wanted: Wanted,
    definitions: dict[str, WorkflowDefinition],
    reports: Reports,
    progress: Callable[[int], None],
) -> AsyncIterator[tuple[str, str, CapturedHistory | Exception]]:
    from sched_cli.connection import on_workflow
    from sched_cli.histories import read_history

    for given in wanted.ids:
        try:
            captured: CapturedHistory | Exception = await on_workflow(
                client, given, lambda found: read_history(client, found, wanted.run_id)
            )
        except Exception as error:
            captured = error
        yield given, "", captured
    if wanted.filters is None:
        return
    runs: list[WorkflowInfo] = []
    async for run in client.list_workflows(**wanted.filters, limit=wanted.limit):
        if run.workflow_type in definitions:
            runs.append(run)
        else:
            reports.skipped[run.workflow_type] += 1
    progress(len(wanted.files) + len(wanted.ids) + len(runs))
    for run in runs:
        try:
            captured = await read_history(client, run.workflow_id, run.run_id)
        except Exception as error:
            captured = error
        yield run.workflow_id, run.workflow_type, captured


def _add(
    reports: Reports,
    definitions: dict[str, WorkflowDefinition],
    wanted: Wanted,
    source: str,
    captured: CapturedHistory | Exception,
    workflow_id: str = "",
    workflow_type: str = "",
) -> None:
    """Replay one history, or note why that cannot be."""
    problem = captured if isinstance(captured, Exception) else None
    replay: Replay | None = None
    if not isinstance(captured, Exception):
        workflow_id, workflow_type = captured.workflow_id, captured.workflow_type
        definition = definitions.get(workflow_type)
        if definition is not None:
            replay, problem = _replay(definition, captured)
        elif wanted.only_one:
            problem = UsageError(_unknown_type(workflow_type, definitions))
        else:
            reports.skipped[workflow_type] += 1
            return
    if problem is not None and wanted.only_one:
        raise problem
    reports.found.append(
        Report(
            source=source,
            workflow_id=workflow_id,
            workflow_type=workflow_type,
            replay=replay,
            problem="" if problem is None else _in_words(problem),
        )
    )


def _replay(
    definition: WorkflowDefinition, captured: CapturedHistory
) -> tuple[Replay | None, Exception | None]:
    from sched_sdk._debug import replay_capture
    from sched_sdk.errors import SchedError

    try:
        with prints_aside():
            return replay_capture(definition, captured), None
    except SchedError as error:
        message = f"{captured.workflow_id} cannot be replayed: {error}"
        return None, UsageError(message)


def _in_words(problem: Exception) -> str:
    explained = explain(problem)
    return f"{type(problem).__name__}: {problem}" if explained is None else str(explained)


def _unknown_type(workflow_type: str, definitions: dict[str, WorkflowDefinition]) -> str:
    import difflib

    names = sorted(definitions)
    close = difflib.get_close_matches(workflow_type, names, n=1)
    if close:
        hint = f"Renamed? Keep the old name for histories: @workflow(name={workflow_type!r})"
    else:
        hint = "Name the app that has it: --app FILE"
    return (
        f"The app has no workflow named {workflow_type!r}; "
        f"it has {', '.join(names) or 'none at all'}. {hint}"
    )


def nothing_to_replay(
    reports: Reports, definitions: dict[str, WorkflowDefinition]
) -> CliError | None:
    """The error when there was not a single history for this app."""
    if reports.found:
        return None
    if not reports.skipped:
        return UsageError("There are no such workflows.")
    others = ", ".join(sorted(reports.skipped))
    return UsageError(
        f"None of these histories is of a workflow of the app: they are of {others}; "
        f"it has {', '.join(sorted(definitions)) or 'none at all'}."
    )
