"""`sched version`."""

from __future__ import annotations

import sys


def version() -> None:
    """Show the versions of sched and of Python."""
    import platform
    from importlib.metadata import version as installed_version

    python = platform.python_version()
    sys.stdout.write(f"sched {installed_version('sched-engine')} (Python {python})\n")
