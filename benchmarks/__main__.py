"""Every figure of docs/performance.md that needs no servers of its own.

usage: python -m benchmarks
"""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "benchmarks.end_to_end",
    "benchmarks.replay",
    "benchmarks.stepping",
    "benchmarks.verify",
    "benchmarks.browser",
    "benchmarks.store",
)


def main() -> None:
    for module in MODULES:
        print(f"\n{module}", flush=True)
        subprocess.run([sys.executable, "-m", module], check=True)


if __name__ == "__main__":
    main()
