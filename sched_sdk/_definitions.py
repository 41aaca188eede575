"""Workflows and activities as users declare them.

`@workflow` and `@activity` give the function back unchanged, with its own
type; what they know about it hangs on the function as a definition. Whatever
is wrong with a declaration is said when it is made, at import, and not when
the first task arrives.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, TypeVar, overload

from sched_sdk import _payloads
from sched_sdk._policy import RetryPolicy, as_timedelta
from sched_sdk._signature import Signature
from sched_sdk.errors import DefinitionError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sched_sdk._context import WorkflowContext
    from sched_sdk.api.v1 import common_pb2

    WorkflowFunction = TypeVar(
        "WorkflowFunction", bound=Callable[Concatenate[WorkflowContext, ...], Awaitable[Any]]
    )
    ActivityFunction = TypeVar("ActivityFunction", bound=Callable[..., Any])

__all__ = [
    "ActivityDefinition",
    "WorkflowDefinition",
    "activity",
    "activity_definition_of",
    "check_name",
    "workflow",
    "workflow_definition_of",
]

MAXIMUM_NAME_LENGTH = 255

_WORKFLOW_ATTRIBUTE = "__sched_workflow__"
_ACTIVITY_ATTRIBUTE = "__sched_activity__"


@dataclass(frozen=True, slots=True)
class _Definition:
    """What is known of a declared function."""

    kind: ClassVar[str]

    name: str
    fn: Callable[..., Any]
    signature: Signature
    """Of a workflow: without the context parameter."""

    @property
    def result_type(self) -> Any:
        return self.signature.result_type

    def prepare(self) -> None:
        """Resolve all annotations; for the worker, before its first task."""
        self.signature.prepare()

    def encode_arguments(self, arguments: Sequence[Any]) -> list[common_pb2.Payload]:
        return self.signature.encode_arguments(arguments)

    def decode_arguments(self, payloads: Sequence[common_pb2.Payload]) -> list[Any]:
        return self.signature.decode_arguments(payloads)

    def encode_result(self, result: Any) -> common_pb2.Payload:
        try:
            return _payloads.encode(result)
        except PayloadError as error:
            raise PayloadError(f"the result of {self.kind} {self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class WorkflowDefinition(_Definition):
    """A function that `@workflow` was applied to."""

    kind = "workflow"

    fn: Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class ActivityDefinition(_Definition):
    """A function that `@activity` was applied to, with its defaults."""

    kind = "activity"

    is_async: bool
    needs_instance: bool = False
    """A method without its instance: may be scheduled, but not run."""
    retry: RetryPolicy = dataclasses.field(default_factory=RetryPolicy)
    start_to_close: timedelta | None = None
    schedule_to_close: timedelta | None = None
    schedule_to_start: timedelta | None = None
    heartbeat_timeout: timedelta | None = None
    task_queue: str | None = None


@overload
def workflow(fn: WorkflowFunction, /) -> WorkflowFunction: ...
@overload
def workflow(*, name: str | None = None) -> Callable[[WorkflowFunction], WorkflowFunction]: ...
def workflow(fn: Any = None, /, *, name: str | None = None) -> Any:
    """Declare an `async def` whose first parameter is a WorkflowContext to be
    a workflow. `name` is its type in history and for clients; by default the
    function's name. Renaming a function that has running workflows needs
    `name=` with the old name.

    Raises DefinitionError for a function that cannot be a workflow.
    """
    surroundings = sys._getframe(1).f_locals

    def declare(function: Any) -> Any:
        _check_workflow_function(function)
        chosen = check_name(name if name is not None else function.__name__, "workflow")
        signature = Signature(function, chosen, skip=1, surroundings=surroundings)
        setattr(function, _WORKFLOW_ATTRIBUTE, WorkflowDefinition(chosen, function, signature))
        return function

    return declare if fn is None else declare(fn)


@overload
def activity(fn: ActivityFunction, /) -> ActivityFunction: ...
@overload
def activity(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    start_to_close: timedelta | float | None = None,
    schedule_to_close: timedelta | float | None = None,
    schedule_to_start: timedelta | float | None = None,
    heartbeat_timeout: timedelta | float | None = None,
    task_queue: str | None = None,
) -> Callable[[ActivityFunction], ActivityFunction]: ...
def activity(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    start_to_close: timedelta | float | None = None,
    schedule_to_close: timedelta | float | None = None,
    schedule_to_start: timedelta | float | None = None,
    heartbeat_timeout: timedelta | float | None = None,
    task_queue: str | None = None,
) -> Any:
    """Declare a function to be an activity. An `async def` runs in the
    worker's event loop, a plain `def` in a thread.

    What is given here are defaults; each call may override them. Durations are
    seconds or timedeltas; None is without limit:

    - `start_to_close`: one attempt.
    - `schedule_to_close`: all attempts and the waits between them.
    - `schedule_to_start`: waiting for a worker.
    - `heartbeat_timeout`: the longest silence between two heartbeats.

    `retry` is RetryPolicy() by default; `task_queue` that of the workflow.
    Raises DefinitionError for a function that cannot be an activity.
    """
    surroundings = sys._getframe(1).f_locals
    defaults: dict[str, Any] = {
        "retry": RetryPolicy() if retry is None else retry,
        "start_to_close": _limit(start_to_close, "start_to_close"),
        "schedule_to_close": _limit(schedule_to_close, "schedule_to_close"),
        "schedule_to_start": _limit(schedule_to_start, "schedule_to_start"),
        "heartbeat_timeout": _limit(heartbeat_timeout, "heartbeat_timeout"),
        "task_queue": None if task_queue is None else check_name(task_queue, "task queue"),
    }

    def declare(function: Any) -> Any:
        _check_activity_function(function)
        chosen = check_name(name if name is not None else function.__name__, "activity")
        is_method = next(iter(inspect.signature(function).parameters), "") in ("self", "cls")
        definition = ActivityDefinition(
            name=chosen,
            fn=function,
            signature=Signature(function, chosen, skip=int(is_method), surroundings=surroundings),
            is_async=_is_async(function),
            needs_instance=is_method,
            **defaults,
        )
        setattr(function, _ACTIVITY_ATTRIBUTE, definition)
        return function

    return declare if fn is None else declare(fn)


def workflow_definition_of(obj: Any) -> WorkflowDefinition:
    """The definition behind a decorated function. Raises DefinitionError."""
    definition = getattr(obj, _WORKFLOW_ATTRIBUTE, None)
    if not isinstance(definition, WorkflowDefinition):
        raise DefinitionError(_not_declared(obj, "workflow", hasattr(obj, _ACTIVITY_ATTRIBUTE)))
    if definition.fn is obj:
        return definition
    return dataclasses.replace(definition, fn=obj)  # a decorator above @workflow counts too


def activity_definition_of(obj: Any) -> ActivityDefinition:
    """The definition behind a decorated function or bound method. Raises
    DefinitionError."""
    definition = getattr(obj, _ACTIVITY_ATTRIBUTE, None)
    if not isinstance(definition, ActivityDefinition):
        raise DefinitionError(_not_declared(obj, "activity", hasattr(obj, _WORKFLOW_ATTRIBUTE)))
    if definition.fn is obj:
        return definition
    if inspect.ismethod(obj):
        return dataclasses.replace(definition, fn=obj, needs_instance=False)
    # A decorator above @activity counts too.
    return dataclasses.replace(definition, fn=obj, is_async=_is_async(obj))


def check_name(name: str, what: str) -> str:
    """Raises DefinitionError for a name that the engine would not take."""
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"the name of a {what} must be a str that is not empty, got {name!r}")
    called = what if what.endswith(" id") else f"{what} name"
    if len(name) > MAXIMUM_NAME_LENGTH:
        raise DefinitionError(
            f"the {called} {name[:40]!r}… has {len(name)} characters; "
            f"the limit is {MAXIMUM_NAME_LENGTH}"
        )
    if "\0" in name:
        raise DefinitionError(f"the {called} {name!r} holds U+0000; leave that character out")
    return name


def _limit(value: timedelta | float | None, name: str) -> timedelta | None:
    if value is None:
        return None
    duration = as_timedelta(value, name)
    if not duration:
        raise DefinitionError(f"{name} is 0; give a longer time, or None for no limit")
    return duration


def _place(fn: Any) -> str:
    """`monthly_report (app.py:12)`, as far as it is known."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    code = getattr(inspect.unwrap(fn) if callable(fn) else fn, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else str(name)


def _is_async(fn: Any) -> bool:
    """Also for a plain `def` that a decorator wrapped around an `async def`."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(inspect.unwrap(fn))


def _check_function(fn: Any, decorator: str) -> None:
    if isinstance(fn, staticmethod | classmethod):
        raise DefinitionError(f"put @{decorator} below @{type(fn).__name__}, next to the function")
    if isinstance(fn, functools.partial) or not inspect.isfunction(fn):
        raise DefinitionError(
            f"@{decorator} decorates functions, got {fn!r}; "
            f"write a `def` that calls it and decorate that"
        )
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise DefinitionError(
            f"{_place(fn)} has a `yield`; {decorator} functions return their result, "
            "for example as a list"
        )


def _check_workflow_function(fn: Any) -> None:
    _check_function(fn, "workflow")
    if not _is_async(fn):
        raise DefinitionError(f"the workflow {_place(fn)} must be declared with `async def`")
    parameters = list(inspect.signature(fn).parameters.values())
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise DefinitionError(
            f"the workflow {_place(fn)} needs the context as its first parameter: "
            f"`async def {fn.__name__}(ctx: WorkflowContext, …)`"
        )
    if parameters[0].name == "self":
        raise DefinitionError(
            f"the workflow {_place(fn)} is a method; workflows are functions, since all "
            "their state comes from history. Move it out of the class."
        )
    _check_parameters(fn, parameters[1:], "workflow", rest_allowed=False)


def _check_activity_function(fn: Any) -> None:
    _check_function(fn, "activity")
    _check_parameters(
        fn, list(inspect.signature(fn).parameters.values()), "activity", rest_allowed=True
    )


def _check_parameters(
    fn: Any, parameters: list[inspect.Parameter], what: str, *, rest_allowed: bool
) -> None:
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD or (
            parameter.kind is parameter.VAR_POSITIONAL and not rest_allowed
        ):
            raise DefinitionError(
                f"the {what} {_place(fn)} takes `{str(parameter).partition(':')[0]}`; name each "
                "parameter, or take one dataclass: arguments are stored by position and read "
                "by annotation"
            )
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise DefinitionError(
                f"the {what} {_place(fn)} has the keyword-only parameter `{parameter.name}` "
                "without a default; arguments are passed by position. Give it a default, "
                "or move it in front of the `*`"
            )


def _not_declared(obj: Any, wanted: str, is_other: bool) -> str:
    if is_other:
        if wanted == "workflow":
            return f"{_place(obj)} is declared with @activity; a workflow is needed here"
        return f"{_place(obj)} is declared with @workflow; an activity is needed here"
    if inspect.isroutine(obj):
        return f"{_place(obj)} is a plain function; decorate it with @{wanted}"
    return f"{obj!r} is no {wanted}; pass a function decorated with @{wanted}"
