"""What edited code would do to the workflows that are open."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

Runs: TypeAlias = list[tuple[str, str]]
"""(workflow id, run id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A workflow that the new code does not fit."""

    workflow_id: str
    run_id: str
    workflow_type: str
    event_id: int = 0
    """The first event on which the two do not agree; 0: not known."""
    history: str = ""
    """What is recorded there, and where the code did it."""
    code: str = ""
    """What the new code does instead, and where."""
    why: str = ""
    """Instead of both, where there is nothing to compare."""

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for workflows that break in the same way."""
        return (self.workflow_type, self.event_id, self.history, self.code, self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check has found."""

    breaks: tuple[Break, ...] = ()
    fitting: frozenset[str] = frozenset()
    """Ids of runs that go on with the new code, or are over."""
    open_runs: int = 0
    """How many there are of what the old code serves."""
    problem: str = ""
    """Why not all of them were looked at; may be empty."""

    @property
    def checked(self) -> int:
        return len(self.breaks) + len(self.fitting)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What a checker is to do, passed to it as its argument."""

    targets: tuple[str, ...]
    engine: str
    task_queue: str
    workflow_types: tuple[str, ...]
    """Those that the old code serves."""
    kept: Runs
    """Runs that are looked at before any others."""
    newest: int
    """How many runs of each type."""
    seconds: float
    """How long histories are looked at."""

    def encode(self) -> str:
        """As a command line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> CheckOptions:
        """The options that `encode` wrote."""
        fields = json.loads(text)
        for name in ("targets", "workflow_types"):
            fields[name] = tuple(fields[name])
        fields["kept"] = [(workflow_id, run_id) for workflow_id, run_id in fields["kept"]]
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One line from a checker.

    begins     the code is loaded, and `open_runs` are there
    looks      at the run that is named
    fits       it, or it is over
    breaks     it, as `found` says
    done       that was all; `message` says why it is less than everything
    """

    state: Literal["begins", "looks", "fits", "breaks", "done"]
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    open_runs: int = 0
    message: str = ""
    found: dict[str, str | int] = field(default_factory=dict)
    """Fields of a `Break`."""

    def encode(self) -> bytes:
        """The line, with its end."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> CheckReport:
        """The report that `encode` made."""
        return cls(**json.loads(line))
