r"""What a child tells its supervisor, and how each learns of the other's death.

They share a socket pair. The child writes one JSON object a line:

    {"state": "ready", "workflows": […], "activities": […], "build_id": "…"}
    {"state": "failed", "message": "…"}      cannot serve this code; exits
    {"state": "loaded"}                      has the code, and waits for an order
                                             (`WorkerOptions.waits`)
    {"state": "keeping"}                     the engine knows which runs it keeps
    {"state": "draining"}                    was asked to go, and still finishes
                                             what it has in hand

The supervisor writes orders, the same way:

    {"order": "serve", "runs": […]}          connect, once these runs are over
    {"order": "keep", "runs": […], "only": false}
                                             these runs go on with this child; with
                                             `only` it takes no others, and ends
                                             when they are over

When the supervisor's end closes, by its will or because it was killed, the child
stops at once. To let a child finish its work first, the supervisor sends it
SIGTERM.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_cli.reload.verdict import Runs


@dataclass(frozen=True, slots=True)
class ChildReport:
    """One line from a child."""

    state: Literal["loaded", "ready", "failed", "keeping", "draining"]
    message: str = ""
    workflows: list[str] = field(default_factory=list)
    activities: list[str] = field(default_factory=list)
    build_id: str = ""

    def encode(self) -> bytes:
        """The line, with its end."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> ChildReport:
        """The report that `encode` made."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Order:
    """One line from the supervisor."""

    order: Literal["serve", "keep"]
    runs: Runs = field(default_factory=list)
    only: bool = False

    def encode(self) -> bytes:
        """The line, with its end."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Order:
        """The order that `encode` made."""
        fields = json.loads(line)
        return cls(**{**fields, "runs": [(name, run_id) for name, run_id in fields["runs"]]})


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker process needs to know, passed to a child as its argument."""

    targets: tuple[str, ...]
    engine: str
    task_queue: str
    grace_s: float
    """How long running activities may take to finish after SIGTERM."""
    debug: bool = False
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    """None: no metrics."""
    otlp_endpoint: str = ""
    """Empty: no spans."""
    check_determinism: bool = False
    """Run workflow code a second time after each task, and compare."""
    waits: bool = False
    """Load the code, and wait for the order to serve."""

    def encode(self) -> str:
        """As a command line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> WorkerOptions:
        """The options that `encode` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "targets": tuple(fields["targets"])})


class Report(Protocol):
    """What a child can say."""

    def encode(self) -> bytes:
        """As one line, with its end."""
        ...


class SupervisorLink:
    """The child's end of the socket pair.

    `when_gone` is called, from a thread of its own, as soon as the supervisor's
    end is closed; a thread, because code of the app may hold up the event loop.
    `on_order` gets each order, from that thread.
    """

    def __init__(self, file_descriptor: int, *, when_gone: Callable[[], None]) -> None:
        # What the app's own activities start must not keep the socket open.
        os.set_inheritable(file_descriptor, False)
        self._socket = socket.socket(fileno=file_descriptor)
        self.when_gone = when_gone
        self.on_order: Callable[[Order], None] = lambda _: None
        threading.Thread(target=self._watch, name="supervisor-link", daemon=True).start()

    def report(self, report: Report) -> None:
        """Tell the supervisor; nothing happens if it is gone."""
        with contextlib.suppress(OSError):
            self._socket.sendall(report.encode())

    def _watch(self) -> None:
        with contextlib.suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                self.on_order(Order.decode(line))
        self.when_gone()
