"""One dev server for all tests of commands: engine and worker as people run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import sched, sched_in_process, start_dev
from tests.servers.fixtures import (
    postgres_database,
    postgres_dsn,
    postgres_server,
    stoppable_database,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

__all__ = ["postgres_database", "postgres_dsn", "postgres_server", "stoppable_database"]

_EXTRA = """
from typing import Any

from sched_sdk import ApplicationError, RetryPolicy, WorkflowContext, activity, workflow


@activity(retry=RetryPolicy(initial_interval=300, maximum_interval=300, maximum_attempts=5))
def refuse(what: str) -> None:
    raise ConnectionError(f"no route to {what}")


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> object:
    return (await ctx.wait_for_signal("go")).payload


@workflow(name="Asked")
async def asked(ctx: WorkflowContext) -> None:
    rounds = 0

    @ctx.query
    def progress(scale: int = 1) -> dict[str, int]:
        '''How many rounds there were.'''
        return {"rounds": rounds * scale}

    @ctx.query
    def words() -> str:
        return "as it is"

    @ctx.query
    def broken() -> None:
        raise ValueError("no such thing")

    ctx.set_details("waits for people")
    while True:
        await ctx.wait_for_signal("approve")
        rounds += 1


@workflow(name="Fails")
async def fails(ctx: WorkflowContext) -> None:
    raise ApplicationError("the till is empty", type="OutOfMoney")


@workflow(name="Retries")
async def retries(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(refuse, "mail.example.com")


@workflow(name="Echo")
async def echo(ctx: WorkflowContext, first: Any, second: Any = None) -> Any:
    return [first, second]
"""


@dataclass(frozen=True)
class Served:
    """A dev server with a worker, and how to ask it."""

    address: str
    folder: Path

    def sched(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command against it."""
        variables = {"SCHED_ENGINE_ADDRESS": self.address, **(environment or {})}
        return sched_in_process(*arguments, environment=variables)

    def sched_process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same, in a process of its own."""
        return sched(*arguments, environment={"SCHED_ENGINE_ADDRESS": self.address})

    def start(self, *arguments: str) -> str:
        """Start a workflow; returns its id."""
        started = self.sched("workflow", "start", *arguments)
        assert started.returncode == 0, started.stderr
        return started.stdout.strip()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The starter and some more workflows, served by `sched dev`."""
    folder = tmp_path_factory.mktemp("served") / "my-app"
    assert sched("init", str(folder)).returncode == 0
    (folder / "extra.py").write_text(_EXTRA)
    running, address = start_dev(folder, "app.py", "extra.py")
    with running:
        running.wait_for("serves workflows HelloWorld")
        yield Served(address, folder)
