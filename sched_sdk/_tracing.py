"""Whether this process traces.

A process that traces has loaded OpenTelemetry: the app did, or the command that
runs the worker. One that has not has no spans that ours could belong to; it pays
for one look into a dictionary.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["spans"]


def spans() -> ModuleType | None:
    """The module that makes spans; None in a process without OpenTelemetry."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from sched_sdk import _spans

    return _spans
