"""What a seed means, as data: topology, workload and faults.

A plan says everything that happens on purpose; so a failing one can be made
smaller, field by field, and printed as a script. What is left to chance (the
delay of each message, which commit fails) comes from the seed again, from a
generator of its own for each part, so that parts can be taken away.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from tests.sim.workflows import BY_NAME

CALM_AT_S = 12.0
"""Faults stop then."""


# At most so long an activity has a slot, with all of its attempts.
_ACTIVITY_S = 8.0
# Who asks must ask in the right moment, so these are drawn more often.
_OFTEN = ("tells", "tells")
_MATTER = frozenset(("signal", "cancel", "terminate", "elsewhere"))
# Without these they would wait for ever.
_WAITS_FOR = {
    "collects": "signal",
    "canceled": "cancel",
    "ignores_cancel": "cancel",
    "canceled_anywhere": "cancel",
    "waits_for_ever": "terminate",
    "completed_elsewhere": "elsewhere",
}


class Act(Struct, frozen=True, kw_only=True):
    """Something that a client does with a workflow after it started it."""

    kind: str
    after_s: float
    value: int = 0
    twice: bool = False
    """The request is sent twice, as by somebody who heard no answer."""


class Job(Struct, frozen=True, kw_only=True):
    """One workflow, and what its client does with it."""

    number: int
    workflow: str
    n: int
    client: int
    at_s: float
    acts: tuple[Act, ...] = ()
    execution_timeout_s: float = 0.0
    start_delay_s: float = 0.0
    again: str = ""
    """Started once more under the same id: "twice" (the same request, sent again),
    "after" its end, or while it runs with an id conflict policy of that name."""

    @property
    def acts_matter(self) -> bool:
        """Whether it ends as it must only if its client does something."""
        return any(act.kind in _MATTER for act in self.acts)

    def waits_for(self, act: Act) -> bool:
        """Whether it may never end without it."""
        return _WAITS_FOR.get(self.workflow) == act.kind

    @property
    def workflow_id(self) -> str:
        return f"w{self.number}"


class Fault(Struct, frozen=True, kw_only=True):
    at_s: float
    kind: str
    target: str = ""
    """Which engine, worker or client; or two hosts, with a bar between."""
    length_s: float = 0.0
    steps: int = 0
    """Callbacks that a process still runs before it is killed."""


class Rates(Struct, frozen=True, kw_only=True):
    """Chances per message, commit, read or task, while there are faults."""

    tail: float = 0.0
    breaks: float = 0.0
    failing_commits: float = 0.0
    lost_commits: float = 0.0
    conflicts: float = 0.0
    """One of the changes of a commit meets a state that it did not expect."""
    failing_reads: float = 0.0
    late_reads: float = 0.0
    """Much has happened when their answer comes."""
    drops: float = 0.0
    repeats: float = 0.0
    reorders: float = 0.0


class Plan(Struct, frozen=True, kw_only=True):
    seed: int
    engines: int = 1
    workers: int = 1
    clients: int = 1
    delay_s: float = 0.001
    cached_executions: int = 10_000
    cached_workflows: int = 1000
    slots: int = 50
    batch: int = 256
    queue_window: int = 10_000
    versions: str = ""
    """Workers differ in the version of their code, until the calm: to "patch", some
    of them, or to "deprecate" what was patched."""
    drift: float = 0.0
    """The most that a process's clock goes wrong, as a fraction."""
    rates: Rates = field(default_factory=Rates)
    jobs: tuple[Job, ...] = ()
    faults: tuple[Fault, ...] = ()
    calm_at_s: float = CALM_AT_S

    @property
    def finish_within_s(self) -> float:
        """Virtual, from the calm on: some minutes, and what the slots of workers need for
        activities that sleep, fail and are tried again, in each run and its copies."""
        activities = sum(job.n * (1 + len(job.acts)) for job in self.jobs)
        return 180.0 + activities * _ACTIVITY_S / (self.slots * self.workers)


class _Storm(NamedTuple):
    """The same faults again and again."""

    kinds: tuple[str, ...]
    spares_engines: bool = False
    """A new leader reads in its rows what is to be done; so what only the old one
    remembered is missed in seeds where engines live long."""
    store_fails: bool = False
    """What fails is tried again, and fails again."""


_LEADERS = _Storm(("kill", "pause", "cut", "end session"))
_CLIENTS = _Storm(("streams broken", "database slow"))
_WORKERS = _Storm(("kill", "disk full"), spares_engines=True, store_fails=True)
_STORMS = (_LEADERS, _LEADERS, _CLIENTS, _CLIENTS, _WORKERS, _WORKERS)


def draw(seed: int) -> Plan:
    chance = random.Random(f"{seed}/topology")
    quiet = chance.random() < 0.05
    # Most runs are ended while they begin.
    hasty = chance.random() < 0.05
    # Everybody waits for the same slot.
    tight = hasty or chance.random() < 0.1
    engines = chance.choice((1, 2, 3))
    workers = chance.choice((1, 2, 3, 4))
    clients = chance.choice((1, 2, 3))
    versions = chance.choice(("", "", "", "", "patch", "deprecate"))
    jobs_chance = random.Random(f"{seed}/jobs")
    plan = Plan(
        seed=seed,
        engines=engines,
        workers=1 if tight else workers,
        clients=clients,
        delay_s=chance.choice((0.0003, 0.001, 0.005)),
        cached_executions=chance.choice((1, 2, 10, 10_000)),
        cached_workflows=chance.choice((1, 3, 1000)),
        slots=1 if tight else chance.choice((1, 3, 10, 50)),
        batch=chance.choice((1, 3, 256)),
        queue_window=chance.choice((1, 3, 10_000)),
        drift=chance.choice((0.0, 0.001, 0.02)),
        versions=versions,
        rates=Rates() if quiet else _rates(random.Random(f"{seed}/rates")),
        jobs=_hasty_jobs(jobs_chance) if hasty else _jobs(jobs_chance, clients, versions),
    )
    if hasty:  # and nothing else, which would wake those that nobody thinks of
        slow = Fault(at_s=0.0, kind="database slow", length_s=2.0)
        return msgspec.structs.replace(plan, faults=(slow,), rates=Rates())
    return plan if quiet else _with_faults(plan, random.Random(f"{seed}/faults"))


def _rates(chance: random.Random) -> Rates:
    def some(most: float) -> float:
        return chance.choice((0.0, 0.0, 0.2, 1.0)) * most

    return Rates(
        tail=some(0.05),
        breaks=some(0.004),
        failing_commits=some(0.1),
        lost_commits=some(0.05),
        conflicts=some(0.05),
        failing_reads=some(0.2),
        drops=some(0.3),
        repeats=some(0.3),
        reorders=some(0.3),
        late_reads=some(0.3),
    )


def _hasty_jobs(chance: random.Random) -> tuple[Job, ...]:
    """One after the other is ended, about when its turn has come and what it asked for
    is being committed; the last of them wait for that."""
    count, pause_s = chance.choice((30, 60)), chance.choice((0.007, 0.013, 0.025))
    names = chance.choices(("fan_out", "fan_out", "queued_and_left"), k=count)
    return tuple(
        Job(
            number=number,
            workflow=name,
            n=chance.choice((1, 2, 3)),
            client=0,
            at_s=0.0,
            acts=(Act(kind="terminate", after_s=round(0.05 + pause_s * number, 3)),)
            if number < count - 3
            else (),
        )
        for number, name in enumerate(names)
    )


def _jobs(chance: random.Random, clients: int, versions: str) -> tuple[Job, ...]:
    count = chance.choice((3, 8, 20, 50))
    names = [*BY_NAME, *_OFTEN]
    # Some seeds have workflows of a few shapes only, and so more of each.
    if chance.random() < 0.5:
        names = chance.sample(names, chance.choice((1, 3)))
    if versions:
        names += ["versioned"] * len(names)
    return tuple(
        _with_looks(chance, _with_copies(chance, draw_job(chance, number, name, clients)))
        for number, name in enumerate(chance.choices(names, k=count))
    )


def draw_job(chance: random.Random, number: int, name: str, clients: int) -> Job:
    n = chance.choice((1, 2, 3, 5, 8))
    if name == "fan_out" and chance.random() < 0.1:
        n = 120
    acts: list[Act] = []

    def add(kind: str, value: int = 0, within_s: float = 2.0) -> None:
        after_s, twice = round(chance.uniform(0, within_s), 3), chance.random() < 0.3
        acts.append(Act(kind=kind, after_s=after_s, value=value, twice=twice))

    timeout_s = 0.0
    match name:
        case "collects":
            for value in range(n):
                add("signal", value)
        case "closes_while_signaled" | "tells":
            for value in range(chance.randrange(12)):
                add("signal", value, 0.4)
        case "canceled" | "ignores_cancel":
            add("cancel")
        case "canceled_anywhere":
            add("cancel", within_s=0.5)
        case "waits_for_ever":
            if chance.random() < 0.5:
                timeout_s = round(chance.uniform(0.2, 5), 3)
            else:
                add("terminate")
        case "completed_elsewhere":
            add("elsewhere", chance.choice((0, 1)))
    if name != "waits_for_ever" and chance.random() < 0.1:
        add("terminate", within_s=3.0)
    for kind in ("describe", "follow", "list"):
        if chance.random() < 0.2:
            add(kind)
    return Job(
        number=number,
        workflow=name,
        n=n,
        client=chance.randrange(clients),
        at_s=round(chance.choice((0.0, chance.uniform(0, 9))), 3),
        acts=tuple(acts),
        execution_timeout_s=timeout_s,
        start_delay_s=chance.choice((0.0,) * 9 + (0.7,)),
        again=chance.choice(
            ("",) * 6 + ("twice", "twice", "after", "use_existing", "terminate_existing")
        ),
    )


def _with_copies(chance: random.Random, job: Job) -> Job:
    """Some are begun anew from an earlier point, or copied, while they run or later."""
    if job.again not in ("", "twice") or chance.random() < 0.6:
        return job
    kinds = ("reset", "reset_newest", "fork")
    acts = [
        Act(
            kind=chance.choice(kinds),
            # Often while much comes to the run.
            after_s=round(chance.uniform(0, chance.choice((0.3, 0.3, 2.0, 8.0))), 3),
            value=chance.choice((0, -1, 1, chance.randrange(2, 8), chance.randrange(8, 40))),
            twice=chance.random() < 0.4,
        )
        for _ in range(chance.choice((1, 1, 2, 3)))
    ]
    return msgspec.structs.replace(job, acts=(*job.acts, *acts))


def _with_looks(chance: random.Random, job: Job) -> Job:
    """Clients ask, and some runs have a time limit that they may not keep."""
    kinds = ["stack"] if chance.random() < 0.2 else []
    if job.workflow == "tells":
        kinds += chance.choices(("query", "query", "meddle"), k=chance.randrange(2, 6))
    acts = [
        Act(
            kind=kind,
            after_s=round(chance.uniform(0, chance.choice((0.3, 2.0, 10.0))), 3),
            value=chance.randrange(2),
        )
        for kind in kinds
    ]
    timeout_s = job.execution_timeout_s
    if chance.random() < 0.05:
        timeout_s = timeout_s or round(chance.uniform(0.2, 8), 3)
    return msgspec.structs.replace(job, acts=(*job.acts, *acts), execution_timeout_s=timeout_s)


def _with_faults(plan: Plan, chance: random.Random) -> Plan:
    engines = [f"engine-{i}" for i in range(plan.engines)]
    workers = [f"worker-{i}" for i in range(plan.workers)]
    clients = [f"client-{i}" for i in range(plan.clients)]
    storm = chance.choice(_STORMS) if chance.random() < 0.4 else None
    spared = storm.spares_engines if storm is not None else chance.random() < 0.1
    mortal = [] if spared else engines
    makers = {
        "kill": lambda: {
            "target": chance.choice((*mortal, *mortal, *workers, *workers, *clients)),
            "steps": chance.choice((1, chance.randrange(1, 20), chance.randrange(1, 600))),
            "length_s": chance.choice((0.05, 0.5, chance.uniform(0, 4))),
        },
        "pause": lambda: {
            "target": chance.choice((*mortal, *mortal, *workers)),
            "length_s": chance.choice((0.1, 1.0, 3.5, chance.uniform(0, 8))),
        },
        "stop": lambda: {
            "target": chance.choice((*mortal, *workers)),
            "length_s": chance.uniform(0, 2),
        },
        "cut": lambda: {
            "target": "|".join(
                (
                    chance.choice(engines),
                    chance.choice((*("database",) * bool(mortal), "queue", *workers, *clients)),
                )
            ),
            "length_s": chance.choice((0.3, 2.0, chance.uniform(0, 10))),
        },
        # Clients send everything again that they have no answer to.
        "streams broken": lambda: {"target": chance.choice((*engines, *workers, *clients))},
        "database away": lambda: {"length_s": chance.choice((0.2, 2.0, 7.0))},
        "database slow": lambda: {"length_s": chance.uniform(0, 4)},
        "disk full": lambda: {"length_s": chance.uniform(0, 2)},
        **({"end session": dict} if mortal else {}),
        "clock jump": lambda: {"length_s": chance.uniform(-30, 30)},
        "queue wiped": lambda: {"length_s": chance.choice((0.0, 1.0))},
        "queue away": lambda: {"length_s": chance.uniform(0, 6)},
    }
    weights = [chance.choice((0, 1, 4)) for _ in makers]
    weights[0] += 3
    count = chance.choice((0, 3, 8, 16, 30))
    rates = plan.rates
    if storm is not None:
        weights = [storm.kinds.count(kind) for kind in makers]
        count = chance.choice((16, 30, 60))
        if storm.store_fails:
            rates = Rates(failing_commits=0.3, failing_reads=0.5)
    kinds = chance.choices(list(makers), weights, k=count)
    # What goes wrong at once with something else finds more than what comes alone.
    bunches = chance.random() < 0.3
    starts = [chance.uniform(0, plan.calm_at_s * 0.8) for _ in range(chance.choice((1, 3)))]

    def moment() -> float:
        if bunches:
            return chance.choice(starts) + chance.uniform(0, 1.2)
        return chance.uniform(0, plan.calm_at_s * 0.9)

    faults = [Fault(at_s=round(moment(), 3), kind=kind, **makers[kind]()) for kind in kinds]
    faults.sort(key=lambda fault: fault.at_s)
    return msgspec.structs.replace(plan, rates=rates, faults=tuple(faults))
