"""Attack engines for longer than the tests do: `python -m tests.fuzz --help`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

from .session import attack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first one (default: drawn)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="stop after so long (%(default)s)"
    )
    parser.add_argument(
        "--batches", type=int, default=5, help="attacks on one engine (%(default)s)"
    )
    arguments = parser.parse_args()
    seed = arguments.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32)
    until = time.monotonic() + arguments.seconds
    while True:
        target = asyncio.run(attack(seed, batches=arguments.batches))
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(target.outcomes.items()))
        print(f"seed {seed}: {target.sent} messages; {outcomes}", flush=True)
        if target.problems:
            print("\n".join(target.problems))
            return 1
        if time.monotonic() > until:
            return 0
        seed += 1


if __name__ == "__main__":
    sys.exit(main())
