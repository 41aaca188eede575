"""What every checker is told.

Beside `wrong`, those in `OF_ROWS` use of the world only `checkers.truth`, `ledger`,
`code` and the reads of `database`; tests/chaos has such a world around real processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import CommitBatch, CommitGroup, RunChange
    from tests.sim.ledger import Acknowledged
    from tests.sim.loop import Process
    from tests.sim.plan import Job
    from tests.sim.truth import Run
    from tests.sim.world import World


class Checker:
    """Looks at what is durable; `wrong` says what must not be."""

    def __init__(self, world: World) -> None:
        self.world = world

    def wrong(self, message: str) -> None:
        self.world.wrong(type(self).__name__, message)

    def committing(self, batch: CommitBatch) -> None:
        """A transaction was applied; called before `committed`."""

    def unapplied(self, group: CommitGroup) -> None:
        """These changes of a transaction were not applied, by themselves."""

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        """A run changed; it has the events already."""

    def acknowledged(self, acknowledged: Acknowledged) -> None:
        """A client was told something."""

    def sent(self, client: Process, path: str, message: Any) -> None:
        """An engine says something."""

    def heard(self, client: Process, path: str, message: Any) -> None:
        """An engine has received something."""

    def outcome(self, job: Job, run_id: str, status: str, value: Any) -> None:
        """A client has the result of a run, or of the last that goes on instead."""

    def viewed(self, viewer: object, runs: dict[str, tuple[int, bool]]) -> None:
        """Who has asked about runs, perhaps again, was told how long the history of
        each is (0: not told), and whether it is closed."""

    def followed(self, run_id: str, event_ids: list[int]) -> None:
        """A client was told these events of a run, one after the other."""

    def looked(self) -> None:
        """Now and then."""

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way that `ended` would take for a leftover."""
        return True

    def ended(self) -> None:
        """The run is over, all of it should be finished."""
