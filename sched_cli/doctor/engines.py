"""What answers at the addresses: versions, clocks, who leads, store and queue."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.times import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sched_sdk._client import ClusterStatus

__all__ = ["Answer", "ask", "clock_finding", "judge", "leader_of"]

_TIMEOUT_S = 4.0
_CLOCK_S = 2.0
"""Clocks further apart than this are told."""
_EVERYONE = "Set the clocks of all machines by NTP (chrony, systemd-timesyncd)."


@dataclass(frozen=True, slots=True)
class Answer:
    """What one address said."""

    address: str
    status: ClusterStatus | None
    error: str = ""
    """Why there is no status."""
    refused: bool = False
    """It is for a token or a certificate."""
    asked: datetime | None = None
    """In the middle between the question and the answer, by this machine's clock."""
    doubt: timedelta = timedelta(0)
    """How far `asked` may be off."""


async def ask(addresses: Sequence[str]) -> list[Answer]:
    """All of them at the same time."""
    return list(await asyncio.gather(*map(_ask, addresses)))


async def _ask(address: str) -> Answer:
    from sched_sdk._client.cluster import ask_status
    from sched_sdk.errors import AuthenticationError, EngineError

    try:
        # The first answer paid for the connection; the second tells the time.
        await ask_status(address, timeout=_TIMEOUT_S)
        before = time.time_ns()
        status = await ask_status(address, timeout=_TIMEOUT_S)
        after = time.time_ns()
    except EngineError as error:
        refused = isinstance(error, AuthenticationError)
        return Answer(address, None, error=str(error), refused=refused)
    middle = datetime.fromtimestamp((before + after) / 2e9, UTC)
    return Answer(
        address, status, asked=middle, doubt=timedelta(microseconds=(after - before) / 2_000)
    )


def leader_of(answers: Sequence[Answer]) -> ClusterStatus | None:
    """What the leader said, who alone knows workers and queues; else None."""
    known = [answer.status for answer in answers if answer.status is not None]
    return next((status for status in known if status.queue is not None), None)


def judge(answers: Sequence[Answer], version: str) -> list[Finding]:
    """What is to be said of the engines. `version` is that of this command."""
    answering = [answer for answer in answers if answer.status is not None]
    found = [_answers(answer, alone=not answering) for answer in answers]
    if not answering:
        return found
    found.append(_versions(answering, version))
    found += _clocks(answering)
    found.append(_leader(answering))
    found += _stores(answering)
    found += _queue(leader_of(answers))
    return found


def _answers(answer: Answer, *, alone: bool) -> Finding:
    status = answer.status
    if status is not None:
        what = {"LEADER": "leads", "STANDBY": "stands by"}.get(status.role, "is taking over")
        epoch = f", epoch {status.epoch}" if status.role == "LEADER" else ""
        return ok("engine.answers", f"{answer.address} {what}{epoch}")
    if answer.refused:
        # How to mend it stands behind what is wrong.
        what, _, remedy = answer.error.partition(". ")
        return fail(
            "engine.answers",
            f"{answer.address} does not let us in: {what}.",
            remedy or "Mend that.",
        )
    message = f"{answer.address} does not answer: {answer.error.rstrip('.')}."
    if alone:
        return fail(
            "engine.answers",
            message,
            "Start one (sched dev, or sched engine), or name the right address with --engine.",
        )
    return warn(
        "engine.answers",
        message,
        "Start it again, so that somebody can take over, or leave it out of --engine.",
    )


def _versions(answering: Sequence[Answer], version: str) -> Finding:
    versions = {a.address: a.status.version for a in answering if a.status is not None}
    if set(versions.values()) == {version}:
        engines = "The engine is" if len(versions) == 1 else "All engines are"
        return ok("engine.version", f"{engines} sched {version}, as this command is")
    told = ", ".join(f"{address} is {each}" for address, each in versions.items())
    return warn(
        "engine.version",
        f"Versions differ: this command is sched {version}, {told}.",
        "Install the same version everywhere; engines first, then workers.",
    )


def _clocks(answering: Sequence[Answer]) -> Iterator[Finding]:
    for answer in answering:
        assert answer.status is not None
        clock = answer.status.clock
        if clock.machine_time is None or answer.asked is None:
            continue  # an engine that does not say
        yield clock_finding(
            "engine.clock",
            f"The clock of {answer.address}",
            (clock.machine_time - answer.asked).total_seconds(),
            answer.doubt.total_seconds(),
        )
        if clock.cluster_time is not None:
            # What somebody moved on purpose is no fault.
            apart = (clock.cluster_time - clock.advanced - clock.machine_time).total_seconds()
            if abs(apart) > _CLOCK_S:
                side = "ahead of" if apart > 0 else "behind"
                yield warn(
                    "engine.clock",
                    f"Timers go by the database's clock at the takeover, which is "
                    f"{duration(timedelta(seconds=abs(apart)))} {side} that of {answer.address}.",
                    f"{_EVERYONE} It counts from the next takeover.",
                )


def clock_finding(check: str, whose: str, ahead_s: float, doubt_s: float) -> Finding:
    """Whether a clock agrees with this machine's. What may be due to the time that
    the question took is not held against it."""
    if abs(ahead_s) - doubt_s <= _CLOCK_S:
        sure = max(abs(ahead_s), doubt_s)
        return ok(check, f"{whose} agrees with this machine's to {_short(sure)}")
    side = "ahead of" if ahead_s > 0 else "behind"
    return warn(check, f"{whose} is {_short(abs(ahead_s))} {side} this machine's.", _EVERYONE)


def _short(seconds: float) -> str:
    return "1 ms" if seconds < 0.001 else duration(timedelta(seconds=seconds))


def _leader(answering: Sequence[Answer]) -> Finding:
    known = [answer.status for answer in answering if answer.status is not None]
    address = next((status.leader_address for status in known if status.leader_address), "")
    if not address:
        return fail(
            "engine.leader",
            "No engine leads, so nothing goes on.",
            "If that lasts longer than some seconds, look at the store below and at the logs of "
            "the engines.",
        )
    leader = leader_of(answering)
    if leader is None:
        return warn(
            "engine.leader",
            f"{address} leads, and does not answer from here; workers and queues are unknown.",
            "Name its address with --engine, or give it one that others reach with --advertise.",
        )
    standbys = len(leader.standbys)
    behind = {0: "nobody stands by", 1: "one engine stands by"}
    return ok("engine.leader", f"{address} leads; {behind.get(standbys, f'{standbys} stand by')}")


def _stores(answering: Sequence[Answer]) -> Iterator[Finding]:
    for answer in answering:
        assert answer.status is not None
        store, told = answer.status.store_status, f"{answer.address} on {answer.status.store}"
        if not store.connected:
            yield fail(
                "engine.store",
                f"{answer.address} does not reach its database: {store.last_error}",
                "Mend the database or the way to it; the engine goes on by itself.",
            )
        elif store.last_error:
            yield fail(
                "engine.store",
                f"{answer.address} could not write: {store.last_error}",
                "Mend the database; nothing that was acknowledged is lost.",
            )
        else:
            yield ok("engine.store", told)
        for warning in store.warnings:
            what, _, remedy = warning.rpartition("; ")
            yield warn("engine.store", what or warning, remedy or "Change that setting.")


def _queue(leader: ClusterStatus | None) -> Iterator[Finding]:
    if leader is None or leader.queue is None:
        return
    queue = leader.queue
    if not queue.connected:
        yield warn(
            "engine.queue",
            f"{queue.description} is not connected: {queue.last_error.rstrip('.')}. Tasks wait "
            "in the leader's memory.",
            "Mend Redis or the way to it; the engine connects again by itself.",
        )
    else:
        yield ok("engine.queue", f"Waiting tasks: {queue.description}")
    for warning in queue.warnings:
        what, _, remedy = warning.rstrip(".").rpartition(". ")
        yield warn("engine.queue", f"{what}." if what else warning, remedy or "Change that.")
