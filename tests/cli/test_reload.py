"""A worker that follows the edits of its code: real files, real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import DEADLINE_S, Running, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Served

_APP = """
import asyncio
from pathlib import Path

from sched_sdk import WorkflowContext, activity, workflow
from wording import greeting

RUNS = Path(__file__).with_name("runs.txt")
ENOUGH = Path(__file__).with_name("enough")


@activity
async def greet(name: str) -> str:
    return f"{greeting}, {name}!"


@activity
async def work(seconds: float) -> str:
    with RUNS.open("a") as runs:
        runs.write("begun\\n")
    await asyncio.sleep(seconds)
    return greeting


@activity
async def work_until_told() -> str:
    with RUNS.open("a") as runs:
        runs.write("begun\\n")
    while not ENOUGH.exists():
        await asyncio.sleep(0.01)
    return greeting


@workflow(name="Hello")
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)


@workflow(name="Works")
async def works(ctx: WorkflowContext, seconds: float | None = None) -> str:
    if seconds is None:
        return await ctx.queue_activity(work_until_told)
    return await ctx.queue_activity(work, seconds)
"""


class Project:
    """An app on a task queue of its own, in a folder of its own."""

    def __init__(self, folder: Path, served: Served) -> None:
        self.folder = folder
        self.task_queue = f"reload-{uuid.uuid4().hex[:8]}"
        self._served = served
        self.write("app", _APP)
        self.write("wording", 'greeting = "Hello"\n')

    def write(self, name: str, text: str) -> None:
        """Save a file as editors do: write another, rename it."""
        draft = self.folder / f".{name}.py.swp"
        draft.write_text(text)
        draft.rename(self.folder / f"{name}.py")

    def say(self, word: str) -> None:
        """Edit the module that holds the greeting."""
        self.write("wording", f"greeting = {word!r}\n")

    def start(self, *arguments: str) -> str:
        """Start a workflow on this project's task queue; returns its id."""
        return self._served.start(*arguments, "--task-queue", self.task_queue)

    def result(self, workflow_id: str) -> str:
        """Wait for a workflow's result."""
        done = self._served.sched("workflow", "result", workflow_id, "--timeout", "20s")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def greeting(self) -> str:
        """What the code that serves says now."""
        return self.result(self.start("Hello", "-i", "you"))

    def terminate(self, workflow_id: str) -> None:
        """End a workflow that no worker will finish."""
        self._served.sched("workflow", "terminate", workflow_id)

    def worker(self, *options: str, reload: bool = True) -> Running:
        """`sched worker app.py --reload`."""
        return Running(
            *("worker", "app.py", "--engine", self._served.address),
            *("--task-queue", self.task_queue, *options),
            *(("--reload",) if reload else ()),
            cwd=self.folder,
        )


@pytest.fixture
def project(tmp_path: Path, served: Served) -> Project:
    return Project(tmp_path, served)


@pytest.fixture
def worker(project: Project) -> Iterator[Running]:
    """A reloading worker that is ready."""
    with project.worker() as running:
        running.wait_for("serves workflows Hello, Works and activities")
        yield running


def test_an_edit_is_served(project: Project, worker: Running) -> None:
    assert project.greeting() == "Hello, you!"
    project.say("Hi")
    worker.wait_for("wording.py changed")
    worker.wait_for("the new code serves after")
    assert project.greeting() == "Hi, you!"


def test_no_task_is_lost_while_the_code_changes_hands(project: Project, worker: Running) -> None:
    started = []
    for word in ("One", "Two", "Three"):
        project.say(word)
        seen = len(worker.output)
        while "the new code serves" not in worker.output[seen:]:
            started.append(project.start("Hello", "-i", "you"))
    answers = {project.result(workflow_id) for workflow_id in started}
    assert answers <= {f"{word}, you!" for word in ("Hello", "One", "Two", "Three")}
    assert len(started) >= 3
    assert project.greeting() == "Three, you!"


def test_a_syntax_error_is_shown_and_the_old_code_serves_on(
    project: Project, worker: Running
) -> None:
    project.write("wording", "greeting = (\n")
    worker.wait_for(r"error +wording\.py:1: SyntaxError: '\(' was never closed\n +greeting = \(")
    worker.wait_for("The code from before goes on serving; save the mended file.")
    assert project.greeting() == "Hello, you!"

    project.say("Mended")
    worker.wait_for("the new code serves")
    assert project.greeting() == "Mended, you!"
    assert "Traceback" not in worker.output


def test_code_that_raises_on_import_is_shown_too(project: Project, worker: Running) -> None:
    project.write("wording", 'greeting = "Hello"\nimport requestz\n')
    worker.wait_for("wording.py:2: ModuleNotFoundError: No module named 'requestz'")
    assert project.greeting() == "Hello, you!"


def test_a_wrong_definition_is_shown_too(project: Project, worker: Running) -> None:
    project.write("app", _APP.replace("ctx: WorkflowContext, seconds", "self, seconds"))
    worker.wait_for(r"app\.py:\d+: DefinitionError: the workflow works .* is a method")
    assert project.greeting() == "Hello, you!"


def test_broken_code_at_the_start_waits_to_be_mended(project: Project) -> None:
    project.write("wording", "greeting = (\n")
    with project.worker() as worker:
        worker.wait_for("No worker runs; it starts when the file is mended and saved.")
        project.say("Mended")
        worker.wait_for("serves")
        assert project.greeting() == "Mended, you!"


def test_saving_what_is_the_same_does_nothing(project: Project, worker: Running) -> None:
    before = worker.children()
    project.say("Hello")
    (project.folder / "app.py").touch()
    (project.folder / "notes.txt").write_text("no code")
    # The watcher reports in order, so what it says of this edit comes last.
    project.say("Hi")
    worker.wait_for("the new code serves")
    assert worker.output.count("changed") == 1
    assert worker.children() != before


def test_edits_in_quick_succession_end_with_the_last(project: Project, worker: Running) -> None:
    for number in range(20):
        project.say(f"Edit {number}")
        time.sleep(0.01)
    wait_until(lambda: project.greeting() == "Edit 19, you!", "the last edit is served")
    assert worker.output.count("changed") < 8
    wait_until(lambda: len(worker.children()) == 1, "one process is left")


def test_a_new_folder_is_watched_too(project: Project, worker: Running) -> None:
    (project.folder / "words").mkdir()
    (project.folder / "words" / "polite.py").write_text('greeting = "Good day"\n')
    worker.wait_for("words/polite.py changed")
    project.write("wording", "from words.polite import greeting\n")
    wait_until(lambda: project.greeting() == "Good day, you!", "the new file is used")
    (project.folder / "words" / "polite.py").write_text('greeting = "Howdy"\n')
    wait_until(lambda: project.greeting() == "Howdy, you!", "an edit in the new folder is seen")


def test_what_others_write_below_the_folder_is_no_edit(project: Project, worker: Running) -> None:
    for folder in (".sched", ".venv", "node_modules"):
        (project.folder / folder).mkdir()
        (project.folder / folder / "module.py").write_text("x = 1\n")
    project.say("Hi")
    worker.wait_for("wording.py changed")
    assert "module.py" not in worker.output


def test_the_old_code_finishes_what_it_began(project: Project, worker: Running) -> None:
    workflow_id = project.start("Works")
    runs = project.folder / "runs.txt"
    wait_until(runs.exists, "the activity begins")
    project.say("Hi")
    worker.wait_for("the new code serves")
    assert project.greeting() == "Hi, you!", "the new code serves while the old one works"
    worker.wait_for("the old code finishes what is running")
    (project.folder / "enough").touch()
    assert project.result(workflow_id) == "Hello"
    assert runs.read_text() == "begun\n", "it ran once"
    wait_until(lambda: len(worker.children()) == 1, "the old process goes")


def test_what_the_old_code_cannot_finish_runs_again_on_the_new(project: Project) -> None:
    with project.worker("--grace", "0.3") as worker:
        worker.wait_for("serves workflows")
        workflow_id = project.start("Works")
        runs = project.folder / "runs.txt"
        wait_until(runs.exists, "the activity begins")
        project.say("Hi")
        wait_until(lambda: "begun\nbegun" in runs.read_text(), "it begins again")
        (project.folder / "enough").touch()
        assert project.result(workflow_id) == "Hi"
        assert runs.read_text() == "begun\nbegun\n"


def test_a_worker_that_dies_is_started_again(project: Project, worker: Running) -> None:
    (child,) = worker.children()
    os.kill(child, signal.SIGKILL)
    worker.wait_for("the worker process was killed by SIGKILL; starts again in 0.5 s")
    assert project.greeting() == "Hello, you!"
    (child,) = worker.children()
    os.kill(child, signal.SIGKILL)
    worker.wait_for("starts again in 1 s")


def test_the_worker_dies_with_its_supervisor(project: Project, worker: Running) -> None:
    children = worker.children()
    project.start("Works", "-i", "60")
    wait_until((project.folder / "runs.txt").exists, "the activity begins")
    worker.process.kill()
    wait_until(lambda: not any(map(is_alive, children)), "the child exits", deadline_s=4)


def test_ctrl_c_ends_everything_at_once(project: Project) -> None:
    with project.worker("--grace", "60") as worker:
        worker.wait_for("serves workflows Hello, Works and activities")
        children = worker.children()
        project.start("Works", "-i", "60")
        wait_until((project.folder / "runs.txt").exists, "the activity begins")
        worker.interrupt_like_a_terminal()
    assert worker.process.returncode == 0
    assert not any(map(is_alive, children))
    assert "Traceback" not in worker.output


def test_ctrl_c_while_a_child_starts(project: Project) -> None:
    with project.worker() as worker:
        wait_until(worker.children, "the child starts")
        (child,) = worker.children()
        worker.interrupt_like_a_terminal()
        assert worker.process.returncode == 0
        assert not is_alive(child)
    assert "Traceback" not in worker.output


def test_sigterm_lets_running_activities_finish(project: Project, worker: Running) -> None:
    workflow_id = project.start("Works", "-i", "1.5")
    runs = project.folder / "runs.txt"
    wait_until(runs.exists, "the activity begins")
    worker.process.terminate()
    worker.process.wait(timeout=60)
    assert worker.process.returncode == 0
    with project.worker() as another:
        another.wait_for("serves")
        assert project.result(workflow_id) == "Hello"
    assert runs.read_text() == "begun\n"


@pytest.mark.parametrize("reload", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_grace(
    project: Project, number: signal.Signals, *, reload: bool
) -> None:
    with project.worker("--grace", "60", reload=reload) as worker:
        worker.wait_for("serves workflows Hello, Works and activities")
        workflow_id = project.start("Works", "-i", "60")
        wait_until((project.folder / "runs.txt").exists, "the activity begins")
        worker.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            worker.process.wait(timeout=0.5)
        worker.process.send_signal(number)
        worker.process.wait(timeout=DEADLINE_S)
        assert worker.process.returncode == 0
    assert "asked again to stop: what still runs is handed back" in worker.output
    assert "Traceback" not in worker.output
    project.terminate(workflow_id)


def test_one_signal_to_the_whole_group_counts_once(project: Project, worker: Running) -> None:
    """As timeout(1) and service managers send it: to the process and to its group."""
    workflow_id = project.start("Works", "-i", "1")
    wait_until((project.folder / "runs.txt").exists, "the activity begins")
    worker.process.terminate()
    os.killpg(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(timeout=60) == 0
    assert "asked again" not in worker.output
    with project.worker() as another:
        another.wait_for("serves")
        assert project.result(workflow_id) == "Hello"
    assert (project.folder / "runs.txt").read_text() == "begun\n"


def test_without_an_engine_the_worker_waits_for_one(tmp_path: Path, served: Served) -> None:
    project = Project(tmp_path, served)
    worker = Running(
        *("worker", "app.py", "--reload", "--engine", "127.0.0.1:1"), cwd=project.folder
    )
    with worker:
        worker.wait_for("no engine answers at 127.0.0.1:1")
        worker.interrupt_like_a_terminal()
        assert worker.process.returncode == 0


def test_a_target_that_does_not_exist_is_said_at_once(tmp_path: Path) -> None:
    worker = Running("worker", "nope.py", "--reload", cwd=tmp_path)
    with worker:
        assert worker.process.wait(timeout=60) == 2
    assert "nope.py does not exist" in worker.output


def test_what_activities_start_does_not_hold_the_supervisors_line(
    project: Project, worker: Running
) -> None:
    """A program that an activity leaves behind must not keep a dead worker's
    socket open, nor be counted as the worker."""
    project.write(
        "app",
        _APP.replace(
            "await asyncio.sleep(seconds)", "import subprocess; subprocess.Popen(['sleep', '30'])"
        ),
    )
    worker.wait_for("the new code serves")
    wait_until(lambda: len(worker.children()) == 1, "the old process goes")
    project.result(project.start("Works", "-i", "0"))
    (child,) = worker.children()
    sleepers = subprocess.run(
        ["pgrep", "-P", str(child), "sleep"], capture_output=True, text=True, check=True
    ).stdout.split()
    try:
        os.kill(child, signal.SIGKILL)
        worker.wait_for("was killed by SIGKILL")
        assert project.greeting() == "Hello, you!"
    finally:
        for pid in sleepers:
            os.kill(int(pid), signal.SIGKILL)
