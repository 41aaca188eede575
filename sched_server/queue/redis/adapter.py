"""The port on Redis: publish, take and finish, each at most one round trip."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from redis.exceptions import ReadOnlyError, ResponseError

from sched_server.queue.port import QueueStatus, TaskQueue
from sched_server.queue.redis.link import Link, LinkDownError, UnusableError
from sched_server.queue.redis.survey import Survey
from sched_server.queue.redis.window import Windows
from sched_server.queue.redis.wire import (
    CONSUMER,
    FIELD,
    GROUP,
    Names,
    decode_entries,
    encode_task,
    finish_commands,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.queue.port import QueuedTask, TaskKey
    from sched_server.queue.redis.link import Talk
    from sched_server.queue.redis.window import Window
    from sched_server.queue.redis.wire import Command, Reply

__all__ = ["RedisTaskQueue"]

logger = logging.getLogger("sched.queue")

DEFAULT_WINDOW = 10_000
DEFAULT_TIMEOUT_S = 1.0
DEFAULT_CHECK_EVERY_S = 2.0
DEFAULT_CLAIM_IDLE_S = 15.0
# How long opening waits for Redis; without it, the queue begins in memory.
_OPEN_WAIT_S = 0.3


class RedisTaskQueue(TaskQueue):
    """One stream per key, of at most `window` waiting tasks.

    `prefix` begins the name of every Redis key: clusters that share a server
    have different ones. A round trip may take `timeout_s`, else the connection
    is given up. Every `check_every_s` the server is looked at; tasks that were
    taken and not finished for `claim_idle_s` can be taken again.

    Raises RedisUrlError, ValueError (prefix, window).
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        window: int = DEFAULT_WINDOW,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        check_every_s: float = DEFAULT_CHECK_EVERY_S,
        claim_idle_s: float = DEFAULT_CLAIM_IDLE_S,
    ) -> None:
        if window < 1:
            raise ValueError(f"The window of a task queue is at least 1; got {window}.")
        self._window = window
        self._check_every_s = check_every_s
        self._names = Names(prefix)
        self._windows = Windows(self._names)
        self._survey = Survey(self._names, self._windows, window=window, claim_idle_s=claim_idle_s)
        self._link = Link(
            url, timeout_s=timeout_s, arrive=self._arrive, on_down=self._windows.withdraw
        )
        self._on_available: Callable[[TaskKey], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self._warned: tuple[str, ...] = ()
        self._trouble = ""
        """What Redis said when it last refused a task."""
        self._vanished = False
        """A stream was not there any more; the next look says what that means."""
        self._look_now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ the port

    async def open(
        self, on_available: Callable[[TaskKey], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_available, self._on_lost = on_available, on_lost
        await self._link.open(_OPEN_WAIT_S)
        self._looking = asyncio.create_task(self._look_around(), name="redis survey")

    async def close(self) -> None:
        self._on_available = self._on_lost = None
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
        await self._link.close()
        self._windows.clear()
        self._survey.forget()
        self._trouble, self._vanished = "", False

    async def publish(self, tasks: Sequence[QueuedTask]) -> Sequence[QueuedTask]:
        if not self._is_open():
            return list(tasks)
        overflow: list[QueuedTask] = []
        accepted: list[tuple[Window, QueuedTask]] = []
        for task in tasks:
            window = self._windows.of(task.key)
            if window.has(task):
                continue
            if window.depth >= self._window:
                overflow.append(task)
                continue
            window.sending[task] = None
            accepted.append((window, task))
        if accepted:
            replies = await self._send(accepted)
            if not self._is_open():
                return list(tasks)
            # Not sooner: a take may have emptied a window meanwhile.
            filled = dict.fromkeys(window for window, _ in accepted if not window.takeable)
            self._place(accepted, replies)
            self._announce(list(filled))
        return overflow

    async def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        window = self._windows.get(key)
        if window is None or limit <= 0:
            return []
        tasks = window.take_in_process(limit)
        if len(tasks) < limit and window.in_redis and self._link.up:
            tasks += await self._read(window, limit - len(tasks))
        return tasks

    async def finish(self, tasks: Sequence[QueuedTask]) -> None:
        """Does not wait for Redis: the deletion travels with the next round trip."""
        windows: dict[Window, None] = {}
        for task in tasks:
            window = self._windows.get(task.key)
            if window is not None:
                window.finish(task)
                windows[window] = None
        for window in windows:
            self._delete_finished(window)

    def depth(self, key: TaskKey) -> int:
        window = self._windows.get(key)
        return 0 if window is None else window.depth

    def status(self) -> QueueStatus:
        facts = self._survey.facts
        version = "" if facts is None else facts.version
        return QueueStatus(
            description=" ".join(filter(None, ("Redis", version, "at", self._link.address.text))),
            connected=self._link.up,
            version=version,
            last_error=self._link.last_error or self._trouble,
            warnings=() if facts is None else facts.warnings(),
        )

    def _is_open(self) -> bool:
        return self._on_available is not None

    # ------------------------------------------------------------ round trips

    async def _send(self, accepted: list[tuple[Window, QueuedTask]]) -> list[Reply]:
        """What Redis says to each task: the id of its entry, or anything else."""
        commands: list[Command] = []
        fresh = list(dict.fromkeys(window for window, _ in accepted if not window.exists))
        for window in fresh:
            commands.append(("XGROUP", "CREATE", window.stream, GROUP, "0", "MKSTREAM"))
            commands.append(("SADD", self._names.keys, window.stream))
        for window, task in accepted:
            # Without NOMKSTREAM a wiped Redis would go unnoticed here.
            entry = encode_task(task)
            commands.append(("XADD", window.stream, "NOMKSTREAM", "*", FIELD, entry))
        try:
            replies = await self._link.submit(commands)
        except LinkDownError as error:
            # Redis may have them all the same: duplicates, which are recognised.
            return [error] * len(accepted)
        finally:
            for window, task in accepted:
                window.sending.pop(task, None)
        for window, created in zip(fresh, replies[::2], strict=False):
            window.exists = created == b"OK" or str(created).startswith("BUSYGROUP")
        return replies[2 * len(fresh) :]

    def _place(self, accepted: list[tuple[Window, QueuedTask]], replies: list[Reply]) -> None:
        """What Redis did not take waits here."""
        refusal: ResponseError | None = None
        for (window, task), reply in zip(accepted, replies, strict=True):
            if isinstance(reply, bytes):
                window.waiting[task] = reply
                continue
            window.local[task] = None
            if isinstance(reply, ResponseError):
                refusal = reply
            elif reply is None and window.exists:
                self._stream_vanished(window)
        self._note_refusal(refusal)

    async def _read(self, window: Window, limit: int) -> list[QueuedTask]:
        command: Command = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", limit)
        try:
            [reply] = await self._link.submit([(*command, "STREAMS", window.stream, ">")])
        except LinkDownError:
            return window.take_in_process(limit)
        if isinstance(reply, ResponseError):
            if str(reply).startswith("NOGROUP"):
                self._stream_vanished(window)
            else:
                self._note_refusal(reply)
                window.withdraw()
            return window.take_in_process(limit)
        if not reply:
            # What was counted on is not there, or nobody can read it.
            window.unreadable += window.foreign
            window.foreign = 0
            if window.waiting:
                self._stream_vanished(window)
            return window.take_in_process(limit)
        tasks, others = decode_entries(window.key, reply[0][1])
        for entry_id, task in tasks:
            window.take_entry(task, entry_id)
        window.unfinished += others
        return [task for _, task in tasks]

    def _delete_finished(self, window: Window) -> None:
        if not window.unfinished or not self._link.up:
            return
        ids, window.unfinished = window.unfinished, []
        replies = self._link.submit(finish_commands(window.stream, ids))
        replies.add_done_callback(partial(_keep_if_failed, window, ids))

    # ------------------------------------------------------------ trouble

    def _stream_vanished(self, window: Window) -> None:
        if window.exists:
            logger.warning("tasks that waited in Redis under %s are gone", window.stream)
        window.forget_stream()
        self._vanished = True
        self._look_now.set()

    def _note_refusal(self, refusal: ResponseError | None) -> None:
        text = "" if refusal is None else self._link.address.describe(refusal)
        if text and text != self._trouble:
            logger.warning("Redis refuses; tasks wait in the engine's memory: %s", text)
        self._trouble = text
        if isinstance(refusal, ReadOnlyError):
            self._link.drop(refusal)  # another server may be the primary now

    # ------------------------------------------------------------ looking around

    async def _arrive(self, talk: Talk) -> None:
        """A new connection: see what is there, then others may use it."""
        if await self._survey.greet(talk):
            self._wiped()
        self._warn()
        unfinished = [window for window in self._windows if window.unfinished]
        if unfinished:
            deletions = [finish_commands(each.stream, each.unfinished) for each in unfinished]
            await talk(list(chain.from_iterable(deletions)))
            for window in unfinished:
                window.unfinished.clear()
        self._announce(await self._survey.count(talk))

    def _warn(self) -> None:
        """Say once what a server should have set otherwise."""
        assert self._survey.facts is not None
        warnings = self._survey.facts.warnings()
        if warnings != self._warned:
            self._warned = warnings
            for warning in warnings:
                logger.warning("%s", warning)

    async def _look_around(self) -> None:
        while True:
            pause_s = self._check_every_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), pause_s)
            self._look_now.clear()
            self._windows.drop_unused()
            try:
                if self._link.up:
                    await self._look()
            except LinkDownError:
                continue
            except UnusableError as error:
                self._link.drop(error)
            except Exception:
                logger.exception("Redis could not be looked at; trying again")

    async def _look(self) -> None:
        vanished, self._vanished = self._vanished, False
        if await self._survey.look(self._link.submit):
            self._wiped()
        elif vanished:
            self._tell_lost()
        self._announce(await self._survey.count(self._link.submit))
        for window in self._windows:
            self._delete_finished(window)

    def _wiped(self) -> None:
        logger.warning(
            "Redis at %s was wiped or restarted; what waits is read again from the database",
            self._link.address.text,
        )
        self._windows.forget_streams()
        self._vanished = False
        self._tell_lost()

    def _tell_lost(self) -> None:
        if self._on_lost is not None:
            self._on_lost()

    def _announce(self, windows: Sequence[Window]) -> None:
        if self._on_available is not None:
            for window in windows:
                self._on_available(window.key)


def _keep_if_failed(window: Window, ids: list[bytes], replies: asyncio.Future[list[Reply]]) -> None:
    if replies.cancelled() or replies.exception() is not None:
        window.unfinished += ids
