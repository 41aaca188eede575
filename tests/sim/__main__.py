"""`python -m tests.sim`: many seeds, or one of them again."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time

from tests.sim.coverage import Coverage
from tests.sim.plan import draw
from tests.sim.report import failure_report
from tests.sim.run import run
from tests.sim.shrink import script_of, shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many fresh seeds (200)")
    parser.add_argument("--first", type=int, help="the first of them; by default a random one")
    parser.add_argument("--seed", type=int, help="run this one, and show its last steps")
    parser.add_argument("--hours", type=float, help="go on for so long, whatever --seeds says")
    parser.add_argument("--steps", type=int, default=60, help="how many steps to show (60)")
    parser.add_argument("--no-shrink", action="store_true", help="show a failure as it is")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _one(arguments)
    return _many(arguments)


def _one(arguments: argparse.Namespace) -> int:
    outcome = run(draw(arguments.seed))
    print(
        f"seed {arguments.seed}: hash {outcome.hash}, {outcome.steps:,} steps, "
        f"{outcome.virtual_s:.1f} s in {outcome.real_s:.2f} s"
    )
    if outcome.failures:
        print(failure_report(outcome, steps=arguments.steps))
        return 1
    return 0


def _many(arguments: argparse.Namespace) -> int:
    first = secrets.randbelow(1 << 40) if arguments.first is None else arguments.first
    began = time.monotonic()
    until = began + arguments.hours * 3600 if arguments.hours else float("inf")
    shown = began
    tried = steps = 0
    virtual_s = 0.0
    coverage = Coverage()
    with coverage:
        while (arguments.hours or tried < arguments.seeds) and time.monotonic() < until:
            outcome = run(draw(first + tried))
            tried += 1
            steps += outcome.steps
            virtual_s += outcome.virtual_s
            coverage.add(outcome)
            if outcome.failures:
                break
            if time.monotonic() - shown > 2:
                shown = time.monotonic()
                print(_progress(tried, shown - began, steps), file=sys.stderr)
    progress = _progress(tried, time.monotonic() - began, steps)
    print(f"{progress}, {virtual_s / 3600:.2f} h simulated")
    print("\n".join(coverage.report()))
    if not outcome.failures:
        print(f"seeds {first} to {first + tried - 1}: nothing found")
        return 0
    print(failure_report(outcome, steps=arguments.steps))
    if not arguments.no_shrink:
        smaller = shrink(outcome)
        print("the smallest plan that still fails in this way:")
        print(script_of(smaller))
    return 1


def _progress(tried: int, seconds: float, steps: int) -> str:
    rate = tried / max(seconds, 1e-9)
    return f"{tried:,} seeds, {rate:.1f} seeds/s, {steps:,} steps"


if __name__ == "__main__":
    # The order of a set of strings is part of a run.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]])
    sys.exit(main())
