"""Exhaustive exploration of a model: every state, breadth first.

A model is a start, the steps that each state allows, a canonical form (states
that differ only by the names of their parts are one), and a check. Breadth
first means that the first counterexample is also a shortest one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = ["Exploration", "Model", "explore"]

S = TypeVar("S", bound="Hashable")


class Model(Protocol[S]):
    """What is explored."""

    @property
    def start(self) -> S: ...

    def steps(self, state: S) -> Iterable[tuple[str, S]]:
        """What may happen next: what it is called, and where it leads."""
        ...

    def canonical(self, state: S) -> S: ...

    def problem(self, state: S) -> str | None:
        """Which invariant does not hold here; None: all do."""
        ...


class Exploration(Struct, Generic[S]):
    """What was found."""

    states: int
    steps: int
    seconds: float
    problem: str | None = None
    trace: list[tuple[str, S]] = []
    """How the problem comes about, from the start: step and resulting state."""
    came_from: dict[S, list[S]] = {}
    """The whole graph, backwards; empty unless it was asked for."""

    def cannot_reach(self, goal: Callable[[S], bool]) -> list[S]:
        """States from which no path leads to one that satisfies `goal`."""
        good = {state for state in self.came_from if goal(state)}
        fresh = list(good)
        while fresh:
            for before in self.came_from[fresh.pop()]:
                if before not in good:
                    good.add(before)
                    fresh.append(before)
        return [state for state in self.came_from if state not in good]


def explore(model: Model[S], *, graph: bool = False, limit: int = 5_000_000) -> Exploration[S]:
    """Visit every reachable state until one has a problem.

    `graph` keeps the edges, for `cannot_reach`. Raises RuntimeError beyond
    `limit` states: an unbounded model would never end.
    """
    began = time.perf_counter()
    start = model.canonical(model.start)
    parents: dict[S, S | None] = {start: None}
    came_from: dict[S, list[S]] = {start: []} if graph else {}
    layer, taken = [start], 0

    def result(problem: str | None, trace: list[tuple[str, S]]) -> Exploration[S]:
        seconds = time.perf_counter() - began
        return Exploration(len(parents), taken, seconds, problem, trace, came_from)

    problem = model.problem(start)
    while layer and problem is None:
        following: list[S] = []
        for state in layer:
            for _, raw in model.steps(state):
                taken += 1
                new = model.canonical(raw)
                if graph:
                    came_from.setdefault(new, []).append(state)
                if new in parents:
                    continue
                parents[new] = state
                problem = model.problem(new)
                if problem is not None:
                    return result(problem, _trace(model, parents, new))
                following.append(new)
        if len(parents) > limit:
            raise RuntimeError(f"more than {limit:,} states: bound the model")
        layer = following
    return result(problem, [])


def _trace(model: Model[S], parents: dict[S, S | None], last: S) -> list[tuple[str, S]]:
    """The path to `last`, walked again so that every part keeps its name."""
    path: list[S] = []
    at: S | None = last
    while at is not None:
        path.append(at)
        at = parents[at]
    state = model.start
    trace: list[tuple[str, S]] = []
    for wanted in reversed(path[:-1]):
        name, state = next(
            (name, raw) for name, raw in model.steps(state) if model.canonical(raw) == wanted
        )
        trace.append((name, state))
    return trace
