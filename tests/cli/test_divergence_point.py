"""`sched workflow reset | fork --to divergence`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.recorded import Run, folder, run_here

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.cli.conftest import Served

__all__ = ["folder", "run_here"]

EDITED = """
from sched_sdk import WorkflowContext, workflow


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> object:
    signal = await ctx.wait_for_signal("go")
    await ctx.sleep(1)
    return signal.payload
"""
SAME = EDITED.replace("    await ctx.sleep(1)\n", "")


@pytest.fixture
def workflow_id(served: Served) -> str:
    """A workflow that has ended; its events: started, task, signal, task, completed."""
    started = served.start("Waits")
    served.sched("workflow", "signal", started, "go", "--input", "1")
    assert served.sched("workflow", "result", started).stdout == "1\n"
    return started


def go_back(
    run_here: Run, served: Served, folder: Path, verb: str, workflow_id: str, code: str
) -> CompletedProcess[str]:
    (folder / "app.py").write_text(code)
    to = ("--to", "divergence", "--app", "app.py")
    return run_here("workflow", verb, workflow_id, *to, SCHED_ENGINE_ADDRESS=served.address)


def runs_of(served: Served, workflow_id: str) -> str:
    return served.sched("workflow", "list", "--id", workflow_id, "-o", "jsonl").stdout


def test_reset_to_the_divergence(
    run_here: Run, served: Served, folder: Path, workflow_id: str
) -> None:
    done = go_back(run_here, served, folder, "reset", workflow_id[:12], EDITED)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{workflow_id} diverges at event " in done.stderr
    assert "(completion of the workflow)" in done.stderr
    assert f"Reset {workflow_id}: run " in done.stderr
    assert served.sched("workflow", "result", workflow_id).stdout == "1\n"
    assert len(runs_of(served, workflow_id).splitlines()) == 2


def test_fork_to_the_divergence(
    run_here: Run, served: Served, folder: Path, workflow_id: str
) -> None:
    done = go_back(run_here, served, folder, "fork", workflow_id, EDITED)
    assert done.returncode == 0, done.stderr
    fork = done.stdout.strip()
    assert fork != workflow_id
    assert served.sched("workflow", "result", fork).stdout == "1\n"


@pytest.mark.parametrize("verb", ["reset", "fork"])
def test_nothing_happens_where_both_agree(
    run_here: Run, served: Served, folder: Path, workflow_id: str, verb: str
) -> None:
    done = go_back(run_here, served, folder, verb, workflow_id, SAME)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {workflow_id} agrees with the local code in all of its " in done.stderr
    assert "Nothing was changed." in done.stderr
    assert len(runs_of(served, workflow_id).splitlines()) == 1


def test_what_cannot_be_replayed(
    run_here: Run, served: Served, folder: Path, workflow_id: str
) -> None:
    other = go_back(run_here, served, folder, "reset", workflow_id, SAME.replace("Waits", "Wait"))
    assert other.returncode == 2
    assert "The app has no workflow named 'Waits'; it has Wait." in other.stderr
    assert go_back(run_here, served, folder, "fork", "nothing", SAME).returncode == 4
