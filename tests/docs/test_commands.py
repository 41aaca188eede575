"""Command lines, options, environment variables and JSON, as the documentation shows them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sched_cli.doctor.findings import CHECKS
from sched_cli.render.reasons import KINDS
from sched_sdk import Client, RetryPolicy, Worker, WorkflowContext, activity, workflow
from sched_sdk._capture import parse_capture
from sched_sdk._client import StandbyStatus
from sched_server import EngineServer
from tests.cli.support import sched_in_process
from tests.docs.commands import (
    UnusableCommandError,
    check,
    commands,
    options,
    shown_commands,
)
from tests.docs.markdown import ROOT, table_below, titled
from tests.docs.waiting import is_stuck, until

REFERENCE = ROOT / "docs" / "cli.md"
PAGE = ROOT / "docs" / "cli-output.md"
GUIDE = ROOT / "docs" / "guide" / "command-line.md"


@pytest.mark.parametrize(
    ("place", "line"), list(shown_commands()), ids=lambda value: re.sub(r"\W+", "-", value)[:70]
)
def test_the_app_takes_the_command(place: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    try:
        check(line)
    except UnusableCommandError as error:
        pytest.fail(f"{place}: {line}: {error}")


def test_an_unknown_option_is_found() -> None:
    with pytest.raises(UnusableCommandError, match="--colour"):
        check("sched workflow list --colour red")
    with pytest.raises(UnusableCommandError, match="no command sched workflow forget"):
        check("sched workflow forget wf-1")


def names(cell: str) -> list[str]:
    """The `code` in a cell."""
    return cell.split("`")[1::2]


def test_the_captured_history_of_the_page_can_be_read() -> None:
    shown = titled(ROOT / "docs" / "capture.md", "captured history").text
    captured = parse_capture(shown, "docs/capture.md")
    assert captured.redacted == {1: ("input[0].password",)}
    assert captured.events[0].workflow_started.input[1].data == b"\0\1"


def test_the_reference_is_made_of_the_commands(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "generate_cli_reference.py"
    fresh = tmp_path / "cli.md"
    subprocess.run([sys.executable, str(script), str(fresh)], check=True)
    same = fresh.read_text(encoding="utf-8") == REFERENCE.read_text(encoding="utf-8")
    assert same, "run `make reference`, and commit docs/cli.md"


def test_every_command_that_prints_data_has_its_json_on_the_page() -> None:
    """A list of what has no data, so that a new command is thought of."""
    silent = {"init", "dev", "worker", "tui", "engine", "capture"}
    silent |= {f"workflow {name}" for name in ("signal", "cancel", "terminate")}
    silent |= {f"config {name}" for name in ("set", "use", "unset")}
    silent |= {f"migrate {name}" for name in ("up", "down", "new")}
    formats = {
        path for path, option in options() if "--output" in option.opts and option.metavar is None
    }
    assert formats | silent == {path for path, _ in commands()}
    assert not formats & silent
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(headings) - {"position of a replay"} == formats


# -- JSON --------------------------------------------------------------------------


@activity(retry=RetryPolicy(initial_interval=300, maximum_interval=300))
async def refuse() -> None:
    raise ConnectionError("no route to mail.example.com")


@activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow(name="HelloWorld")
async def hello_world(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)


@workflow(name="Pending")
async def pending(ctx: WorkflowContext) -> None:
    ctx.queue_activity(refuse)
    await asyncio.wait_for(ctx.wait_for_signal("go"), 3600)


@workflow(name="Waiting")
async def waiting(ctx: WorkflowContext) -> None:
    ctx.set_details("waiting for ann")
    await ctx.wait_for_signal("approve")


@workflow(name="Pending")
async def edited(ctx: WorkflowContext) -> None:
    await ctx.sleep(1)


def timeless(value: Any) -> Any:
    """Without the sentences, which say how long ago something was, and without clocks."""
    if isinstance(value, dict):
        return {
            key: timeless(item) for key, item in value.items() if key not in ("sentence", "clock")
        }
    return [timeless(item) for item in value] if isinstance(value, list) else value


class Shell:
    """Runs commands against an engine of this process."""

    def __init__(self, address: str) -> None:
        self._environment = {"SCHED_ENGINE_ADDRESS": address}

    async def __call__(self, *arguments: str) -> str:
        done = await asyncio.to_thread(sched_in_process, *arguments, environment=self._environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def json(self, *arguments: str) -> Any:
        """What `--output json` prints; `--output jsonl` must print the same."""
        value = json.loads(await self(*arguments, "-o", "json"))
        while True:
            printed = (await self(*arguments, "-o", "jsonl")).splitlines()
            lines = [timeless(json.loads(line)) for line in printed]
            if timeless(value) in (lines, *lines):
                return value
            before, value = value, json.loads(await self(*arguments, "-o", "json"))
            # Otherwise something happened in between.
            assert timeless(before) != timeless(value), "the two forms differ"


@pytest.fixture
def shell(engine: EngineServer) -> Shell:
    return Shell(engine.address)


def written(title: str) -> Any:
    return json.loads(titled(PAGE, title).text)


def same_shape(told: Any, real: Any, path: str = "$") -> None:
    """The same keys in the same order, all the way down. What is null on one side
    may be anything on the other."""
    if told is None or real is None:
        return
    assert type(told) is type(real), path
    if isinstance(told, dict):
        assert list(told) == list(real), path
        for key, value in told.items():
            same_shape(value, real[key], f"{path}.{key}")
    elif isinstance(told, list) and told and real:
        same_shape(told[0], real[0], f"{path}[0]")


async def test_the_json_of_a_workflow_that_completes(client: Client, shell: Shell) -> None:
    async with Worker(client, workflows=[hello_world], activities=[greet]):
        start = ("workflow", "start", "HelloWorld", "--input", "world")
        same_shape(written("start"), json.loads(await shell(*start, "-o", "json")))
        assert json.loads(await shell(*start, "--wait", "-o", "json")) == written("result")
        assert await shell(*start, "--wait") == f"{written('result')}\n"
        await shell(*start, "--id", "hello")
        assert await shell.json("workflow", "result", "hello") == written("result")
    same_shape(written("list"), await shell.json("workflow", "list"))
    history = await shell.json("workflow", "history", "hello")
    completed = [event for event in history if event["type"] == "ActivityCompleted"]
    same_shape(written("history"), completed)
    counted = await shell.json("workflow", "count")
    assert list(counted) == list(written("count"))
    assert counted == {"total": 4, "by_status": {"COMPLETED": 4}}


async def test_the_json_of_a_workflow_with_everything_pending(client: Client, shell: Shell) -> None:
    async with Worker(client, workflows=[pending], activities=[refuse]):
        handle = await client.start_workflow(pending, execution_timeout=604_800)
        await until(handle, lambda d: d.timers and d.activities and d.activities[0].last_failure)
    async with Worker(client, workflows=[edited]):
        await handle.signal("go")
        await until(handle, is_stuck)
    real = await shell.json("workflow", "show", handle.id)
    told = written("show")
    same_shape(told, real)
    for part in ("workflow_task", "activities", "timers"):
        assert real[part], part  # nothing was compared with nothing
    assert real["reasons"][0]["kind"] == "workflow_task_failed"
    assert real["activities"][0]["last_failure"]["type"] == "ConnectionError"
    assert real["workflow_task"]["last_failure_cause"] == "NON_DETERMINISM"


async def test_the_json_of_a_run_that_is_taken_up_again(client: Client, shell: Shell) -> None:
    async with Worker(client, workflows=[waiting]):
        handle = await client.start_workflow(waiting, id="again")
        await until(handle, lambda d: d.info.history_length > 1 and not d.workflow_task)
        reset = await shell("workflow", "reset", "again", "--to", "first", "-o", "json")
        fork = await shell("workflow", "fork", "again", "--to", "first", "-o", "jsonl")
    same_shape(written("reset"), json.loads(reset))
    same_shape(written("reset"), json.loads(fork))


async def test_the_json_of_why(client: Client, shell: Shell) -> None:
    async with Worker(client, workflows=[waiting]):
        await client.start_workflow(waiting, id="waiting")
        same_shape(written("why"), await shell.json("why", "waiting"))
    kinds = [kind for row in table_below(PAGE, "Kinds of reasons") for kind in names(row[0])]
    assert sorted(kinds) == sorted(KINDS)


async def test_the_json_of_a_cluster(client: Client, shell: Shell) -> None:
    async with Worker(client, workflows=[hello_world], activities=[greet]):
        real = await shell.json("cluster", "status")
    same_shape(written("cluster status"), real)
    assert real["workers"]
    assert real["task_queues"]
    told = written("cluster status")["standbys"][0]
    assert list(told) == [field.name for field in dataclasses.fields(StandbyStatus)]


async def test_the_json_of_profiles(shell: Shell, tmp_path: Path) -> None:
    config = {"SCHED_CONFIG": str(tmp_path / "config.toml")}
    for arguments in (("set", "prod", "--address", "a"), ("use", "prod")):
        assert sched_in_process("config", *arguments, environment=config).returncode == 0
    for command in ("list", "show"):
        done = sched_in_process("config", command, "-o", "json", environment=config)
        same_shape(written(f"config {command}"), json.loads(done.stdout))
    assert (await shell.json("config", "show"))["source"] == "SCHED_ENGINE_ADDRESS"


async def test_the_json_of_time_that_was_moved(shell: Shell) -> None:
    real = json.loads(await shell("time", "advance", "7d", "-o", "json"))
    same_shape(written("time advance"), real)
    assert list(written("time advance")) == list(
        json.loads(await shell("time", "advance", "1s", "-o", "jsonl"))
    )


async def test_the_json_of_the_doctor(shell: Shell) -> None:
    # A fresh engine without workers has a warning, and no failure.
    real = json.loads(await shell("doctor", "-o", "json"))
    same_shape(written("doctor"), real)
    assert real["verdict"] == "warn"
    lines = (await shell("doctor", "-o", "jsonl")).splitlines()
    checks = [finding["check"] for finding in real["findings"]]
    assert [json.loads(line)["check"] for line in lines] == checks
    told = {names(row[0])[0]: row[1] for row in table_below(GUIDE, "Checks")}
    assert told == CHECKS


async def test_the_json_of_migrations(shell: Shell, tmp_path: Path) -> None:
    store = ("--db", str(tmp_path / "sched.db"))
    await shell("migrate", "up", *store)
    same_shape(written("migrate status"), await shell.json("migrate", "status", *store))


def test_the_types_of_events_are_all_there() -> None:
    from sched_sdk.api.v1 import history_pb2

    told = {name for row in table_below(PAGE, "workflow history") for name in names(row[1])}
    attributes = history_pb2.HistoryEvent.DESCRIPTOR.oneofs_by_name["attributes"]
    assert told == {str(getattr(field.message_type, "name", "")) for field in attributes.fields}


async def test_the_version_looks_as_shown(shell: Shell) -> None:
    same_shape(written("version"), await shell.json("version"))
    form = r"sched \d+\.\d+\.\d+ \(Python \d+\.\d+\.\d+\)"
    assert re.fullmatch(form, (await shell("version")).strip())
