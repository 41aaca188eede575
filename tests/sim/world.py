"""A world: everything that one plan needs, wired together."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.sim.checkers import ALL
from tests.sim.database import Database
from tests.sim.ledger import Ledger
from tests.sim.loop import VirtualLoop
from tests.sim.messages import in_words
from tests.sim.network import Network
from tests.sim.nodes import ClientNode, EngineNode, Node, WorkerNode
from tests.sim.queue import QueueServer
from tests.sim.rpc import Addresses
from tests.sim.trace import Trace, TraceLogs
from tests.sim.truth import Run, Truth
from tests.sim.workflows import BY_NAME, workflows_of

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import CommitBatch, RunChange
    from tests.sim.ledger import Acknowledged
    from tests.sim.loop import Process
    from tests.sim.plan import Job, Plan


class World:
    """`failures` has what was found wrong; the first of them ends the run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        newest, _ = workflows_of(plan.versions)
        self.code = dict(zip(BY_NAME, newest, strict=True))
        self.failures: list[tuple[str, str]] = []
        self.faults: Counter[str] = Counter()
        self.done: set[int] = set()
        self.processes: list[Process] = []
        self.loop = VirtualLoop(self._chance("order"))
        self.trace = Trace(self.loop)
        self.logs = TraceLogs(self.trace)
        self.network = Network(self.loop, self._chance("network"), self.trace)
        self.network.delay_s = plan.delay_s
        self.database = Database(self.network, self._chance("database"), self.trace)
        self.database.on_commit = self._committed
        self.queue = QueueServer(self.network, self._chance("queue"), plan.queue_window)
        self.addresses = Addresses()
        self.ledger = Ledger(self.loop.time, lambda message: self.wrong("Steps", message))
        self.checkers = Checkers(self)
        self.ledger.step_recorded = self.checkers.step_recorded
        self.ledger.fact_recorded = self.checkers.fact_recorded
        self.engines = [EngineNode(self, f"engine-{i}") for i in range(plan.engines)]
        self.workers = [WorkerNode(self, f"worker-{i}") for i in range(plan.workers)]
        self.clients = [ClientNode(self, f"client-{i}") for i in range(plan.clients)]
        self.nodes: dict[str, Node] = {
            node.name: node for node in (*self.engines, *self.workers, *self.clients)
        }

    def _chance(self, part: str) -> random.Random:
        return random.Random(f"{self.plan.seed}/{part}")

    def wrong(self, checker: str, message: str) -> None:
        """Something that must never be."""
        self.trace.add("CHECKER", f"{checker}: {message}")
        self.failures.append((checker, message))

    def client_of(self, job: Job) -> ClientNode:
        """A smaller plan may have fewer clients than its jobs name."""
        return self.clients[job.client % len(self.clients)]

    def finished(self, job: Job) -> None:
        self.done.add(job.number)

    @property
    def all_finished(self) -> bool:
        return len(self.done) == len(self.plan.jobs)

    def died(self, process: Process) -> None:
        """What is left of a process are its connections, which its machine closes."""
        self.network.died(process)
        self.queue.forget(process)
        self.loop.world_later(
            self.network.delay(),
            lambda: self.database.lock.end_sessions_of(process, reason="its process died"),
        )

    def observe(
        self, engine: EngineNode, client: Process, path: str, message: Any, *, sent: bool
    ) -> None:
        """An engine has said or heard something."""
        one, other = (engine.name, client.name) if sent else (client.name, engine.name)
        words = in_words(message)
        self.trace.add(f"{one} → {other}", words)
        if sent:
            self.checkers.sent(client, path, message)
        else:
            self.checkers.heard(client, path, message)

    def _committed(self, batch: CommitBatch, applied: list[bool]) -> None:
        self.checkers.committed(batch, applied)

    def close(self) -> None:
        self.database.close()


class Checkers:
    """All of them, and what is durable."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.truth = Truth()
        self._all = [checker(world) for checker in ALL]

    def committed(self, batch: CommitBatch, applied: list[bool]) -> None:
        for checker in self._all:
            checker.committing(batch)
            for group, ok in zip(batch.groups, applied, strict=True):
                if not ok:
                    checker.unapplied(group)
        self.truth.take(batch, applied, self._changed)

    def _changed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        kinds = ", ".join(type(event.attributes).__name__ for event in events)
        self._world.trace.add("database", f"{run.workflow_id}/{run.run_id[:4]}: {kinds or 'rows'}")
        for checker in self._all:
            checker.committed(run, change, events)

    def acknowledged(self, acknowledged: Acknowledged) -> None:
        for checker in self._all:
            checker.acknowledged(acknowledged)

    def sent(self, client: Process, path: str, message: Any) -> None:
        for checker in self._all:
            checker.sent(client, path, message)

    def heard(self, client: Process, path: str, message: Any) -> None:
        for checker in self._all:
            checker.heard(client, path, message)

    def looked(self) -> None:
        for checker in self._all:
            checker.looked()

    @property
    def settled(self) -> bool:
        return all(checker.settled for checker in self._all)

    def ended(self) -> None:
        for checker in self._all:
            checker.ended()

    def outcome(self, job: Job, run_id: str, status: str, value: Any) -> None:
        for checker in self._all:
            checker.outcome(job, run_id, status, value)

    def viewed(self, viewer: object, runs: dict[str, tuple[int, bool]]) -> None:
        for checker in self._all:
            checker.viewed(viewer, runs)

    def followed(self, run_id: str, event_ids: list[int]) -> None:
        for checker in self._all:
            checker.followed(run_id, event_ids)

    def refused(self, run_id: str, request_id: str) -> None:
        """A client was told that a request came too late."""
        run = self.truth.by_run_id[run_id]
        if request_id in run.requests:
            self._world.wrong("clients", f"{run}: {request_id}, sent again, is refused")

    def step_recorded(self, run_id: str, name: str) -> bool:
        run = self.truth.by_run_id.get(run_id)
        return run is not None and name in run.steps

    def fact_recorded(self, run_id: str, fact: str) -> bool:
        run = self.truth.by_run_id.get(run_id)
        return run is not None and run.knows(fact)
