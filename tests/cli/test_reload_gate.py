"""Edits that would break open workflows: real files, real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import Running, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Served

# Each word that is replaced in this makes other code of it.
_APP = """
from sched_sdk import WorkflowContext, activity, workflow

SAYS = "one"


@activity
async def charge(order: str) -> str:
    return f"{order} charged"


@activity
async def say() -> str:
    return SAYS


@workflow(name="Order")
async def order(ctx: WorkflowContext, order: str) -> str:
    await ctx.queue_activity(charge, order)
    await ctx.wait_for_signal("go")
    return await ctx.queue_activity(say)


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> str:
    await ctx.wait_for_signal("go")
    return await ctx.queue_activity(say)
"""
_CHARGE = "    await ctx.queue_activity(charge, order)\n"


def edited(word: str, *changes: tuple[str, str]) -> str:
    """The app that says `word`, with these changes."""
    text = _APP.replace('SAYS = "one"', f'SAYS = "{word}"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def broken(word: str) -> str:
    """Order does not charge any more, which its history says it did."""
    return edited(word, (_CHARGE, ""))


class Project:
    """An app on a task queue of its own, in a folder of its own."""

    def __init__(self, folder: Path, served: Served) -> None:
        self.folder = folder
        self.task_queue = f"gate-{uuid.uuid4().hex[:8]}"
        self._served = served
        self.save(_APP)

    def save(self, text: str) -> None:
        """As editors do: write another file, rename it."""
        draft = self.folder / ".app.py.swp"
        draft.write_text(text)
        draft.rename(self.folder / "app.py")

    def begin(self, *arguments: str) -> str:
        """Start a workflow, and wait until it waits for its signal. Returns its id."""
        workflow_id = self._served.start(*arguments, "--task-queue", self.task_queue)
        wait_until(lambda: "go" in self.sched("workflow", "stack", workflow_id), "it waits")
        return workflow_id

    def sched(self, *arguments: str) -> str:
        """What a command says, on both streams."""
        done = self._served.sched(*arguments)
        return done.stdout + done.stderr

    def finish(self, workflow_id: str) -> str:
        """Signal it, and wait for its result: the word of the code that ran it."""
        done = self._served.sched("workflow", "signal", workflow_id, "go")
        assert done.returncode == 0, done.stderr
        return self.result(workflow_id)

    def result(self, workflow_id: str) -> str:
        """Wait for it."""
        done = self._served.sched("workflow", "result", workflow_id, "--timeout", "20s")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def history(self, workflow_id: str) -> str:
        return self.sched("workflow", "history", workflow_id)

    def worker(self, *options: str) -> Running:
        return Running(
            *("worker", "app.py", "--reload", "--engine", self._served.address),
            *("--task-queue", self.task_queue, *options),
            cwd=self.folder,
        )


@pytest.fixture
def project(tmp_path: Path, served: Served) -> Project:
    return Project(tmp_path, served)


@pytest.fixture
def worker(project: Project) -> Iterator[Running]:
    """A reloading worker that is ready."""
    with project.worker() as running:
        running.wait_for("serves workflows Order, Waits")
        yield running


def saved(project: Project, worker: Running, text: str, news: str) -> None:
    """Save, and wait for this in what the worker says of it."""
    seen = len(worker.output)
    project.save(text)
    worker.wait_for(news, after=seen)


SERVES = "the new code serves after"
HELD = "The old code goes on with everything"


def test_what_would_break_ends_on_the_old_code_and_the_rest_on_the_new(
    project: Project, worker: Running
) -> None:
    order, waits = project.begin("Order", "-i", "o-1"), project.begin("Waits")

    saved(project, worker, broken("two"), SERVES)

    said = worker.output
    assert "1 of 2 open workflows would break on the new code" in said
    assert f"{order} (Order), at event" in said
    line = 1 + _APP[: _APP.index(_CHARGE)].count("\n")
    assert f"history: app.py:{line}: activity charge\n" in said
    assert f"code:    app.py:{line}: nothing; it waits\n" in said
    assert "The old code goes on with these, the new code takes all else." in said
    assert all(len(line) <= 80 for line in said.splitlines())
    fresh = project.begin("Order", "-i", "o-2")
    assert project.finish(waits) == "two"
    assert project.finish(fresh) == "two"
    assert len(worker.children()) == 2
    assert project.finish(order) == "one"
    worker.wait_for(rf"the old code has ended; what it kept is over \({order}\)")
    wait_until(lambda: len(worker.children()) == 1, "the old process goes")
    assert "Failed" not in project.history(order)


def test_a_later_save_that_fits_takes_it_over(project: Project, worker: Running) -> None:
    order = project.begin("Order", "-i", "o-1")
    saved(project, worker, broken("two"), SERVES)
    saved(project, worker, "import nonsense\n", "The code from before goes on serving")
    saved(project, worker, edited("three"), SERVES)
    worker.wait_for(f"the new code goes on with {order} too")
    wait_until(lambda: len(worker.children()) == 1, "the old process goes")
    assert project.finish(order) == "three"
    assert "Failed" not in project.history(order)


def test_each_generation_keeps_what_only_it_fits(project: Project, worker: Running) -> None:
    first = project.begin("Order", "-i", "o-1")
    saved(project, worker, broken("two"), SERVES)
    second = project.begin("Order", "-i", "o-2")
    third = _CHARGE.replace("charge, order", "say")
    saved(project, worker, edited("three", (_CHARGE, third)), SERVES)
    assert "2 of 2 open workflows would break" in worker.output
    assert len(worker.children()) == 3
    assert project.finish(second) == "two"
    assert project.finish(first) == "one"
    wait_until(lambda: len(worker.children()) == 1, "the old processes go")


def test_a_workflow_that_the_new_code_has_no_more_ends_on_the_old(
    project: Project, worker: Running
) -> None:
    waits = project.begin("Waits")
    saved(project, worker, edited("two", ('name="Waits"', 'name="Waited"')), SERVES)
    assert "the new code has no workflow named 'Waits'" in worker.output
    assert "waits for a worker" not in project.sched("why", waits)
    assert project.finish(waits) == "one"


def test_hold_lets_nothing_go_to_code_that_breaks_something(project: Project) -> None:
    with project.worker("--on-break", "hold") as worker:
        worker.wait_for("serves workflows")
        order, waits = project.begin("Order", "-i", "o-1"), project.begin("Waits")
        saved(project, worker, broken("two"), HELD)
        assert project.finish(waits) == "one"
        saved(project, worker, broken("three"), HELD)
        assert SERVES not in worker.output

        assert project.finish(order) == "one"

        worker.wait_for(SERVES)  # nothing would break any more
        wait_until(lambda: len(worker.children()) == 1, "the old process goes")
        order = project.begin("Order", "-i", "o-2")
        saved(project, worker, edited("four"), HELD)
        third = broken("five")
        saved(project, worker, third, SERVES)
        assert project.finish(order) == "five"


def test_held_code_serves_when_the_old_code_dies(project: Project) -> None:
    with project.worker("--on-break", "hold") as worker:
        worker.wait_for("serves workflows")
        (old,) = worker.children()
        project.begin("Order", "-i", "o-1")
        saved(project, worker, broken("two"), HELD)
        os.kill(old, signal.SIGKILL)
        worker.wait_for(SERVES)
        assert project.finish(project.begin("Waits")) == "two"

        project.begin("Order", "-i", "o-2")
        saved(project, worker, edited("three"), HELD)
        children = worker.children()
        worker.interrupt_like_a_terminal()
        assert worker.process.returncode == 0
        assert not any(map(is_alive, children))
        assert "Traceback" not in worker.output


def test_ignore_asks_nobody(project: Project) -> None:
    with project.worker("--on-break", "ignore") as worker:
        worker.wait_for("serves workflows")
        order = project.begin("Order", "-i", "o-1")
        saved(project, worker, broken("two"), SERVES)
        wait_until(lambda: len(worker.children()) == 1, "the old process goes")
        project.sched("workflow", "signal", order, "go")
        wait_until(lambda: "WorkflowTaskFailed" in project.history(order), "it shows")
        assert "would break" not in worker.output
        saved(project, worker, edited("three"), SERVES)
        assert project.result(order) == "three"


def test_when_the_old_process_is_killed_what_it_kept_shows_and_can_be_mended(
    project: Project, worker: Running
) -> None:
    order = project.begin("Order", "-i", "o-1")
    (old,) = worker.children()
    saved(project, worker, broken("two"), SERVES)

    os.kill(old, signal.SIGKILL)

    worker.wait_for("the process with the old code was killed by SIGKILL; the new code gets")
    project.sched("workflow", "signal", order, "go")
    wait_until(lambda: "WorkflowTaskFailed" in project.history(order), "it shows")
    assert "charge" in project.sched("why", order)
    saved(project, worker, edited("three"), SERVES)
    assert project.result(order) == "three"


def test_keepers_die_with_their_supervisor(project: Project, worker: Running) -> None:
    project.begin("Order", "-i", "o-1")
    saved(project, worker, broken("two"), SERVES)
    children = worker.children()
    assert len(children) == 2
    worker.process.kill()
    wait_until(lambda: not any(map(is_alive, children)), "they exit", deadline_s=4)


def test_code_that_hangs_in_replay_breaks_what_it_hangs_in(
    project: Project, worker: Running
) -> None:
    waits = project.begin("Waits")
    signature = "async def waits(ctx: WorkflowContext) -> str:\n"
    loop = signature + "    while True:\n        pass\n"
    saved(project, worker, edited("two", (signature, loop)), SERVES)
    assert "its replay did not end within" in worker.output
    assert project.finish(waits) == "one"


def test_the_newest_of_each_type_are_tried(project: Project, worker: Running) -> None:
    for number in range(22):
        project.sched(
            *("workflow", "start", "Waits", "--id", f"{project.task_queue}-{number}"),
            *("--task-queue", project.task_queue),
        )
    saved(project, worker, edited("two"), SERVES)
    assert "20 of 22 open workflows were tried: the newest of each type" in worker.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("worker", "app.py", "--on-break", "hold"), "--on-break .* goes with --reload"),
        (("worker", "app.py", "--check-runs", "3"), "--check-runs .* goes with --reload"),
        (("dev", "--check-time", "1s"), "--check-time .* sched dev app.py"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_options_of_a_reload_want_one(
    served: Served, arguments: tuple[str, ...], said: str
) -> None:
    refused = served.sched(*arguments)
    assert refused.returncode == 2
    assert re.search(said, refused.stderr)


def test_an_unknown_word_is_refused(tmp_path: Path, served: Served) -> None:
    refused: subprocess.CompletedProcess[str] = served.sched(
        "worker", "app.py", "--reload", "--on-break", "hope"
    )
    assert refused.returncode == 2
    assert "route" in refused.stderr
