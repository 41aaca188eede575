"""What a reload does about open workflows. A module of its own, for quick start-up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OnBreak(StrEnum):
    """When open workflows would break on the new code."""

    ROUTE = "route"
    """Those stay with the old code; all else goes to the new one."""
    HOLD = "hold"
    """Everything stays with the old code until nothing would break."""
    IGNORE = "ignore"
    """Nothing is checked; the new code takes over."""


@dataclass(frozen=True, slots=True)
class ReloadCheck:
    """How a reload looks at open workflows before new code takes over."""

    on_break: OnBreak = OnBreak.ROUTE
    newest: int = 20
    """At so many of each workflow type, the newest."""
    seconds: float = 5.0
    """For so long, all together; then the reload goes on with what is known."""
