"""What a state of the model is made of, and the changes that steps have in common."""

from __future__ import annotations

from typing import NamedTuple

DOWN, WAITS, SEIZED, RAISED, OPEN, LEADS = "DOWN", "WAITS", "SEIZED", "RAISED", "OPEN", "LEADS"
"""Phases of an engine."""

NONE, WAITING, HOLDS, ENDED = "none", "waiting", "holds the lock", "ended"
"""The lock's session, as the database has it; ENDED is not noticed yet."""

QUEUED, SENT, BEGUN, UNKNOWN, LOOK = "queued", "sent", "begun", "unknown", "look"
"""Stages of a commit."""

NOT_LOADED = (-1,)


class Statement(NamedTuple):
    """A commit at, or on its way to, the server; nobody waits for it any more."""

    begun: bool
    epoch: int
    expected: int
    operation: int


class Engine(NamedTuple):
    phase: str = DOWN
    session: str = NONE
    trusted: bool = False
    """Its own clock says that the lease is not over."""
    epoch: int = 0
    memory: tuple[int, ...] = NOT_LOADED
    """The operations that it knows to be committed."""
    stage: str = ""
    operation: int = 0
    """What is being committed."""
    expected: int = 0
    following: int = 0
    """An operation decided on top of it."""
    ghost: tuple[Statement, ...] = ()
    raised_after: int = 0
    """This engine raised the epoch last, from this one, by compare-and-set."""


class World(NamedTuple):
    engines: tuple[Engine, ...]
    epoch: int = 0
    log: tuple[tuple[int, int], ...] = ()
    """Committed events: (event id, operation)."""
    acknowledged: tuple[int, ...] = ()
    denied: tuple[int, ...] = ()
    """Operations of which it was said that they are not written, and never will
    be; kept while a statement of theirs is still about."""
    operations: int = 0
    """How many were decided."""
    overtaken: bool = False
    """A commit succeeded under an epoch that was not the current one."""


# --- changes to the world ------------------------------------------------------------------


def put(world: World, index: int, engine: Engine) -> World:
    engines = world.engines
    return world._replace(engines=(*engines[:index], engine, *engines[index + 1 :]))


def stored(world: World) -> tuple[int, ...]:
    return tuple(operation for _, operation in world.log)


def acknowledge(world: World, operation: int) -> World:
    return world._replace(acknowledged=tuple(sorted({*world.acknowledged, operation})))


def raise_epoch(world: World, by: int | None) -> World:
    """One more; `by` compare-and-set of this engine."""
    engines = tuple(
        engine._replace(raised_after=engine.epoch if index == by else 0)
        for index, engine in enumerate(world.engines)
    )
    return world._replace(engines=engines, epoch=world.epoch + 1)


def statement_of(engine: Engine) -> Statement:
    return Statement(engine.stage == BEGUN, engine.epoch, engine.expected, engine.operation)


def committed(engine: Engine) -> Engine:
    """Its operation is in memory for good; the one on top is next."""
    memory = (*engine.memory, engine.operation)
    if engine.following:
        return engine._replace(
            memory=memory,
            stage=QUEUED,
            operation=engine.following,
            expected=len(memory),
            following=0,
        )
    return engine._replace(memory=memory, stage="", operation=0, expected=0)
