"""`datetime.now()`, `datetime.utcnow()`, `date.today()`: methods of classes that
cannot be changed, and that no stand-in can replace.

From Python 3.12 on the interpreter itself tells of calls, in chosen code only
(`sys.monitoring`). Chosen are the app's functions that name one of these methods;
all other code runs as it did, and those pay 0.3 µs for each call they make. The
function that is about to be called is looked at, so a `now` of another kind passes.

Older interpreters cannot tell, and nothing is watched there.
"""

from __future__ import annotations

import gc
import sys
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from sched_sdk._replay.origins import is_app_code
from sched_sdk._replay.unsteady import unsteady_method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from sched_sdk._replay.unsteady import Unsteady

    Hear = Callable[[FrameType, Unsteady], None]

__all__ = ["CAN_WATCH", "watch"]

CAN_WATCH = sys.version_info >= (3, 12)

_NAMES = frozenset({"now", "utcnow", "today"})
_TOOL = "sched guard"
# Those below are for debuggers, coverage and profilers.
_TOOL_IDS = (4, 3)


def watch(hear: Hear) -> None:
    """Call `hear` in the frame that calls such a method, in the functions that there
    are now; again, for those that were imported since. `hear` may raise into that
    frame."""
    if sys.version_info >= (3, 12):
        codes = list(_codes())
        tool = _tool(hear) if codes else None
        if tool is not None:
            for code in codes:
                sys.monitoring.set_local_events(tool, code, sys.monitoring.events.CALL)


def _codes() -> Iterator[CodeType]:
    """The app's code that names one of the methods, wherever its functions are kept."""
    for function in gc.get_objects():
        if type(function) is FunctionType:
            for code in _nested(function.__code__):
                if not _NAMES.isdisjoint(code.co_names) and is_app_code(code):
                    yield code


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


if sys.version_info >= (3, 12):

    def _tool(hear: Hear) -> int | None:
        """None: other tools have all the ids."""
        monitoring = sys.monitoring
        for tool in _TOOL_IDS:
            if monitoring.get_tool(tool) == _TOOL:
                return tool
        for tool in _TOOL_IDS:
            if monitoring.get_tool(tool) is None:

                def called(_code: CodeType, _at: int, function: object, _first: object) -> None:
                    call = unsteady_method(function)
                    if call is not None:
                        hear(sys._getframe(1), call)

                monitoring.use_tool_id(tool, _TOOL)
                monitoring.register_callback(tool, monitoring.events.CALL, called)
                return tool
        return None
