"""What the clients' scripts and the checkers of the simulator know, about real processes.

It has the parts of the simulator's world that `tests.sim.client_script` and the
checkers of rows use. What is durable is read when everything is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.chaos.shapes import BY_NAME
from tests.sim.checkers.views import MonotoneViews
from tests.sim.truth import Truth

if TYPE_CHECKING:
    from tests.chaos.notebook import Reader
    from tests.chaos.plan import Plan
    from tests.chaos.timeline import Timeline
    from tests.chaos.verdict import Rows
    from tests.sim.ledger import Acknowledged
    from tests.sim.plan import Job


class Outcome(NamedTuple):
    """What a client got as the result of a run."""

    job: Job
    run_id: str
    status: str
    value: Any


class World:
    database: Rows
    """Once everything is over."""

    def __init__(self, plan: Plan, ledger: Reader, timeline: Timeline) -> None:
        self.plan = plan
        self.code = BY_NAME
        self.ledger = ledger
        self.loop = self.trace = timeline  # a clock from zero, and who notes what
        self.wrong = timeline.wrong
        self.checkers = Told(MonotoneViews(self))  # type: ignore[arg-type]  # see above
        self.done: set[int] = set()

    def finished(self, job: Job) -> None:
        self.done.add(job.number)


class Told:
    """Where the simulator checks at once, this keeps what is said for the end."""

    def __init__(self, views: MonotoneViews) -> None:
        # These need nothing but what clients are told.
        self.viewed = views.viewed
        self.followed = views.followed
        self.truth = _Ended()
        self.outcomes: list[Outcome] = []
        self.refusals: list[tuple[str, str]] = []
        """Which runs, and ids of requests that came too late."""

    def acknowledged(self, acknowledged: Acknowledged) -> None:
        if acknowledged.kind == "result":
            self.truth.ended.add(acknowledged.run_id)

    def outcome(self, job: Job, run_id: str, status: str, value: Any) -> None:
        self.outcomes.append(Outcome(job, run_id, status, value))

    def refused(self, run_id: str, request_id: str) -> None:
        self.refusals.append((run_id, request_id))


class _Ended(Truth):
    """Until the end nothing is known of runs, but that clients saw some end."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: set[str] = set()

    def closed(self, run_id: str) -> bool:
        return run_id in self.ended or super().closed(run_id)
