"""A plan, run in two phases.

faults     workflows are started while everything goes wrong; what is durable
           is checked with every transaction
calm       nothing goes wrong any more; everything must finish in bounded time
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
import warnings
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tests.sim.injector import Injector
from tests.sim.ledger import close_ledger, open_ledger
from tests.sim.loop import Frozen
from tests.sim.world import World

if TYPE_CHECKING:
    from tests.sim.plan import Plan

_LOOK_EVERY_S = 0.25
_SETTLES_WITHIN_S = 60.0
_MOST_CALLBACKS = 6_000_000
_MOST_COLLECTIONS = 5


class Outcome(Struct, kw_only=True):
    """What came of a plan."""

    plan: Plan
    failures: list[tuple[str, str]]
    trace: list[str]
    hash: str
    steps: int
    callbacks: int
    virtual_s: float
    real_s: float
    faults: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)

    @property
    def kind(self) -> str:
        """Which checker found something; empty if none did."""
        return self.failures[0][0] if self.failures else ""


def run(plan: Plan) -> Outcome:
    """Run a plan to its end. One at a time in a process."""
    began = time.perf_counter()
    logger = logging.getLogger("sched")
    level, propagate = logger.level, logger.propagate
    hook = sys.unraisablehook
    logger.propagate = False
    # When garbage is collected must not hang on what ran before; and what was
    # there before need not be looked at behind this run.
    gc.disable()
    gc.freeze()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logger.setLevel(logging.INFO)
            outcome = _live(plan, logger)
            # What is left of the dead wants to say so.
            sys.unraisablehook = lambda _: None
            _collect()
    finally:
        sys.unraisablehook = hook
        logger.setLevel(level)
        logger.propagate = propagate
        gc.unfreeze()
        gc.enable()
    outcome.real_s = time.perf_counter() - began
    return outcome


def _collect() -> None:
    """All of it: what one pass finalizes may be freed by the next only, and the run
    behind this one would keep what is left."""
    for _ in range(_MOST_COLLECTIONS):
        if not gc.collect():
            return


def _live(plan: Plan, logger: logging.Logger) -> Outcome:
    world = World(plan)
    logger.addHandler(world.logs)
    try:
        _run(world)
        return _outcome(world)
    finally:
        logger.removeHandler(world.logs)
        logger.setLevel(logging.CRITICAL + 1)
        _bury(world)


def _run(world: World) -> None:
    open_ledger(world.ledger)
    world.loop.limit = _MOST_CALLBACKS
    world.loop.set_exception_handler(lambda _, context: _unhandled(world, context))
    try:
        world.loop.run_until_complete(_phases(world))
    except Frozen:
        world.wrong("Liveness", "nothing moves any more, or everything moves for ever")


def _unhandled(world: World, context: dict[str, object]) -> None:
    error = context.get("exception")
    world.wrong("Unhandled", f"{context.get('message')}: {error!r}")


async def _phases(world: World) -> None:
    injector = Injector(world)
    injector.begin()
    await _until(world, world.plan.calm_at_s)
    injector.calm()
    began = world.loop.time()
    while not world.failures and not world.all_finished:
        await asyncio.sleep(_LOOK_EVERY_S)
        world.checkers.looked()
        if world.loop.time() - began > world.plan.finish_within_s:
            missing = [job for job in world.plan.jobs if job.number not in world.done]
            names = ", ".join(f"{job.workflow_id} ({job.workflow})" for job in missing[:5])
            world.wrong("Liveness", f"{len(missing)} workflows do not finish: {names}")
    await _settle(world)
    if not world.failures:
        world.checkers.ended()
    for message in world.logs.unexpected:
        world.wrong("Logs", message)


async def _settle(world: World) -> None:
    """An engine that was frozen learns only now who has left it meanwhile."""
    until = world.loop.time() + _SETTLES_WITHIN_S
    while not world.failures and not world.checkers.settled and world.loop.time() < until:
        await asyncio.sleep(_LOOK_EVERY_S)
        world.checkers.looked()


async def _until(world: World, when: float) -> None:
    while world.loop.time() < when and not world.failures and not world.all_finished:
        await asyncio.sleep(_LOOK_EVERY_S)
        world.checkers.looked()


def _outcome(world: World) -> Outcome:
    return Outcome(
        plan=world.plan,
        failures=world.failures,
        trace=world.trace.last(4_000) if world.failures else [],
        hash=world.trace.hash,
        steps=world.trace.steps,
        callbacks=world.loop.callbacks,
        virtual_s=world.loop.time(),
        real_s=0.0,
        faults=world.faults + world.database.faults + world.queue.faults + world.network.messages,
        transitions=world.checkers.truth.transitions,
        crash_points=world.loop.crash_points,
    )


def _bury(world: World) -> None:
    """End what is left of every process, in silence: it is not part of the run."""
    close_ledger()
    world.loop.set_exception_handler(lambda _, context: None)
    for process in world.processes:
        for task in list(process.tasks):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _close(task)
        process.tasks.clear()
        process.aside.clear()
    world.close()
    world.loop.close()


def _close(task: asyncio.Task[object]) -> None:
    try:
        task.get_coro().close()  # type: ignore[union-attr]
    except BaseException:  # it wanted to wait
        return
