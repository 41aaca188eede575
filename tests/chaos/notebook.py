"""What activities and steps of many processes note: lines appended to one file.

A line is written in one go, so that those of several processes do not mix, and none
is lost when its writer is killed.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sched_sdk import activity_context
from tests.sim.ledger import Attempt, Ledger

if TYPE_CHECKING:
    from pathlib import Path


class StepBegan(NamedTuple):
    at: float
    run_id: str
    name: str
    after: str
    """The step whose result it was given; empty if none."""


class Writer(Ledger):
    """The ledger in a worker."""

    def __init__(self, path: Path) -> None:
        super().__init__(time.time, _never)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.tokens = _Tokens(self)
        self.steps = _Steps(self)  # type: ignore[assignment]  # it only counts, from the file

    def note(self, *what: object) -> None:
        os.write(self._file, json.dumps(what).encode() + b"\n")

    def activity_began(self) -> int:
        dispatch = super().activity_began()
        info = activity_context().info
        attempt = self.attempts.pop((info.run_id, info.seq))[-1]
        self.note("attempt", info.run_id, info.seq, *attempt)
        return dispatch

    def step_began(self, run_id: str, name: str, *, after: str = "") -> None:
        self.note("step", self.time(), run_id, name, after)

    def lines(self) -> list[list[Any]]:
        return [json.loads(line) for line in self._path.read_bytes().split(b"\n")[:-1]]


class _Tokens(dict[str, bytes]):
    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def __setitem__(self, key: str, token: bytes) -> None:
        self._writer.note("token", key, base64.b64encode(token).decode())


class _Steps:
    """How often a step began, in whatever worker. Few ask."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __getitem__(self, step: tuple[str, str]) -> int:
        lines = self._writer.lines()
        return sum(line[0] == "step" and (line[2], line[3]) == step for line in lines)


class Reader(Ledger):
    """The ledger of all of them, in the driver."""

    def __init__(self, path: Path) -> None:
        super().__init__(time.time, _never)
        self._file = path.open("rb")
        self._rest = b""
        self.step_lines: list[StepBegan] = []

    def read_on(self) -> None:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            kind, *what = json.loads(line)
            if kind == "attempt":
                run_id, seq, *attempt = what
                self.attempts[run_id, seq].append(Attempt(*attempt))
            elif kind == "step":
                began = StepBegan(*what)
                self.step_lines.append(began)
                self.steps[began.run_id, began.name] += 1
            else:
                key, token = what
                self.tokens[key] = base64.b64decode(token)

    def close(self) -> None:
        self._file.close()


def _never(message: str) -> None:
    raise AssertionError(message)
