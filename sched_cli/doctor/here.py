"""This machine."""

from __future__ import annotations

import platform
import sys

from sched_cli.doctor.findings import Finding, fail, ok

_OLDEST = (3, 11)


def examine() -> list[Finding]:
    """The Python and the sched that run this command."""
    from importlib.metadata import version

    return [
        judge_python(sys.version_info[:2], platform.python_version(), sys.executable),
        ok("here.sched", f"sched {version('sched-engine')}"),
    ]


def judge_python(version: tuple[int, ...], name: str, executable: str) -> Finding:
    """Whether it is one that sched is made for."""
    if version < _OLDEST:
        return fail(
            "here.python",
            f"Python {name} at {executable} is too old for sched.",
            f"Use Python {_OLDEST[0]}.{_OLDEST[1]} or newer.",
        )
    return ok("here.python", f"Python {name} at {executable}")
