"""Loading an app: import its code, find its workflows and activities.

An app is what one or more targets (see `sched_cli.targets`) define or import at
module level. What goes wrong is reported as people need it: the line of *their*
code, not the import machinery's.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli.app_imports import FromSource, compile_from_source
from sched_cli.errors import UsageError
from sched_cli.source_report import describe_import_error
from sched_cli.targets import Target, find_targets, is_app_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType


class AppError(UsageError):
    """The app cannot be served as it is; the message shows the line to mend."""


@dataclass(frozen=True, slots=True)
class App:
    """Code that is ready to be served."""

    workflows: tuple[Callable[..., Any], ...]
    activities: tuple[Callable[..., Any], ...]
    workflow_names: tuple[str, ...]
    activity_names: tuple[str, ...]
    build_id: str
    """Twelve hexadecimal digits; changes whenever a source file of the app does."""


def load_app(given: Sequence[str]) -> App:
    """Import every target and collect what it defines.

    Raises UsageError when a target does not exist, AppError when its code
    cannot be imported or defines nothing, or one name twice.
    """
    targets = find_targets(list(given))
    compile_from_source(target.code for target in targets)
    for target in reversed(targets):
        if str(target.root) not in sys.path:
            sys.path.insert(0, str(target.root))
    modules = [
        _import_module(name, target.files.get(name))
        for target in targets
        for name in target.modules
    ]
    return _collect(modules, targets)


def _import_module(name: str, path: Path | None) -> ModuleType:
    try:
        if path is None or "." in name or path.name == "__init__.py":
            return importlib.import_module(name)
        return _import_file(name, path)
    except AppError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # code of the app may raise anything, SystemExit included
        raise AppError(describe_import_error(error, name)) from error


def _import_file(name: str, path: Path) -> ModuleType:
    """Import a file by its path, so that nothing else of the same name wins."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        if getattr(loaded, "__file__", None) == str(path):
            return loaded
        raise AppError(
            f"{_relative(path)} cannot be imported as {name!r}: another module of that name is "
            f"loaded from {getattr(loaded, '__file__', 'Python itself')}. Rename the file."
        )
    loader = FromSource(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None or spec.loader is None:
        raise AppError(f"{_relative(path)} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _collect(modules: Sequence[ModuleType], targets: Sequence[Target]) -> App:
    from sched_sdk._definitions import activity_definition_of, workflow_definition_of

    workflows: dict[str, Callable[..., Any]] = {}
    activities: dict[str, Callable[..., Any]] = {}
    for module in modules:
        for value in list(vars(module).values()):
            if hasattr(value, "__sched_workflow__"):
                _add(workflows, "workflow", workflow_definition_of(value).name, value)
            elif hasattr(value, "__sched_activity__"):
                _add(activities, "activity", activity_definition_of(value).name, value)
    if not workflows and not activities:
        named = ", ".join(target.given for target in targets)
        raise AppError(
            f"There is no workflow and no activity in {named}. "
            f"Decorate a function there with @workflow or @activity, or import one that is."
        )
    return App(
        workflows=tuple(workflows.values()),
        activities=tuple(activities.values()),
        workflow_names=tuple(workflows),
        activity_names=tuple(activities),
        build_id=_build_id([target.code for target in targets]),
    )


def _add(
    known: dict[str, Callable[..., Any]], kind: str, name: str, function: Callable[..., Any]
) -> None:
    other = known.setdefault(name, function)
    if other is not function:
        raise AppError(
            f"Two of the app's {_plural(kind)} are named {name!r}: at {_place(other)} and at "
            f'{_place(function)}. Rename one, or give it another name with @{kind}(name="…").'
        )


def _plural(kind: str) -> str:
    return "activities" if kind == "activity" else f"{kind}s"


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(function)
    return f"{_relative(Path(code.co_filename))}:{code.co_firstlineno}"


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _build_id(roots: Sequence[Path]) -> str:
    """A hash of the source files that were imported from below `roots`."""
    sources: set[tuple[str, Path]] = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        path = Path(file)
        root = next((root for root in roots if is_app_source(path, root)), None)
        if root is not None:
            sources.add((path.relative_to(root).as_posix(), path))
    digest = hashlib.sha256()
    for name, path in sorted(sources):
        digest.update(name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
