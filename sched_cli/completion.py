"""What a shell offers when somebody presses Tab: ids, types, queues and builds of the
engine that the line means.

A person waits, in the middle of a word. So the engine has a fifth of a second, nothing
is loaded that is not needed, and whatever goes wrong is silence: no engine, no names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "build_ids",
    "histories",
    "profile_names",
    "statuses",
    "task_queues",
    "workflow_ids",
    "workflow_types",
]

_PATIENCE_S = 0.2
_MOST = 50
STATUSES = (
    "RUNNING",
    "COMPLETED",
    "FAILED",
    "CANCELED",
    "TERMINATED",
    "TIMED_OUT",
    "CONTINUED_AS_NEW",
)


def workflow_ids(ctx: Any, incomplete: str) -> list[str]:
    """Ids that begin so, those of the newest workflows first."""

    def ask(addresses: tuple[str, ...]) -> list[str]:
        from sched_sdk import _glance

        return _glance.newest_ids(addresses, incomplete, limit=_MOST, timeout_s=_PATIENCE_S)

    return _asked(ctx, ask)


def histories(ctx: Any, incomplete: str) -> list[str]:
    """Captured histories and folders, and ids."""
    return _files(incomplete) + workflow_ids(ctx, incomplete)


def workflow_types(ctx: Any, incomplete: str) -> list[str]:
    """Types that workers serve."""

    def ask(addresses: tuple[str, ...]) -> list[str]:
        from sched_sdk import _glance

        return _glance.workflow_types(addresses, timeout_s=_PATIENCE_S)

    return _beginning(_asked(ctx, ask), incomplete)


def task_queues(ctx: Any, incomplete: str) -> list[str]:
    """Queues that have workers or tasks."""

    def ask(addresses: tuple[str, ...]) -> list[str]:
        from sched_sdk import _glance

        return _glance.task_queues(addresses, timeout_s=_PATIENCE_S)

    return _beginning(_asked(ctx, ask), incomplete)


def build_ids(ctx: Any, incomplete: str) -> list[str]:
    """Builds of the workers that are connected."""

    def ask(addresses: tuple[str, ...]) -> list[str]:
        from sched_sdk import _glance

        return _glance.builds(addresses, timeout_s=_PATIENCE_S)

    return _beginning(_asked(ctx, ask), incomplete)


def statuses(incomplete: str) -> list[str]:
    """Statuses, in the case in which they are typed: both are understood."""
    names = [name.lower() for name in STATUSES] if incomplete.islower() else STATUSES
    return _beginning(list(names), incomplete)


def profile_names(incomplete: str) -> list[str]:
    """The profiles of the file."""
    from sched_cli.errors import UsageError
    from sched_cli.profile_file import read
    from sched_cli.profiles import path

    try:
        names = read(path()).profiles
    except UsageError:
        return []
    return _beginning(list(names), incomplete)


def _beginning(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    folder, _, beginning = incomplete.rpartition("/")
    try:
        found = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    front = incomplete[: len(incomplete) - len(beginning)]
    return [
        f"{front}{entry.name}" + ("/" if entry.is_dir() else "")
        for entry in found
        if entry.name.startswith(beginning)
        and (beginning or not entry.name.startswith("."))
        and (entry.is_dir() or entry.name.endswith(".json"))
    ]


def _asked(ctx: Any, ask: Callable[[tuple[str, ...]], list[str]]) -> list[str]:
    try:
        return ask(tuple(address.strip() for address in _engine(ctx).split(",")))
    except Exception:
        return []


def _engine(ctx: Any) -> str:
    """The one that the line names, by address or by profile, else the one that the
    environment or the profile in use does. How to get in becomes variables, as when the
    line is run."""
    from sched_cli import access, profiles
    from sched_cli.options import DEFAULT_ENGINE

    typed, profile = access.typed(ctx), ""
    engine = ctx.params.get("engine")
    while ctx is not None and not profile:
        profile, ctx = ctx.params.get("profile") or "", ctx.parent
    choice = None
    names_engine = engine and engine != DEFAULT_ENGINE and engine not in _from_environment()
    if not names_engine or profile:
        choice = profiles.choose(profile or None)
        profiles.become(choice)
    access.use(**typed)
    if names_engine:
        return str(engine)
    return (choice and choice.engine) or DEFAULT_ENGINE


def _from_environment() -> list[str]:
    """What counts less than a profile that is typed."""
    from sched_cli.profiles import ENGINE_VARIABLES

    return [os.environ[name] for name in ENGINE_VARIABLES if name in os.environ]
