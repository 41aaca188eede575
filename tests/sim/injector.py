"""Faults, done to a world at their times; and the calm behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.loop import State
from tests.sim.queue import HOST as QUEUE

if TYPE_CHECKING:
    from tests.sim.nodes import Node
    from tests.sim.plan import Fault
    from tests.sim.world import World

# A process that is asked to end gets so long, as from a supervisor.
_STOP_WITHIN_S = 4.0
# A slow database takes so many times as long.
_SLOWNESS = 40.0


_HOSTS = ("database", "queue")


def _names(fault: Fault) -> list[str]:
    return fault.target.split("|") if fault.target else []


class Injector:
    def __init__(self, world: World) -> None:
        self._world = world
        self._calm = False

    def begin(self) -> None:
        """Everything starts; then faults come as the plan says."""
        world = self._world
        for node in world.nodes.values():
            node.start()
        self._set_rates()
        for fault in world.plan.faults:
            world.loop.world_at(fault.at_s, self._do, fault)

    def calm(self) -> None:
        """All faults end, and what is down is started."""
        self._calm = True
        world = self._world
        world.trace.add("world", "calm")
        network, database, queue = world.network, world.database, world.queue
        network.tail = network.breaks = 0.0
        database.failing_commits = database.lost_commits = database.conflicts = 0.0
        database.failing_reads = database.late_reads = 0.0
        database.away = database.full = False
        database.slow = 1.0
        queue.drops = queue.repeats = queue.reorders = 0.0
        network.heal()
        queue.back()
        for worker in world.workers:
            worker.newest = True
            if not worker.is_newest:
                worker.process.kill()
        for node in world.nodes.values():
            node.process.dies_after = None
            node.process.go_on()
            node.start()

    def _heal(self, one: str, other: str) -> None:
        self._world.network.heal(one, other)
        if other == QUEUE:
            # Whoever reaches the queue again looks what is in it.
            self._world.queue.tell_available(list(self._world.queue.waiting))

    def _set_rates(self) -> None:
        world, rates = self._world, self._world.plan.rates
        world.network.tail, world.network.breaks = rates.tail, rates.breaks
        world.database.failing_commits = rates.failing_commits
        world.database.lost_commits = rates.lost_commits
        world.database.conflicts = rates.conflicts
        world.database.failing_reads = rates.failing_reads
        world.database.late_reads = rates.late_reads
        world.queue.drops, world.queue.repeats = rates.drops, rates.repeats
        world.queue.reorders = rates.reorders

    def _do(self, fault: Fault) -> None:
        world = self._world
        # A smaller plan may have fewer processes than its faults name.
        if self._calm or not all(name in world.nodes or name in _HOSTS for name in _names(fault)):
            return
        world.faults[fault.kind] += 1
        world.trace.add("FAULT", f"{fault.kind} {fault.target} {fault.length_s:g}".rstrip())
        node = world.nodes.get(fault.target)
        database, queue = world.database, world.queue
        match fault.kind:
            case "kill":
                assert node is not None
                self._kill(node, fault)
            case "pause":
                assert node is not None
                self._pause(node, fault)
            case "stop":
                assert node is not None
                self._stop(node, fault)
            case "cut":
                one, other = fault.target.split("|")
                world.network.cut(one, other)
                self._after(fault, lambda: self._heal(one, other))
                if other == "database":
                    self._end_session_if_cut(one)
            case "streams broken":
                assert node is not None
                world.network.break_all(node.process)
            case "database away":
                database.away = True
                self._after(fault, lambda: setattr(database, "away", False))
            case "database slow":
                database.slow = _SLOWNESS
                self._after(fault, lambda: setattr(database, "slow", 1.0))
            case "disk full":
                database.full = True
                self._after(fault, lambda: setattr(database, "full", False))
            case "end session":
                if database.lock.holder is not None:
                    database.lock.end(database.lock.holder, reason="on purpose")
            case "clock jump":
                database.clock_offset_us += int(fault.length_s * 1_000_000)
            case "queue wiped":
                queue.wipe(noticed=fault.length_s > 0)
            case "queue away":
                queue.away = True
                self._after(fault, queue.back)
            case _:
                raise ValueError(fault.kind)

    def _after(self, fault: Fault, undo: object) -> None:
        self._world.loop.world_later(fault.length_s, undo)  # type: ignore[arg-type]

    def _kill(self, node: Node, fault: Fault) -> None:
        process = node.process
        if process.state is not State.RUNNING:
            process.kill()
        elif fault.steps:
            process.dies_after = fault.steps
        else:
            process.kill()
        self._world.loop.world_later(1.0 + fault.length_s, self._start_if_dead, node, process)

    def _start_if_dead(self, node: Node, process: object) -> None:
        if node.process is process and not node.process.alive:
            node.start()

    def _pause(self, node: Node, fault: Fault) -> None:
        node.process.pause()
        self._world.network.paused(node.process)
        process = node.process
        self._world.loop.world_later(fault.length_s, process.go_on)

    def _stop(self, node: Node, fault: Fault) -> None:
        process = node.process
        if process.state is not State.RUNNING:
            return
        stopping = process.start(node.stop())

        def gone(_: object = None) -> None:
            if process.alive:
                process.kill()
                self._world.loop.world_later(fault.length_s, self._start_if_dead, node, process)

        stopping.add_done_callback(lambda _: self._world.loop.world_later(0.0, gone))
        self._world.loop.world_later(_STOP_WITHIN_S, gone)

    def _end_session_if_cut(self, name: str) -> None:
        """The server gives up on a session that does not answer any more."""
        world = self._world

        def look() -> None:
            if not world.network.connected(name, "database"):
                world.database.lock.end_sessions_of(
                    world.nodes[name].process, reason="it does not answer"
                )

        world.loop.world_later(world.network.chance.uniform(3, 8), look)
