"""`sched diff`: runs of the golden histories, edited ones, and runs of an engine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sched_cli.diffing.alignment import align
from sched_cli.diffing.comparison import Comparison, compare
from sched_cli.diffing.timeline import timeline_of
from sched_cli.render.diff import diff_parts
from sched_sdk._capture import read_capture
from tests.cli.support import sched_in_process
from tests.docs.markdown import ROOT, titled

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Served

GOLDEN = ROOT / "tests" / "replay" / "golden" / "v0_1_0" / "histories"


def compared(left: str, right: str) -> Comparison:
    first, second = (read_capture(GOLDEN / f"{name}.json") for name in (left, right))
    return compare(timeline_of(first), timeline_of(second))


def shown(comparison: Comparison, width: int = 80, *, everything: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, emoji=False, highlight=False)
    for part in diff_parts(comparison, everything=everything):
        console.print(part)
    file = console.file
    assert isinstance(file, io.StringIO)
    assert max(map(len, file.getvalue().splitlines())) <= width
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Comparison]:
    """A golden history beside the same with texts replaced."""

    def make(name: str, *edits: tuple[str, str]) -> Comparison:
        text = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "edited.json"
        path.write_text(text, encoding="utf-8")
        return compare(
            timeline_of(read_capture(GOLDEN / f"{name}.json")), timeline_of(read_capture(path))
        )

    return make


# ------------------------------------------------------------------ what is compared


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_run_equals_itself(path: Path) -> None:
    comparison = compared(path.stem, path.stem)
    assert comparison.equal
    assert "Both did the same, with the same results." in shown(comparison)


def test_times_attempts_and_ids_are_no_differences(edited: Callable[..., Comparison]) -> None:
    comparison = edited("activities", ('"attempts": 3', '"attempts": 1'))
    assert comparison.left.commands != comparison.right.commands
    assert comparison.equal
    assert compared("reset", "forked").equal


def test_a_step_with_a_timer_between_its_tries_is_one_entry() -> None:
    commands = compared("steps", "steps").left.commands
    assert [(entry.title, entry.attempts, entry.outcome) for entry in commands[:5]] == [
        ("step draw", 1, "completed"),
        ("step again", 1, "completed"),
        ("step stumble", 2, "completed"),
        ("step stumble", 2, "completed"),
        ("step fall", 1, "failed"),
    ]
    late = commands[3].duration
    assert late is not None
    assert 6 <= late < 10
    assert not [entry for entry in commands if entry.kind == "timer"]


def test_where_they_part() -> None:
    comparison = compared("patched", "patched-before")
    assert comparison.parts_at == 1
    only_left = [row.left.title for row in comparison.commands if row.left and not row.right]
    assert only_left == ["patch parcels", "activity ship", "patch farewell", "step farewell"]
    assert shown(comparison).count("\n< ") == len(only_left)
    assert "They part where < does patch parcels (event 8," in shown(comparison)
    assert "and > does nothing more." in shown(comparison, 200)


def test_payloads_that_differ_are_named_by_path(edited: Callable[..., Comparison]) -> None:
    comparison = edited("payloads", ('"2.50"', '"2.75"'), ('"green"', '"black"'))
    assert comparison.parts_at is None
    assert not comparison.equal
    paths = {place.path for place in comparison.differences}
    assert {"input[0].price", "input[0].tags[0]"} <= paths
    text = shown(comparison)
    assert '  input[0].price\n    < "2.50"\n    > "2.75"' in text
    assert "Both did the same, but not all values are the same." in text


def test_outcomes_and_signals_are_compared(edited: Callable[..., Comparison]) -> None:
    comparison = edited("open", ('"name": "one"', '"name": "eins"'))
    assert [(row.left is None, row.right is None) for row in comparison.signals] in (
        [(False, True), (True, False)],
        [(True, False), (False, True)],
    )
    assert not comparison.equal
    ended = compared("open", "terminated")
    assert ended.differences[0].path == "status"
    assert (ended.left.status, ended.right.status) == ("RUNNING", "TERMINATED")
    assert compared("canceled-waiting", "canceled-and-fails").right.status == "FAILED"


def test_long_lists_leave_out_what_is_the_same(edited: Callable[..., Comparison]) -> None:
    comparison = edited("loop", ('"result": "receipt 30"', '"result": "none"'))
    text = shown(comparison)
    assert "more …" in text
    assert text.count("step draw") < 10
    assert '    < "receipt 30"\n    > "none"' in text
    assert shown(comparison, 160, everything=True).count("step draw") == 40


# ------------------------------------------------------------------------ alignment


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_the_alignment_is_a_longest_common_subsequence(left: list[int], right: list[int]) -> None:
    pairs = align(left, right)
    assert [i for i, _ in pairs if i is not None] == list(range(len(left)))
    assert [j for _, j in pairs if j is not None] == list(range(len(right)))
    common = [(i, j) for i, j in pairs if i is not None and j is not None]
    assert all(left[i] == right[j] for i, j in common)
    assert len(common) == longest(left, right)


def longest(left: list[int], right: list[int]) -> int:
    lengths = [0] * (len(right) + 1)
    for value in left:
        diagonal = 0
        for j, other in enumerate(right, start=1):
            diagonal, lengths[j] = (
                lengths[j],
                diagonal + 1 if value == other else max(lengths[j], lengths[j - 1]),
            )
    return lengths[-1]


def test_lists_with_nothing_in_common_are_not_searched_for_ever() -> None:
    left, right = [*range(5_000)], [*range(5_000, 10_000)]
    pairs = align([-1, *left, -2], [-1, *right, -2])
    assert pairs[0] == (0, 0)
    assert pairs[-1] == (5_001, 5_001)
    assert len(pairs) == 10_002


# --------------------------------------------------------------------- the command


def run(*arguments: str, address: str = "127.0.0.1:1") -> Any:
    environment = {"SCHED_ENGINE_ADDRESS": address}
    return sched_in_process("diff", *arguments, environment=environment)


def test_files(tmp_path: Path) -> None:
    reset, forked, steps = (str(GOLDEN / f"{n}.json") for n in ("reset", "forked", "steps"))
    assert run(reset, forked).returncode == 0
    different = run(reset, steps)
    assert (different.returncode, different.stderr) == (1, "")
    (tmp_path / "broken.json").write_text("{")
    assert run(reset, str(tmp_path / "broken.json")).returncode == 2
    assert run(reset, str(tmp_path / "none.json")).returncode == 2
    assert run(reset, "order-1").returncode == 3


def test_the_json_is_as_documented() -> None:
    done = run(*(str(GOLDEN / f"{name}.json") for name in ("patched", "open")), "-o", "json")
    assert done.returncode == 1
    real, told = (
        json.loads(done.stdout),
        json.loads(titled(ROOT / "docs" / "cli-output.md", "diff").text),
    )
    assert list(real) == list(told)
    assert list(real["left"]) == list(told["left"])
    assert list(real["differences"][0]) == list(told["differences"][0])
    assert list(real["parts_at"]) == list(told["parts_at"])
    both = next(row for row in real["commands"] if row["left"] and row["right"])
    assert list(both) == list(told["commands"][0])
    assert list(both["left"]) == list(told["commands"][0]["left"])
    assert list(real["signals"][0]) == list(told["signals"][0])
    assert json.loads(run(*(str(GOLDEN / "open.json"),) * 2, "-o", "jsonl").stdout)["equal"]


def test_runs_of_an_engine(served: Served) -> None:
    ids = [served.start("Echo", "--input", value, "--id", f"diff-{value}") for value in "123"]
    for workflow_id in ids:
        assert served.sched("workflow", "result", workflow_id).returncode == 0
    different = run("diff-1", "diff-2", "-o", "json", address=served.address)
    assert different.returncode == 1
    assert json.loads(different.stdout)["differences"][0] == {
        "path": "input[0]",
        "left": 1,
        "right": 2,
    }

    assert served.sched("workflow", "reset", "diff-3", "--to", "first").returncode == 0
    assert served.sched("workflow", "result", "diff-3").returncode == 0
    listed = served.sched("workflow", "list", "--id", "diff-3", "-o", "jsonl").stdout.splitlines()
    newest, oldest = (json.loads(line)["run_id"] for line in listed)
    two_runs = run(newest, oldest[:13], "-o", "json", address=served.address)
    assert two_runs.returncode == 0, two_runs.stderr
    compared = json.loads(two_runs.stdout)
    assert [compared[side]["run_id"] for side in ("left", "right")] == [newest, oldest]

    assert run("diff-1", "diff-4", address=served.address).returncode == 4
    assert run("diff-1", "diff-", address=served.address).returncode == 2
    assert run("diff-1", "0" * 8, address=served.address).returncode == 4
