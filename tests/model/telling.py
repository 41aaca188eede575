"""An exploration, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .explorer import Exploration
    from .world import World


def told(found: Exploration[World]) -> str:
    """How much was visited; and if something is wrong, how it comes about."""
    size = f"{found.states:,} states, {found.steps:,} steps, {found.seconds:.1f} s"
    if found.problem is None:
        return f"every invariant holds: {size}"
    lines = [f"{found.problem} ({size})"]
    for number, (step, world) in enumerate(found.trace, start=1):
        events = ", ".join(f"{event_id}: operation {number}" for event_id, number in world.log)
        lines.append(f"{number:3}. {step}")
        lines.append(
            f"     epoch {world.epoch}; stored {{{events}}}; acknowledged "
            f"{list(world.acknowledged)}"
        )
    return "\n".join(lines)
