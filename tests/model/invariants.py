"""What must be true in every state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .world import stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocol import Protocol
    from .world import World

__all__ = ["INVARIANTS"]


def ids_are_dense(_: Protocol, world: World) -> bool:
    return [event_id for event_id, _ in world.log] == list(range(1, len(world.log) + 1))


def written_once(_: Protocol, world: World) -> bool:
    return len(set(stored(world))) == len(world.log)


def one_epoch_writes(_: Protocol, world: World) -> bool:
    return not world.overtaken


def acknowledged_is_stored(_: Protocol, world: World) -> bool:
    return set(world.acknowledged) <= set(stored(world))


def denied_is_not_stored(_: Protocol, world: World) -> bool:
    return set(world.denied).isdisjoint(stored(world))


def reads_are_current(protocol: Protocol, world: World) -> bool:
    return all(
        set(world.acknowledged) <= set(engine.memory)
        for engine in world.engines
        if protocol.answers(engine)
    )


def reads_are_committed(protocol: Protocol, world: World) -> bool:
    return all(
        set(engine.memory) <= set(stored(world))
        for engine in world.engines
        if protocol.answers(engine)
    )


INVARIANTS: dict[str, Callable[[Protocol, World], bool]] = {
    "no event id is written twice or skipped": ids_are_dense,
    "no operation is written twice": written_once,
    "no commit succeeds after the next epoch has begun": one_epoch_writes,
    "an acknowledged operation is in the store": acknowledged_is_stored,
    "an operation that was denied is not in the store": denied_is_not_stored,
    "a leader's answer knows every acknowledged operation": reads_are_current,
    "a leader's answer knows only what is in the store": reads_are_committed,
}
