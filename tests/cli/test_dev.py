"""`sched dev`: what it says, what it keeps, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import Running, is_alive, sched, sched_in_process, start_dev, wait_until

# Whoever waited for it would not end within any deadline here.
LONG_GRACE = ("--grace", "60")

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my-app"
    assert sched_in_process("init", str(folder)).returncode == 0
    return folder


def start_hello(address: str, *options: str) -> str:
    done = sched_in_process(
        *("workflow", "start", "HelloWorld", "--input", "world", "--engine", address), *options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_starter_runs(project: Path) -> None:
    """What `sched init` tells people to do, word for word but for the port."""
    running, address = start_dev(project, "app.py")
    with running:
        running.wait_for("serves workflows HelloWorld, MonthlyReport and activities greet, send_")
        assert start_hello(address, "--wait") == "Hello, world!"
        (project / "app.py").write_text(
            (project / "app.py").read_text().replace("Hello, {name}", "Bonjour, {name}")
        )
        running.wait_for("the new code serves")
        assert start_hello(address, "--wait") == "Bonjour, world!"


def test_the_state_outlives_a_restart(tmp_path: Path) -> None:
    running, address = start_dev(tmp_path)
    with running:
        assert "state   .sched/dev.db" in running.wait_for(r"state .*").group()
        workflow_id = start_hello(address)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
    running, address = start_dev(tmp_path)
    with running:
        shown = sched_in_process("workflow", "show", workflow_id, "--engine", address)
        assert shown.returncode == 0
    assert (tmp_path / ".sched" / ".gitignore").read_text() == "*\n"


def test_memory_leaves_no_file(tmp_path: Path) -> None:
    running, address = start_dev(tmp_path, "--db", ":memory:")
    with running:
        running.wait_for("in memory, forgotten at the end")
        start_hello(address)
    assert list(tmp_path.iterdir()) == []


def test_another_path_for_the_state(tmp_path: Path) -> None:
    running, _ = start_dev(tmp_path, "--db", "deep/down/state.db")
    with running:
        running.wait_for("deep/down/state.db")
    assert (tmp_path / "deep" / "down" / "state.db").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sched("dev", "--db", "file/dev.db", "--port", "0", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    running, address = start_dev(tmp_path, "--db", ":memory:")
    with running:
        port = address.rpartition(":")[2]
        done = sched("dev", "--db", ":memory:", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {address} cannot be used")
    assert "--port" in done.stderr


def test_a_state_that_another_engine_uses(tmp_path: Path) -> None:
    running, _ = start_dev(tmp_path)
    with running:
        done = sched("dev", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "dev.db" in done.stderr


def test_a_wrong_app_is_said_before_anything_is_made(tmp_path: Path) -> None:
    done = sched("dev", "nope.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "nope.py does not exist" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_engine_and_worker_at_once(project: Path) -> None:
    running, address = start_dev(project, "app.py", *LONG_GRACE)
    with running:
        running.wait_for("serves workflows")
        children = running.children()
        assert children
        sched_in_process("workflow", "start", "MonthlyReport", "-i", "2026-11", "--engine", address)
        running.interrupt_like_a_terminal()
        assert running.process.returncode == 0
        assert not any(map(is_alive, children))
    assert "Traceback" not in running.output
    assert "lost the engine" not in running.output


def test_ctrl_c_with_someone_waiting_for_a_result(tmp_path: Path) -> None:
    running, address = start_dev(tmp_path, *LONG_GRACE)
    with running:
        waiting = Running(
            *("workflow", "start", "HelloWorld", "-i", "x", "--wait", "--engine", address),
            cwd=tmp_path,
        )
        with waiting:
            waiting.wait_for("No worker serves")
            running.interrupt_like_a_terminal()
            waiting.interrupt_like_a_terminal()
            assert waiting.process.returncode == 130
    assert "Traceback" not in running.output + waiting.output


BLOCKING = """
import pathlib, time
from sched_sdk import WorkflowContext, workflow

@workflow
async def spin(ctx: WorkflowContext) -> None:
    pathlib.Path("spinning").touch()  # sched: ignore
    time.sleep(60)  # sched: ignore
"""


@pytest.mark.parametrize("reload", [(), ("--reload",)])
def test_ctrl_c_ends_a_worker_whose_code_blocks(tmp_path: Path, reload: tuple[str, ...]) -> None:
    (tmp_path / "app.py").write_text(BLOCKING)
    engine, address = start_dev(tmp_path)
    with (
        engine,
        Running("worker", "app.py", *reload, "--engine", address, cwd=tmp_path) as worker,
    ):
        worker.wait_for("serves workflow")
        sched_in_process("workflow", "start", "spin", "--engine", address)
        wait_until((tmp_path / "spinning").exists, "the workflow blocks")
        worker.interrupt_like_a_terminal()
        assert worker.process.returncode == 0
        assert "Traceback" not in worker.output


def test_a_second_signal_ends_what_blocks(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BLOCKING)
    running, address = start_dev(tmp_path, "app.py")
    with running:
        running.wait_for("serves workflow")
        sched_in_process("workflow", "start", "spin", "--engine", address)
        wait_until((tmp_path / "spinning").exists, "the workflow blocks")
        running.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(timeout=0.5)  # its worker has a second and a half
        running.process.terminate()
        assert running.process.wait(timeout=60) == 0
    assert "asked again to stop" in running.output
    assert "Traceback" not in running.output


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3, 0.45])
def test_ctrl_c_at_any_moment_of_the_start_is_quiet(project: Path, after_s: float) -> None:
    with Running("dev", "app.py", "--port", "0", cwd=project) as running:
        # The moment is the point here: there is nothing to wait for.
        time.sleep(after_s)
        running.interrupt_like_a_terminal()
    # Before the first line of sched has run, Python answers for itself.
    assert "sched_cli" not in running.output.partition("Traceback")[2]
    wait_until(lambda: not _processes_in(project), "every process is gone")


def _processes_in(folder: Path) -> list[int]:
    """The processes whose current folder this is."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.readlink(f"/proc/{entry}/cwd") == str(folder):
                    found.append(int(entry))
            except OSError:
                continue
    return found


def test_the_worker_of_a_killed_dev_server_goes_too(project: Path) -> None:
    running, _ = start_dev(project, "app.py")
    with running:
        running.wait_for("serves workflows")
        children = running.children()
        running.process.kill()
        wait_until(lambda: not any(map(is_alive, children)), "the worker goes", deadline_s=4)


def test_a_plain_worker_serves_and_ends(project: Path) -> None:
    running, address = start_dev(project)
    options = ("--engine", address, *LONG_GRACE)
    with running, Running("worker", "app.py", *options, cwd=project) as worker:
        worker.wait_for("serves workflows HelloWorld")
        assert start_hello(address, "--wait") == "Hello, world!"
        worker.interrupt_like_a_terminal()
        assert worker.process.returncode == 0
    assert "Traceback" not in worker.output


def test_a_worker_logs_as_it_is_told(project: Path) -> None:
    environment = {"SCHED_LOG_FORMAT": "json"}
    with Running(
        *("worker", "app.py", "--engine", "127.0.0.1:1"), cwd=project, environment=environment
    ) as worker:
        worker.wait_for(r'\{"time": ".*", "level": "warning", "component": "worker"')
    done = sched("worker", "app.py", cwd=project, environment={"SCHED_LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert "SCHED_LOG_LEVEL is 'loud'" in done.stderr


UNSTEADY = """
import itertools

from sched_sdk import WorkflowContext, activity, workflow

NUMBERS = itertools.count()

@activity
async def remind(at: str) -> None: ...

@workflow
async def hasten(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(remind, moment())

def moment() -> str:
    return f"the {next(NUMBERS)}th"
"""


@pytest.mark.parametrize("options", [(), ("--no-check-determinism",)])
def test_code_that_does_not_repeat_itself_is_told_at_once(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(UNSTEADY)
    running, address = start_dev(tmp_path, "app.py", "--db", ":memory:", *options)
    with running:
        running.wait_for("serves workflow hasten")
        arguments = ("workflow", "start", "hasten", "--wait", "--engine", address)
        assert sched_in_process(*arguments).returncode == 0
        if options:
            assert (
                sched_in_process(*arguments).returncode == 0
            )  # nothing is said of a run that is over
            assert "not deterministic" not in running.output
        else:
            running.wait_for("workflow hasten .* is not deterministic")
            running.wait_for(r"second run +'the 1th' \(app.py:13\)")
            running.wait_for(r"cause +no clock .* look for variables of a module")
