"""Explore the protocol further than the tests do: `python -m tests.model --help`."""

from __future__ import annotations

import argparse
import sys

from .explorer import explore
from .guards import GUARDS
from .protocol import Protocol
from .telling import told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--engines", type=int, default=3)
    parser.add_argument("--operations", type=int, default=2)
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="GUARD",
        choices=GUARDS,
        help=f"leave a guard out; repeatable: {', '.join(GUARDS)}",
    )
    parser.add_argument(
        "--foreign-ends",
        action="store_true",
        help="an administrator may end the session of a healthy leader",
    )
    arguments = parser.parse_args()
    model = Protocol(
        engines=arguments.engines,
        operations=arguments.operations,
        removed=frozenset(arguments.remove),
        foreign_ends=arguments.foreign_ends,
    )
    found = explore(model, graph=not arguments.remove, limit=20_000_000)
    print(told(found))
    if found.problem is not None:
        return 1
    stuck = len(found.cannot_reach(Protocol.serves)) if not arguments.remove else 0
    if stuck:
        print(f"from {stuck:,} states no leader can come to serve")
    return 1 if stuck else 0


if __name__ == "__main__":
    sys.exit(main())
