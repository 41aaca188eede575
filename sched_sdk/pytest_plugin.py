"""Replay in pytest: captured histories as tests.

With `sched_captures = histories` in the configuration of pytest, every captured
history below that folder is a test: it passes if the app's code still does what
the history says. In tests of your own:

    from sched_sdk.pytest_plugin import assert_replays

    def test_an_order_of_last_year() -> None:
        assert_replays("histories/order-1.json", order)

pytest loads this module whenever sched is installed. It costs nothing until it is
used: everything else is imported then.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sched_sdk._capture import CapturedHistory
    from sched_sdk._client.models import Event
    from sched_sdk._definitions import WorkflowDefinition

__all__ = ["assert_replays", "replay_captures"]

_CAPTURES = "sched_captures"
_APP = "sched_app"
_STRICT = "sched_strict"


# -- helpers for tests -------------------------------------------------------------


def assert_replays(
    history: str | os.PathLike[str] | Iterable[Event],
    workflow: Callable[..., Any],
    *,
    strict: bool = False,
) -> None:
    """Fail the test unless `workflow` does what the history says.

    `history` is the path of a captured history (`sched capture`), or the events
    that `handle.history()` gives. `strict`: arguments must be the same, too. The
    AssertionError carries the report of `sched replay`. Raises CaptureError for a
    file that is no captured history, PayloadError for a payload that nothing here
    can read, DefinitionError for a function that is no workflow.
    """
    __tracebackhide__ = True
    from sched_sdk._definitions import workflow_definition_of

    problem = _problem(_captured(history), workflow_definition_of(workflow), strict=strict)
    if problem:
        raise AssertionError(problem)


def replay_captures(
    folder: str | os.PathLike[str],
    workflows: Iterable[Callable[..., Any]],
    *,
    strict: bool = False,
) -> int:
    """Replay every captured history below a folder on the workflow of its type.
    Returns how many there are.

    Fails the test, with the report on each, if one does not replay, if one is of a
    type that is not among `workflows`, or if there is none at all.
    """
    __tracebackhide__ = True
    from sched_sdk._definitions import workflow_definition_of

    found = (workflow_definition_of(function) for function in workflows)
    definitions = {definition.name: definition for definition in found}
    paths = sorted(Path(folder).rglob("*.json"))
    if not paths:
        raise AssertionError(f"There is no captured history in {folder}.")
    problems = [_problem_of_file(path, definitions, strict=strict) for path in paths]
    told = [f"{path}\n{problem}" for path, problem in zip(paths, problems, strict=True) if problem]
    if told:
        raise AssertionError("\n\n".join(told))
    return len(paths)


def _captured(history: str | os.PathLike[str] | Iterable[Event]) -> CapturedHistory:
    from sched_sdk._capture import CapturedHistory, read_capture
    from sched_sdk.errors import CaptureError

    if isinstance(history, str | os.PathLike):
        return read_capture(Path(history))
    events = tuple(event.raw for event in history if event.raw is not None)
    if not events or not events[0].HasField("workflow_started"):
        raise CaptureError("A history begins with its first event, WorkflowStarted.")
    return CapturedHistory(events=events)


def _problem_of_file(
    path: Path, definitions: Mapping[str, WorkflowDefinition], *, strict: bool
) -> str:
    captured = _captured(path)
    definition = definitions.get(captured.workflow_type)
    if definition is None:
        names = ", ".join(sorted(definitions)) or "none at all"
        return f"It is of the workflow {captured.workflow_type!r}; there is {names}."
    return _problem(captured, definition, strict=strict)


def _problem(captured: CapturedHistory, definition: WorkflowDefinition, *, strict: bool) -> str:
    """The report on what is wrong; empty if nothing is."""
    from sched_cli.render.replay import problem_of_replay
    from sched_sdk._debug import replay_capture

    return problem_of_replay(replay_capture(definition, captured), strict=strict)


# -- captures as tests -------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sched", "replay of captured histories")
    group.addoption(
        "--sched-captures",
        action="append",
        default=[],
        metavar="FOLDER",
        help="Replay the captured histories below this folder; repeatable.",
    )
    group.addoption(
        "--sched-app",
        action="append",
        default=[],
        metavar="APP",
        help="The code to replay them on: a file, a folder or a module; repeatable.",
    )
    parser.addini(_CAPTURES, "Folders of captured histories to replay.", "paths", default=[])
    parser.addini(_APP, "The code to replay them on.", "args", default=[])
    parser.addini(_STRICT, "Arguments that differ are errors.", "bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Without folders, nothing else of this module is ever called."""
    asked_for = [config.invocation_params.dir / one for one in config.option.sched_captures]
    configured = list(config.getini(_CAPTURES))
    folders = [folder.resolve() for folder in (*configured, *asked_for)]
    if not folders:
        return
    # Who names tests on the command line wants these and no others.
    wanted = (
        folders if config.args_source is not config.ArgsSource.ARGS else folders[len(configured) :]
    )
    for folder in wanted:
        if not folder.is_dir():
            raise pytest.UsageError(
                f"{folder} holds captured histories for sched, but is not there."
            )
        if not any(folder.is_relative_to(Path(arg).resolve()) for arg in config.args):
            config.args.append(str(folder))
    config.pluginmanager.register(_Collector(config, folders), "sched captures")


class _Collector:
    """Makes tests of captured histories."""

    def __init__(self, config: pytest.Config, folders: list[Path]) -> None:
        self.strict = bool(config.getini(_STRICT))
        self._folders = folders
        self._app = [_found(config, one) for one in config.option.sched_app or config.getini(_APP)]
        self._definitions: dict[str, WorkflowDefinition] | None = None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if file_path.suffix != ".json" or not any(map(file_path.is_relative_to, self._folders)):
            return None
        file: _File = _File.from_parent(parent, path=file_path)
        file.collector = self
        return file

    def definitions(self) -> dict[str, WorkflowDefinition]:
        """Of the app, loaded with the first test that needs it."""
        if self._definitions is None:
            from sched_cli.replaying import definitions_of, load_chosen_app

            self._definitions = definitions_of(load_chosen_app(self._app))
        return self._definitions


def _found(config: pytest.Config, app: str) -> str:
    """Files are named from where pytest's configuration is; modules are as they are."""
    path = config.rootpath / app
    return str(path) if path.exists() else app


class _File(pytest.File):
    collector: _Collector

    def collect(self) -> Iterator[pytest.Item]:
        yield _Item.from_parent(self, name="replay")


class _Item(pytest.Item):
    def runtest(self) -> None:
        assert isinstance(self.parent, _File)
        collector = self.parent.collector
        problem = _problem_of_file(self.path, collector.definitions(), strict=collector.strict)
        if problem:
            raise _DoesNotReplayError(problem)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report alone: where in this module it was raised says nothing."""
        from sched_cli.errors import explain

        error = excinfo.value
        if isinstance(error, _DoesNotReplayError):
            return str(error)
        if isinstance(error, Exception) and (explained := explain(error)) is not None:
            return str(explained)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"replay of {self.path.name}"


class _DoesNotReplayError(Exception):
    """Code and history part."""
