"""Does the simulator find bugs? `python -m tests.sim.mutants` puts realistic ones
in, one at a time, and looks after how many seeds each is found.

A mutant is a line of the product that is replaced in a copy of it. One that is
not found means that a checker or a fault is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sim.bugs import BUGS
from tests.sim.bugs_of_copies import BUGS_OF_COPIES
from tests.sim.bugs_of_details import BUGS_OF_DETAILS

if TYPE_CHECKING:
    from tests.sim.bugs import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
_PRODUCT = ("sched_sdk", "sched_server", "sched_cli", "migrations", "tests/sim")

MUTANTS = BUGS + BUGS_OF_COPIES + BUGS_OF_DETAILS


def product_with(mutant: Mutant, folder: Path) -> None:
    """A copy of the product that has the bug."""
    for part in _PRODUCT:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored, dirs_exist_ok=True)
    (folder / "tests" / "__init__.py").touch()
    path = folder / mutant.path
    text = path.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.name}: its text is not in {mutant.path} once"
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def try_mutant(mutant: Mutant, *, seeds: int, first: int) -> tuple[int, str]:
    """After how many seeds it was found (0: not at all), and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        product_with(mutant, Path(folder))
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "tests.sim", "--no-shrink"),
                *("--seeds", str(seeds), "--first", str(first)),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode == 0:
        return 0, "not found"
    found = re.search(r"^seed (\d+): (.*)$", ran.stdout, re.MULTILINE)
    if found is None:
        return 1, (ran.stderr.strip().splitlines() or ["it ended"])[-1]
    return int(found.group(1)) - first + 1, found.group(2)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="tried at most for each (200)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    parser.add_argument("--jobs", type=int, default=1, help="so many at the same time (1)")
    arguments = parser.parse_args()
    missed = 0
    chosen = [mutant for mutant in MUTANTS if arguments.only in mutant.name]

    def judge(mutant: Mutant) -> tuple[Mutant, int, str, float]:
        began = time.monotonic()
        after, said = try_mutant(mutant, seeds=arguments.seeds, first=arguments.first)
        return mutant, after, said, time.monotonic() - began

    # Each has a process of its own; the threads only wait for them.
    with ThreadPoolExecutor(arguments.jobs) as threads:
        for mutant, after, said, seconds in threads.map(judge, chosen):
            missed += not after
            print(f"{after or '-':>4}  {seconds:6.1f} s  {mutant.name}: {said[:140]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants were found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
