"""The table of rules. A new group is a file here, and a line in each list it belongs to.

SCH1xx  the world        clock, chance, environment, files, network, processes, threads
SCH2xx  asyncio          coroutines that nobody awaits, cancellation that is swallowed
SCH3xx  state and order  globals, sets, hashes, is_replaying
SCH4xx  activities       unknown names, direct calls
SCH5xx  payloads         types and values that cannot be stored
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.check.rules import (
    activities,
    cancellation,
    coroutines,
    order,
    payloads,
    shared_state,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sched_cli.check.code import Code
    from sched_cli.check.findings import Problem, Rule
    from sched_cli.check.rules.whole_project import PlacedProblems, WholeProject

__all__ = ["CODE_CHECKS", "PROJECT_CHECKS", "RULES"]

CODE_CHECKS: tuple[Callable[[Code], Iterator[Problem]], ...] = (
    world.check,
    coroutines.check,
    cancellation.check,
    shared_state.check,
    order.check,
)
"""Each looks at one piece of workflow code at a time."""

PROJECT_CHECKS: tuple[Callable[[WholeProject], PlacedProblems], ...] = (
    activities.check,
    payloads.check,
)

RULES: dict[str, Rule] = {
    rule.id: rule
    for group in (
        world,
        coroutines,
        cancellation,
        shared_state,
        order,
        activities,
        payloads,
    )
    for rule in group.RULES
}
"""Every rule, by id, in order."""
