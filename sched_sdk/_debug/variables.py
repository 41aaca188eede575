"""Local variables as short text, whatever they are.

A `repr` is code of the user: it may raise, be huge, or lie. It runs here on
values of a run that is thrown away.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
import reprlib
from typing import TYPE_CHECKING, Any

from sched_sdk._context import WorkflowContext
from sched_sdk._debug.model import Frame, Variable
from sched_sdk._replay.activities import ActivityHandle
from sched_sdk._replay.call_sites import format_site
from sched_sdk._replay.steps import StepFuture

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["frame_of", "safe_repr", "variables_of"]

_MAXIMUM_LENGTH = 200
_MAXIMUM_VARIABLES = 50
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
# What a function is made of, not what it works with.
_NOT_SHOWN = (WorkflowContext, type(inspect))


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxdeque = 8
        self.maxstring = self.maxother = self.maxlong = _MAXIMUM_LENGTH

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """In the order of the dict; the standard one sorts."""
        if level <= 0:
            return "{…}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in itertools.islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join(shown + ["…"] * (len(x) > self.maxdict)) + "}"

    def repr_instance(self, x: Any, _level: int) -> str:
        if isinstance(x, asyncio.Future):
            return _future(x)
        try:
            # An address says nothing, and is another one in the next replay.
            text = _ADDRESS.sub("", repr(x))
        except Exception as error:
            return f"<{type(x).__name__}: its repr raises {type(error).__name__}>"
        return text if len(text) <= self.maxother else text[: self.maxother - 1] + "…"


def _future(future: asyncio.Future[Any]) -> str:
    """What it stands for and how it stands, without what only asyncio knows."""
    if isinstance(future, ActivityHandle):
        what = f"activity {future.activity_name}"
    elif isinstance(future, StepFuture):
        what = "step" if future.request is None else f"step {future.request.name}"
    elif isinstance(future, asyncio.Task):
        what = f"task {future.get_name()}"
    else:
        what = type(future).__name__
    if not future.done():
        return f"<{what}, pending>"
    if future.cancelled():
        return f"<{what}, cancelled>"
    error = future.exception()
    result = f"raised {type(error).__name__}" if error else f"done: {safe_repr(future.result())}"
    return f"<{what}, {result}>"


_short = _Short()


def safe_repr(value: Any) -> str:
    """One line of at most 200 characters. Never raises."""
    try:
        text = _short.repr(value)
    except Exception as error:  # a container of the user's may fail while it is walked
        return f"<{type(value).__name__}: its repr raises {type(error).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= _MAXIMUM_LENGTH else text[: _MAXIMUM_LENGTH - 1] + "…"


def variables_of(names: dict[str, Any]) -> tuple[Variable, ...]:
    """The variables that say something; not the context, functions and modules."""
    shown = [
        (name, value)
        for name, value in names.items()
        if not isinstance(value, _NOT_SHOWN)
        and not inspect.isroutine(value)
        and not name.startswith(("__", "."))
    ]
    return tuple(
        Variable(name=name, value=safe_repr(value)) for name, value in shown[:_MAXIMUM_VARIABLES]
    )


def frame_of(frame: FrameType, line: int | None = None) -> Frame:
    """A frame as it stands now; `line` where that is another one."""
    code = frame.f_code
    number = line or frame.f_lineno or code.co_firstlineno
    file, _, _ = format_site((code, frame.f_lasti)).rpartition(":")
    return Frame(
        function=code.co_qualname.rpartition("<locals>.")[2],
        call_site=f"{file}:{number}",
        file=code.co_filename,
        line=number,
        variables=variables_of(frame.f_locals),
    )
