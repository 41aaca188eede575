"""The statuses of runs, with what stands for them on the screen."""

from __future__ import annotations

from typing import NamedTuple


class StatusLook(NamedTuple):
    """How a status is shown. Symbol and word say the same as the colour."""

    symbol: str
    word: str
    role: str
    """A field of Palette."""


LOOKS: dict[str, StatusLook] = {
    "RUNNING": StatusLook("●", "Running", "run"),
    "COMPLETED": StatusLook("✓", "Completed", "good"),
    "FAILED": StatusLook("✗", "Failed", "bad"),
    "TIMED_OUT": StatusLook("◷", "Timed out", "bad"),
    "TERMINATED": StatusLook("■", "Terminated", "bad"),
    "CANCELED": StatusLook("⊘", "Canceled", "warn"),
    "CONTINUED_AS_NEW": StatusLook("»", "Continued", "accent"),
}
STATUSES = tuple(LOOKS)
