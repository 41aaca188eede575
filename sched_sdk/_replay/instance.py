"""Everything one run of a workflow function consists of, wired together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._context import WorkflowContext
from sched_sdk._replay.call_sites import mark_bottom
from sched_sdk._replay.conditions import Conditions
from sched_sdk._replay.facts import Facts
from sched_sdk._replay.journal import Journal
from sched_sdk._replay.lifecycle import Lifecycle
from sched_sdk._replay.loop import new_loop
from sched_sdk._replay.patches import Patches
from sched_sdk._replay.queries import Queries
from sched_sdk._replay.signals import Signals

if TYPE_CHECKING:
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk.api.v1 import history_pb2

__all__ = ["Instance"]


class Instance:
    __slots__ = (
        "conditions",
        "context",
        "facts",
        "journal",
        "lifecycle",
        "loop",
        "patches",
        "queries",
        "signals",
    )

    def __init__(self, definition: WorkflowDefinition, journal: Journal | None = None) -> None:
        self.journal = Journal() if journal is None else journal
        self.loop = new_loop(self.journal)
        self.facts = Facts()
        self.signals = Signals(self.loop)
        self.conditions = Conditions(self.loop)
        self.patches = Patches(self.facts, self.journal)
        self.queries = Queries(self.loop)
        self.lifecycle = Lifecycle(definition, self.loop)
        self.context = WorkflowContext(
            self.loop,
            self.journal,
            self.facts,
            self.signals,
            self.conditions,
            self.patches,
            self.queries,
        )

    def start(self, event: history_pb2.HistoryEvent) -> None:
        self.loop.origin_us = self.loop.now_us
        self.facts.started(event.workflow_started, event.time_us)
        self.lifecycle.start(self.context, event.workflow_started)

    def move_clock(self, time_us: int) -> None:
        """Time never goes back."""
        self.loop.now_us = max(self.loop.now_us, time_us)

    def activate(self) -> None:
        """Run until nothing is left to do, and number what the code asked for."""
        self.loop.run_until_idle()
        if self.conditions:
            self.conditions.settle()
        while self.lifecycle.asked is not None and self.lifecycle.insist():
            self.loop.run_until_idle()
            self.conditions.settle()
        if self.journal.fresh:
            self.journal.flush()

    def try_to_close(self) -> None:
        """Called when everything of a task is delivered: a signal that came
        after the event in which the function returned still has its handler."""
        if self.lifecycle.draining:
            self.lifecycle.drain()


# Predicates run below it too.
mark_bottom(Instance.activate)
