"""Calls that give another answer each time, and what to call instead.

One table for everybody who looks for them in workflow code at run time. The
rules are those of `sched check`, so that one comment in the source speaks to
both.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
import uuid
from typing import NamedTuple

__all__ = ["UNSTEADY", "Unsteady", "unsteady_method"]

_NOW = "ctx.now()"
_ELAPSED = "ctx.now(), whose differences are the same in every replay"
_CHANCE = "ctx.random"
_ID = "ctx.uuid4()"
_BYTES = "ctx.random.randbytes(…), or an activity or a step for secrets"


class Unsteady(NamedTuple):
    module: str
    name: str
    rule: str
    instead: str
    what: str
    """The end of a sentence that begins with the call."""

    @property
    def call(self) -> str:
        return f"{self.module}.{self.name}()" if self.module else f"{self.name}()"


_CLOCK = "reads the clock"
_RANDOM = "gives another number each time"

_MODULES = {"time": time, "uuid": uuid, "os": os, "secrets": secrets}
_NAMES: tuple[tuple[str, tuple[str, ...], str, str, str], ...] = (
    ("time", ("time", "time_ns"), "SCH101", _NOW, _CLOCK),
    (
        "time",
        ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        "SCH101",
        _ELAPSED,
        _CLOCK,
    ),
    ("time", ("process_time", "process_time_ns", "thread_time"), "SCH101", _ELAPSED, _CLOCK),
    ("uuid", ("uuid1", "uuid4"), "SCH104", _ID, "gives another id each time"),
    ("os", ("urandom",), "SCH104", _BYTES, "gives other bytes each time"),
    (
        "secrets",
        ("token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits"),
        "SCH104",
        _BYTES,
        "gives something else each time",
    ),
)


def _table() -> dict[object, Unsteady]:
    table: dict[object, Unsteady] = {}
    for module, names, rule, instead, what in _NAMES:
        for name in names:
            table[getattr(_MODULES[module], name)] = Unsteady(module, name, rule, instead, what)
    # The functions of `random` are methods of one hidden generator.
    hidden = getattr(random.random, "__self__", None)
    for name in random.__all__:
        function = getattr(random, name)
        if getattr(function, "__self__", None) is hidden:
            table[function] = Unsteady("random", name, "SCH103", f"{_CHANCE}.{name}", _RANDOM)
    return table


UNSTEADY: dict[object, Unsteady] = _table()
"""By the function itself, as it is before anybody replaces it."""


def unsteady_method(function: object) -> Unsteady | None:
    """Whether a built-in method is one of the clocks of `datetime`, which no
    table can hold: each look-up makes another object of it."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if name not in ("now", "utcnow", "today") or not isinstance(owner, type):
        return None
    # `datetime` is imported by whoever has the class.
    module = sys.modules.get("datetime")
    if module is None or not issubclass(owner, module.date):
        return None
    return Unsteady(owner.__name__, name, "SCH101", _NOW, _CLOCK)
