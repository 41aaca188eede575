"""What a check has to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CHECKS", "Finding", "Level", "fail", "in_order", "ok", "verdict", "warn"]


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not always."""
    FAIL = "fail"
    """Something does not work now."""


CHECKS = {
    "here.python": "the Python that runs this command",
    "here.sched": "the sched that runs this command",
    "engine.answers": "whether each engine answers, and what it does",
    "engine.certificate": "how long the engines' certificates can be used",
    "engine.token": "whether a token travels in plain text",
    "engine.version": "whether engines, and this command, are of one version",
    "engine.clock": "the clocks of this machine, of the engines and of the cluster",
    "engine.leader": "whether an engine leads",
    "engine.store": "whether the engines reach their database",
    "engine.queue": "what delivers tasks",
    "workers.sdk": "whether the workers' SDK is of the engine's version",
    "workers.builds": "whether the workers of a queue have the same code",
    "workers.queues": "whether every queue with tasks has workers, and they keep up",
    "workflows.served": "whether workers have the code that open workflows wait for",
    "workflows.stuck": "open workflows whose code cannot go on",
    "workflows.retrying": "open workflows with activities that have failed for long",
    "postgres.reach": "whether this machine reaches Postgres, and its version can be used",
    "postgres.schema": "whether the schema is of this version",
    "postgres.clock": "its clock, against this machine's",
    "postgres.connections": "how many connections are left",
    "postgres.transactions": "transactions that hold locks, or hold back vacuum, for long",
    "postgres.tables": "dead rows and bloat of our tables",
    "postgres.settings": "what should be set otherwise",
    "redis.reach": "whether this machine reaches Redis, and its version can be used",
    "redis.memory": "eviction, and how much memory and how many clients are left",
    "redis.persistence": "whether failing snapshots make it refuse writes",
}
"""Every check, in the order in which they are shown. Part of the JSON."""

_ORDER = {check: position for position, check in enumerate(CHECKS)}
_BADNESS = {level: badness for badness, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """One of CHECKS."""
    level: Level
    message: str
    """What was found, with the name of whatever it is about."""
    remedy: str = ""
    """What to do; empty when all is well."""

    def __post_init__(self) -> None:
        assert self.check in CHECKS
        assert bool(self.remedy) == (self.level is not Level.OK), self.message


def ok(check: str, message: str) -> Finding:
    return Finding(check, Level.OK, message)


def warn(check: str, message: str, remedy: str) -> Finding:
    return Finding(check, Level.WARN, message, remedy)


def fail(check: str, message: str, remedy: str) -> Finding:
    return Finding(check, Level.FAIL, message, remedy)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """As they are shown; those of one check stay as they are."""
    return sorted(findings, key=lambda finding: _ORDER[finding.check])


def verdict(findings: Iterable[Finding]) -> Level:
    """The worst of them."""
    levels = [finding.level for finding in findings]
    return max(levels, key=_BADNESS.__getitem__, default=Level.OK)
