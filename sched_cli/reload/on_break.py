"""What a reload does about open workflows. A module of its own, for quick start-up."""

from __future__ import annotations

from enum import StrEnum


class OnBreak(StrEnum):
    """When open workflows would break on the new code."""

    ROUTE = "route"
    """Those stay with the old code; all else goes to the new one."""
    HOLD = "hold"
    """Everything stays with the old code until nothing would break."""
    IGNORE = "ignore"
    """Nothing is checked; the new code takes over."""
