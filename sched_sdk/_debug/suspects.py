"""Watches code while it is replayed for calls that answer differently each time.

A profile function sees every call of the thread, of C functions too, and so
finds clocks and random numbers wherever they hide: behind another name, or in
a library. It makes code several times slower, so it is set only when it is
known already that two runs differ.
"""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sched_sdk._replay.call_sites import format_site, is_bottom
from sched_sdk._replay.origins import Origin, is_app_code, origin_of
from sched_sdk._replay.unsteady import UNSTEADY, Unsteady, unsteady_method

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from sched_sdk._replay.journal import Journal

__all__ = ["Suspect", "Suspects"]

_KEPT = 10_000
_ADDRESSES = {
    builtins.id: Unsteady("", "id", "SCH303", "the value itself", "is an address in memory"),
    builtins.hash: Unsteady(
        "", "hash", "SCH303", "the value itself, or hashlib", "differs from process to process"
    ),
}


class Suspect(NamedTuple):
    """A call that may be the reason for a difference."""

    call: Unsteady
    site: str
    """Where the app made it, or made a library make it."""
    numbered: int
    """How many things the code had asked for by then."""


class Suspects:
    """A context manager: what happens inside is watched."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._found: list[Suspect] = []
        # Python functions are known by their code, others by themselves.
        self._codes: dict[CodeType, Unsteady] = {}
        for function, call in UNSTEADY.items():
            code = getattr(function, "__code__", None)
            # Methods of the generator behind `random` are also those of ctx.random.
            if code is not None and not hasattr(function, "__self__"):
                self._codes[code] = call
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def before(self, seq: int) -> Suspect | None:
        """The last one before the code asked for `seq`; 0: the last of all."""
        found = self._found
        earlier = [suspect for suspect in found if not seq or suspect.numbered < seq] or found
        return earlier[-1] if earlier else None

    def _look(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            if function in _ADDRESSES and not is_app_code(frame.f_code):
                return
            call = _known(function)
            caller: FrameType | None = frame
        elif event == "call":
            call = self._codes.get(frame.f_code) or _hidden_generator(frame)
            caller = frame.f_back
        else:
            return
        if call is not None and len(self._found) < _KEPT:
            self._add(call, _site_in_app(caller))

    def _add(self, call: Unsteady, site: str) -> None:
        numbered = self._journal.last_seq + len(self._journal.fresh)
        # `uuid4` calls `urandom`: the outer call comes first, and is the app's.
        if site and (not self._found or self._found[-1][1:] != (site, numbered)):
            self._found.append(Suspect(call, site, numbered))


def _known(function: Any) -> Unsteady | None:
    try:
        return UNSTEADY.get(function) or _ADDRESSES.get(function) or unsteady_method(function)
    except TypeError:  # a method of something that has no hash
        return None


def _hidden_generator(frame: FrameType) -> Unsteady | None:
    """`random.choice` and its like are Python methods of one hidden object."""
    if not frame.f_code.co_filename.endswith("/random.py"):
        return None
    owner = frame.f_locals.get("self")
    return UNSTEADY.get(getattr(owner, frame.f_code.co_name, None))


def _site_in_app(frame: FrameType | None) -> str:
    while frame is not None and not is_bottom(frame.f_code):
        code = frame.f_code
        if is_app_code(code):
            return format_site((code, frame.f_lasti))
        if origin_of(code) is Origin.EXEMPT:
            return ""
        frame = frame.f_back
    return ""
