"""Leadership and commits as a model: engines, one database, everything that
can go wrong between them. docs/protocol.md tells the same in words.

    DOWN ─▶ WAITS ─lock─▶ SEIZED ─epoch─▶ RAISED ─rows─▶ OPEN ─confirmed─▶ LEADS
     ▲        ▲                                                              │
     └─crash──┴───────────── lease over, session ended, fenced ──────────────┘

    a commit:  QUEUED ─lease─▶ SENT ─fence, expected id─▶ BEGUN ─▶ written
                                 └─────── answer lost ───────┴─▶ UNKNOWN ─epoch─▶ LOOK

A pause is no step: an engine that takes none while others do is paused. One run
stands for all, since the fence and the expected id are checked for each alike.
Every operation adds one event to it. Epochs are numbered anew in each state
(only their order matters), so neither crashes nor elections need a bound.

`removed` names guards to leave out: the model must then find what they are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .guards import GUARDS
from .invariants import INVARIANTS
from .world import (
    BEGUN,
    DOWN,
    ENDED,
    HOLDS,
    LEADS,
    LOOK,
    NONE,
    NOT_LOADED,
    OPEN,
    QUEUED,
    RAISED,
    SEIZED,
    SENT,
    UNKNOWN,
    WAITING,
    WAITS,
    Engine,
    Statement,
    World,
    acknowledge,
    committed,
    put,
    raise_epoch,
    statement_of,
    stored,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    Steps = Iterator[tuple[str, World]]

__all__ = ["Protocol"]


class Protocol:
    """`engines` of them, with at most `operations` operations. `foreign_ends`:
    an administrator may end the session of a healthy leader."""

    def __init__(
        self,
        *,
        engines: int,
        operations: int,
        removed: frozenset[str] = frozenset(),
        foreign_ends: bool = False,
        invariants: frozenset[str] = frozenset(INVARIANTS),
    ) -> None:
        unknown = removed - GUARDS.keys()
        if unknown:
            raise ValueError(f"no such guards: {sorted(unknown)}")
        self._invariants = invariants
        self.start = World(tuple(Engine() for _ in range(engines)))
        self._operations = operations
        self._removed = removed
        self._foreign_ends = foreign_ends

    def _guarded(self, guard: str) -> bool:
        return guard not in self._removed

    # --- the model ---------------------------------------------------------------------

    def steps(self, world: World) -> Steps:
        for index, engine in enumerate(world.engines):
            name = f"engine {'ABCDEFGH'[index]}"
            if engine.phase == DOWN:
                rising = engine._replace(phase=WAITS, session=WAITING)
                yield f"{name} starts, and waits for the lock", put(world, index, rising)
            else:
                for gone in self._gone(engine, DOWN, NONE):
                    yield f"{name} is killed", put(world, index, gone)
            if engine.phase == WAITS:
                yield from self._candidate(world, index, name)
            elif engine.phase != DOWN:
                yield from self._term(world, index, name)
            if engine.phase in (OPEN, LEADS):
                yield from self._serving(world, index, name)
            if engine.stage:
                yield from self._commit(world, index, name)
            if engine.ghost:
                yield from self._ghost(world, index, name)

    def canonical(self, world: World) -> World:
        """Engines have no names, and epochs no distance."""
        used = {world.epoch}
        for engine in world.engines:
            used.update((engine.epoch, engine.raised_after))
            used.update(statement.epoch for statement in engine.ghost)
        rank = {epoch: place for place, epoch in enumerate(sorted(used | {0}))}
        if rank[world.epoch] != world.epoch:
            engines = tuple(
                engine._replace(
                    epoch=rank[engine.epoch],
                    raised_after=rank[engine.raised_after],
                    ghost=tuple(s._replace(epoch=rank[s.epoch]) for s in engine.ghost),
                )
                for engine in world.engines
            )
            world = world._replace(engines=engines, epoch=rank[world.epoch])
        if world.denied:
            about = {engine.ghost[0].operation for engine in world.engines if engine.ghost}
            about.update(stored(world))
            world = world._replace(denied=tuple(x for x in world.denied if x in about))
        return world._replace(engines=tuple(sorted(world.engines)))

    def problem(self, world: World) -> str | None:
        for name in self._invariants:
            if not INVARIANTS[name](self, world):
                return f"not true any more: {name}"
        return None

    def answers(self, engine: Engine) -> bool:
        """A read of it now would be answered, from its memory."""
        if engine.phase != LEADS or engine.memory == NOT_LOADED:
            return False
        return engine.trusted or not self._guarded("lease after read")

    @staticmethod
    def serves(world: World) -> bool:
        """Some engine leads, and its next commit would succeed."""
        return any(
            engine.phase == LEADS
            and engine.trusted
            and engine.session == HOLDS
            and engine.epoch == world.epoch
            and engine.memory != NOT_LOADED
            and not engine.stage
            for engine in world.engines
        )

    # --- leadership ----------------------------------------------------------------------

    def _candidate(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        holder = next((i for i, x in enumerate(world.engines) if x.session == HOLDS), None)
        if holder is None:
            seized = engine._replace(phase=SEIZED, session=HOLDS, trusted=True)
            yield f"{name} is granted the lock", put(world, index, seized)
        elif not world.engines[holder].trusted or not self._guarded("silence"):
            deposed = world.engines[holder]._replace(session=ENDED)
            other = f"engine {'ABCDEFGH'[holder]}"
            yield f"{name} ends the session of {other}", put(world, holder, deposed)

    def _term(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        if engine.trusted:
            yield (
                f"{name} stands still until its lease is over",
                put(world, index, engine._replace(trusted=False)),
            )
        if self._foreign_ends and engine.session == HOLDS:
            ended = engine._replace(session=ENDED)
            yield f"an administrator ends the session of {name}", put(world, index, ended)
        if not engine.trusted or engine.session == ENDED:
            for gone in self._gone(engine, WAITS, WAITING):
                yield f"{name} notices, and waits for the lock again", put(world, index, gone)
        if engine.phase == SEIZED:
            yield from self._raise(world, index, name)
        elif engine.phase == RAISED:
            opened = engine._replace(phase=OPEN, memory=stored(world))
            yield f"{name} reads {list(stored(world))}", put(world, index, opened)
        elif engine.phase == OPEN and engine.trusted and engine.session == HOLDS:
            yield f"{name} leads", put(world, index, engine._replace(phase=LEADS))

    def _raise(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        first_raise = self._guarded("raise before read")
        if not first_raise and engine.memory == NOT_LOADED:
            early = engine._replace(memory=stored(world))
            yield f"{name} reads {list(stored(world))}", put(world, index, early)
            return
        if self._locked(world):
            return  # waits for the commit under way
        raised = raise_epoch(world, None)
        epoch = raised.epoch
        yield f"{name} raises the epoch to {epoch}, and the answer is lost", raised
        following = engine._replace(
            phase=RAISED if first_raise else OPEN, epoch=epoch, raised_after=0
        )
        yield f"{name} raises the epoch to {epoch}", put(raised, index, following)

    def _gone(self, engine: Engine, phase: str, session: str) -> Iterator[Engine]:
        """What is left of an engine whose process, or term, ended."""
        left = Engine(phase, session, ghost=engine.ghost, raised_after=engine.raised_after)
        yield left
        if engine.stage in (SENT, BEGUN) and not engine.ghost:
            yield left._replace(ghost=(statement_of(engine),))

    def _locked(self, world: World) -> bool:
        """A commit is under way and holds the epoch's row."""
        return self._guarded("fence lock") and any(
            engine.stage == BEGUN or (engine.ghost and engine.ghost[0].begun)
            for engine in world.engines
        )

    # --- operations ------------------------------------------------------------------------

    def _serving(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        if engine.memory == NOT_LOADED:
            if not engine.stage:
                loaded = engine._replace(memory=stored(world))
                yield f"{name} loads {list(stored(world))}", put(world, index, loaded)
            return
        if world.operations == self._operations or engine.following:
            return
        number = world.operations + 1
        decided = world._replace(operations=number)
        if not self._guarded("commit before reply"):
            decided = acknowledge(decided, number)
        if engine.stage:
            changed = engine._replace(following=number)
            yield f"{name} decides operation {number} on top", put(decided, index, changed)
        else:
            changed = engine._replace(stage=QUEUED, operation=number, expected=len(engine.memory))
            yield f"{name} decides operation {number}", put(decided, index, changed)

    def _commit(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        number = engine.operation
        if engine.stage == QUEUED:
            if engine.trusted or not self._guarded("lease before commit"):
                sent = engine._replace(stage=SENT)
                yield f"{name} sends operation {number}", put(world, index, sent)
        elif engine.stage == SENT:
            yield from self._under_way(world, index, name)
            yield from self._begin(world, index, name)
        elif engine.stage == BEGUN:
            yield from self._under_way(world, index, name)
            yield from self._finish(world, index, name)
        elif engine.stage == UNKNOWN:
            yield from self._find_out(world, index, name)
        else:
            yield from self._look(world, index, name)

    def _under_way(self, world: World, index: int, name: str) -> Steps:
        """A commit can fail, or lose its connection, at any moment."""
        engine = world.engines[index]
        number = engine.operation
        failed = self._failed(world, index, engine)
        yield f"operation {number} of {name} fails, and nothing is written", failed
        unknown = engine._replace(stage=UNKNOWN)
        yield f"{name} loses its connection, operation {number} too", put(world, index, unknown)
        if not engine.ghost:
            left = unknown._replace(ghost=(statement_of(engine),))
            yield (
                f"{name} loses its connection, operation {number} goes on",
                put(world, index, left),
            )

    def _begin(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        number = engine.operation
        go, fenced = self._admitted(world, statement_of(engine))
        if go:
            begun = engine._replace(stage=BEGUN)
            yield f"operation {number} of {name} passes its checks", put(world, index, begun)
        elif fenced:
            for gone in self._gone(engine._replace(stage=""), WAITS, WAITING):
                yield f"operation {number} of {name} is fenced off", put(world, index, gone)
        else:
            failed = self._failed(world, index, engine)
            yield f"operation {number} of {name} meets an unexpected state", failed

    def _finish(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        number = engine.operation
        written = self._written(world, statement_of(engine))
        if written is None:
            failed = self._failed(world, index, engine)
            yield f"operation {number} of {name} meets a changed state", failed
            return
        yield (
            f"operation {number} of {name} is committed, and acknowledged",
            put(acknowledge(written, number), index, committed(engine)),
        )
        yield (
            f"operation {number} of {name} is committed, and the answer is lost",
            put(written, index, engine._replace(stage=UNKNOWN)),
        )

    def _failed(self, world: World, index: int, engine: Engine) -> World:
        """Its commit raises: nothing was written."""
        world = world._replace(denied=(*world.denied, engine.operation))
        if not self._guarded("forget"):
            return put(world, index, committed(engine))
        return put(
            world,
            index,
            engine._replace(memory=NOT_LOADED, stage="", operation=0, expected=0, following=0),
        )

    # --- at the server ---------------------------------------------------------------------

    def _admitted(self, world: World, statement: Statement) -> tuple[bool, bool]:
        """Whether a commit may go on, and if not, whether the fence was why."""
        if self._guarded("fence") and statement.epoch != world.epoch:
            return False, True
        if self._guarded("expected event id") and statement.expected != len(world.log):
            return False, False
        return True, False

    def _written(self, world: World, statement: Statement) -> World | None:
        if self._guarded("expected event id") and statement.expected != len(world.log):
            return None  # the whole transaction falls
        world = world._replace(log=(*world.log, (statement.expected + 1, statement.operation)))
        return world._replace(overtaken=world.overtaken or statement.epoch != world.epoch)

    def _ghost(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        ghost = engine.ghost[0]
        what = f"operation {ghost.operation}, for which {name} does not wait any more,"
        alone = put(world, index, engine._replace(ghost=()))
        yield f"{what} comes to nothing", alone
        if ghost.begun:
            written = self._written(alone, ghost)
            if written is not None:
                yield f"{what} is committed", written
        elif self._admitted(world, ghost)[0]:
            begun = engine._replace(ghost=(ghost._replace(begun=True),))
            yield f"{what} passes its checks", put(world, index, begun)

    # --- the unknown outcome ---------------------------------------------------------------

    def _find_out(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        number = engine.operation
        if not self._guarded("look"):
            taken = put(acknowledge(world, number), index, committed(engine))
            yield f"{name} takes operation {number} for committed", taken
            return
        looking = engine._replace(stage=LOOK)
        if not self._guarded("raise before look"):
            yield f"{name} connects again", put(world, index, looking)
            return
        if self._locked(world):
            return  # waits for the commit under way
        if engine.epoch == world.epoch or not self._guarded("own epoch"):
            raised = raise_epoch(world, index)
            epoch = raised.epoch
            yield f"{name} raises its epoch to {epoch}, and the answer is lost", raised
            changed = looking._replace(raised_after=engine.epoch)
            yield f"{name} raises its epoch to {epoch}", put(raised, index, changed)
        else:
            yield f"{name} finds that its epoch is over", put(world, index, looking)

    def _look(self, world: World, index: int, name: str) -> Steps:
        engine = world.engines[index]
        number = engine.operation
        ours = engine.raised_after == engine.epoch
        if ours:
            engine = engine._replace(epoch=world.epoch, raised_after=0)
        elif not self._guarded("raise before look"):
            ours = True
        if number in stored(world):
            seen = put(acknowledge(world, number), index, committed(engine))
            yield f"{name} sees operation {number} committed, and acknowledges it", seen
        elif ours:
            again = engine._replace(stage=SENT)
            yield (
                f"{name} does not see operation {number}, sends it again",
                put(world, index, again),
            )
            failed = self._failed(world, index, engine)
            yield f"{name} does not see operation {number}, gives it up", failed
        else:
            over = world._replace(denied=(*world.denied, number))
            for gone in self._gone(engine, WAITS, WAITING):
                yield (
                    f"{name} does not see operation {number}, and leads no more",
                    put(over, index, gone),
                )
