"""The network: hosts, connections, and what happens to them.

    delay       every message has its own; within one direction of one connection
                none overtakes another (it is TCP), between two anything goes
    partition   nothing passes between two hosts; what is sent waits. If that
                lasts, each end gives the connection up, by itself
    break       a connection ends, in the middle of whatever was under way: of
                each direction a prefix arrives, and each end learns it when it does

A message is any call that is made in the process at the other end.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.loop import Process, VirtualLoop
    from tests.sim.trace import Trace

# An end that hears nothing, not even from the other's machine, gives up after
# between these many seconds: keepalive as the product sets it.
_SILENCE_S = (5.0, 13.0)


class Network:
    def __init__(self, loop: VirtualLoop, chance: random.Random, trace: Trace) -> None:
        self.loop = loop
        self.chance = chance
        self.trace = trace
        self.delay_s = 0.001
        """Of a usual message; some take much longer."""
        self.tail = 0.0
        """How many of them."""
        self.breaks = 0.0
        """The chance of a connection to break, per message."""
        self.messages: Counter[str] = Counter()
        self.connections: dict[Connection, None] = {}
        self._cuts: dict[frozenset[str], None] = {}
        self._waiting: list[_Direction] = []

    def delay(self) -> float:
        chance = self.chance
        delay = self.delay_s * (0.2 + chance.expovariate(1.0))
        if self.tail and chance.random() < self.tail:
            delay += chance.uniform(0, 200) * self.delay_s
        return delay

    def connected(self, one: str, other: str) -> bool:
        return frozenset((one, other)) not in self._cuts

    def cut(self, one: str, other: str) -> None:
        """Nothing passes between two hosts from now on."""
        self._cuts[frozenset((one, other))] = None
        self.trace.add("network", f"cut {one} | {other}")
        for connection in list(self.connections):
            if {connection.client.name, connection.server_host} == {one, other}:
                connection.silence(self.chance.uniform(*_SILENCE_S))

    def heal(self, one: str = "", other: str = "") -> None:
        """Undo a cut; without names, every one."""
        if one:
            self._cuts.pop(frozenset((one, other)), None)
        else:
            self._cuts.clear()
        self.trace.add("network", f"heal {one} | {other}" if one else "heal all")
        waiting, self._waiting = self._waiting, []
        for direction in waiting:
            direction.go_on()

    def wait_for_heal(self, direction: _Direction) -> None:
        self._waiting.append(direction)

    def paused(self, process: Process) -> None:
        """Its machine answers, but it does not: keepalive is of the process."""
        for connection in list(self.connections):
            if process in (connection.client, connection.server):
                connection.silence(self.chance.uniform(*_SILENCE_S), paused=process)

    def break_all(self, process: Process) -> None:
        """Its connections end, in the middle of whatever is said."""
        for connection in list(self.connections):
            if process in (connection.client, connection.server):
                self.messages["broken streams"] += 1
                connection.break_("connection reset", keep=self.chance.random() < 0.5)

    def died(self, process: Process) -> None:
        """Its machine closes its connections."""
        for connection in list(self.connections):
            if process in (connection.client, connection.server):
                connection.break_("connection reset", keep=self.chance.random() < 0.5)


class Connection:
    """Between a client's process and a server's. `at_client` and `at_server` are
    called with the reason when that end learns that it is over."""

    def __init__(
        self,
        network: Network,
        client: Process,
        server: Process,
        server_host: str,
        *,
        at_client: Callable[[str], None],
        at_server: Callable[[str], None],
    ) -> None:
        self.network = network
        self.client = client
        self.server = server
        self.server_host = server_host
        self.over = False
        self._at_client = at_client
        self._at_server = at_server
        self.up = _Direction(self, server)
        self.down = _Direction(self, client)
        network.connections[self] = None

    def break_(self, reason: str, *, keep: bool) -> None:
        """It is over. `keep`: what is under way still arrives."""
        if self.over:
            return
        self.over = True
        self.network.connections.pop(self, None)
        for direction, learn in ((self.down, self._at_client), (self.up, self._at_server)):
            direction.end(learn, reason, keep=keep)

    def silence(self, after_s: float, *, paused: Process | None = None) -> None:
        """If nothing passes for so long, both ends give up."""

        def look() -> None:
            network = self.network
            silent = (
                not network.connected(self.client.name, self.server_host)
                if paused is None
                else paused.state.name == "PAUSED"
            )
            if silent:
                self.break_("keepalive timeout", keep=False)

        self.network.loop.world_later(after_s, look)


class _Direction:
    """One way of a connection: first in, first out."""

    def __init__(self, connection: Connection, to: Process) -> None:
        self._connection = connection
        self._to = to
        self._last = 0.0
        self._dropped = False
        self._held: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def send(self, function: Callable[..., Any], *arguments: Any) -> None:
        connection = self._connection
        if connection.over:
            return
        network = connection.network
        if not network.connected(connection.client.name, connection.server_host):
            if not self._held:
                network.wait_for_heal(self)
            self._held.append((function, arguments))
            return
        if network.breaks and network.chance.random() < network.breaks:
            network.trace.add("network", f"break {connection.client} = {connection.server}")
            network.messages["broken streams"] += 1
            connection.break_("connection reset", keep=network.chance.random() < 0.5)
            return
        self._schedule(function, arguments)

    def _schedule(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        loop = self._connection.network.loop
        when = loop.time() + self._connection.network.delay()
        self._last = when = max(when, self._last + 1e-7)
        loop.world_at(when, self._arrive, function, arguments)

    def _arrive(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if not self._dropped:
            self._to.call(function, *arguments)

    def go_on(self) -> None:
        held, self._held = self._held, []
        for function, arguments in held:
            self.send(function, *arguments)

    def end(self, learn: Callable[[str], None], reason: str, *, keep: bool) -> None:
        self._held.clear()
        loop = self._connection.network.loop
        if not keep:
            self._dropped = True
        when = max(loop.time() + self._connection.network.delay(), self._last + 1e-7)
        loop.world_at(when, self._to.call, learn, reason)
