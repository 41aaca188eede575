"""The store finds every run as its engine expects it: an engine knows what it has
written. Behind a commit that failed it may not be so, since others were built on it;
the engine looks again then, but it must not live by that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.store.port import CommitGroup


_FAILED = ("commit fails", "commit outcome unknown", "serialization conflict", "disk full")


class NoSurprises(Checker):
    def unapplied(self, group: CommitGroup) -> None:
        if any(self.world.database.faults[fault] for fault in _FAILED):
            return
        keys = [change.run_key for change in group.changes]
        runs = [self.world.checkers.truth.by_key.get(key, f"new run {key}") for key in keys]
        self.wrong(f"a change of {runs} met another state than its engine expected")
