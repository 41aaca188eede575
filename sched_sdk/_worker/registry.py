"""What a worker serves."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_sdk._definitions import activity_definition_of, workflow_definition_of
from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sched_sdk._definitions import ActivityDefinition, WorkflowDefinition

__all__ = ["Registry"]


class Registry:
    """The workflows and activities of a worker, by name.

    Raises DefinitionError for functions without a decorator, for two of one
    name, for methods without an instance, for annotations that cannot be
    resolved, and when there is nothing at all.
    """

    def __init__(
        self, workflows: Iterable[Callable[..., Any]], activities: Iterable[Callable[..., Any]]
    ) -> None:
        self.workflows: dict[str, WorkflowDefinition] = {}
        self.activities: dict[str, ActivityDefinition] = {}
        for function in workflows:
            _add(self.workflows, workflow_definition_of(function), "workflows")
        for function in activities:
            definition = activity_definition_of(function)
            if definition.needs_instance:
                raise DefinitionError(
                    f"the activity {definition.name} is a method; register it bound to an "
                    f"instance, for example `activities=[mailer.{function.__name__}]`"
                )
            _add(self.activities, definition, "activities")
        if not self.workflows and not self.activities:
            raise DefinitionError(
                "this worker has no workflows and no activities, so it would do nothing; "
                "pass workflows=[...] or activities=[...]"
            )

    def build_id(self) -> str:
        """A hash of the source files that declare the workflows and activities:
        other code, other build."""
        functions: list[Callable[..., Any]] = [entry.fn for entry in self.workflows.values()]
        functions.extend(entry.fn for entry in self.activities.values())
        digest = hashlib.sha256()
        for path in sorted({_source_path(function) for function in functions}):
            digest.update(path.encode())
            digest.update(_content(path))
        return digest.hexdigest()[:12]


def _add(known: dict[str, Any], definition: Any, what: str) -> None:
    other = known.get(definition.name)
    if other is not None and other.fn != definition.fn:
        raise DefinitionError(
            f"two {what} are named {definition.name!r}: {_place(other.fn)} and "
            f"{_place(definition.fn)}; give one of them another name with `name=`"
        )
    definition.prepare()
    known[definition.name] = definition


def _place(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)


def _source_path(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_filename if code is not None else ""


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # typed into a console, or inside an archive
        return b""
