"""How many tasks wait for a worker, by task queue and kind.

The dispatcher knows the tasks in its window. When a queue has more, only the
store knows how many, and counting them takes time; so that is asked at most
every few seconds, and only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, StoreError

if TYPE_CHECKING:
    from sched_server.engine import Engine
    from sched_server.store.port import TaskKey

KINDS = {WORKFLOW_TASK: "workflow", ACTIVITY_TASK: "activity"}

# A Prometheus server has memory for every name that it ever saw.
MAXIMUM_QUEUES = 200
OTHERS = "(others)"
_COUNTED_EVERY_S = 5.0


class Backlog:
    """`look`, then read `by_queue`."""

    def __init__(self) -> None:
        self._waiting: dict[TaskKey, int] = {}
        self._stored: dict[TaskKey, int] = {}
        self._counted_at = float("-inf")

    async def look(self, engine: Engine | None) -> None:
        """See what waits now. A store that does not answer leaves the window's numbers."""
        if engine is None:
            self._waiting = {}
            return
        dispatcher = engine.group.dispatcher
        beyond = dispatcher.keys_beyond_window()
        now = engine.machine.monotonic()
        if beyond and now - self._counted_at >= _COUNTED_EVERY_S:
            try:
                self._stored = dict(await engine.store.ready_task_keys(engine.group.number))
                self._counted_at = now
            except StoreError:
                self._stored = {}
        waiting = dispatcher.depths()
        for key in beyond:
            waiting[key] = max(waiting.get(key, 0), self._stored.get(key, 0))
        self._waiting = waiting

    def by_queue(self) -> dict[tuple[str, ...], float]:
        """By (task queue, kind). The longest ones by name, the rest together."""
        counts: dict[tuple[str, ...], float] = {}
        for key, count in self._waiting.items():
            label = (key.task_queue, KINDS[key.kind])
            counts[label] = counts.get(label, 0) + count
        if len(counts) <= MAXIMUM_QUEUES:
            return counts
        longest = sorted(counts.items(), key=lambda item: item[1], reverse=True)
        shown = dict(longest[:MAXIMUM_QUEUES])
        for (_, kind), more in longest[MAXIMUM_QUEUES:]:
            shown[OTHERS, kind] = shown.get((OTHERS, kind), 0) + more
        return shown
