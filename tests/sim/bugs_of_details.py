"""Realistic bugs in what workflows say they are doing, as changes of their text."""

from __future__ import annotations

from tests.sim.bugs import Mutant

__all__ = ["BUGS_OF_DETAILS"]

_CHANGES = "sched_server/changes.py"
_RUN = "sched_sdk/_replay/run.py"

BUGS_OF_DETAILS = (
    Mutant(
        "cleared details stay in their row",
        _CHANGES,
        "        if attributes.details is not None:",
        "        if attributes.details:",
    ),
    Mutant(
        "a copy begins without the details of its history",
        _CHANGES,
        "    if execution.state.details:\n"
        "        pending.change.details = execution.state.details\n",
        "",
    ),
    Mutant(
        "replay does not see which details were sent",
        _RUN,
        '        if completed.HasField("details"):\n'
        "            self._details = completed.details\n",
        "",
    ),
    Mutant(
        "the segment that closes a workflow has no details",
        "sched_sdk/_worker/run_driver.py",
        "            details=run.take_details(),\n",
        "            details=None if run.closed else run.take_details(),\n",
    ),
)
