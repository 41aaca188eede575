"""What a seed means: how many of what, which workflows, which faults and when."""

from __future__ import annotations

import random

from msgspec import Struct, structs

from tests.chaos.shapes import BY_NAME
from tests.sim.plan import Act, Job, draw_job

# Started anew from an earlier point, and copied, while they run. Their clients
# send nothing, so that whatever the copy needs is in it.
_COPIED = ("sequential", "steps", "fan_out", "mixed", "naps", "tree", "walks", "versioned")
CLIENTS = 3
# The last part of the time has no new workflows, but faults.
_STARTS_END = 0.85


class Fault(Struct, frozen=True, kw_only=True):
    at_s: float
    kind: str
    number: int
    """Which engine or worker; -1: the engine that leads."""
    length_s: float
    """Until it is healed, or started again."""


class Plan(Struct, frozen=True, kw_only=True):
    seed: int
    seconds: float
    """With faults."""
    engines: int
    workers: int
    jobs: tuple[Job, ...]
    faults: tuple[Fault, ...]


def draw(seed: int, *, seconds: float, workflows: int) -> Plan:
    chance = random.Random(f"{seed}/topology")
    engines, workers = chance.choice((2, 3, 3)), chance.choice((2, 3, 4))
    return Plan(
        seed=seed,
        seconds=seconds,
        engines=engines,
        workers=workers,
        jobs=_jobs(random.Random(f"{seed}/jobs"), seconds, workflows),
        faults=_faults(random.Random(f"{seed}/faults"), seconds, engines, workers),
    )


def _jobs(chance: random.Random, seconds: float, count: int) -> tuple[Job, ...]:
    names = list(BY_NAME)
    return tuple(_job(chance, number, chance.choice(names), seconds) for number in range(count))


def _job(chance: random.Random, number: int, name: str, seconds: float) -> Job:
    job = structs.replace(
        draw_job(chance, number, name, CLIENTS),
        at_s=round(chance.uniform(0, seconds * _STARTS_END), 3),
    )
    if name == "asked":
        # What it returns is what was sent, in order: one after the other.
        acts = tuple(Act(kind="signal", after_s=0.0, value=value) for value in range(job.n))
        return structs.replace(job, acts=acts, again="")
    if name in _COPIED and chance.random() < 0.4:
        return structs.replace(job, acts=(), again=chance.choice(("reset", "fork")))
    return job


# Kind → the shortest and the longest time that it lasts, and how likely it is.
KINDS: dict[str, tuple[float, float, int]] = {
    "kill engine": (0.0, 3.0, 6),
    "freeze engine": (0.2, 8.0, 4),
    "stop engine": (0.0, 2.0, 3),
    "cut engine off": (0.3, 8.0, 3),
    "swallow engine-Postgres": (0.3, 8.0, 3),
    "break engine-Postgres": (0.0, 0.0, 2),
    "slow engine-Postgres": (1.0, 6.0, 2),
    "swallow engine-Redis": (0.3, 6.0, 1),
    "break engine-Redis": (0.0, 0.0, 1),
    "end lock session": (0.0, 0.0, 3),
    "end all sessions": (0.0, 0.0, 1),
    "kill worker": (0.0, 3.0, 6),
    "freeze worker": (0.2, 12.0, 4),
    "stop worker": (0.0, 2.0, 3),
    "kill Postgres": (0.0, 3.0, 2),
    "fill disk": (0.5, 3.0, 2),
    "kill Redis": (0.0, 4.0, 2),
    "wipe Redis": (0.0, 0.0, 2),
    "freeze Redis": (0.5, 5.0, 1),
}


def _faults(chance: random.Random, seconds: float, engines: int, workers: int) -> tuple[Fault, ...]:
    """Some seeds have more of a kind than others, and some less."""
    weights = [weight * chance.choice((0, 1, 1, 3)) for _, _, weight in KINDS.values()]
    weights[0] += 1
    mean_s = chance.choice((0.6, 1.2, 2.5))
    faults: list[Fault] = []
    at_s = 1.0
    while (at_s := at_s + chance.expovariate(1 / mean_s)) < seconds:
        (kind,) = chance.choices(list(KINDS), weights)
        shortest, longest, _ = KINDS[kind]
        number = chance.randrange(workers if "worker" in kind else engines)
        if "engine" in kind and chance.random() < 0.5:
            number = -1
        length_s = round(chance.uniform(shortest, longest), 2)
        faults.append(Fault(at_s=round(at_s, 2), kind=kind, number=number, length_s=length_s))
    return tuple(faults)
