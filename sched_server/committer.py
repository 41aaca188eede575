"""Group commit: everything that waits, from all runs, in one transaction.

While one batch is being written the next one gathers; there is no linger
timer, so an idle engine commits at once and a busy one in large batches. Only
after the commit do replies and effects leave.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_server.errors import Unavailable
from sched_server.store.port import (
    CommitBatch,
    CommitGroup,
    FencedError,
    StoreDataError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_server.execution import Execution
    from sched_server.observability.measures import Measures
    from sched_server.store.port import Store

logger = logging.getLogger("sched.engine")

# After a store failure, before the next attempt.
_RETRY_PAUSE_S = 0.1


class Committer:
    """Writes the pending changes of one shard group. One batch at a time."""

    def __init__(
        self,
        store: Store,
        shard_group: int,
        *,
        batch_executions: int,
        on_committed: Callable[[list[Execution]], None],
        on_failed: Callable[[Execution, Exception], None],
        on_fenced: Callable[[], None],
        may_commit: Callable[[], bool],
        measures: Measures,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._shard_group = shard_group
        self._batch_executions = batch_executions
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._on_fenced = on_fenced
        self._may_commit = may_commit
        self._measures = measures
        self._monotonic = monotonic
        self._dirty: dict[Execution, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.epoch = 0

    def add(self, execution: Execution) -> None:
        """The run has a pending change."""
        self._dirty[execution] = None
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Nothing waits, and nothing is being written."""
        return not self._dirty and self._idle.is_set()

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            if not self._dirty:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
                self._idle.clear()
            await self._commit(self._take())

    async def drain(self) -> None:
        """Wait until nothing is left to commit."""
        while self._dirty or not self._idle.is_set():
            self._wake.set()
            await asyncio.sleep(0)
            await self._idle.wait()

    def _take(self) -> list[list[Execution]]:
        """The next batch, as groups that commit all or none."""
        groups: list[list[Execution]] = []
        dirty = self._dirty
        while dirty and len(groups) < self._batch_executions:
            execution = next(iter(dirty))
            group: list[Execution] = []
            while execution in dirty:
                del dirty[execution]
                if execution.pending is None:
                    break  # its change failed while it waited
                if execution.pending.broken:
                    self._on_failed(execution, Unavailable("the engine met an unexpected error"))
                    break
                linked = execution.pending.linked
                execution.freeze()
                group.append(execution)
                if linked is None:
                    break
                execution = linked
            if group:
                groups.append(group)
        return groups

    async def _commit(self, groups: list[list[Execution]]) -> None:
        if not groups:
            return
        if not self._may_commit():
            self._fail(groups, Unavailable("this engine's lease has run out; try another"))
            self._on_fenced()
            return
        batch = CommitBatch(
            shard_group=self._shard_group,
            epoch=self.epoch,
            groups=[
                CommitGroup(changes=[x.in_flight.change for x in group if x.in_flight])
                for group in groups
            ],
        )
        began = self._monotonic()
        try:
            applied = await self._store.commit(batch)
        except FencedError as error:
            logger.error("another engine leads: %s", error)
            self._measures.commit_failures["fenced"] += 1
            self._fail(groups, Unavailable("this engine does not lead any more; try another"))
            self._on_fenced()
        except StoreDataError as error:
            await self._bisect(groups, error)
        except StoreUnavailableError as error:
            logger.error("the store refused a commit of %d runs: %s", len(groups), error)
            self._measures.commit_failures["unavailable"] += 1
            self._fail(groups, Unavailable(f"the store is not available: {error}"))
            await asyncio.sleep(_RETRY_PAUSE_S)
        else:
            self._settle(groups, applied, self._monotonic() - began)

    async def _bisect(self, groups: list[list[Execution]], error: StoreDataError) -> None:
        """One bad value must not fail its neighbours, nor for ever."""
        if len(groups) == 1:
            logger.error("the store refused a value: %s", error)
            self._measures.commit_failures["refused_value"] += 1
            self._fail(groups, error)
            return
        middle = len(groups) // 2
        await self._commit(groups[:middle])
        await self._commit(groups[middle:])

    def _settle(self, groups: list[list[Execution]], applied: list[bool], seconds: float) -> None:
        committed: list[Execution] = []
        refused: list[list[Execution]] = []
        for group, ok in zip(groups, applied, strict=True):
            if ok:
                committed.extend(group)
            else:
                refused.append(group)
        self._measures.committed(committed, seconds)
        self._on_committed(committed)
        if refused:
            self._measures.commit_failures["unexpected_state"] += 1
            logger.warning("%d changes met a state that they did not expect", len(refused))
            self._fail(refused, Unavailable("the workflow changed meanwhile; try again"))

    def _fail(self, groups: list[list[Execution]], error: Exception) -> None:
        for group in groups:
            for execution in group:
                self._dirty.pop(execution, None)
                self._on_failed(execution, error)
