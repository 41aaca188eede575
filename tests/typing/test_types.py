"""The public API as mypy and pyright see it.

Each file in `cases/` is checked by both. A line that ends in `# expect-error`
must be an error, every other line must be clean: an overload that becomes too
loose fails the test as much as one that becomes too strict.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CASES = sorted((HERE / "cases").glob("*.py"))
MARK = "# expect-error"

Errors = dict[str, dict[int, str]]
"""File name to line to message."""


def expected(case: Path) -> set[int]:
    lines = case.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith(MARK)}


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    # 0: clean, 1: errors were found; anything else: the checker itself failed.
    assert done.returncode in (0, 1), done.stderr or done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def mypy_errors() -> Errors:
    output = run(
        sys.executable, "-m", "mypy", "--output=json",
        "--cache-dir", str(ROOT / ".mypy_cache" / "typing-cases"), *map(str, CASES),
    )  # fmt: skip
    found: Errors = collections.defaultdict(dict)
    for line in output.splitlines():
        if line.startswith("{"):
            problem = json.loads(line)
            if problem["severity"] == "error":
                found[Path(problem["file"]).name][problem["line"]] = problem["message"]
    return found


@pytest.fixture(scope="module")
def pyright_errors() -> Errors:
    output = run(
        sys.executable, "-m", "basedpyright", "--outputjson",
        "--project", str(HERE), "--pythonpath", sys.executable,
    )  # fmt: skip
    report = json.loads(output)
    assert report["summary"]["filesAnalyzed"] == len(CASES)
    found: Errors = collections.defaultdict(dict)
    for problem in report["generalDiagnostics"]:
        if problem["severity"] == "error":
            line = problem["range"]["start"]["line"] + 1
            found[Path(problem["file"]).name][line] = problem["message"]
    return found


def compare(case: Path, found: dict[int, str]) -> None:
    lines = expected(case)
    assert lines, "a case without errors proves only half"
    surprising = {line: found[line] for line in sorted(found.keys() - lines)}
    assert not surprising, f"{case.name}: errors where none are expected"
    missed = sorted(lines - found.keys())
    assert not missed, f"{case.name}: no error on these lines"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mypy(case: Path, mypy_errors: Errors) -> None:
    compare(case, mypy_errors[case.name])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_pyright(case: Path, pyright_errors: Errors) -> None:
    compare(case, pyright_errors[case.name])
