"""Values of options that need no check go around the parser's.

The parser checks each value with pydantic, which takes a tenth of a second to
import: a quarter of what `sched tui` needs to its first paint. Text is text, though,
a default is of its type already, and a member of an enumeration is found by its
value. What is none of these is checked as ever, with the parser's messages.
"""

from __future__ import annotations

from enum import Enum
from types import UnionType
from typing import Any, get_args

__all__ = ["Quick", "quicken"]


def quicken(command: Any, ctx: Any) -> None:
    """Let the options of a command, and of those below it, take the short way."""
    for below in getattr(command, "commands", {}).values():
        quicken(below, ctx)
    for parameter in command.get_params(ctx):
        descriptor = getattr(parameter, "type_descriptor", None)
        # Without these attributes this is a parser that works otherwise.
        if descriptor is not None and hasattr(parameter, "_runtime_param"):
            info = descriptor.parameter_info
            own = getattr(info, "parser", None) or getattr(info, "click_type", None)
            if own is None:
                parameter._runtime_param = Quick(descriptor.annotation)


class Quick:
    """Takes the place of the parser's own check for one parameter."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as its type; raises what the parser raises."""
        annotation = self._annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if type(value) is annotation:
            return value
        if isinstance(annotation, UnionType) and type(value) in get_args(annotation):
            return value  # one of "bool | None"
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            for member in annotation:
                if member.value == value:
                    return member
        param._runtime_param = None  # the parser makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)
