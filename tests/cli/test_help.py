"""What `--help` says, and whether its examples work."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from sched_cli.parser import examples_of
from tests.cli.support import forgetting_imports, sched_in_process, start_dev
from tests.docs.commands import app, check, commands, options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.core import TyperCommand

_APP = """
from sched_sdk import WorkflowContext, workflow


@workflow(name="HelloWorld")
async def hello_world(ctx: WorkflowContext, name: str) -> str:
    return f"Hello, {name}!"


@workflow(name="Transfer")
async def transfer(ctx: WorkflowContext, amount: int, options: dict[str, str]) -> int:
    return amount


def price() -> int:
    return 42


@workflow(name="Order")
async def order(ctx: WorkflowContext, number: str) -> None:
    @ctx.query
    def progress() -> str:
        return "packed"

    @ctx.query
    def left(most: int) -> int:
        return most - 1

    await ctx.step(price)
    await ctx.step(price)
    await ctx.wait_for_signal("paid")
    await ctx.wait_for_signal("sent")
"""

# They run until somebody ends them, need a terminal or a server of their own, or
# write into the source tree.
_ONLY_PARSED = re.compile(
    r"sched (init|dev|worker|engine|tui|migrate new)\b| --watch| --step|db\.example|cache\.example"
)
_ENDS_IT = re.compile(r"workflow (cancel|terminate|reset|signal) order-7")
_DURATION = re.compile(r"\d+(ms|[smhdw])")
# What these find is no success, and is said to be none.
_ENDS_WITH_1 = ("sched diff", "sched workflow reset order-7 --to divergence")


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: str(value)[:30])
def test_every_command_ends_its_help_with_examples(path: str, command: TyperCommand) -> None:
    shown = sched_in_process(*path.split(), "--help", environment={"COLUMNS": "80"}).stdout
    lines = examples_of(command)
    assert 1 <= len(lines) <= 4
    assert shown.endswith("Examples:\n" + "".join(f"  {line}\n" for line in lines))
    for line in lines:
        assert line.startswith(f"sched {path}")
        check(line.split(" > ")[0])


def test_a_length_of_time_is_a_duration_everywhere() -> None:
    """In the name of the option, in its help and in what it is by default."""
    durations = 0
    for path, option in options():
        named = f"{path} {option.opts} {option.envvar} {option.metavar}"
        assert "second" not in named.lower().replace("shutdown_grace_seconds", ""), named
        if option.metavar == "DURATION":
            durations += 1
            assert option.default is None or _DURATION.fullmatch(str(option.default)), named
    assert durations > 10


@pytest.mark.parametrize("group", [(), *((name,) for name in ("workflow", "config", "migrate"))])
def test_the_summaries_of_a_group_are_not_cut(group: tuple[str, ...]) -> None:
    shown = sched_in_process(*group, "--help", environment={"COLUMNS": "80"}).stdout
    assert "..." not in shown.replace("[ARGS]...", "")
    assert "Examples:" in shown


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A dev server that serves what the examples speak of."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "app.py").write_text(_APP)
    running, address = start_dev(folder, "app.py", "--db", ":memory:")
    with running:
        running.wait_for("serves workflows")
        yield folder, address


def test_the_examples_work(
    shop: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, address = shop
    monkeypatch.chdir(folder)
    with forgetting_imports():
        _run_the_examples(folder, address, tmp_path / "config")


def _run_the_examples(folder: Path, address: str, config: Path) -> None:
    environment = {"SCHED_ENGINE_ADDRESS": address, "SCHED_CONFIG": str(config)}

    def run(line: str) -> None:
        words = shlex.split(line.split(" > ", maxsplit=1)[0])[1:]
        done = sched_in_process(*words, environment=environment)
        expected = 1 if line.startswith(_ENDS_WITH_1) else 0
        assert done.returncode == expected, f"{line}\n{done.stdout}{done.stderr}"

    def take_up(workflow_id: str) -> None:
        start = "sched workflow start Order --input A-7 --id-conflict terminate_existing --id"
        run(f"{start} {workflow_id}")
        # Its code has run, so that it can be asked, replayed and reset.
        run(f"sched workflow query {workflow_id} progress")

    run("sched workflow start HelloWorld --input world --id hello-1 --wait")
    take_up("order-7")
    take_up("order-8")
    run("sched workflow signal order-8 paid")
    run("sched capture order-7 --output order-7.json")
    (folder / "histories").mkdir()
    run("sched capture hello-1 --output histories/hello.json")
    run("sched config set prod --address localhost:50051")
    for _, command in commands():
        for line in examples_of(command):
            if not _ONLY_PARSED.search(line):
                if _ENDS_IT.search(line):
                    take_up("order-7")
                run(line)


def test_a_typo_is_answered_with_what_is_there() -> None:
    assert app().commands
    for words, answer in (
        (("workflw", "list"), "'workflow'"),
        (("workflow", "strat"), "'start'"),
        (("workflow", "list", "--stauts", "x"), "Did you mean '--status'?"),
    ):
        done = sched_in_process(*words, environment={})
        assert done.returncode == 2
        assert "Did you mean" in done.stderr
        assert answer in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "workfow list",
            "No such command 'workfow'. Did you mean 'workflow', 'worker'? See: sched",
        ),
        ("workflow list --quite", "No such option: --quite. Did you mean '--quiet'? See: "),
        ("--quite version", "No such option: --quite. Did you mean '--quiet'? See: sched -h"),
        ("--engine a:1 cluster status", "--engine stands behind the command: sched COMMAND "),
        ("workflow -o json", "-o stands behind the command: sched workflow COMMAND -o"),
        ("version -o jsn", "--output 'jsn' is not one of 'table', 'json', 'jsonl'. Did you mean "),
        ("workflow list --limit x", "--limit 'x' is no whole number. See: sched workflow list -h"),
        ("workflow list more", "Nothing is known of 'more'. See: sched workflow list -h"),
        ("workflow list --status", "Option '--status' requires an argument. See: sched workflow"),
        ("workflow show", "Missing argument 'ID'. See: sched workflow show -h"),
    ],
)
def test_what_is_not_understood_is_said_in_one_line(line: str, said: str) -> None:
    """As every other mistake, and without variables that nobody has set."""
    done = sched_in_process(*line.split(), environment={})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1
    assert "env var" not in done.stderr


def test_a_mistyped_id_or_queue_is_told(shop: tuple[Path, str]) -> None:
    environment = {"SCHED_ENGINE_ADDRESS": shop[1]}
    start = ("workflow", "start", "HelloWorld", "-i", "x")
    done = sched_in_process(*start, "--id", "typo-1", environment=environment)
    assert done.returncode == 0
    shown = sched_in_process("workflow", "show", "tpyo-1", environment=environment)
    assert shown.stderr == "error: There is no workflow 'tpyo-1'. Did you mean 'typo-1'?\n"
    misspelt = ("--task-queue", "defaul")
    told = r"No worker takes .* task queue 'defaul'\. Did you mean 'default'\?"
    listed = sched_in_process("workflow", "list", *misspelt, environment=environment)
    assert re.search(told, listed.stderr)
    started = sched_in_process(*start, *misspelt, "--id", "lost-1", environment=environment)
    assert re.search(told, started.stderr)
    # Or the doctor would find a queue without a worker.
    ended = sched_in_process("workflow", "terminate", "lost-1", environment=environment)
    assert ended.returncode == 0


def test_a_mistyped_workflow_type_is_told(shop: tuple[Path, str]) -> None:
    environment = {"SCHED_ENGINE_ADDRESS": shop[1]}
    start = ("workflow", "start", "HelloWrld", "--id", "unserved-1")
    started = sched_in_process(*start, environment=environment)
    assert started.returncode == 0
    assert (
        "No worker serves workflow type 'HelloWrld'. Did you mean 'HelloWorld'?" in started.stderr
    )
    listed = sched_in_process("workflow", "list", "--type", "Ordr", environment=environment)
    assert "Did you mean 'Order'?" in listed.stderr
    quiet = sched_in_process(
        "workflow", "list", "--type", "Ordr", "--quiet", environment=environment
    )
    assert quiet.stderr == ""
    # Or the doctor would find it.
    ended = sched_in_process("workflow", "terminate", "unserved-1", environment=environment)
    assert ended.returncode == 0


def test_a_mistyped_status_or_profile_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[profiles.staging]\nengine = "a:1"\n')
    for words, like in (
        (("workflow", "list", "--status", "runing"), "'RUNNING'"),
        (("workflow", "list", "--profile", "stagin"), "'staging'"),
        (("config", "use", "stagin"), "'staging'"),
    ):
        done = sched_in_process(*words, environment={"SCHED_CONFIG": str(file)})
        assert done.returncode == 2
        assert f"Did you mean {like}?" in done.stderr
