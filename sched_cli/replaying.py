"""`sched replay` and `sched verify`: from what was asked for to what came of each
history.

Nothing about a history stops the others: what cannot be read becomes a report
too. Only where a single one was asked for is it an error of the command.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sched_cli.errors import EXIT_UNREACHABLE, CliError, NotFoundError, UsageError, explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from sched_cli.apps import App
    from sched_cli.render.progress import Progress
    from sched_cli.replay_reports import Reports
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
    """At most so many of those that the filters find."""
    newest_per_type: int | None = None
    """The same, of each workflow type."""

    @property
    def only_one(self) -> bool:
        return self.filters is None and len(self.files) + len(self.ids) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one history is: in a file, or in the engine."""

    path: Path | None = None
    workflow_id: str = ""
    """Or the beginning of it, unless the type is known."""
    run_id: str = ""
    workflow_type: str = ""
    """Of a run that was listed; empty until the history is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one history."""

    source: str
    """A file, or "engine"."""
    workflow_id: str
    workflow_type: str
    replay: Replay | None
    problem: str = ""
    """Why there was no replay. Empty without a replay: it is none of this app."""


def sort_out(given: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files and workflow ids. A folder stands for the captured histories in it.
    Raises UsageError."""
    from sched_cli.targets import code_folders

    files: list[Path] = []
    ids: list[str] = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            # Not those of installed packages, should the app's folder be meant.
            inside = sorted(file for folder in code_folders(path) for file in folder.glob("*.json"))
            if not inside:
                raise UsageError(f"There is no .json file in {one}.")
            files += inside
        elif is_file(one):
            files.append(path)
        else:
            ids.append(one)
    return tuple(files), tuple(ids)


def is_file(given: str) -> bool:
    """Whether a captured history is meant, not a workflow id."""
    path = Path(given)
    return path.is_file() or path.suffix == ".json" or "/" in given


@contextlib.contextmanager
def prints_aside() -> Iterator[None]:
    """What the app prints is no data of ours."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def load_chosen_app(given: Sequence[str]) -> App:
    """The app that is named, or else the obvious one. Raises UsageError."""
    from sched_cli.apps import load_app
    from sched_cli.obvious_app import obvious_app

    with prints_aside():
        return load_app(given or [obvious_app()])


def definitions_of(app: App) -> dict[str, WorkflowDefinition]:
    """The app's workflow functions, by the name that histories know."""
    from sched_sdk._definitions import workflow_definition_of

    found = (workflow_definition_of(function) for function in app.workflows)
    return {definition.name: definition for definition in found}


class Histories:
    """Reads histories, those of the engine over one connection, made when needed."""

    def __init__(self, engine: str, *, progress: Progress | None = None) -> None:
        """`progress` hears of the events that are read."""
        self._engine = engine
        self._progress = progress
        self._client: Client | None = None

    async def client(self) -> Client:
        """Raises CliError when no engine answers."""
        if self._client is None:
            from sched_cli.connection import connect

            self._client = await connect(self._engine)
        return self._client

    async def read(self, source: Source) -> CapturedHistory:
        """Raises CaptureError, CliError, and errors of the engine."""
        if source.path is not None:
            from sched_sdk._capture import read_capture

            return read_capture(source.path)
        from sched_cli.connection import on_workflow

        client = await self.client()
        if source.workflow_type:
            return await self._read(client, source.workflow_id, source.run_id)
        return await on_workflow(
            client, source.workflow_id, lambda found: self._read(client, found, source.run_id)
        )

    async def _read(self, client: Client, workflow_id: str, run_id: str) -> CapturedHistory:
        from sched_cli.histories import read_history

        return await read_history(client, workflow_id, run_id, progress=self._progress)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()


async def sources_of(
    wanted: Wanted,
    definitions: dict[str, WorkflowDefinition],
    histories: Histories,
    skip: Callable[[str], None],
) -> AsyncIterator[Source]:
    """Everything that was asked for, found while it is consumed. `skip` hears the
    type of each listed run that the app does not define."""
    for path in wanted.files:
        yield Source(path=path)
    for given in wanted.ids:
        yield Source(workflow_id=given, run_id=wanted.run_id)
    if wanted.filters is None:
        return
    found = 0
    async for run in _listed(await histories.client(), wanted, definitions):
        if found == wanted.limit:
            return
        if run.workflow_type in definitions:
            found += 1
            yield Source(
                workflow_id=run.workflow_id, run_id=run.run_id, workflow_type=run.workflow_type
            )
        else:
            skip(run.workflow_type)


async def _listed(
    client: Client, wanted: Wanted, definitions: dict[str, WorkflowDefinition]
) -> AsyncIterator[WorkflowInfo]:
    """The runs that the filters find, the newest first. With a bound for each type
    only the app's types are asked for: the lists of others may be endless."""
    filters = dict(wanted.filters or {})
    if wanted.newest_per_type is None:
        async for run in client.list_workflows(**filters):
            yield run
        return
    only = filters.pop("workflow_type", None)
    for name in definitions if only is None else [only]:
        async for run in client.list_workflows(
            **filters, workflow_type=name, limit=wanted.newest_per_type
        ):
            yield run


async def replay_all(
    wanted: Wanted,
    definitions: dict[str, WorkflowDefinition],
    engine: str,
    reports: Reports,
    progress: Callable[[int], None],
) -> None:
    """Replay everything, one after the other. `progress` hears how many there are so far."""
    found = 0
    async with Histories(engine) as histories:
        async for source in sources_of(wanted, definitions, histories, reports.skip):
            found += 1
            progress(max(found, len(wanted.files) + len(wanted.ids)))
            report = await replay_source(source, definitions, histories, alone=wanted.only_one)
            reports.add(report)


async def replay_source(
    source: Source,
    definitions: dict[str, WorkflowDefinition],
    histories: Histories,
    *,
    alone: bool = False,
) -> Report:
    """Replay one history, or say why that cannot be; `alone`: raise it."""
    name = ENGINE if source.path is None else str(source.path)
    try:
        captured = await histories.read(source)
    except Exception as error:
        explained = explain(error)
        if alone or (explained is not None and explained.exit_code == EXIT_UNREACHABLE):
            raise
        # What was listed, and is gone since, was deleted.
        gone = bool(source.workflow_type) and isinstance(explained, NotFoundError)
        return Report(
            source=name,
            workflow_id=source.workflow_id,
            workflow_type=source.workflow_type,
            replay=None,
            problem="" if gone else _in_words(error, explained),
        )
    workflow_type = captured.workflow_type
    replay: Replay | None = None
    problem: UsageError | None = None
    if workflow_type in definitions:
        replay, problem = _replay(definitions[workflow_type], captured)
    elif alone:
        problem = UsageError(_unknown_type(workflow_type, definitions))
    if problem is not None and alone:
        raise problem
    return Report(
        source=name,
        workflow_id=captured.workflow_id,
        workflow_type=workflow_type,
        replay=replay,
        problem="" if problem is None else str(problem),
    )


def _replay(
    definition: WorkflowDefinition, captured: CapturedHistory
) -> tuple[Replay | None, UsageError | None]:
    from sched_cli.time_limit import within_limit
    from sched_sdk._debug import replay_capture
    from sched_sdk.errors import SchedError

    try:
        with prints_aside():
            replay = within_limit(
                captured.workflow_id, lambda: replay_capture(definition, captured)
            )
        return replay, None
    except UsageError as error:
        return None, error
    except SchedError as error:
        message = f"{captured.workflow_id} cannot be replayed: {error}"
        return None, UsageError(message)


async def read_one(wanted: Wanted, engine: str) -> CapturedHistory:
    """The only history that was asked for. Raises CaptureError, CliError."""
    async with Histories(engine) as histories:
        if wanted.files:
            return await histories.read(Source(path=wanted.files[0]))
        return await histories.read(Source(workflow_id=wanted.ids[0], run_id=wanted.run_id))


def definition_for(
    captured: CapturedHistory, definitions: dict[str, WorkflowDefinition]
) -> WorkflowDefinition:
    """The function of that history's workflow. Raises UsageError."""
    found = definitions.get(captured.workflow_type)
    if found is None:
        raise UsageError(_unknown_type(captured.workflow_type, definitions))
    return found


def _in_words(problem: Exception, explained: CliError | None) -> str:
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


def nothing_replayed(skipped: Counter[str], workflow_names: Sequence[str]) -> str:
    """What to say when the engine lists no history for this app; nothing is wrong then."""
    if skipped:
        kinds = _kinds(skipped, workflow_names)
        return f"Nothing would break: no workflow of the app was found. {kinds}"
    return "Nothing would break: no workflow was found."


def only_of_others(skipped: Counter[str], workflow_names: Sequence[str]) -> UsageError:
    """The error when there was not a single captured history for this app."""
    return UsageError(
        f"None of these histories is of a workflow of the app. {_kinds(skipped, workflow_names)}"
    )


def _kinds(skipped: Counter[str], workflow_names: Sequence[str]) -> str:
    has = ", ".join(sorted(workflow_names)) or "none at all"
    return f"They are of {', '.join(sorted(skipped))}; it has {has}."
