"""The look around: is it the same Redis still, and what have others left?

Once per connection, and every few seconds while it lasts, in two or three
round trips, however many tasks there are:

1. The marker, a key with a value that nobody guesses, and the server's run id.
   If either is not what it was, Redis was restarted or flushed or is another
   one, and what waited there may be gone.
2. For each stream (a bounded number per look, in turn) how many entries were
   not read yet. More than we put there: another engine left them.
3. Entries that were read long ago and not finished, by an engine that died or
   by this one: they are claimed, and can be taken again.

Streams in which nothing has happened for a while are deleted.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from msgspec import structs
from redis.exceptions import ResponseError

from sched_server.queue.redis.link import UnusableError
from sched_server.queue.redis.wire import (
    CONSUMER,
    GROUP,
    decode_entries,
    parse_info,
    server_facts,
)

if TYPE_CHECKING:
    from sched_server.queue.redis.link import Talk
    from sched_server.queue.redis.window import Window, Windows
    from sched_server.queue.redis.wire import Command, Names, Reply, ServerFacts

__all__ = ["Survey"]

STREAMS_PER_LOOK = 256
CLAIMED_PER_LOOK = 100
# After so many looks without a task a stream is deleted.
QUIET_LOOKS = 30


class Survey:
    """What is known of the server, and of what others do there."""

    def __init__(self, names: Names, windows: Windows, *, window: int, claim_idle_s: float) -> None:
        self.facts: ServerFacts | None = None
        self._names = names
        self._windows = windows
        self._window = window
        self._claim_idle_ms = int(claim_idle_s * 1000)
        self._marker: bytes | None = None
        self._turn = 0

    async def greet(self, talk: Talk) -> bool:
        """The first words on a new connection. True: Redis was wiped since the last.

        Raises UnusableError for a server that cannot serve.
        """
        server, memory = _accepted(await talk([("INFO", "server"), ("INFO", "memory")]))
        facts = server_facts(server + memory)
        if refusal := facts.refusal():
            raise UnusableError(refusal)
        wiped = await self._find_marker(talk)
        # Not sooner: what was found out counts only once it is told.
        before, self.facts = self.facts, facts
        return wiped or (before is not None and before.run_id != facts.run_id)

    async def look(self, talk: Talk) -> bool:
        """True: Redis was wiped."""
        assert self.facts is not None
        marker, server = _accepted(await talk([("GET", self._names.marker), ("INFO", "server")]))
        run_id = parse_info(server).get("run_id", "")
        restarted = run_id != self.facts.run_id
        if restarted:
            self.facts = structs.replace(self.facts, run_id=run_id)
        return await self._find_marker(talk) if marker != self._marker else restarted

    async def count(self, talk: Talk) -> list[Window]:
        """Find what others left; the windows that have more to take than before."""
        windows = await self._streams(talk)
        if not windows:
            return []
        asked: list[Command] = []
        for window in windows:
            asked += [("XLEN", window.stream), ("XPENDING", window.stream, GROUP)]
        replies = await talk(asked)
        more: list[Window] = []
        unfinished: list[Window] = []
        for window, length, pending in zip(windows, replies[::2], replies[1::2], strict=True):
            window.quiet_looks = window.quiet_looks + 1 if window.unused and not length else 0
            if isinstance(pending, ResponseError):
                # There is no stream, or no group; whoever uses it next finds out.
                window.quiet_looks = QUIET_LOOKS
                continue
            window.exists = True
            unread = length - pending[0] - window.unreadable
            if pending[0]:
                unfinished.append(window)
            foreign = max(0, unread - len(window.waiting))
            if foreign > window.foreign:
                more.append(window)
            window.foreign = foreign
        more += await self._claim(talk, unfinished)
        await self._delete_unused(talk, windows)
        return more

    def forget(self) -> None:
        self.facts = self._marker = None

    async def _find_marker(self, talk: Talk) -> bool:
        """Read the marker, or set it. True: it was another one, or none."""
        made = secrets.token_hex(16)
        replies = await talk([("SET", self._names.marker, made, "NX"), ("GET", self._names.marker)])
        before, self._marker = self._marker, _accepted(replies)[1]
        return before is not None and before != self._marker

    async def _streams(self, talk: Talk) -> list[Window]:
        """Streams of ours and of others, which are registered; not all at once."""
        (names,) = _accepted(await talk([("SMEMBERS", self._names.keys)]))
        for name in names:
            key = self._names.key(name)
            if key is not None:
                self._windows.of(key)
        windows = list(self._windows)
        if len(windows) <= STREAMS_PER_LOOK:
            return windows
        start = self._turn % len(windows)
        self._turn = start + STREAMS_PER_LOOK
        return (windows + windows)[start : self._turn]

    async def _claim(self, talk: Talk, windows: list[Window]) -> list[Window]:
        commands: list[Command] = []
        asked: list[Window] = []
        for window in windows:
            room = min(CLAIMED_PER_LOOK, self._window - window.depth)
            if room > 0:
                idle_ms = self._claim_idle_ms
                asked.append(window)
                commands.append(
                    ("XAUTOCLAIM", window.stream, GROUP, CONSUMER, idle_ms, "0", "COUNT", room)
                )
        if not asked:
            return []
        more: list[Window] = []
        for window, reply in zip(asked, await talk(commands), strict=True):
            if isinstance(reply, ResponseError):
                continue
            tasks, others = decode_entries(window.key, reply[1])
            window.unfinished += others
            before = len(window.claimed)
            for entry_id, task in tasks:
                window.claim_entry(task, entry_id)
            if len(window.claimed) > before:
                more.append(window)
        return more

    async def _delete_unused(self, talk: Talk, windows: list[Window]) -> None:
        commands: list[Command] = []
        for window in windows:
            if window.quiet_looks >= QUIET_LOOKS and window.unused:
                commands += [("DEL", window.stream), ("SREM", self._names.keys, window.stream)]
                # Before anyone can send more, which then creates it anew.
                self._windows.drop(window)
        if commands:
            await talk(commands)


def _accepted(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise UnusableError(f"it refuses what sched needs: {reply}")
    return replies
